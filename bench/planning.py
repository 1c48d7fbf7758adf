"""Planning of a round: 5,000 households to 100 members as a squad leader previews it, beside reading the households."""

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID

from app.demo.district import places
from app.demo.district.places import DISTRICT
from app.kernel import db, ids
from app.kernel.actor import system
from bench.figure import Figure
from bench.platform import Context
from bench.points import points_of
from grid import commands as grid_commands
from grid.organisations import Kind, Organisation
from grid.people import Person, SquadMember
from visits import commands, planning, round_commands, store
from visits.households import ImportRow
from visits.planning import Member, Stop
from visits.proposal import PlanRequest, Preview
from visits.questionnaire import NewQuestionnaire, Question, QuestionKind
from visits.rounds import Half, NewRound, Target

HOUSEHOLDS, MEMBERS = 5_000, 100
NOW = datetime(2026, 11, 23, tzinfo=UTC)
DAYS = [date(2026, 11, 23) + timedelta(days=n) for n in range(7)]


async def run(context: Context) -> list[Figure]:
    """Plans a second. Raises AssertionError when a household is left over or somebody has much more than others."""
    made = places.build()
    who = system(DISTRICT, "bench")
    rows = _rows(made)
    squad = Organisation(id=ids.new_id(), kind=Kind.SQUAD, name="演示小分队", code="bench-squad", area=DISTRICT)
    people = [Person(id=ids.new_id(), name="演示", organisation=squad.id, started_at=NOW) for _ in range(MEMBERS)]
    settlement = grid_commands.Settlement(
        areas=made.areas,
        boundaries=made.boundaries,
        cells=made.cells,
        organisations=[squad],
        people=people,
        members=[SquadMember(id=ids.new_id(), squad=squad.id, person=each.id, started_at=NOW) for each in people],
        shifts=[],
    )
    db.configure(await context.database())
    await db.start(1, 2)
    try:
        await grid_commands.settle(DISTRICT, settlement)
        await commands.import_households(rows, who, NOW)
        await commands.publish_questionnaire(FORM, who, NOW)
        new = NewRound(
            name="演示",
            kind=Half.NIGHT,
            starts_on=DAYS[0],
            ends_on=DAYS[-1],
            target=Target(area=DISTRICT),
            squads=(squad.id,),
            questionnaire=FORM.code,
            questionnaire_version=FORM.version,
        )
        round_ = await round_commands.plan_round(new, who, NOW)
        started = time.perf_counter()
        async with db.transaction(DISTRICT):
            assert len(await store.candidates(DISTRICT, None, None, ())) == HOUSEHOLDS
        reading = time.perf_counter() - started
        started = time.perf_counter()
        preview = await round_commands.preview(round_.id, PlanRequest(), who, NOW)
        whole = time.perf_counter() - started
        _check(preview)
        started = time.perf_counter()
        await round_commands.assign(round_.id, PlanRequest(), who, NOW)
        giving = time.perf_counter() - started
    finally:
        await db.stop()
    pure = _pure(rows, [each.id for each in people])
    floor, name = 1 / reading, "reading the households alone"
    return [
        Figure(name="plan of 5,000 households, 100 members, preview", value=1 / whole, unit="plans/s", floor=floor,
               floor_name=name),
        Figure(name="the same given out to the phones", value=1 / giving, unit="plans/s", floor=floor, floor_name=name),
        Figure(name="the same in memory only", value=1 / pure, unit="plans/s", floor=floor, floor_name=name),
    ]  # fmt: skip


FORM = NewQuestionnaire(
    code="bench",
    version=1,
    title="演示",
    questions=(Question(code="gas_safe", kind=QuestionKind.YES_NO, text=("燃气安全？", "Gas safe?")),),
)


def _rows(made: places.Places) -> list[ImportRow]:
    points = points_of(made.boundaries[DISTRICT], HOUSEHOLDS)
    random = Random(2)
    return [
        ImportRow(id=ids.new_id(), address=f"演示路 {n} 号", area=random.choice(made.cells).code, lon=lon, lat=lat)
        for n, (lon, lat) in enumerate(points)
    ]


def _pure(rows: Sequence[ImportRow], persons: Sequence[UUID]) -> float:
    stops = [Stop(row.id, row.lon, row.lat, row.area) for row in rows]
    members = [Member(person, None, frozenset()) for person in persons]
    started = time.perf_counter()
    plan = planning.assign(stops, members, DAYS, 12)
    took = time.perf_counter() - started
    assert not plan.left_over
    return took


def _check(preview: Preview) -> None:
    assert (preview.households, preview.left_over) == (HOUSEHOLDS, ())
    counts = preview.per_member.values()
    assert max(counts) - min(counts) <= HOUSEHOLDS // MEMBERS // 5, sorted(counts)
