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


class SsoOff(Problem):
    """No identity provider is set up in this deployment."""

    type = "sso-off"
    status = 404
    title = ("未启用统一身份认证登录", "Sign-in by an identity provider is off")


class SsoStateRefused(NotSignedIn):
    """The sign-in is unknown, used, expired, or was begun in another browser."""

    type = "sso-state-refused"
    title = ("登录请求无效或已过期，请重新登录", "This sign-in is not valid any more, begin again")


class SsoRefused(NotSignedIn):
    """The identity provider does not vouch for anybody: it declined, or what it sent does not hold."""

    type = "sso-refused"
    title = ("统一身份认证未通过", "The identity provider does not vouch for this sign-in")


class SsoUnknownAccount(NotSignedIn):
    """The provider knows the person, but no account here is linked to them: an administrator does that."""

    type = "sso-unknown-account"
    title = ("该身份未关联本平台账号，请联系管理员", "No account is linked to this identity, ask an administrator")


class SsoSubjectTaken(Problem):
    """Another account is linked to this person at the identity provider."""

    type = "sso-subject-taken"
    status = 409
    title = ("该身份已关联其他账号", "The identity is linked to another account")


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
