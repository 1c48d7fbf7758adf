"""What the router refuses, and how it says so."""

from collections.abc import Sequence
from typing import Any

from app.kernel.problem import FieldError, Invalid, Problem, Text


class CaseNotFound(Problem):
    """No such case, or none you may see."""

    type = "case-not-found"
    status = 404
    title = ("没有这个事件", "No such case")


class LegNotFound(Problem):
    """The case has no such leg."""

    type = "leg-not-found"
    status = 404
    title = ("事件没有这个环节", "The case has no such leg")


class ItemNotFound(Problem):
    """The catalogue has no such item at this time."""

    type = "item-not-found"
    status = 404
    title = ("目录中没有这个事项", "No such item in the catalogue")


class TransitionRefused(Problem):
    """The case does not take this command now; `allowed` lists what it takes from you."""

    type = "transition-refused"
    status = 409
    title = ("当前状态不能执行此操作", "Not possible in the present state")


class RoleNotPermitted(Problem):
    """On this case or leg the command belongs to somebody else; `needs` says to whom."""

    type = "role-not-permitted"
    status = 403
    title = ("此操作须由其他角色执行", "This belongs to another part in the case")


class CommandIdReused(Problem):
    """The command id was used before for something else."""

    type = "command-id-reused"
    status = 409
    title = ("指令编号已用于其他操作", "The command id was used for something else")


class OrganisationUnknown(Problem):
    """The organisation to act does not exist, has ended without successor, or cannot be chosen here."""

    type = "organisation-unfit"
    status = 422
    title = ("不能交给这个单位", "This organisation cannot be given the work")


class DifficultItemNotFound(Problem):
    """The library of difficult items has no such entry in use."""

    type = "difficult-item-not-found"
    status = 404
    title = ("疑难事项库中没有这一条", "No such entry among the difficult items")


class FileRefused(Invalid):
    """Rows of the file cannot be taken; `rows` lists each with column and reason. Nothing was changed."""

    type = "file-refused"
    status = 422
    title = ("文件有误，未作任何更改", "The file has bad rows; nothing was changed")

    def __init__(self, rows: Sequence[tuple[int, str, Text]]) -> None:
        super().__init__([FieldError(f"rows[{row}].{column}", why) for row, column, why in rows])
        self.rows = tuple(rows)

    def document(self, language: int, instance: str | None = None) -> dict[str, Any]:
        """Return the document with `rows: [{row, column, why}]`."""
        rows = [{"row": row, "column": column, "why": why[language]} for row, column, why in self.rows]
        return super().document(language, instance) | {"rows": rows}


class RulesNotFound(Problem):
    """No such version or draft of the routing rules, or none you may see."""

    type = "routing-rules-not-found"
    status = 404
    title = ("没有这份派单规则", "No such routing rules")


class OwnDraft(Problem):
    """Rules have an author who drafts and another person who reviews and publishes."""

    type = "author-and-reviewer"
    status = 403
    title = ("起草与复核须由两人分别完成", "Author and reviewer are two people")


class QueueNotFound(Problem):
    """No such saved queue, or none of yours."""

    type = "queue-not-found"
    status = 404
    title = ("没有这个工作队列", "No such queue")


class TooManyQueues(Problem):
    """A person or an organisation keeps so many queues at most."""

    type = "too-many-queues"
    status = 409
    title = ("工作队列已达上限", "No more queues can be kept")


class CaseClaimed(Problem):
    """A colleague has the case in hand; `take_over` takes it all the same."""

    type = "case-claimed"
    status = 409
    title = ("同事正在处理这个事件", "A colleague has the case in hand")


class ReplyTemplateNotFound(Problem):
    """No such reply template, or none for you."""

    type = "reply-template-not-found"
    status = 404
    title = ("没有这个答复模板", "No such reply template")


class ExportsBusy(Problem):
    """This server writes as many exports as it can at a time."""

    type = "exports-busy"
    status = 429
    title = ("正在导出的人较多，请稍后再试", "Too many exports at this moment")
