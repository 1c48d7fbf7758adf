"""What evaluation refuses, and why."""

from app.kernel.problem import Problem


class SchemeNotFound(Problem):
    """There is no such version of a scheme."""

    type = "scheme-not-found"
    status = 404
    title = ("没有这个考评方案", "No such scheme")


class SchemeStateRefused(Problem):
    """The version is not in the state this step needs; `state` is the present one."""

    type = "scheme-state-refused"
    status = 409
    title = ("方案当前状态不允许这一步", "The scheme is not in the state for this step")


class SameHandRefused(Problem):
    """Two persons are needed: whoever wrote or raised it cannot decide on it."""

    type = "same-hand-refused"
    status = 409
    title = ("须由另一人办理", "Another person must do this")


class SchemeOverlaps(Problem):
    """Another published scheme already holds for the same force and level at that time."""

    type = "scheme-overlaps"
    status = 409
    title = ("与已发布的方案时间重叠", "Overlaps with a published scheme")


class NoSchemeInForce(Problem):
    """No published scheme of that code holds for the period."""

    type = "no-scheme-in-force"
    status = 404
    title = ("该周期没有生效的考评方案", "No scheme is in force for the period")


class PeriodNotFound(Problem):
    """Nothing was ever computed for the period."""

    type = "period-not-found"
    status = 404
    title = ("没有这个考评周期", "No such period")


class PeriodStepRefused(Problem):
    """The period cannot take this step now; `state` is where it stands and `possible` what it can take."""

    type = "period-step-refused"
    status = 409
    title = ("该周期当前不允许这一步", "The period cannot take this step now")


class ScoreNotFound(Problem):
    """There is no such score or line, or it is not yours to see."""

    type = "score-not-found"
    status = 404
    title = ("没有这项考评结果", "No such score")


class RunNotFound(Problem):
    """There is no such run."""

    type = "run-not-found"
    status = 404
    title = ("没有这次计算", "No such run")


class AppealNotFound(Problem):
    """There is no such appeal, or it is not yours to see."""

    type = "appeal-not-found"
    status = 404
    title = ("没有这项申诉", "No such appeal")


class AppealRefused(Problem):
    """The appeal cannot be raised or decided: the time is over, it was decided, or it is against nothing."""

    type = "appeal-refused"
    status = 409
    title = ("不能受理这项申诉", "The appeal cannot be taken")
