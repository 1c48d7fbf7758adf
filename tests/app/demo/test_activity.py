"""The demo's activity could have happened; it is loaded once, and gone on with when it was interrupted."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from app.demo import load
from app.demo.activity import loading, volume
from app.demo.activity.loading import Job
from app.demo.activity.matters import PLATFORM
from app.demo.activity.volume import KINDS, Volume
from app.demo.district.places import DISTRICT
from app.kernel import actor, db
from tasks.cases import intake, replay, trail
from tests.grid.places import NOW
from tests.tools import databases

TINY = Volume(days=9, cases_a_day=12, visits=330, reading_every=720)
MEMBER = actor.system(DISTRICT, "test")


def quiet(what: str, done: int, of: int) -> None:
    """No bars in tests."""


@pytest_asyncio.fixture(scope="module")
async def loaded(database: str) -> AsyncIterator[int]:
    """A tiny activity in the demo district, really committed; gives how many batches were loaded."""
    await load.district("small", NOW, quiet, lambda _: None)
    yield await loading.load("small", NOW, quiet, volume=TINY, processes=1)
    await databases.empty(database)


async def numbers(sql: str) -> list[tuple[Any, ...]]:
    async with db.transaction(DISTRICT):
        return [tuple(row) for row in await db.fetch(sql)]


async def test_an_interrupted_load_goes_on_for_the_moment_it_began_with(committed: str) -> None:
    await load.district("small", NOW, quiet, lambda _: None)
    stage = await loading.set_up(Job(kind="small", anchor=NOW, volume=TINY))
    names = stage.names()
    for name in (names[0], names[-2]):
        await stage.load(name)
    later = NOW + timedelta(hours=5)
    assert await loading.load("small", later, quiet, volume=TINY, processes=1) == len(names) - 2
    async with db.transaction(DISTRICT):
        assert sorted(await replay.names(PLATFORM, "demo:")) == sorted(names)
    assert await numbers(f"select 1 from cases where received_at >= '{NOW.isoformat()}'") == []


async def test_what_is_loaded_could_have_happened(loaded: int) -> None:
    checked = await trail.verify_all(DISTRICT)
    assert checked.broken is None
    assert checked.cases >= TINY.days * TINY.cases_a_day
    counted = await numbers("select state, count(*) from cases group by state")
    states: dict[str, int] = {row[0]: row[1] for row in counted}
    assert states["closed"] > 40
    assert {"assigned", "handling", "handled"} <= states.keys()
    assert await numbers("select 1 from cases where received_at >= (select max(at) from case_event)") == []
    (late,) = await numbers(
        "select count(*) filter (where done_at > due_at), count(*) from fact where kind in ('case', 'signing')"
        " and done_at is not null"
    )
    assert 0 < late[0] < 0.3 * late[1]
    kinds = {row[0] for row in await numbers("select distinct kind from fact")}
    assert {"case", "signing", "verification", "visit", "visit_due", "demand", "report"} <= kinds
    (visits,) = await numbers("select count(*), count(distinct round_id), count(distinct half) from visit")
    assert visits[0] > 200
    assert (visits[1] > 22, visits[2]) == (True, 2)
    assert (await numbers("select count(*) from reading"))[0][0] == 6 * 18
    # nobody is told of the past: nothing waits to be sent of cases
    assert await numbers("select type from outbox where type like 'Case%'") == []
    # the sweep finds nothing left over from the past
    assert (
        await numbers("select 1 from case_leg where next_urge_at < (select max(at) - interval '1 day' from case_event)")
        == []
    )


async def test_a_number_given_out_afterwards_is_new(loaded: int) -> None:
    report = intake.Report(source="desk", item="G001", description="加载之后的新事件")
    case = await intake.create(report, MEMBER, NOW)
    same = await numbers(f"select count(*), count(distinct number) from cases where number like '{case.number[:10]}%'")
    assert same[0][0] == same[0][1]


async def test_it_is_loaded_once(loaded: int) -> None:
    assert loaded > 9
    assert await loading.load("small", NOW + timedelta(days=1), quiet, volume=TINY, processes=1) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_days_hold_what_the_kind_says(kind: str) -> None:
    chosen = KINDS[kind]
    batches = volume.batches(kind, chosen, NOW, 1)
    arrivals = [at for batch in batches for at in batch.arrivals]
    assert len(arrivals) == chosen.days * chosen.cases_a_day
    assert max(arrivals) < NOW
    assert batches == volume.batches(kind, chosen, NOW, 1)
    assert volume.read_marker(batches[0].name) == (kind, NOW)
