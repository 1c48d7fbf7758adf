"""Schemes, computing and the life of a period, on the real database."""

import asyncio
from datetime import datetime, timedelta

import asyncpg
import msgspec
import pytest

from app.kernel import db
from app.kernel.problem import Invalid
from scoring.teams import commands, engine, period_commands, scheme, scorestore, store
from scoring.teams.computing import Computed
from scoring.teams.period import State
from scoring.teams.problems import (
    NoSchemeInForce,
    PeriodStepRefused,
    SameHandRefused,
    SchemeOverlaps,
    SchemeStateRefused,
)
from scoring.teams.store import PeriodState
from tests.scoring.teams.making import (
    CENTRE,
    COLLEAGUE,
    EXAMPLE,
    NOVEMBER,
    OCTOBER,
    at,
    computed,
    example_facts,
    example_scheme,
    frozen,
    made,
    outbox,
    published,
    store_facts,
)
from tests.tools.databases import become_owner


async def stored(result: Computed) -> engine.Evaluation:
    evaluation = await scorestore.stored(result.run, example_scheme(), "2026-10")
    return msgspec.structs.replace(evaluation, subjects=engine.ranked(evaluation.subjects, example_scheme()))


# Schemes


async def test_a_scheme_is_drafted_reviewed_and_published(district: str):
    scheme_version = await published()
    assert (scheme_version.state, scheme_version.version) == ("published", 1)
    assert scheme_version.document == EXAMPLE
    assert [e["code"] for e in await outbox("SchemePublished")] == ["example-grid-monthly"]


async def test_an_author_neither_reviews_nor_publishes(district: str):
    draft = await commands.draft_scheme(EXAMPLE, CENTRE, at(0))
    with pytest.raises(SameHandRefused):
        await commands.review_scheme(draft.id, CENTRE, at(0))
    await commands.review_scheme(draft.id, COLLEAGUE, at(0))
    with pytest.raises(SameHandRefused):
        await commands.publish_scheme(draft.id, CENTRE, at(0))


async def test_a_draft_is_not_published_unreviewed_nor_twice(district: str):
    draft = await commands.draft_scheme(EXAMPLE, CENTRE, at(0))
    with pytest.raises(SchemeStateRefused):
        await commands.publish_scheme(draft.id, COLLEAGUE, at(0))
    await commands.review_scheme(draft.id, COLLEAGUE, at(0))
    await commands.publish_scheme(draft.id, COLLEAGUE, at(0))
    with pytest.raises(SchemeStateRefused):
        await commands.publish_scheme(draft.id, COLLEAGUE, at(0))


async def test_a_new_version_ends_the_one_before_where_it_begins(district: str):
    first = await published()
    await published(EXAMPLE.replace("2026-01-01", "2026-11-01"))
    october = await store.in_force("month", OCTOBER.first)
    november = await store.in_force("month", OCTOBER.after().first)
    assert [(v.version, v.id) for v in october] == [(1, first.id)]
    assert [v.version for v in november] == [2]


@pytest.mark.parametrize(
    "document",
    [
        EXAMPLE.replace("example-grid-monthly", "another-grid-monthly"),
        EXAMPLE,
        EXAMPLE.replace("2026-01-01", "2025-06-01"),
    ],
    ids=["another scheme", "the same day", "before the present one"],
)
async def test_two_schemes_never_hold_for_one_force_and_level_at_once(district: str, document: str):
    await published()
    with pytest.raises(SchemeOverlaps):
        await published(document)


async def test_schemes_of_other_forces_levels_and_ended_ones_do_not_meet(district: str):
    ended = EXAMPLE.replace('effective = "2026-01-01"', 'effective = "2026-01-01"\nuntil = "2026-06-01"')
    await published(ended)
    await published(EXAMPLE.replace("example-grid-monthly", "b").replace("2026-01-01", "2026-06-01"))
    await published(EXAMPLE.replace("example-grid-monthly", "c").replace('force = "grid"', 'force = "police"'))
    await published(EXAMPLE.replace("example-grid-monthly", "d").replace('level = "team"', 'level = "town"'))
    assert len(await store.in_force("month", OCTOBER.first)) == 3


async def test_a_bad_scheme_leaves_nothing(district: str):
    with pytest.raises(Invalid):
        await commands.draft_scheme(EXAMPLE.replace('"0.70"', '"high"'), CENTRE, at(0))
    assert await store.schemes() == []


async def test_the_shipped_schemes_are_installed_once(district: str):
    first = await commands.install_schemes(district, at(0))
    assert {(v.force, v.state) for v in first} == {(f, "published") for f in ("grid", "enforcement", "police")}
    assert await commands.install_schemes(district, at(1)) == []


async def test_two_publishing_at_once_do_not_both_win(committed: str):
    drafts = [
        await commands.draft_scheme(EXAMPLE.replace("example-grid-monthly", code), CENTRE, at(0)) for code in ("a", "b")
    ]
    for draft in drafts:
        await commands.review_scheme(draft.id, COLLEAGUE, at(0))
    first_wrote = asyncio.Event()

    async def publish_other() -> None:
        await first_wrote.wait()
        await commands.publish_scheme(drafts[1].id, COLLEAGUE, at(0))

    other = asyncio.create_task(publish_other())
    async with db.transaction(committed):
        await commands.publish_scheme(drafts[0].id, COLLEAGUE, at(0))
        first_wrote.set()
        await asyncio.wait({other}, timeout=0.5)  # the other one must wait for this commit
    with pytest.raises(SchemeOverlaps):
        await other


# Computing


async def test_what_is_stored_is_what_the_engine_gives(district: str):
    await published()
    await store_facts(example_facts())
    result = await computed()
    assert await stored(result) == engine.evaluate(example_facts(), example_scheme(), OCTOBER)
    assert result.scored == 4
    assert set(result.moved) == {"team-01", "team-02", "team-03", "team-04"}


async def test_the_emissions_stored_add_up_to_the_totals(district: str):
    await published()
    await store_facts(example_facts())
    result = await computed()
    rows = await db.fetch(
        "select s.total, (select sum(e.baseline + e.cap + coalesce((select sum(p) from unnest(e.points) p), 0))"
        " from score_emission e where e.run = s.run and e.subject = s.subject) as shared from score s where run = $1",
        result.run,
    )
    assert len(rows) == 4
    assert all(row["total"] == row["shared"] for row in rows)


async def test_computing_again_moves_nobody_and_keeps_the_ids(district: str):
    await published()
    await store_facts(example_facts())
    first = await computed()
    ids = await db.fetch("select id, subject from score order by subject")
    again = await computed(NOVEMBER + timedelta(hours=1))
    assert (again.run, again.output_digest, again.moved) == (first.run, first.output_digest, ())
    assert await db.fetch("select id, subject from score order by subject") == ids
    assert len(await outbox("ScoresComputed")) == 1


async def test_no_scheme_in_force_is_said_so(district: str):
    with pytest.raises(NoSchemeInForce):
        await commands.recompute("2026-10", None, CENTRE, NOVEMBER)
    with pytest.raises(Invalid):
        await commands.recompute("2026-13", None, CENTRE, NOVEMBER)


async def test_new_facts_move_their_team_without_a_mark_and_ranks_follow(district: str):
    await published()
    now = at(30)
    await store_facts([made("case", "a", "team-01", done_at=at(20), recorded_at=at(20))])
    await store_facts([made("case", "b", "team-02", due_at=at(22), done_at=at(23), recorded_at=at(23))])
    await commands.recompute_dirty(district, now)
    late = made("case", "c", "team-01", due_at=at(30), done_at=at(31), recorded_at=at(31))
    await store_facts([late, msgspec.structs.replace(late, fact_id="d"), made("survey", "e", "team-03")])
    (done,) = await commands.recompute_dirty(district, at(55))
    assert done.scored == 2
    assert done.moved == ("team-01", "team-02", "team-03")  # team-02 by its rank alone
    facts = await db.fetch("select * from fact")
    batch = engine.evaluate([msgspec.convert(dict(f), type=type(late)) for f in facts], example_scheme(), OCTOBER)
    assert await stored(done) == batch
    assert (await period_commands.verify(done.run, district)).findings == ()


async def test_a_marked_subject_is_computed_and_the_mark_is_gone(district: str):
    await published()
    await store_facts([made("case", "a", done_at=at(35)), made("case", "b", "team-02", done_at=at(35))])
    await commands.recompute_dirty(district, at(60))
    await commands.mark_dirty("2026-10", ["team-01", "team-01"], CENTRE, at(61))
    (done,) = await commands.recompute_dirty(district, at(70))
    assert done.scored == 1
    assert await commands.recompute_dirty(district, at(80)) == []


async def test_a_correction_moves_both_teams(district: str):
    await published()
    first = made("case", "a", "team-01", done_at=at(35))
    await store_facts([first, made("case", "b", "team-02", done_at=at(90))])
    await commands.recompute_dirty(district, at(60))
    await store_facts([msgspec.structs.replace(first, version=2, team="team-02", recorded_at=at(65))])
    (done,) = await commands.recompute_dirty(district, at(70))
    assert done.moved == ("team-01", "team-02")
    assert [s.subject for s in (await stored(done)).subjects] == ["team-02"]


async def test_two_workers_at_once_compute_once(committed: str):
    await published()
    async with db.transaction(committed):
        await store_facts([made("case", "a", done_at=at(35))])
    results = await asyncio.gather(*(commands.recompute_dirty(committed, at(60 + n)) for n in range(3)))
    assert [c.moved for result in results for c in result if c.moved] == [("team-01",)]
    async with db.transaction(committed):
        assert await db.fetchval("select count(*) from score_run") == 1


# The life of a period


async def locked(now: datetime = NOVEMBER) -> PeriodState:
    await frozen(now)
    await period_commands.invite_appeals("2026-10", now + timedelta(days=3), CENTRE, now)
    return await period_commands.lock_period("2026-10", CENTRE, now + timedelta(days=4))


async def test_a_period_is_frozen_appealed_locked_and_every_step_is_on_record(district: str):
    state = await locked()
    assert state.state is State.LOCKED
    links = await store.record("2026-10")
    assert [link.type for link in links] == ["frozen", "appeal", "locked"]
    (run,) = await db.fetch("select id, kind, output_digest from score_run")
    assert run["kind"] == "locked"
    assert links[2].body == {str(run["id"]): run["output_digest"]}
    assert [e["state"] for e in await outbox("PeriodStepped")] == ["frozen", "appeal", "locked"]


async def test_steps_out_of_order_are_refused_with_what_is_possible(district: str):
    await published()
    await store_facts(example_facts())
    await computed()
    with pytest.raises(PeriodStepRefused) as refusal:
        await period_commands.lock_period("2026-10", CENTRE, NOVEMBER)
    assert refusal.value.facts == {"state": "open", "possible": ["freeze"]}


async def test_nothing_is_locked_before_the_time_for_appeals_is_over(district: str):
    await frozen()
    await period_commands.invite_appeals("2026-10", NOVEMBER + timedelta(days=3), CENTRE, NOVEMBER)
    with pytest.raises(PeriodStepRefused):
        await period_commands.lock_period("2026-10", CENTRE, NOVEMBER + timedelta(days=2))


async def test_a_fact_recorded_after_the_freeze_changes_nothing_until_reopened(district: str):
    await frozen()
    before = (await computed(NOVEMBER + timedelta(hours=2))).output_digest
    later = NOVEMBER + timedelta(hours=3)
    await store_facts([made("case", "late", "team-01", recorded_at=later)])
    assert (await computed(later + timedelta(hours=1))).output_digest == before
    await period_commands.invite_appeals("2026-10", later + timedelta(hours=2), CENTRE, later)
    await period_commands.lock_period("2026-10", CENTRE, later + timedelta(days=1))
    (run,) = await db.fetch("select output_digest from score_run where kind = 'locked'")
    assert run["output_digest"] == before
    reopening = later + timedelta(days=2)
    await period_commands.reopen_period("2026-10", "补录", reopening + timedelta(days=1), CENTRE, reopening)
    assert (await computed(reopening)).output_digest != before
    assert await db.fetchval("select count(*) from score_run where kind = 'locked'") == 1


async def test_a_locked_period_is_not_computed_again(district: str):
    await locked()
    with pytest.raises(PeriodStepRefused):
        await computed()


async def test_a_locked_run_comes_out_again_to_the_byte(district: str):
    await locked()
    run = await db.fetchval("select id from score_run")
    await store_facts([made("case", "later", "team-01", recorded_at=NOVEMBER + timedelta(days=9))])
    assert await period_commands.verify(run, district) == period_commands.Verification(run=run, sound=True, findings=())


@pytest.mark.parametrize(
    ("tampering", "finding"),
    [
        ("update score_line set points = points + 1 where code = 'REWORK' and subject = 'team-01'", "stored lines"),
        ("update score set rank = 1", "stored lines"),
        ("delete from fact where fact_id = 'f00002'", "facts known at the watermark"),
        ("update fact set attributes = '{\"deferred\": true}' where fact_id = 'f00002'", "come out differently"),
        ("update score_scheme set document = replace(document, '\"40\"', '\"41\"')", "document of the scheme"),
    ],
)
async def test_tampering_is_found(district: str, tampering: str, finding: str):
    await locked()
    await become_owner()
    await db.execute("alter table fact disable trigger fact_fixed")  # as whoever owns the database can
    await db.execute(tampering)
    found = await period_commands.verify(await db.fetchval("select id from score_run"), district)
    assert not found.sound
    assert any(finding in words for words in found.findings)


async def test_a_run_of_an_engine_that_is_gone_says_so(district: str, monkeypatch: pytest.MonkeyPatch):
    await locked()
    monkeypatch.setattr(engine, "VERSION", "2")
    found = await period_commands.verify(await db.fetchval("select id from score_run"), district)
    assert found.findings == ("engine version 1 is gone; this is 2",)


@pytest.mark.parametrize(
    "change",
    [
        "update score_run set output_digest = ''",
        "delete from score_run",
        "update score_period_event set actor = period_actor.id from (select id from score_run) as period_actor",
        "delete from score_period_event",
    ],
)
async def test_locked_runs_and_the_record_cannot_be_changed(district: str, change: str):
    await locked()
    await become_owner()  # the application may not even try
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
        async with db.transaction(district):
            await db.execute(change)


async def test_a_changed_scheme_does_not_touch_periods_before_it(district: str):
    await published()
    await store_facts(example_facts())
    before = await computed()
    await published(EXAMPLE.replace("2026-01-01", "2026-11-01").replace('"40"', '"50"'))
    assert (await computed()).output_digest == before.output_digest
    assert scheme.read(EXAMPLE).sha256 == example_scheme().sha256


async def test_a_reopening_ends_by_itself(district: str):
    await locked()
    reopening = NOVEMBER + timedelta(days=9)
    await period_commands.reopen_period("2026-10", "补录", reopening + timedelta(days=1), CENTRE, reopening)
    assert await period_commands.freeze_expired(district, reopening + timedelta(hours=23)) == []
    await commands.recompute_dirty(district, reopening + timedelta(days=1))
    state = await store.period("2026-10")
    assert state is not None
    assert (state.state, state.watermark) == (State.FROZEN, reopening + timedelta(days=1))


async def test_the_nightly_comparison_finds_a_drift_and_puts_it_right(district: str):
    await published()
    await store_facts(example_facts())
    result = await computed()
    assert [c.sound for c in await period_commands.check_live(district, NOVEMBER)] == [True]
    await db.execute("update score_line set points = 0 where subject = 'team-01'")
    assert [c.sound for c in await period_commands.check_live(district, NOVEMBER)] == [False]
    assert (await period_commands.verify(result.run, district)).sound
