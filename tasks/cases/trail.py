"""Checking the trace of a whole district: every chain link by link, and one root a day over the ends of all."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from app.kernel import db
from app.kernel.clock import SHANGHAI
from tasks.cases import hashing, store, trace
from tasks.cases.trace import Break, Head, Root

BATCH = 1_000
SETTLED = timedelta(minutes=5)
"""A root is over the steps up to so long ago: no transaction still brings one of that time."""


class Checked(Struct, frozen=True, kw_only=True):
    """What a walk over the chains found: `broken` is the first link that does not hold, if any."""

    cases: int
    links: int
    broken: Break | None
    root: str | None = None


async def verify_one(district: str, case_id: UUID) -> Checked | None:
    """Walk the chain of one case; None if there is no such case."""
    async with db.transaction(district):
        found = await store.cases([case_id])
        if not found:
            return None
        links = await store.links(case_id)
        head = Head(found[0].trace_seq, found[0].trace_hash)
    return Checked(cases=1, links=len(links), broken=trace.verify(case_id, links, head))


async def verify_all(district: str, progress: Callable[[int], object] = lambda _: None) -> Checked:
    """Walk all chains, in batches of their own transactions; stop at the first link that does not hold."""
    after: UUID | None = None
    cases = links = 0
    heads: list[tuple[UUID, Head]] = []
    algorithm = hashing.makers().algorithm
    while True:
        async with db.transaction(district):
            batch = await store.heads(after, BATCH)
            chains = await store.links_of([case for case, _ in batch])
        for case, head in batch:
            chain = chains.get(case, [])
            broken = trace.verify(case, chain, head)
            if broken is not None:
                return Checked(cases=cases, links=links, broken=broken)
            cases, links = cases + 1, links + len(chain)
        heads += batch
        progress(len(batch))
        if len(batch) < BATCH:
            return Checked(cases=cases, links=links, broken=None, root=trace.root(heads, algorithm))
        after = batch[-1][0]


async def seal_day(district: str, now: datetime) -> bool:
    """Keep one root over the ends of all chains for the present day, once; return whether it was written now.

    A chain rewritten later from end to end fits itself, but not the roots of the days since.
    """
    day, at = now.astimezone(SHANGHAI).date(), now - SETTLED
    async with db.transaction(district):
        if await store.has_root(day):
            return False
        heads, algorithm = await _heads_at(at), hashing.makers().algorithm
        await store.write_root(day, len(heads), trace.root(heads, algorithm), algorithm, at)
    return True


async def _heads_at(at: datetime) -> list[tuple[UUID, Head]]:
    """Return the ends that all chains had at a time."""
    heads: list[tuple[UUID, Head]] = []
    after: UUID | None = None
    while batch := await store.heads_at(after, at, BATCH):
        heads += [(case, head) for case, head in batch if head.seq]
        after = batch[-1][0]
    return heads


async def roots(district: str) -> list[Root]:
    """Return the roots of all days, to be kept where nobody who could rewrite a chain can write."""
    async with db.transaction(district):
        return await store.roots()


async def differing(district: str, kept: Sequence[Root]) -> date | None:
    """Return the first day whose kept root is not that of the chains as they stand now; None if all hold."""
    for one in sorted(kept, key=lambda root: root.day):
        async with db.transaction(district):
            heads = await _heads_at(one.at)
        if (len(heads), trace.root(heads, one.algorithm)) != (one.cases, one.hash):
            return one.day
    return None
