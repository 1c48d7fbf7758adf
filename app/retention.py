"""What has been kept long enough is deleted, once a day in each district; deletions of personal data are noted."""

from calendar import monthrange
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from msgspec import Struct

from app.identity import privacy_commands as identity
from media import erasure_commands as media
from tasks.cases import privacy_commands as cases
from tasks.channels import privacy_commands as channels
from tasks.sensing import commands as sensing

BATCH = 2_000


class Periods(Struct, frozen=True, kw_only=True):
    """How long things are kept; the settings explain them."""

    access_log_months: int = 12
    contact_months: int = 24
    reading_days: int = 730


_periods = Periods()


def configure(periods: Periods) -> None:
    """Set how long things are kept."""
    global _periods
    _periods = periods


async def run(district: str, now: datetime) -> None:
    """Delete what is due, in batches of a transaction each; what a stopped run left the next one finds.

    Answers kept for retries, nonces and used-up tokens go by the hourly `answers.tidy` and `identity.tidy`.
    """
    logs = months_before(now, _periods.access_log_months)
    closed = months_before(now, _periods.contact_months)
    await _all(lambda: cases.erase_old_contacts(district, closed, BATCH, now))
    await _all(lambda: identity.forget_sessions(district, logs, BATCH, now))
    await _all(lambda: identity.forget_accesses(district, logs, BATCH, now))
    await _all(lambda: channels.seal_old_digests(district, BATCH))
    await _all(lambda: media.erase_due(district, now, BATCH))
    await sensing.drop_days(district, timedelta(days=_periods.reading_days), now)


async def _all(batch: Callable[[], Awaitable[int]]) -> None:
    while await batch() == BATCH:
        pass


def months_before(now: datetime, months: int) -> datetime:
    """Return the same instant `months` calendar months earlier, on the last day where the month is shorter."""
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    return now.replace(year=year, month=month + 1, day=min(now.day, monthrange(year, month + 1)[1]))
