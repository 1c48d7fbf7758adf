"""The three loops (三个闭环): what is still open in each, per town; each is one query.

- **event** (事件闭环): cases that are not over. Overdue: a turn's handling, the total or the verification is.
- **responsible_body** (责任闭环): turns under supervision until the centre releases them, also after the work is done,
  and turns whose last urging nobody has answered. Overdue: supervised, and the written reply did not come in time.
- **assessment** (考核闭环): judgements of the work that are not made yet: a return that waits for its ruling, a result
  for its verification, a citizen for the call-back, a rejection contested; and cases over with a supervision nobody
  released, whose worth is not settled. Overdue: the time to verify or to answer is over.
"""

from msgspec import Struct

LOOPS = ("event", "responsible_body", "assessment")


class Count(Struct, frozen=True, kw_only=True):
    """How many items of a loop are open, and overdue."""

    open: int = 0
    overdue: int = 0


class Loop(Struct, frozen=True, kw_only=True):
    """A loop over all you may see, and by town (code → count); what lies in no town is under `""`."""

    open: int
    overdue: int
    towns: dict[str, Count]


class LoopsView(Struct, frozen=True, kw_only=True):
    """The three loops."""

    event: Loop
    responsible_body: Loop
    assessment: Loop


def view(rows: list[tuple[str, str | None, int, int]]) -> LoopsView:
    """Put the counts of the queries together."""
    towns: dict[str, dict[str, Count]] = {loop: {} for loop in LOOPS}
    for loop, town, opened, overdue in rows:
        towns[loop][town or ""] = Count(open=opened, overdue=overdue)
    return LoopsView(
        **{
            loop: Loop(
                open=sum(each.open for each in found.values()),
                overdue=sum(each.overdue for each in found.values()),
                towns=dict(sorted(found.items())),
            )
            for loop, found in towns.items()
        }
    )
