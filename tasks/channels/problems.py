"""What channels refuse, as problem documents."""

from app.kernel.problem import Problem


class CodeRefused(Problem):
    """The mini-program's code is wrong or was used before."""

    type = "mini-program-code-refused"
    status = 401
    title = ("小程序登录凭证无效", "The mini-program's code is not valid")
