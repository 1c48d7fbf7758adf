"""Coverage and heat by area: numbers, GeoJSON and tiles say the same, and nobody sees what is not theirs."""

import math
from datetime import timedelta
from typing import Any

import pytest
from shapely.geometry import shape

from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, NotPermitted
from grid.tiles import Spot
from tests.grid import places
from tests.tools import people
from tests.visits import stage
from tests.visits.stage import CELL, DISTRICT, EVENING, LATER, MORNING, TOWN, VILLAGE, Stage
from visits import commands, map_commands, round_commands, visit_commands
from visits.coverage import Level
from visits.problems import RoundNotFound
from visits.proposal import MemberChoice, PlanRequest
from visits.rounds import Round
from visits.visit import Outcome, VisitReport, moment

SECOND = "330109001001002"
ZOOM = 12
COLUMN = int((places.WEST + 180) / 360 * 2**ZOOM)
ROW = int((1 - math.asinh(math.tan(math.radians(places.SOUTH + places.SIDE / 2))) / math.pi) / 2 * 2**ZOOM)
HERE, AWAY = Spot(ZOOM, COLUMN, ROW), Spot(ZOOM, COLUMN + 9, ROW)
TODAY = map_commands.span(None, LATER + timedelta(days=1), LATER)


@pytest.fixture
async def on(district: str) -> Stage:
    return await stage.build()


async def given_out(on: Stage, **changes: Any) -> Round:
    new = stage.new_round(on, **changes)
    round_ = await round_commands.plan_round(new, on.leader.actor, MORNING)
    only = PlanRequest(members=(MemberChoice(person=on.worker.actor.id),))
    return await round_commands.assign(round_.id, only, on.leader.actor, MORNING)


async def visit(on: Stage, home: int, outcome: Outcome, hours: int = 0) -> None:
    at = EVENING + timedelta(hours=hours)
    report = VisitReport(household=on.homes[home], outcome=outcome, started_at=at)
    await visit_commands.record_visit(new_id(), report, moment(at, timedelta(), at), on.worker.actor, at)


async def other_cell(on: Stage) -> None:
    """One more household, in the next cell."""
    place = stage.household(0).place
    there = stage.household(9, place=type(place)(places.WEST + 1.5 * places.SIDE, place.lat, place.datum, 5.0))
    assert (await commands.register_household(there, on.leader.actor, MORNING)).area == SECOND


async def test_coverage_tells_the_halves_of_the_day_apart(on: Stage) -> None:
    round_ = await given_out(on)
    await visit(on, 0, Outcome.ABSENT)
    await visit(on, 0, Outcome.MET, hours=16)
    await visit(on, 1, Outcome.REFUSED)
    [cell] = await map_commands.coverage(round_.id, Level.CELL, on.leader.actor)
    assert (cell.due, cell.met, cell.absent, cell.refused, cell.open) == (4, 1, 0, 1, 2)
    night, day = cell.by_night, cell.by_day
    assert (night.due, night.met, night.absent, night.refused) == (4, 0, 1, 1)
    assert (day.due, day.met, day.absent) == (1, 1, 0)  # the retry of the one that was absent


async def test_every_level_is_counted_by_itself(on: Stage) -> None:
    await other_cell(on)
    round_ = await given_out(on)
    for level, areas in {
        Level.CELL: [CELL, SECOND],
        Level.VILLAGE: [VILLAGE],
        Level.TOWN: [TOWN],
        Level.DISTRICT: [DISTRICT],
    }.items():
        rows = await map_commands.coverage(round_.id, level, on.leader.actor)
        assert ([row.area for row in rows], sum(row.due for row in rows)) == (areas, 5)


async def test_a_map_of_a_round_has_the_shapes_of_its_cells_and_says_what_has_none(on: Stage) -> None:
    round_ = await given_out(on)
    made = await map_commands.coverage_map(round_.id, Level.CELL, on.leader.actor)
    [cell] = made.features
    assert (cell.id, cell.properties.due) == (CELL, 4)
    assert shape(cell.geometry or {}).equals(places.CELLS[0].polygon)
    [village] = (await map_commands.coverage_map(round_.id, Level.VILLAGE, on.leader.actor)).features
    assert (village.id, village.geometry) == (VILLAGE, None)


async def test_a_tile_holds_the_cells_of_the_round_with_their_numbers_and_no_other_cell(on: Stage) -> None:
    round_ = await given_out(on)
    await other_cell(on)  # after the lists were given out
    tile = (await map_commands.coverage_tile(HERE, round_.id, on.leader.actor)).body
    assert CELL.encode() in tile
    assert b"night_due" in tile
    assert SECOND.encode() not in tile
    assert not (await map_commands.coverage_tile(AWAY, round_.id, on.leader.actor)).body
    before = await map_commands.coverage_tile(HERE, round_.id, on.leader.actor)
    await visit(on, 0, Outcome.MET)
    assert (await map_commands.coverage_tile(HERE, round_.id, on.leader.actor)).etag != before.etag


async def test_whoever_was_only_given_a_household_sees_the_coverage_of_their_own(on: Stage) -> None:
    await other_cell(on)
    round_ = await given_out(on)
    guest = on.worker.actor  # of a team, not of the squad: the round is theirs by their list alone
    members = (MemberChoice(person=on.worker.actor.id), MemberChoice(person=on.other.actor.id))
    await round_commands.assign(round_.id, PlanRequest(members=members), on.leader.actor, MORNING)
    mine = await round_commands.list_assignments(round_.id, None, guest)
    [*rows] = await map_commands.coverage(round_.id, Level.DISTRICT, guest)
    assert sum(row.due for row in rows) == len(mine) < 5
    with pytest.raises(RoundNotFound):
        await map_commands.coverage_tile(HERE, round_.id, on.outsider.actor)


async def test_heat_counts_what_happened_at_the_doors_of_a_span(on: Stage) -> None:
    await given_out(on)
    await visit(on, 0, Outcome.MET)
    await visit(on, 1, Outcome.ABSENT)
    await visit(on, 1, Outcome.MET, hours=-24 * 40)
    [cell] = await map_commands.heat(TODAY, None, Level.CELL, on.leader.actor)
    assert (cell.area, cell.visits, cell.met, cell.absent, cell.night) == (CELL, 2, 1, 1, 2)
    assert await map_commands.heat(TODAY, SECOND, Level.CELL, on.leader.actor) == []
    [feature] = (await map_commands.heat_map(TODAY, None, Level.CELL, on.leader.actor)).features
    assert shape(feature.geometry or {}).equals(places.CELLS[0].polygon)
    assert CELL.encode() in (await map_commands.heat_tile(HERE, TODAY, on.leader.actor)).body


async def test_heat_stops_at_the_border_of_what_one_may_see(on: Stage) -> None:
    await visit(on, 0, Outcome.MET)
    neighbour = await people.sign_in(DISTRICT, Role.SQUAD_LEADER, None, "330109001014")
    for who, seen in ((on.worker, 1), (on.other, 0), (on.outsider, 0), (neighbour, 0), (on.centre, 1)):
        rows = await map_commands.heat(TODAY, None, Level.CELL, who.actor)
        assert sum(row.visits for row in rows) == seen
        assert bool((await map_commands.heat_tile(HERE, TODAY, who.actor)).body) == bool(seen)
    auditor = await people.sign_in(DISTRICT, Role.AUDITOR)
    with pytest.raises(NotPermitted):
        await map_commands.heat(TODAY, None, Level.CELL, auditor.actor)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (LATER, EVENING),
        (EVENING, EVENING),
        (EVENING - timedelta(days=367), EVENING),
        (EVENING.replace(tzinfo=None), LATER),
        (EVENING.replace(year=1), LATER),
        (None, EVENING.replace(year=1)),
    ],
)
def test_a_span_that_makes_no_sense_is_refused(since: Any, until: Any) -> None:
    with pytest.raises(Invalid):
        map_commands.span(since, until, LATER)
