"""Evaluation as commands: schemes, computing, periods; each is one transaction with time as an argument."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel import db, ids, outbox
from app.kernel.actor import Actor, system
from app.kernel.problem import invalid
from scoring.teams import computing, countstore, period, scheme, scorestore, store, versions
from scoring.teams.computing import Computed
from scoring.teams.events import PeriodStepped, SchemePublished
from scoring.teams.period import LIVE, Link, Period, State, Step
from scoring.teams.problems import (
    NoSchemeInForce,
    PeriodNotFound,
    PeriodStepRefused,
    RunNotFound,
    SchemeNotFound,
)
from scoring.teams.scorestore import Run
from scoring.teams.store import PeriodState
from scoring.teams.versions import SchemeVersion

OVERLAP = timedelta(minutes=2)
"""A command may commit its facts this long after the time they carry; facts so young are looked at again."""


class Verification(Struct, frozen=True, kw_only=True):
    """Whether a run comes out again to the byte; `findings` says in words what does not fit."""

    run: UUID
    sound: bool
    findings: tuple[str, ...]


def parse_period(code: str) -> Period:
    """Return the period; Invalid for what is not one."""
    try:
        return period.parse(code)
    except ValueError:
        raise invalid("period", "应为 2026-10、2026-Q4 或 2026", "expected 2026-10, 2026-Q4 or 2026") from None


async def draft_scheme(document: str, actor: Actor, now: datetime) -> SchemeVersion:
    """Store the next version of a scheme as a draft; Invalid names every bad field of the document."""
    read = scheme.read(document)
    async with db.transaction(actor.district):
        await store.lock_published()
        draft = SchemeVersion(
            id=ids.new_id(),
            code=read.code,
            version=await store.next_version(read.code),
            name=read.name,
            force=read.force,
            level=read.level,
            length=read.length,
            state="draft",
            document=document,
            sha256=read.sha256,
            effective=read.effective,
            until=read.until,
            author=actor.id,
            created_at=now,
        )
        await store.add_scheme(draft)
    return draft


async def _version(scheme_id: UUID) -> SchemeVersion:
    found = await store.scheme(scheme_id, lock=True)
    if found is None:
        raise SchemeNotFound()
    return found


async def review_scheme(scheme_id: UUID, actor: Actor, now: datetime) -> SchemeVersion:
    """Mark a draft as reviewed; by anybody but its author."""
    async with db.transaction(actor.district):
        reviewed = versions.review(await _version(scheme_id), actor.id, now)
        await store.save_scheme(reviewed)
    return reviewed


async def publish_scheme(scheme_id: UUID, actor: Actor, now: datetime) -> SchemeVersion:
    """Publish a reviewed version; by anybody but its author. The version before it ends where this one begins."""
    async with db.transaction(actor.district):
        await store.lock_published()
        draft = await _version(scheme_id)
        others = await store.published(draft.force, draft.level, draft.length)
        published, ended = versions.publish(draft, others, actor.id, now)
        if ended is not None:
            await store.save_scheme(ended)
        await store.save_scheme(published)
        await outbox.emit(
            SchemePublished(
                id=ids.new_id(), at=now, actor=actor.id, scheme=draft.id, code=draft.code, version=draft.version
            )
        )
    return published


async def install_schemes(district: str, now: datetime) -> list[SchemeVersion]:
    """Publish the shipped monthly schemes that the district lacks, by two system hands; safe to repeat."""
    author, publisher = system(district, "scheme-author"), system(district, "scheme-publisher")
    async with db.transaction(district):
        present = {version.code for version in await store.schemes()}
        installed: list[SchemeVersion] = []
        for document in shipped():
            if scheme.read(document).code not in present:
                draft = await draft_scheme(document, author, now)
                await review_scheme(draft.id, publisher, now)
                installed.append(await publish_scheme(draft.id, publisher, now))
    return installed


def shipped() -> list[str]:
    """Return the documents of the shipped schemes by name."""
    folder = files("scoring.teams") / "schemes"
    return [f.read_text() for f in sorted(folder.iterdir(), key=lambda f: f.name) if f.name.endswith(".toml")]


async def recompute(code: str, scheme_code: str | None, actor: Actor, now: datetime) -> list[Computed]:
    """Compute the scores of a period from its facts, for one scheme or for all in force.

    While the period is live facts count up to `now`, else up to the watermark of the freeze. Raises NoSchemeInForce,
    PeriodStepRefused for a locked period.
    """
    named = parse_period(code)
    async with db.transaction(actor.district):
        state = await store.open_period(named.code)
        versions_in_force = await store.in_force(named.length, named.first, scheme_code)
        if not versions_in_force:
            raise NoSchemeInForce(period=code, scheme=scheme_code)
        if state.state is State.LOCKED:
            raise _refused(state, "周期已锁定，须先重新打开", "the period is locked; reopen it first")
        await store.take_dirty(named.code) if scheme_code is None else None
        watermark = _watermark(state, now)
        return [await computing.run_all(v, named, watermark, actor.id, now) for v in versions_in_force]


def _watermark(state: PeriodState, now: datetime) -> datetime:
    return now if state.state in LIVE or state.watermark is None else state.watermark


async def mark_dirty(code: str, subjects: Sequence[str], actor: Actor, now: datetime) -> None:
    """Note that scores of a period no longer fit the facts of these subjects; joins the caller's transaction."""
    named = parse_period(code)
    async with db.transaction(actor.district):
        await store.mark_dirty(named.code, subjects, now)


async def recompute_dirty(district: str, now: datetime) -> list[Computed]:
    """Bring the live scores of every open period up to the facts: subjects marked, and those with new facts.

    Opens the present periods by itself. Meant to run every half minute; safe to run twice and on two workers at once.
    """
    actor = system(district, "scoring")
    async with db.transaction(district):
        for length, zone in {(v.length, scheme.read(v.document).timezone) for v in await store.schemes()}:
            present = period.present(now, length, zone)
            if await store.in_force(length, present.first):
                await store.open_period(present.code)
        open_periods = [p.code for p in await store.periods(LIVE)]
    done: list[Computed] = []
    for code in open_periods:
        done += await _recompute_dirty(parse_period(code), actor, now)
    return done


async def _recompute_dirty(named: Period, actor: Actor, now: datetime) -> list[Computed]:
    async with db.transaction(actor.district):
        state = await store.open_period(named.code)
        if state.state not in LIVE:
            return []
        marked = set(await store.take_dirty(named.code))
        done: list[Computed] = []
        for version in await store.in_force(named.length, named.first):
            run = await scorestore.live_run(version.id, named.code)
            if run is None:
                done.append(await computing.run_all(version, named, now, actor.id, now))
                continue
            window = named.window(scheme.read(version.document).zone())
            fresh = await countstore.changed_subjects(version.level, run.watermark - OVERLAP, window.start, window.end)
            if dirty := marked | set(fresh):
                done.append(await computing.run_some(run, version, named, dirty, actor.id, now))
        return done


def _refused(state: PeriodState, zh: str, en: str) -> PeriodStepRefused:
    return PeriodStepRefused(
        (zh, en), state=str(state.state), possible=[str(step) for step in period.possible(state.state)]
    )


async def _step(code: str, step: Step, now: datetime) -> tuple[PeriodState, State]:
    """Return the period, locked, and the state the step leads to."""
    state = await store.period(parse_period(code).code, lock=True)
    if state is None:
        raise PeriodNotFound()
    target = period.next_state(state.state, step)
    if target is None:
        raise _refused(state, f"当前为 {state.state}，不能 {step}", f"it is {state.state}; {step} is not possible")
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
        named = parse_period(code)
        for version in await store.in_force(named.length, named.first):
            await computing.run_all(version, named, now, actor.id, now)
        frozen = msgspec.structs.replace(state, state=target, watermark=now, appeal_until=None, reopened_until=None)
        return await _record(frozen, {"watermark": now.isoformat()}, actor, now)


async def invite_appeals(code: str, until: datetime, actor: Actor, now: datetime) -> PeriodState:
    """Open the time for appeals, which ends at `until`."""
    if until <= now:
        raise invalid("until", "应晚于现在", "must lie ahead")
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
            raise _refused(state, "申诉期尚未结束", "the time for appeals is not over")
        if await store.undecided(state.code):
            raise _refused(state, "还有未裁决的申诉", "there are undecided appeals")
        named = parse_period(code)
        for version in await store.in_force(named.length, named.first):
            await computing.run_all(version, named, _watermark(state, now), actor.id, now)
        runs = [msgspec.structs.replace(run, kind="locked") for run in await scorestore.live_runs(state.code)]
        for run in runs:
            await scorestore.save_run(run)
        locked = msgspec.structs.replace(state, state=target)
        return await _record(locked, {str(run.id): run.output_digest for run in runs}, actor, now)


async def reopen_period(code: str, reason: str, until: datetime, actor: Actor, now: datetime) -> PeriodState:
    """Let the facts count again, for a reason and until a time; the locked runs stay as they are."""
    if not 0 < len(reason.strip()) <= 1000:
        raise invalid("reason", "须写明理由（1 至 1000 字）", "reasons are needed (1 to 1000 characters)")
    if until <= now:
        raise invalid("until", "应晚于现在", "must lie ahead")
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
