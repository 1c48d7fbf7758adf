"""Runs a scheme over the facts of the database and stores what comes out; joins the caller's transaction."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel import ids, outbox
from scoring.teams import appeals, countstore, engine, period, scheme, scorestore, store
from scoring.teams.aggregation import Selection
from scoring.teams.emissions import Emission, emissions
from scoring.teams.engine import Evaluation
from scoring.teams.events import ScoresComputed
from scoring.teams.measures import registry_hash
from scoring.teams.period import LIVE, Period
from scoring.teams.ranking import Standing, places
from scoring.teams.scheme import Scheme
from scoring.teams.scorestore import Run, Scored
from scoring.teams.store import PeriodState
from scoring.teams.versions import SchemeVersion


class Computed(Struct, frozen=True, kw_only=True):
    """What a computation did: how many subjects it scored anew, and whose total or rank moved."""

    run: UUID
    scheme: str
    period: str
    scored: int
    moved: tuple[str, ...]
    watermark: datetime
    output_digest: str


def watermark(state: PeriodState, now: datetime) -> datetime:
    """Return up to when facts count: the present while a period is live, else the moment of its freeze."""
    return now if state.state in LIVE or state.watermark is None else state.watermark


class _Result(Struct, frozen=True):
    scored: list[Scored]
    emissions: list[Emission]
    appeals: list[UUID]


async def _compute(
    rules: Scheme,
    named: Period,
    watermark: datetime,
    pinned: list[appeals.Appeal],
    subjects: Collection[str] | None = None,
) -> tuple[_Result, Evaluation]:
    adjustments, struck = appeals.effects(pinned, rules.code)
    window = named.window(rules.zone())
    counted = await countstore.count(
        rules, Selection(window=window, watermark=watermark, struck=struck, subjects=subjects)
    )
    evaluation = engine.judge(counted.tallies, rules, named, adjustments)
    scored = [
        Scored(
            score=score,
            town=counted.towns.get(score.subject),
            rankable=engine.rankable(score, rules),
            input_digest=engine.tally_digest(counted.tallies[score.subject]),
            output_digest=engine.score_digest(score),
        )
        for score in evaluation.subjects
    ]
    shares = emissions(counted.tallies, evaluation.subjects, rules)
    return _Result(scored, shares, [appeal.id for appeal in pinned]), evaluation


def _standing(scored: Scored, rules: Scheme) -> Standing:
    return engine.standing(scored.score, rules, scored.input_digest)


async def run_all(version: SchemeVersion, named: Period, watermark: datetime, actor: UUID, now: datetime) -> Computed:
    """Score every subject anew into the live run of the scheme and period."""
    rules = scheme.read(version.document)
    before = await scorestore.live_run(version.id, named.code)
    pinned = await store.upheld(named.code, version.code)
    result, _ = await _compute(rules, named, watermark, pinned)
    inputs, outputs = engine.run_digests(_standing(s, rules) for s in result.scored)
    run = Run(
        id=ids.new_id() if before is None else before.id,
        scheme=version.id,
        period=named.code,
        kind="live",
        engine_version=engine.VERSION,
        registry_hash=registry_hash(),
        scheme_hash=version.sha256,
        watermark=watermark,
        appeals=result.appeals,
        input_digest=inputs,
        output_digest=outputs,
        computed_at=now,
        actor=actor,
    )
    earlier = [] if before is None else await scorestore.standings(run.id)
    await scorestore.save_run(run)
    await scorestore.replace_scores(run.id, result.scored, result.emissions, None)
    return await _told(run, version.code, len(result.scored), earlier, actor, now)


async def run_some(
    run: Run, version: SchemeVersion, named: Period, subjects: Collection[str], actor: UUID, now: datetime
) -> Computed:
    """Score these subjects anew in the live run; the others keep their points, ranks follow."""
    rules = scheme.read(version.document)
    pinned = await store.upheld(named.code, version.code)
    result, _ = await _compute(rules, named, now, pinned, subjects)
    earlier = await scorestore.standings(run.id)
    await scorestore.replace_scores(run.id, result.scored, result.emissions, subjects)
    await scorestore.save_ranks(run.id, places(await scorestore.standings(run.id)))
    inputs, outputs = engine.run_digests(await scorestore.standings(run.id))
    fresh = msgspec.structs.replace(
        run,
        engine_version=engine.VERSION,
        registry_hash=registry_hash(),
        watermark=now,
        appeals=result.appeals,
        input_digest=inputs,
        output_digest=outputs,
        computed_at=now,
        actor=actor,
    )
    await scorestore.save_run(fresh)
    return await _told(fresh, version.code, len(result.scored), earlier, actor, now)


async def _told(run: Run, code: str, scored: int, earlier: list[Standing], actor: UUID, now: datetime) -> Computed:
    """Emit whose score moved, if anybody's did, and return what was done."""
    old = {(s.subject, s.rank, s.output_digest) for s in earlier}
    new = {(s.subject, s.rank, s.output_digest) for s in await scorestore.standings(run.id)}
    moved = tuple(sorted({subject for subject, _, _ in old ^ new}))
    if moved:
        event = ScoresComputed(
            id=ids.new_id(), at=now, actor=actor, run=run.id, scheme=code, period=run.period, subjects=moved
        )
        await outbox.emit(event)
    return Computed(
        run=run.id,
        scheme=code,
        period=run.period,
        scored=scored,
        moved=moved,
        watermark=run.watermark,
        output_digest=run.output_digest,
    )


async def findings(run: Run, version: SchemeVersion) -> list[str]:
    """Compute a run again as it names its inputs and say in words all that does not come out as stored."""
    rules = scheme.read(version.document)
    named = period.parse(run.period)
    if run.engine_version != engine.VERSION:
        return [f"engine version {run.engine_version} is gone; this is {engine.VERSION}"]
    if run.registry_hash != registry_hash():
        return ["the registry of measures has changed since this run"]
    found: list[str] = []
    if rules.sha256 != run.scheme_hash:
        found.append("the document of the scheme is not the one this run used")
    result, _ = await _compute(rules, named, run.watermark, await store.upheld_by_id(run.appeals))
    standings = [_standing(s, rules) for s in result.scored]
    inputs, outputs = engine.run_digests(standings)
    if inputs != run.input_digest:
        found.append("the facts known at the watermark are not those this run counted")
    if outputs != run.output_digest:
        found.append("the scores come out differently")
    kept = [engine.standing(s, rules) for s in (await scorestore.stored(run.id, rules, run.period)).subjects]
    if engine.run_digests(kept)[1] != run.output_digest:
        found.append("the stored lines are not those this run wrote")
    return found
