"""Quiet hours (免打扰时段): when a message may go out, in the district's own time; pure."""

from datetime import datetime, time, timedelta

from msgspec import Struct

from app.kernel.clock import SHANGHAI


class Quiet(Struct, frozen=True):
    """A daily window, from `begins` on and before `ends`; it may pass midnight; of no length it is never."""

    begins: time
    ends: time

    def holds(self, at: datetime) -> bool:
        """Say whether the instant lies in the window."""
        here = at.astimezone(SHANGHAI).time()
        if self.begins <= self.ends:
            return self.begins <= here < self.ends
        return here >= self.begins or here < self.ends


def parse(text: str) -> Quiet:
    """Return the window of `22:00-07:00`; `00:00-00:00` is never. ValueError for anything else."""
    begins, _, ends = text.partition("-")
    return Quiet(time.fromisoformat(begins), time.fromisoformat(ends))


def earliest(at: datetime, quiet: Quiet | None, critical: bool) -> datetime:
    """Return when a message that is ready at `at` may go out: then, or when the window ends; critical ones then."""
    if critical or quiet is None or not quiet.holds(at):
        return at
    here = at.astimezone(SHANGHAI)
    ends = datetime.combine(here.date(), quiet.ends, SHANGHAI)
    return (ends if ends > here else ends + timedelta(days=1)).astimezone(at.tzinfo)
