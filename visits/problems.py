"""Refusals of field work: each names what was refused and why, for people and for phones."""

from app.kernel.problem import NotFound, Problem


class HouseholdNotFound(NotFound):
    """There is no such household, or it is not in your area."""

    type = "household-not-found"
    title = ("没有这一户", "No such household")


class RoundNotFound(NotFound):
    """There is no such round, or it is not in your area."""

    type = "round-not-found"
    title = ("没有这个双访轮次", "No such round")


class VisitNotFound(NotFound):
    """There is no such visit, or it is not in your area."""

    type = "visit-not-found"
    title = ("没有这次走访", "No such visit")


class SquadNotFound(NotFound):
    """There is no such squad, or it is not yours."""

    type = "squad-not-found"
    title = ("没有这个小分队", "No such squad")


class NoteIdTaken(Problem):
    """The id given for a note belongs to another one."""

    type = "note-id-taken"
    status = 409
    title = ("说明编号已被使用", "The id of the note is taken")


class CallBackNotFound(NotFound):
    """There is no such call-back, or it is not in your area."""

    type = "call-back-not-found"
    title = ("没有这次回访", "No such call-back")


class CallBackSettled(Problem):
    """The household was reached already, or too often was not; `state` says which."""

    type = "call-back-settled"
    status = 409
    title = ("回访已结束", "The call-back is over")


class QuestionnaireNotFound(NotFound):
    """No published version of that questionnaire."""

    type = "questionnaire-not-found"
    title = ("没有这一版问卷", "No such version of the questionnaire")


class AddressTaken(Problem):
    """A household at this address is already known; `household` is its id."""

    type = "address-taken"
    status = 409
    title = ("这个地址已登记", "A household at this address is already registered")


class HouseholdIdTaken(Problem):
    """The id given for a new household belongs to one at another address."""

    type = "household-id-taken"
    status = 409
    title = ("这个编号已用于另一地址的住户", "This id belongs to a household at another address")


class VersionTaken(Problem):
    """A questionnaire version, once published, never changes."""

    type = "questionnaire-version-taken"
    status = 409
    title = ("这一版问卷已发布，不能更改", "This version of the questionnaire is already published")


class ContactWithheld(Problem):
    """The household did not consent to being called, or left no contact."""

    type = "contact-withheld"
    status = 409
    title = ("该户未同意提供联系方式", "The household has not consented to being contacted, or left no contact")


class RoundRefuses(Problem):
    """The round's state or window does not allow this."""

    type = "round-refuses"
    status = 409
    title = ("轮次当前不允许此操作", "The round does not allow this now")


class VisitIdTaken(Problem):
    """Visits are append-only: the id belongs to another visit."""

    type = "visit-id-taken"
    status = 409
    title = ("走访编号已被使用", "The visit id is taken")


class AppTooOld(Problem):
    """The app's schema is below the minimum for pulling; pushing still works."""

    type = "app-too-old"
    status = 426
    title = ("应用版本过低，请更新；未传内容仍可上传", "The app is too old: update it; unsent work can still be pushed")


class ForeignDevice(Problem):
    """The device is not registered to the person signed in."""

    type = "foreign-device"
    status = 403
    title = ("设备未登记在本人名下", "The device is not registered to you")


class DeviceRetired(Problem):
    """The device was taken out of service: what it pushes is kept for a person to look at, it gets nothing more."""

    type = "device-retired"
    status = 403
    title = ("设备已停用，上传内容待人工核对", "The device is retired; what it pushes waits for a person to look at it")


class OpIdReused(Problem):
    """The op_id was used before for other content."""

    type = "op-id-reused"
    status = 409
    title = ("操作编号已用于其他内容", "The op_id was used for other content")


class UnknownOp(Problem):
    """No handler for this type of op; the phone keeps it."""

    type = "unknown-op"
    status = 422
    title = ("不认识的操作类型", "Unknown type of op")


class OpConflict(Problem):
    """Somebody else changed the same fields; both values are given."""

    type = "op-conflict"
    status = 409
    title = ("他人已改动相同内容", "Somebody else changed the same fields")


class DependencyMissing(Problem):
    """The op depends on others that have not arrived yet (or were refused); it waits and is not lost."""

    type = "dependency-missing"
    status = 409
    title = ("等待前序操作", "Waits for an earlier op")


class TooManyOps(Problem):
    """One push deals with so many ops; send the rest again."""

    type = "too-many-ops"
    status = 429
    title = ("本次上传过多，其余请重传", "Too many ops in one push; send the rest again")
