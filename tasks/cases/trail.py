"""Checking the trace of a whole district: every chain link by link, and one root a day over the ends of all."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from app.kernel import db
from app.kernel.clock import SHANGHAI
from tasks.cases import hashing, trace, trail_store
from tasks.cases.trace import Break, Head, Root
from tasks.cases.trail_store import Chain

BATCH = 1_000


class Checked(Struct, frozen=True, kw_only=True):
    """What a walk over the chains found: `broken` is the first link that does not hold, if any."""

    cases: int
    links: int
    broken: Break | None
    root: str | None = None


async def verify_one(district: str, case_id: UUID) -> Checked | None:
    """Walk the chain of one case; None if there is no such case."""
    async with db.transaction(district):
        covered = await trail_store.covered(case_id)
        chain = await trail_store.chain(case_id)
    if chain is None:
        return None
    return Checked(cases=1, links=len(chain.links), broken=_broken(chain, covered))


async def verify_all(district: str, progress: Callable[[int], object] = lambda _: None) -> Checked:
    """Walk all chains, in batches of their own transactions; stop at the first link that does not hold."""
    after: UUID | None = None
    links = 0
    heads: list[tuple[UUID, Head]] = []
    algorithm = hashing.makers().algorithm
    while True:
        async with db.transaction(district):
            # read before the chains: what a root covers is in them already, and they only grow
            covered = await trail_store.all_covered(after, BATCH)
            batch = await trail_store.chains(after, BATCH)
        for chain in batch:
            broken = _broken(chain, covered.get(chain.case, ()))
            if broken is not None:
                return Checked(cases=len(heads), links=links, broken=broken)
            heads.append((chain.case, chain.head))
            links += len(chain.links)
        progress(len(batch))
        if len(batch) < BATCH:
            return Checked(cases=len(heads), links=links, broken=None, root=trace.root(heads, algorithm))
        after = batch[-1].case


def _broken(chain: Chain, covered: Iterable[Head]) -> Break | None:
    return trace.verify(chain.case, chain.links, chain.head) or trace.covered(chain.case, chain.links, covered)


async def seal_day(district: str, now: datetime) -> bool:
    """Keep one root over the ends of all chains for the present day, once; return whether it was written now.

    It covers what is committed when it is made, each chain up to the step noted with it: a transaction that is still
    open, or history loaded later whatever its times, is under the next root. A chain rewritten later from end to end
    fits itself, but neither what was noted nor, where that was changed too, the roots kept elsewhere.
    """
    day = now.astimezone(SHANGHAI).date()
    async with db.transaction(district):
        await trail_store.hold_roots()
        if await trail_store.has_root(day):
            return False
        await trail_store.note_heads(day)
        await trail_store.write_root(await _root(day, now, hashing.makers().algorithm))
    return True


async def _root(day: date, at: datetime, algorithm: str) -> Root:
    """Return the root of a day over the ends noted with it."""
    heads: list[tuple[UUID, Head]] = []
    while batch := await trail_store.heads_under(day, heads[-1][0] if heads else None, BATCH):
        heads += batch
    steps = sum(head.seq for _, head in heads)
    return Root(day=day, cases=len(heads), steps=steps, hash=trace.root(heads, algorithm), algorithm=algorithm, at=at)


async def roots(district: str) -> list[Root]:
    """Return the roots of all days, to be kept where nobody who could rewrite a chain can write."""
    async with db.transaction(district):
        return await trail_store.roots()


async def differing(district: str, kept: Sequence[Root]) -> date | None:
    """Return the first day whose kept root is not that of the ends noted with it; None if all hold.

    That the chains still hold those ends is for `verify_all` to see.
    """
    for one in sorted(kept, key=lambda root: root.day):
        async with db.transaction(district):
            if await _root(one.day, one.at, one.algorithm) != one:
                return one.day
    return None
