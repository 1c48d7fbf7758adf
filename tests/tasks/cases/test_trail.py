"""Daily roots: what is late or replayed extends them, what was rewritten is found."""

import asyncio
from datetime import timedelta
from uuid import UUID

from app.kernel import db
from tasks.cases import commands, intake, store, trace, trail
from tasks.cases import orders as o
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, opened, report
from tests.tools.databases import become_owner

LATER = NOW + timedelta(hours=1)
TOMORROW = NOW + timedelta(days=1)


async def whole(place: str) -> bool:
    """Neither a chain nor a root of any day so far is said to be changed."""
    kept = await trail.roots(place)
    return (await trail.verify_all(place)).broken is None and await trail.differing(place, kept) is None


async def rewrite(case: UUID) -> None:
    """Seal a chain anew from end to end with another content, as whoever owns the database can."""
    links = await store.links(case)
    forged, head = trace.chain(
        trace.Head(),
        [
            trace.Entry(
                case=case,
                at=e.at,
                actor=e.actor,
                organisation=e.organisation,
                type=e.type,
                body=e.body | {"rule": "forged"},
            )
            for e in links
        ],
    )
    await become_owner()
    await db.execute("alter table case_event disable trigger case_event_fixed")
    for link in forged:
        await db.execute(
            "update case_event set body = $3, prev_hash = $4, hash = $5 where case_id = $1 and seq = $2",
            case,
            link.seq,
            link.body,
            link.prev_hash,
            link.hash,
        )
    await db.execute("update cases set trace_hash = $2 where id = $1", case, head.hash)


async def test_a_day_gets_one_root(place: str):
    await opened()
    assert await trail.seal_day(place, NOW) is True
    assert await trail.seal_day(place, NOW) is False
    assert len(await trail.roots(place)) == 1


async def test_what_comes_after_a_root_changes_nothing_and_is_under_the_next(place: str):
    case = await opened()
    await trail.seal_day(place, LATER)
    await commands.give(case.id, o.Return(reason="不归镇里"), stage.TOWN_CLERK, LATER)
    await intake.open(report(), stage.CITIZEN, LATER)
    assert await whole(place)
    await trail.seal_day(place, TOMORROW)
    assert await whole(place)
    first, second = await trail.roots(place)
    assert (first.cases, second.cases) == (1, 2)
    assert second.steps == await db.fetchval("select count(*) from case_event")


async def test_history_replayed_after_a_root_is_no_rewriting(place: str):
    """Cases loaded with times long before the root, and steps of an old time added to one under it."""
    case = await opened()
    await trail.seal_day(place, TOMORROW)
    await intake.open(report(), stage.CITIZEN, NOW - timedelta(days=30))
    await commands.give(case.id, o.Return(reason="不归镇里"), stage.TOWN_CLERK, NOW + timedelta(minutes=1))
    assert await whole(place)


async def test_a_transaction_held_open_over_a_root_is_no_rewriting(real_place: str):
    """A step and a case written before the root was made, committed after it, however much later."""
    async with db.transaction(real_place):
        case = await opened()
    written, sealed = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with db.transaction(real_place):
            await commands.give(case.id, o.Return(reason="不归镇里"), stage.TOWN_CLERK, NOW)
            await opened()
            written.set()
            await sealed.wait()

    task = asyncio.create_task(slow())
    await written.wait()
    assert await trail.seal_day(real_place, LATER)
    sealed.set()
    await task
    assert await whole(real_place)
    assert [root.cases for root in await trail.roots(real_place)] == [1]
    await trail.seal_day(real_place, TOMORROW)
    assert await whole(real_place)
    assert (await trail.roots(real_place))[1].cases == 2


async def test_two_who_seal_at_once_make_one_root_that_holds(real_place: str):
    async with db.transaction(real_place):
        await opened()
    done = await asyncio.gather(*(trail.seal_day(real_place, LATER) for _ in range(4)))
    assert sorted(done) == [False, False, False, True]
    assert await whole(real_place)


async def test_steps_written_while_all_are_walked_are_no_break(real_place: str):
    async with db.transaction(real_place):
        cases = [await opened() for _ in range(12)]

    async def write() -> None:
        for case in cases:
            async with db.transaction(real_place):
                await commands.give(case.id, o.Return(reason="不归镇里"), stage.TOWN_CLERK, LATER)

    writing = asyncio.create_task(write())
    walks = [await trail.verify_all(real_place)]
    while not writing.done():
        walks.append(await trail.verify_all(real_place))
    await writing
    assert {walk.broken for walk in walks} == {None}
    assert walks[0].links < (await trail.verify_all(real_place)).links


async def test_a_chain_rewritten_from_end_to_end_is_named(place: str):
    case, other = await opened(), await opened()
    await trail.seal_day(place, LATER)
    await rewrite(case.id)
    for checked in (await trail.verify_all(place), await trail.verify_one(place, case.id)):
        assert checked is not None
        assert checked.broken is not None
        assert checked.broken.case == case.id
        assert "rewritten" in checked.broken.why[1]
    assert (await trail.verify_one(place, other.id)) == trail.Checked(
        cases=1, links=len(await store.links(other.id)), broken=None
    )


async def test_a_chain_cut_back_with_its_case_is_named(place: str):
    case = await opened()
    await commands.give(case.id, o.Return(reason="不归镇里"), stage.TOWN_CLERK, NOW)
    await trail.seal_day(place, LATER)
    links = await store.links(case.id)
    await become_owner()
    await db.execute("alter table case_event disable trigger case_event_fixed")
    await db.execute("delete from case_text where event in (select id from case_event where seq = $1)", links[-1].seq)
    await db.execute("delete from case_event where case_id = $1 and seq = $2", case.id, links[-1].seq)
    await db.execute("update cases set trace_seq = $2, trace_hash = $3 where id = $1", case.id, links[-2].seq,
                     links[-2].hash)  # fmt: skip
    broken = (await trail.verify_all(place)).broken
    assert broken is not None
    assert (broken.case, broken.seq) == (case.id, links[-1].seq)


async def test_where_the_noted_ends_are_forged_too_a_root_kept_elsewhere_tells(place: str):
    case = await opened()
    await trail.seal_day(place, LATER)
    kept = await trail.roots(place)
    await rewrite(case.id)
    await become_owner()
    await db.execute("alter table case_root_head disable trigger case_root_head_fixed")
    await db.execute("update case_root_head h set hash = c.trace_hash from cases c where c.id = h.case_id")
    assert (await trail.verify_all(place)).broken is None
    assert await trail.differing(place, kept) == kept[0].day


async def test_noted_ends_that_were_deleted_are_missed(place: str):
    await opened()
    await trail.seal_day(place, LATER)
    kept = await trail.roots(place)
    await become_owner()
    await db.execute("alter table case_root_head disable trigger case_root_head_fixed")
    await db.execute("delete from case_root_head")
    assert await trail.differing(place, kept) == kept[0].day
