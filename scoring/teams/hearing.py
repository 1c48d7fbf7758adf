"""Commands on appeals: raised by the subject's leader, decided by the district centre, each visible with its hands."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from app.identity import scope
from app.kernel import db, ids, outbox
from app.kernel.actor import Actor
from app.kernel.problem import invalid
from scoring.teams import appeals, reading, scorestore, store
from scoring.teams.appeals import NO_NUL, Appeal, Decision
from scoring.teams.events import AppealDecided, AppealRaised
from scoring.teams.period import LIVE
from scoring.teams.problems import AppealNotFound, AppealRefused, PeriodNotFound, ScoreNotFound
from scoring.teams.scorestore import ScoreView

Plain = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]


class Contest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is contested: a line of a score by its code, or a fact by its id; one of the two."""

    score: UUID
    line: Plain | None = None
    fact: Plain | None = None
    reason: Annotated[str, Meta(min_length=1, max_length=1000, pattern=NO_NUL)]


async def raise_appeal(contest: Contest, actor: Actor, now: datetime) -> Appeal:
    """Contest a line or a fact of a score; ScoreNotFound for one that is not the actor's."""
    if (contest.line is None) == (contest.fact is None):
        raise invalid("line", "line 与 fact 须填且只填一项", "exactly one of line and fact is needed")
    if not 0 < len(contest.reason.strip()) <= 1000:
        raise invalid("reason", "须写明理由（1 至 1000 字）", "reasons are needed (1 to 1000 characters)")
    async with db.transaction(actor.district):
        score = await scorestore.score(contest.score)
        if score is None:
            scope.require_any(actor, "score.appeal")
            raise ScoreNotFound()
        scope.require(actor, "score.appeal", reading.ownership(score.subject, score.town), ScoreNotFound())
        period = await store.period(score.period, lock=True)
        if period is None:
            raise PeriodNotFound()
        appeals.check_time(period.state, period.appeal_until, now)
        await _check_against(contest, score)
        appeal = Appeal(
            id=ids.new_id(),
            score=score.id,
            scheme=score.scheme,
            period=score.period,
            subject=score.subject,
            town=score.town,
            line=contest.line,
            fact=contest.fact,
            reason=contest.reason.strip(),
            raised_by=actor.id,
            raised_at=now,
        )
        await store.add_appeal(appeal)
        await outbox.emit(
            AppealRaised(
                id=ids.new_id(),
                at=now,
                actor=actor.id,
                appeal=appeal.id,
                period=appeal.period,
                subject=appeal.subject,
            )
        )
    return appeal


async def _check_against(contest: Contest, score: ScoreView) -> None:
    if contest.fact is not None:
        if not await scorestore.stands_behind(score.run, score.subject, contest.fact):
            raise invalid("fact", "该事实不在这项考评结果中", "this fact does not stand behind the score")
        return
    lines = await scorestore.lines(score.run, score.subject)
    if not any(line.code == contest.line and line.kind != "adjustment" for line in lines):
        raise invalid("line", "没有这个得分项", "the score has no such line")


async def decide_appeal(appeal_id: UUID, decision: Decision, actor: Actor, now: datetime) -> Appeal:
    """Uphold or dismiss an appeal; never by whoever raised it. An upheld one counts from the next computation on.

    While scores are live it marks those concerned; after the freeze the locking run takes it in.
    """
    async with db.transaction(actor.district):
        appeal = await store.appeal(appeal_id)
        if appeal is None:
            scope.require_any(actor, "score.decide")
            raise AppealNotFound()
        scope.require(actor, "score.decide", reading.ownership(appeal.subject, appeal.town), AppealNotFound())
        period = await store.period(appeal.period, lock=True)
        if period is None or str(period.state) == "locked":
            raise AppealRefused(("周期已锁定", "the period is locked"))
        decided = appeals.decide(appeal, decision, actor.id, now)
        await store.decide_appeal(decided)
        if decided.state == "upheld" and period.state in LIVE:
            await store.mark_dirty(appeal.period, [appeal.subject], now)
        await outbox.emit(
            AppealDecided(
                id=ids.new_id(),
                at=now,
                actor=actor.id,
                appeal=appeal.id,
                period=appeal.period,
                subject=appeal.subject,
                upheld=decided.state == "upheld",
                fact=appeal.fact,
            )
        )
    return decided
