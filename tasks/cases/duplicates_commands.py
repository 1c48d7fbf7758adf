"""Probable duplicates shown to a person, and merged by one: one by one with `merge`, or many after a storm."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.problem import Problem
from grid import facts as grid_facts
from tasks.cases import commands, duplicates_store, likeness, queries, reference, store
from tasks.cases import orders as o
from tasks.cases.problems import CaseNotFound
from tasks.cases.report import Report


class Duplicate(Struct, frozen=True, kw_only=True):
    """A case that is probably the same matter: the higher the score (0–1), the more so; `similarity` of its words."""

    id: UUID
    number: str
    version: int
    state: str
    item: str
    title: str
    received_at: datetime
    score: float
    same_item: bool
    similarity: float
    metres: float
    hours: float


class MergeVerdict(Struct, frozen=True, kw_only=True):
    """What became of one case: `merged`, or `refused` with the problem document."""

    case: UUID
    verdict: str
    problem: dict[str, Any] | None = None


async def likely(case_id: UUID, actor: Actor, now: datetime, limit: int) -> list[Duplicate]:
    """Return up to `limit` open cases that are probably the same matter, of those the actor may see, likeliest first.

    None for a case without a place. CaseNotFound for one that is not the actor's.
    """
    reach = scope.require_any(actor, "case.view")
    async with db.transaction(actor.district):
        if case_id not in await queries.visible([case_id], "case.view", actor, now):
            raise CaseNotFound
        of = await duplicates_store.told(case_id)
        if of is None:
            return []
        item = await _item(case_id)
        window = likeness.window(of, item)
        candidates = await duplicates_store.around(of, window, reach, await grid_facts.directory(now))
    found = [(each, alike) for each in candidates if (alike := likeness.likeness(of, each, item)) is not None]
    found.sort(key=lambda pair: (-pair[1].score, pair[0].id))
    return [
        Duplicate(
            id=each.id,
            number=each.number,
            version=each.version,
            state=each.state,
            item=each.item,
            title=each.title,
            received_at=each.received_at,
            score=alike.score,
            same_item=alike.same_item,
            similarity=alike.similarity,
            metres=alike.metres,
            hours=alike.hours,
        )
        for each, alike in found[:limit]
    ]


async def _item(case_id: UUID) -> Any:
    case = (await store.cases([case_id]))[0]
    return (await reference.present()).catalogue.version(case.item, case.item_version)


async def merge_all(
    into: UUID, cases: Sequence[UUID], reason: str, actor: Actor, language: int, now: datetime
) -> list[MergeVerdict]:
    """Merge many cases into one, each by itself: what cannot be merged is told why, the others are merged.

    One transaction, locked in the order of ids; a verdict per case, in order. Which of them the actor may not see
    are told as if there were none.
    """
    scope.require_any(actor, "case.act")
    verdicts: list[MergeVerdict] = []
    async with db.transaction(actor.district):
        known = await queries.visible([into, *cases], "case.read", actor, now)
        await store.lock_all(sorted(known))
        for case in dict.fromkeys(cases):
            try:
                if into not in known:
                    raise CaseNotFound
                await commands.give(case, o.Merge(into=into, note=reason), actor, now)
                verdicts.append(MergeVerdict(case=case, verdict="merged"))
            except Problem as refused:
                verdicts.append(MergeVerdict(case=case, verdict="refused", problem=refused.document(language)))
    return verdicts


TAP = timedelta(minutes=10)
"""The same words of the same citizen again within it are a second tap, not a second request."""


async def tapped_before(report: Report, now: datetime, *, any_item: bool) -> UUID | None:
    """Return the case a citizen's second tap is about, in the caller's transaction; None for a new request.

    Of two at the same moment the second waits here until the first is committed.
    """
    if report.reporter.id is None:
        return None
    await store.hold([int.from_bytes(report.reporter.id.bytes[8:], signed=True)])
    return await duplicates_store.said_since(report, now - TAP, any_item=any_item)
