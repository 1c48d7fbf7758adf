"""Evidence of a case: declared with its report or step before the bytes arrive, shown to whoever may see the case."""

from collections.abc import Sequence
from datetime import datetime

from app.kernel.actor import Actor
from media import commands as media
from media.evidence import EvidenceRef
from media.verdict import Expected
from tasks.cases.model import Case

OWNER = "case"
NEAR_M = 300.0
"""How far from the case's place a photo is expected to be taken."""


async def declare(refs: Sequence[EvidenceRef], case: Case, actor: Actor, now: datetime) -> None:
    """Attach evidence to a case in the caller's transaction; Invalid names every bad field."""
    if not refs:
        return
    expected = None
    if case.lon is not None and case.lat is not None:
        expected = Expected(lon=case.lon, lat=case.lat, limit_m=NEAR_M)
    await media.declare(refs, OWNER, case.id, expected, actor, now)
