"""What a visit does to the turns of its household: its own ends, an absent one is tried again, a refusal ends others.

All of it joins the transaction of the visit.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.kernel import changes, fact
from app.kernel.actor import Actor
from grid import facts as grid_facts
from visits import facts, proposal, round_commands, round_store, rounds, visit
from visits.households import Household
from visits.rounds import Assignment, AssignmentState, Round, RoundState
from visits.visit import Moment, Outcome, Visit, VisitReport

NO_MORE = frozenset({Outcome.REFUSED, Outcome.MOVED, Outcome.UNSAFE})
"""After these nobody is to come until the rules of visiting allow it: what is still planned falls away."""


class Turn(Struct, frozen=True):
    """The assignment a visit was made under, if any, and what is to be flagged about it."""

    assignment: Assignment | None = None
    round_: Round | None = None
    flags: tuple[str, ...] = ()


async def find(report: VisitReport, when: Moment, actor: Actor) -> Turn:
    """Find the assignment: the one named, else the person's open one of this household."""
    flags: tuple[str, ...] = ()
    found = None
    if report.assignment is not None:
        found = await round_store.lock_assignment(report.assignment)
        if found is None or found.household_id != report.household:
            found, flags = None, ("assignment_unknown",)
    else:
        half, _ = rounds.half_of(visit.shift(report.started_at, when))
        found = await round_store.open_assignment(report.household, actor.id, half)
    return Turn(found, None if found is None else await round_store.round_(found.round_id), flags)


async def end(turn: Turn, made: Visit, home: Household, now: datetime) -> UUID | None:
    """End the turns a visit ends; an absent household gets one on the other half of the day. Return that one's id."""
    ended = [] if turn.assignment is None or turn.assignment.state is not AssignmentState.PLANNED else [turn.assignment]
    retry = await _retry(turn.round_, ended[0], made, now) if ended and turn.round_ is not None else None
    after: list[tuple[Assignment, Visit | None]] = [
        (replace(each, state=AssignmentState.DONE, version=each.version + 1), made) for each in ended
    ]
    newest = home.last_visit_at is None or home.last_visit_at <= made.started_at
    if made.outcome in NO_MORE and newest:
        gone = [each for each in await round_store.lock_open_of(home.id) if each not in ended]
        after += [(replace(each, state=AssignmentState.CANCELLED, version=each.version + 1), None) for each in gone]
    if retry is not None:
        after.append((retry, None))
    await _publish(after, home, now)
    return None if retry is None else retry.id


async def _retry(round_: Round, absent: Assignment, made: Visit, now: datetime) -> Assignment | None:
    """The turn on the other half of the day, once a round: on a day its person has room, else for people to plan."""
    again = made.outcome is Outcome.ABSENT and round_.state is RoundState.PUBLISHED
    if not again or await round_store.has_half(round_.id, absent.household_id, absent.half.other):
        return None
    days = proposal.retry_days(made.started_at, absent.half, round_, now)
    if absent.person is None:
        return proposal.other_half(absent, days[0] if days else None)
    await grid_facts.hold_people([absent.person])
    booked = (await round_store.loads([absent.person], days, None)).get(absent.person, {})
    return proposal.other_half(absent, proposal.with_room(days, booked, round_.per_evening))


async def _publish(after: Sequence[tuple[Assignment, Visit | None]], home: Household, now: datetime) -> None:
    """Write turns of one household with their feed and facts; those of a closed round are on no phone."""
    if not after:
        return
    turns = [each for each, _ in after]
    await round_store.put_assignments(turns)
    of = {each: await round_store.round_(each) for each in sorted({turn.round_id for turn in turns})}
    told = [turn for turn in turns if of[turn.round_id].state is not RoundState.CLOSED]
    await changes.append_many(
        [draft for turn in told for draft in round_commands.assignment_changes(turn, None, home, now)]
    )
    who = await round_commands.standings([turn.person for turn in turns if turn.person is not None], now)
    await fact.append(
        [
            facts.of_assignment(turn, home.area, of[turn.round_id], who.get(turn.person), now, seen)
            for turn, seen in after
        ]
    )
