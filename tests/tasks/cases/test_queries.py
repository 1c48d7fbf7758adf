"""What cases show on a real database: the trace, who may see what, lists."""

from datetime import timedelta

import asyncpg
import pytest

from app.kernel import db
from app.kernel.problem import Invalid
from tasks.cases import commands, hashing, intake, queries, store, trace, trail
from tasks.cases import orders as o
from tasks.cases.listing import Filter
from tasks.cases.problems import CaseNotFound, RoleNotPermitted
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, facts, opened, play, report
from tests.tools.databases import become_owner

# ---- trace


async def test_the_trace_refuses_to_be_changed_and_a_forged_one_is_found(place: str):
    case = await opened()
    assert (await trail.verify_all(place)).broken is None
    for statement in ("update case_event set body = '{}'", "delete from case_event"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction(place):
                await db.execute(statement)
    await become_owner()
    await db.execute("alter table case_event disable trigger case_event_fixed")
    await db.execute('update case_event set body = body || \'{"rule": "x"}\' where seq = 3')
    found = await trail.verify_one(place, case.id)
    assert found is not None
    assert found.broken is not None
    assert found.broken.seq == 3


async def test_the_trace_holds_no_personal_words_and_the_contact_is_sealed(place: str):
    case = await opened()
    await play(case, (stage.TOWN_CLERK, o.Return(reason="住户王某不归我们")))
    bodies = "".join(str(row["body"]) for row in await db.fetch("select body from case_event"))
    contact = await db.fetchrow("select * from case_contact where case_id = $1", case.id)
    for secret in ("王某", "张某", "13800001234", "音乐"):
        assert secret not in bodies
        assert secret not in str(contact)
    salt = contact["salt"] if contact else ""
    said = (await store.links(case.id))[0].body
    assert said["description"] == trace.sealed_text("楼下夜里放音乐", salt)


async def test_with_sm3_chosen_each_new_step_names_it_and_older_ones_hold(place: str):
    case = await opened()
    hashing.configure("sm3")
    try:
        await play(case, (stage.TOWN_CLERK, o.Return(reason="不归镇里")))
        other = await opened()
        links = await store.links(case.id)
        assert {link.algorithm for link in links} == {trace.SHA256, trace.SM3}
        assert links[-1].body["reason"].startswith("sm3:")
        assert {link.algorithm for link in await store.links(other.id)} == {trace.SM3}
        await trail.seal_day(place, NOW)
    finally:
        hashing.configure("sha256")
    assert await db.fetchval("select algorithm from case_root") == trace.SM3
    assert (await trail.verify_all(place)).broken is None


def test_a_hash_this_machine_cannot_compute_is_refused_at_the_start():
    with pytest.raises(ValueError, match="does not offer the hash 'md4x'"):
        hashing.configure("md4x")


# ---- who sees what


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("centre", True), ("town", True), ("manager", True), ("station", True), ("citizen", True),
        ("other town", False), ("transport", False), ("market", False), ("stranger", False), ("officer", False),
    ],
)  # fmt: skip
async def test_a_case_is_seen_by_its_area_its_organisations_and_its_reporter(place: str, who: str, sees: bool):
    case = await opened()
    actor = stage.EVERYBODY[who]
    listed = [row.id for row in await queries.cases(Filter(), actor, NOW, 10)]
    assert (case.id in listed) is sees
    if sees:
        assert (await queries.case(case.id, actor, NOW)).number == case.number
    else:
        for look in (queries.case, queries.steps, queries.routing):
            with pytest.raises(CaseNotFound):
                await look(case.id, actor, NOW)
        with pytest.raises(CaseNotFound):
            await commands.give(case.id, o.Add(text="看看"), actor, NOW)


async def test_what_was_on_somebodys_legs_stays_visible_to_them(place: str):
    case = await opened()
    await play(
        case,
        (stage.CENTRE_CLERK, o.Recall(reason="派错")),
        (stage.CENTRE_CLERK, o.Assign(to=stage.MARKET)),
        (stage.MARKET_CLERK, o.Return(reason="不归我们")),
    )
    seen = await queries.case(case.id, stage.MARKET_CLERK, NOW)
    assert seen.state == "accepted"
    signing = {row["department"]: row["due_at"] for row in await facts(case.id, "signing")}
    assert signing == {None: None, str(stage.MARKET): None}  # what was taken back is in nobody's ratio
    with pytest.raises(CaseNotFound):
        await queries.case(case.id, stage.TRANSPORT_CLERK, NOW)


async def test_seeing_is_not_yet_doing(place: str):
    case = await opened()
    for actor in (stage.MANAGER, stage.STATION_CLERK, stage.CITIZEN):
        with pytest.raises(RoleNotPermitted):
            await commands.give(case.id, o.Sign(), actor, NOW)


async def test_the_reporter_reads_public_words_only(place: str):
    case = await opened()
    await play(
        case,
        (stage.TOWN_CLERK, o.Sign()),
        (stage.TOWN_CLERK, o.Record(work="内部：找过老板")),
        (stage.TOWN_CLERK, o.Submit(result="已劝离", evidence=(stage.photo(),))),
    )
    own = str([step.texts for step in await queries.steps(case.id, stage.CITIZEN, NOW)])
    assert "已劝离" in own
    assert "内部" not in own


async def test_the_contact_is_shown_for_a_reason_and_logged(place: str):
    case = await opened()
    seen = await queries.contact(case.id, "电话回访", stage.CENTRE_CLERK, NOW)
    assert seen.phone == "13800001234"
    assert await db.fetchval("select count(*) from access_log where object = $1", f"case:{case.id}") == 1
    with pytest.raises(Invalid):
        await queries.contact(case.id, "", stage.CENTRE_CLERK, NOW)


# ---- lists


async def test_a_list_filters_pages_and_counts(place: str):
    cases = [await intake.open(report(), stage.CITIZEN, NOW + timedelta(minutes=n)) for n in range(5)]
    await play(cases[0], (stage.TOWN_CLERK, o.Sign()))
    clerk = stage.CENTRE_CLERK
    first = await queries.cases(Filter(), clerk, NOW, 2, newest=True)
    after = queries.cursor_after(first[-1], newest=True)
    rest = await queries.cases(Filter(), clerk, NOW, 9, after, newest=True)
    assert [row.id for row in (*first, *rest)] == [case.id for case in reversed(cases)]
    for asked, many in (
        (Filter(state=("handling",)), 1),
        (Filter(state=("handling", "assigned")), 5),
        (Filter(item="H008", source="citizen", area=stage.TOWN, organisation=stage.TOWN_CENTRE), 5),
        (Filter(area="330109004"), 0),
        (Filter(text="音乐"), 5),
        (Filter(text=cases[0].number), 1),
        (Filter(overdue=True), 0),
        (Filter(since=NOW + timedelta(minutes=3)), 2),
        (Filter(box=(120.26, 30.18, 120.27, 30.19)), 5),
        (Filter(box=(0, 0, 1, 1)), 0),
    ):
        assert len(await queries.cases(asked, clerk, NOW, 50)) == many, asked
    late = NOW + timedelta(days=30)
    assert len(await queries.cases(Filter(overdue=True), clerk, late, 50)) == 5
    assert await queries.counts(clerk, late) == {"assigned": 4, "handling": 1, "overdue": 5}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (Filter(text="a\x00"), "text"),
        (Filter(text="%"), "text"),
        (Filter(text="水"), "text"),
        (Filter(box=(120.3, 30.1, 120.2, 30.2)), "box"),
        (Filter(area="33010x"), "area"),
        (Filter(area="３３"), "area"),
        (Filter(state=("gone",)), "state"),
    ],
)
async def test_a_list_refuses_what_cannot_be_asked(place: str, asked: Filter, field: str):
    with pytest.raises(Invalid) as caught:
        await queries.cases(asked, stage.CENTRE_CLERK, NOW, 10)
    assert [error.field for error in caught.value.errors] == [field]
    with pytest.raises(Invalid):
        await queries.cases(Filter(), stage.CENTRE_CLERK, NOW, 10, after="bm9wZQ==")
