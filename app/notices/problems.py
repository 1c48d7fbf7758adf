"""What notices refuse."""

from app.kernel.problem import Problem


class NoticeNotFound(Problem):
    """There is no such notice, or it is somebody else's."""

    type = "notice-not-found"
    status = 404
    title = ("没有这条提醒", "No such notice")
