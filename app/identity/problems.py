"""What identity refuses, as problem documents."""

from app.kernel.problem import NotSignedIn, Problem


class WrongCredentials(Problem):
    """Username or password is wrong; which one is not said."""

    type = "wrong-credentials"
    status = 401
    title = ("用户名或密码不正确", "Username or password is wrong")


class AccountLocked(Problem):
    """Too many wrong passwords; Retry-After says how long to wait."""

    type = "account-locked"
    status = 429
    title = ("密码错误次数过多，请稍后再试", "Too many wrong passwords, try again later")


class PasswordChangeRequired(Problem):
    """The first password must be replaced before anything else."""

    type = "password-change-required"
    status = 403
    title = ("首次登录须修改密码", "Change the first password before anything else")


class TokenExpired(NotSignedIn):
    """The access token is expired or not ours."""

    type = "token-expired"
    title = ("登录已过期，请重新登录", "The session has expired, sign in again")


class RefreshReused(NotSignedIn):
    """A refresh token came twice: the whole session is revoked, for one of the two senders stole it."""

    type = "refresh-reused"
    title = ("登录凭据被重复使用，已全部注销", "A refresh token was used twice; the session is revoked")


class DeviceStolen(NotSignedIn):
    """The device is reported stolen: wipe its data."""

    type = "device-stolen"
    title = ("设备已挂失，请清除数据", "This device is reported stolen: wipe its data")


class UsernameTaken(Problem):
    """There is an account of this name."""

    type = "username-taken"
    status = 409
    title = ("用户名已被使用", "The username is taken")


class AccountNotFound(Problem):
    """No such account."""

    type = "account-not-found"
    status = 404
    title = ("没有这个账号", "No such account")


class SessionNotFound(Problem):
    """No such session of yours."""

    type = "session-not-found"
    status = 404
    title = ("没有这个登录会话", "No such session")


class DeviceNotFound(Problem):
    """No such device of yours."""

    type = "device-not-found"
    status = 404
    title = ("没有这台设备", "No such device")


class KeyNotFound(Problem):
    """No such key."""

    type = "key-not-found"
    status = 404
    title = ("没有这个接口密钥", "No such key")
