"""Past field work taken over at once, set by set: rounds, turns and visits as they would stand had they come singly."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.identity import scope
from app.kernel import db, fact
from app.kernel.actor import Actor
from app.kernel.fact import Fact
from app.kernel.ids import new_id
from visits import facts, round_commands, round_store, rounds, store
from visits.households import Household
from visits.rounds import Assignment, AssignmentState, Half, Round, RoundState
from visits.visit import Outcome, Visit


class PastVisit(Struct, frozen=True, kw_only=True):
    """What is known of a visit long ago; `cases` were opened elsewhere, the first `solved` of them at the door."""

    id: UUID
    outcome: Outcome
    started_at: datetime
    ended_at: datetime | None = None
    cases: tuple[UUID, ...] = ()
    solved: int = 0


class PastTurn(Struct, frozen=True, kw_only=True):
    """A household's turn in a round long ago; without a visit it was missed."""

    round_id: UUID
    household_id: UUID
    person: UUID
    squad: UUID
    planned_on: date
    half: Half
    visit: PastVisit | None = None


async def import_history(past: Sequence[Round], turns: Sequence[PastTurn], actor: Actor, now: datetime) -> int:
    """Write rounds (closed), turns, visits and their facts in one transaction; return how many visits.

    Each household has one turn per round and half. Phones are not told: it is over. Raises NotPermitted.
    """
    scope.require_any(actor, "questionnaire.write")  # the district's own desk, as with what is published
    async with db.transaction(actor.district):
        for round_ in past:
            await round_store.add_round(replace(round_, state=RoundState.CLOSED))
        by_id = {round_.id: round_ for round_ in past}
        homes = {home.id: home for home in await store.households_of([turn.household_id for turn in turns])}
        who = await round_commands.standings([turn.person for turn in turns], now)
        written: list[Fact] = []
        assignments: list[Assignment] = []
        visits: list[tuple[Visit, int]] = []
        for turn in turns:
            home, round_ = homes[turn.household_id], by_id[turn.round_id]
            assignment = _assignment(turn)
            made = None if turn.visit is None else _visit(turn, turn.visit, assignment, home, round_)
            assignments.append(assignment)
            at = rounds.end_of(round_) if made is None else made.received_at
            written.append(facts.of_assignment(assignment, home.area, round_, who[turn.person], at, made))
            if made is not None and turn.visit is not None:
                visits.append((made, turn.visit.solved))
                written += facts.of_visit(made, who[turn.person], frozenset(made.cases[: turn.visit.solved]))
        await round_store.put_assignments(assignments)
        await store.add_visits(visits)
        await store.note_last_visits([made for made, _ in visits], now)
        await fact.append(written)
    return len(visits)


def _assignment(turn: PastTurn) -> Assignment:
    return Assignment(
        id=new_id(),
        round_id=turn.round_id,
        household_id=turn.household_id,
        half=turn.half,
        person=turn.person,
        squad=turn.squad,
        planned_on=turn.planned_on,
        place_in_walk=None,
        state=AssignmentState.PLANNED if turn.visit is None else AssignmentState.DONE,
    )


def _visit(turn: PastTurn, past: PastVisit, assignment: Assignment, home: Household, round_: Round) -> Visit:
    met = past.outcome is Outcome.MET
    half, _ = rounds.half_of(past.started_at)
    return Visit(
        id=past.id,
        household_id=home.id,
        assignment_id=assignment.id,
        round_id=round_.id,
        person=turn.person,
        squad=turn.squad,
        device=None,
        companions=(),
        outcome=past.outcome,
        half=half,
        started_at=past.started_at,
        ended_at=past.ended_at,
        captured_at=past.started_at,
        received_at=past.ended_at or past.started_at,
        skew_s=0.0,
        area=home.area,
        lon=home.lon,
        lat=home.lat,
        received=None,
        questionnaire=round_.questionnaire if met else None,
        questionnaire_version=round_.questionnaire_version if met else None,
        answers={},
        note="",
        cases=past.cases,
        flags=(),
    )
