"""Appeals: raised in time by the subject's leader, decided by another, visible as lines or struck facts."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from app.kernel import db
from app.kernel.actor import Actor, Role
from app.kernel.problem import Invalid
from scoring.teams import commands, engine, hearing, period_commands, scorestore
from scoring.teams.appeals import Appeal, Decision
from scoring.teams.hearing import Contest
from scoring.teams.period import State
from scoring.teams.problems import AppealRefused, PeriodStepRefused, SameHandRefused
from tests.scoring.teams.making import (
    CENTRE,
    NOVEMBER,
    OCTOBER,
    computed,
    example_facts,
    example_scheme,
    frozen,
    outbox,
    published,
    staff,
    store_facts,
)


async def score_of(subject: str) -> scorestore.ScoreView:
    score_id = await db.fetchval("select id from score where subject = $1", subject)
    view = await scorestore.score(score_id)
    assert view is not None
    return view


async def appealed(now: datetime, **against: str) -> tuple[Actor, Appeal]:
    leader = staff(Role.TOWN_CENTRE, "330109003", number=31)
    score = await score_of("team-03")
    return leader, await hearing.raise_appeal(Contest(score=score.id, reason="演示：另有证据", **against), leader, now)


async def test_an_upheld_appeal_against_a_line_is_a_line_of_its_own(district: str):
    await frozen()
    await period_commands.invite_appeals("2026-10", NOVEMBER + timedelta(days=3), CENTRE, NOVEMBER)
    before = (await score_of("team-03")).total
    _, appeal = await appealed(NOVEMBER, line="CLOSE_ONTIME")
    decision = Decision(upheld=True, reason="核实属实", points=Decimal("2.5"))
    await hearing.decide_appeal(appeal.id, decision, CENTRE, NOVEMBER)
    await period_commands.lock_period("2026-10", CENTRE, NOVEMBER + timedelta(days=4))
    after = await score_of("team-03")
    assert before is not None
    assert after.total == before + Decimal("2.5")
    lines = await scorestore.lines(after.run, "team-03")
    assert [(line.kind, line.code, line.points) for line in lines][-1] == ("adjustment", str(appeal.id), Decimal("2.5"))
    assert (await period_commands.verify(after.run, district)).sound


async def test_an_upheld_appeal_against_a_fact_is_as_if_it_had_never_been(district: str):
    await frozen()
    late = "f00135"
    await period_commands.invite_appeals("2026-10", NOVEMBER + timedelta(days=3), CENTRE, NOVEMBER)
    _, appeal = await appealed(NOVEMBER, fact=late)
    await hearing.decide_appeal(appeal.id, Decision(upheld=True, reason="督办已撤"), CENTRE, NOVEMBER)
    await period_commands.lock_period("2026-10", CENTRE, NOVEMBER + timedelta(days=4))
    without = engine.evaluate([f for f in example_facts() if f.fact_id != late], example_scheme(), OCTOBER)
    expected = next(s.total for s in without.subjects if s.subject == "team-03")
    assert (await score_of("team-03")).total == expected
    assert [e["fact"] for e in await outbox("AppealDecided")] == [late]
    assert (await period_commands.verify((await score_of("team-03")).run, district)).sound


async def test_while_scores_are_live_an_upheld_appeal_shows_at_the_next_computation(district: str):
    await published()
    await store_facts(example_facts())
    await computed()
    await commands.recompute_dirty(district, NOVEMBER + timedelta(minutes=30))
    _, appeal = await appealed(NOVEMBER, line="REWORK")
    decision = Decision(upheld=True, reason="属实", points=Decimal(1))
    await hearing.decide_appeal(appeal.id, decision, CENTRE, NOVEMBER)
    done = [c for c in await commands.recompute_dirty(district, NOVEMBER + timedelta(hours=1)) if c.period == "2026-10"]
    assert done[0].moved[-1] == "team-03"


async def test_nobody_decides_the_own_appeal_and_nothing_is_locked_before_a_decision(district: str):
    await frozen()
    await period_commands.invite_appeals("2026-10", NOVEMBER + timedelta(days=3), CENTRE, NOVEMBER)
    leader, appeal = await appealed(NOVEMBER, line="REWORK")
    both = msgspec.structs.replace(CENTRE, id=leader.id)
    with pytest.raises(SameHandRefused):
        await hearing.decide_appeal(appeal.id, Decision(upheld=False, reason="不成立"), both, NOVEMBER)
    with pytest.raises(PeriodStepRefused):
        await period_commands.lock_period("2026-10", CENTRE, NOVEMBER + timedelta(days=4))
    await hearing.decide_appeal(appeal.id, Decision(upheld=False, reason="不成立"), CENTRE, NOVEMBER)
    with pytest.raises(AppealRefused):
        await hearing.decide_appeal(appeal.id, Decision(upheld=True, reason="再议"), CENTRE, NOVEMBER)
    assert (await period_commands.lock_period("2026-10", CENTRE, NOVEMBER + timedelta(days=4))).state is State.LOCKED


@pytest.mark.parametrize("days", [3, 4])
async def test_an_appeal_after_the_deadline_is_refused(district: str, days: int):
    await frozen()
    await period_commands.invite_appeals("2026-10", NOVEMBER + timedelta(days=3), CENTRE, NOVEMBER)
    with pytest.raises(AppealRefused):
        await appealed(NOVEMBER + timedelta(days=days), line="REWORK")


@pytest.mark.parametrize("against", [{"line": "NO_SUCH"}, {"fact": "f00002"}, {}, {"line": "REWORK", "fact": "f00135"}])
async def test_an_appeal_names_one_line_or_one_fact_of_the_score(district: str, against: dict[str, str]):
    await published()
    await store_facts(example_facts())
    await computed()
    with pytest.raises(Invalid):
        await appealed(NOVEMBER, **against)
