"""Staff accounts: what a password must be, and how long an account waits after wrong ones."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from app.kernel.problem import FieldError

LOCK_AFTER = 5
"""Wrong passwords in a row before the account waits."""
FORGET_AFTER = timedelta(days=1)
"""Wrong passwords older than this no longer count."""
MIN_LENGTH = 10
MAX_LENGTH = 128


class Account(Struct, frozen=True, kw_only=True):
    """One person who signs in with a username; never anything about them beyond name and work."""

    id: UUID
    username: str
    name: str
    must_change: bool = False
    disabled: bool = False


def password_errors(password: str, username: str, field: str = "password") -> list[FieldError]:
    """Return what is wrong with a new password: 10–128 signs, at least 5 different ones, without the username."""
    errors: list[FieldError] = []
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        errors.append(FieldError(field, ("密码长度应为 10–128 个字符", "A password has 10 to 128 characters")))
    if len(set(password)) < 5:
        errors.append(
            FieldError(field, ("密码至少要有 5 个不同的字符", "A password has at least 5 different characters"))
        )
    if username and username.lower() in password.lower():
        errors.append(FieldError(field, ("密码不能包含用户名", "A password does not contain the username")))
    return errors


def locked_until(failures: int, now: datetime) -> datetime | None:
    """Return until when an account waits after its n-th wrong password in a row: 30 s, doubling, at most an hour."""
    if failures < LOCK_AFTER:
        return None
    return now + timedelta(seconds=min(30 * 2 ** min(failures - LOCK_AFTER, 10), 3600))
