"""Evaluation as commands: schemes published, scores computed; each is one transaction with time as an argument."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from uuid import UUID

from app.kernel import db, ids, outbox
from app.kernel.actor import Actor, system
from scoring.teams import computing, countstore, period, period_commands, scheme, scorestore, store, versions
from scoring.teams.computing import Computed
from scoring.teams.events import SchemePublished
from scoring.teams.period import LIVE, Period, State
from scoring.teams.problems import (
    NoSchemeInForce,
    SchemeNotFound,
)
from scoring.teams.versions import SchemeVersion

OVERLAP = timedelta(minutes=2)
"""A command may commit its facts this long after the time they carry; facts so young are looked at again."""


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
    named = period.named(code)
    async with db.transaction(actor.district):
        state = await store.open_period(named.code)
        versions_in_force = await store.in_force(named.length, named.first, scheme_code)
        if not versions_in_force:
            raise NoSchemeInForce(period=code, scheme=scheme_code)
        if state.state is State.LOCKED:
            raise period_commands.refused(state, "周期已锁定，须先重新打开", "the period is locked; reopen it first")
        await store.take_dirty(named.code) if scheme_code is None else None
        watermark = computing.watermark(state, now)
        return [await computing.run_all(v, named, watermark, actor.id, now) for v in versions_in_force]


async def mark_dirty(code: str, subjects: Sequence[str], actor: Actor, now: datetime) -> None:
    """Note that scores of a period no longer fit the facts of these subjects; joins the caller's transaction."""
    named = period.named(code)
    async with db.transaction(actor.district):
        await store.mark_dirty(named.code, subjects, now)


async def recompute_dirty(district: str, now: datetime) -> list[Computed]:
    """Bring the live scores of every open period up to the facts: subjects marked, and those with new facts.

    Opens the present periods by itself. Meant to run every half minute; safe to run twice and on two workers at once.
    """
    actor = system(district, "scoring")
    await period_commands.freeze_expired(district, now)
    async with db.transaction(district):
        for length, zone in {(v.length, scheme.read(v.document).timezone) for v in await store.schemes()}:
            present = period.present(now, length, zone)
            if await store.in_force(length, present.first):
                await store.open_period(present.code)
        open_periods = [p.code for p in await store.periods(LIVE)]
    done: list[Computed] = []
    for code in open_periods:
        done += await _recompute_dirty(period.named(code), actor, now)
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
