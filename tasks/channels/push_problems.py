"""What pushes, events and imports refuse, as problem documents."""

from app.kernel.problem import Problem


class MappingUnknown(Problem):
    """There is no source of this code with a mapping, or the key is another source's: both look the same."""

    type = "mapping-unknown"
    status = 404
    title = ("没有这个来源的字段映射", "There is no field mapping of this source")


class EventReused(Problem):
    """A CloudEvent of this `source` and `id` came before with other content."""

    type = "event-id-reused"
    status = 409
    title = ("事件编号已被使用", "The event's source and id came before with other content")


class ImportNotFound(Problem):
    """There is no such import, or it is not yours."""

    type = "import-not-found"
    status = 404
    title = ("没有这个导入任务", "No such import")
