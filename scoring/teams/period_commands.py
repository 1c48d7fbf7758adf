"""The life of a period: frozen, appealed, locked, reopened, each step on its chained record; runs verified."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel import db, ids, outbox
from app.kernel.actor import Actor, system
from app.kernel.problem import invalid
from scoring.teams import computing, period, scorestore, store
from scoring.teams.events import PeriodStepped
from scoring.teams.period import Link, State, Step
from scoring.teams.problems import PeriodNotFound, PeriodStepRefused, RunNotFound, SchemeNotFound
from scoring.teams.scorestore import Run
from scoring.teams.store import PeriodState

FARTHEST = timedelta(days=366)
"""No appeal and no reopening lasts longer."""


class Verification(Struct, frozen=True, kw_only=True):
    """Whether a run comes out again to the byte; `findings` says in words what does not fit."""

    run: UUID
    sound: bool
    findings: tuple[str, ...]


def refused(state: PeriodState, zh: str, en: str) -> PeriodStepRefused:
    """Return the refusal of a step, with where the period stands and what it can take."""
    return PeriodStepRefused(
        (zh, en), state=str(state.state), possible=[str(step) for step in period.possible(state.state)]
    )


async def _step(code: str, step: Step, now: datetime) -> tuple[PeriodState, State]:
    """Return the period, locked, and the state the step leads to."""
    state = await store.period(period.named(code).code, lock=True)
    if state is None:
        raise PeriodNotFound()
    target = period.next_state(state.state, step)
    if target is None:
        raise refused(state, f"当前为 {state.state}，不能 {step}", f"it is {state.state}; {step} is not possible")
    return state, target


async def _record(state: PeriodState, body: dict[str, str], actor: Actor, now: datetime) -> PeriodState:
    """Write the new state with the next link of the chain."""
    await store.save_period(state)
    links = await store.record(state.code)
    link = Link(
        period=state.code,
        seq=len(links) + 1,
        at=now,
        actor=actor.id,
        type=str(state.state),
        body=body,
        previous=links[-1].hash if links else "",
    )
    await store.append(period.seal(link))
    await outbox.emit(PeriodStepped(id=ids.new_id(), at=now, actor=actor.id, period=state.code, state=str(state.state)))
    return state


async def freeze_period(code: str, actor: Actor, now: datetime) -> PeriodState:
    """Pin the facts: what is recorded after `now` no longer counts. Scores are computed a last time in full."""
    async with db.transaction(actor.district):
        state, target = await _step(code, Step.FREEZE, now)
        named = period.named(code)
        for version in await store.in_force(named.length, named.first):
            await computing.run_all(version, named, now, actor.id, now)
        frozen = msgspec.structs.replace(state, state=target, watermark=now, appeal_until=None, reopened_until=None)
        return await _record(frozen, {"watermark": now.isoformat()}, actor, now)


def _check_ahead(until: datetime, now: datetime) -> None:
    if not now < until <= now + FARTHEST:
        raise invalid("until", "应在现在之后的一年之内", "must lie ahead, by a year at most")


async def invite_appeals(code: str, until: datetime, actor: Actor, now: datetime) -> PeriodState:
    """Open the time for appeals, which ends at `until`."""
    _check_ahead(until, now)
    async with db.transaction(actor.district):
        state, target = await _step(code, Step.INVITE, now)
        invited = msgspec.structs.replace(state, state=target, appeal_until=until)
        return await _record(invited, {"until": until.isoformat()}, actor, now)


async def lock_period(code: str, actor: Actor, now: datetime) -> PeriodState:
    """Fix the scores for good, at the watermark of the freeze with the upheld appeals; after the time for appeals.

    The record of the period names every run with the digest of its output.
    """
    async with db.transaction(actor.district):
        state, target = await _step(code, Step.LOCK, now)
        if state.appeal_until is not None and now < state.appeal_until:
            raise refused(state, "申诉期尚未结束", "the time for appeals is not over")
        if await store.undecided(state.code):
            raise refused(state, "还有未裁决的申诉", "there are undecided appeals")
        named = period.named(code)
        for version in await store.in_force(named.length, named.first):
            await computing.run_all(version, named, computing.watermark(state, now), actor.id, now)
        runs = [msgspec.structs.replace(run, kind="locked") for run in await scorestore.live_runs(state.code)]
        for run in runs:
            await scorestore.save_run(run)
        locked = msgspec.structs.replace(state, state=target)
        return await _record(locked, {str(run.id): run.output_digest for run in runs}, actor, now)


async def reopen_period(code: str, reason: str, until: datetime, actor: Actor, now: datetime) -> PeriodState:
    """Let the facts count again, for a reason and until a time; the locked runs stay as they are."""
    if not 0 < len(reason.strip()) <= 1000:
        raise invalid("reason", "须写明理由（1 至 1000 字）", "reasons are needed (1 to 1000 characters)")
    _check_ahead(until, now)
    async with db.transaction(actor.district):
        state, target = await _step(code, Step.REOPEN, now)
        reopened = msgspec.structs.replace(state, state=target, reopened_until=until, appeal_until=None)
        return await _record(reopened, {"reason": reason.strip(), "until": until.isoformat()}, actor, now)


async def verify(run_id: UUID, district: str) -> Verification:
    """Compute a run again from facts, scheme and appeals as it names them, and compare byte for byte."""
    async with db.transaction(district):
        run = await scorestore.run(run_id)
        if run is None:
            raise RunNotFound()
        version = await store.scheme(run.scheme)
        if version is None:
            raise SchemeNotFound()
        findings = await computing.findings(run, version)
        links = await store.record(run.period)
    broken = period.broken(links)
    if broken is not None:
        findings.append(f"the record of {run.period} is broken at entry {broken}")
    findings += _unrecorded(run, links)
    return Verification(run=run.id, sound=not findings, findings=tuple(findings))


def _unrecorded(run: Run, links: Sequence[Link]) -> list[str]:
    """A locked run must be the one that the record of its period names."""
    if run.kind == "locked" and not any(link.body.get(str(run.id)) == run.output_digest for link in links):
        return ["the record of the period does not name this run with this digest"]
    return []


async def freeze_expired(district: str, now: datetime) -> list[PeriodState]:
    """Freeze the periods that were reopened until a time that is over; safe to repeat."""
    actor = system(district, "scoring")
    async with db.transaction(district):
        reopened = await store.periods([State.REOPENED])
        return [
            await freeze_period(p.code, actor, now)
            for p in reopened
            if p.reopened_until is not None and p.reopened_until <= now
        ]


async def check_live(district: str, now: datetime) -> list[Verification]:
    """Compare every live run with a full computation from the facts (nightly); one that differs is computed anew.

    Returns a verification of each; call after `commands.recompute_dirty`, so that nothing is merely waiting.
    """
    actor = system(district, "scoring")
    checked: list[Verification] = []
    async with db.transaction(district):
        for state in await store.periods(tuple(period.LIVE)):
            await store.open_period(state.code)
            for run in await scorestore.live_runs(state.code):
                found = await verify(run.id, district)
                checked.append(found)
                version = await store.scheme(run.scheme)
                if not found.sound and version is not None:
                    await computing.run_all(version, period.named(state.code), now, actor.id, now)
    return checked
