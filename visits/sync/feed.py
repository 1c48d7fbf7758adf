"""What a phone pulls: which buckets a person sees, and the answer in whole pages with a checksum against drift."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from app.kernel.changes import Change

Cursor = Annotated[int, Meta(ge=0, le=2**62)]
MAX_LIMIT = 1_000
MAX_CELLS = 2_000
"""Most cells a phone is given."""
MAX_BUCKETS = 4_000
"""Most buckets a phone may hold: more than it is ever given, for there is room beside the cells for all its squads."""


class Pull(Struct, frozen=True, kw_only=True):
    """What a phone asks: where it stands in each bucket it holds."""

    device_id: UUID
    app_schema: Annotated[int, Meta(ge=0, le=10_000)]
    epoch: str | None = None
    buckets: Annotated[dict[str, Cursor], Meta(max_length=MAX_BUCKETS)] = {}
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] = 200


class FeedOp(Struct, frozen=True):
    """Put an entity's newest state, or remove it."""

    op: Literal["put", "remove"]
    kind: str
    entity: str
    version: int
    body: dict[str, Any] | None


class BucketPage(Struct, frozen=True, kw_only=True):
    """The next ops of one bucket. The checksum counts once `has_more` is false."""

    ops: tuple[FeedOp, ...]
    cursor: int
    checksum: str
    has_more: bool


class PullAnswer(Struct, frozen=True, kw_only=True):
    """What a phone gets; `acknowledged` are its own recent ops with what became of each."""

    epoch: str
    removed_buckets: tuple[str, ...]
    buckets: dict[str, BucketPage]
    server_time: datetime
    acknowledged: dict[str, str]


def cursors(pull: Pull, allowed: Collection[str], epoch: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the cursor of every allowed bucket and the names of those the phone must drop.

    After a restore (another epoch) every cursor is 0: what the phone has seen may never have happened here.
    """
    same = pull.epoch == epoch
    known = {name: pull.buckets.get(name, 0) if same else 0 for name in allowed}
    return known, tuple(sorted(set(pull.buckets) - set(allowed)))


def checksum(total: int) -> str:
    """Return the XOR of the marks of all a bucket holds as 16 hexadecimal digits, as the phone computes it."""
    return f"{total & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def page(cursor: int, changes: list[Change], limit: int, summary: tuple[int, int]) -> BucketPage:
    """Make one page of up to `limit` ops out of changes read past `cursor` (one more than the limit is read)."""
    shown = changes[:limit]
    more = len(changes) > limit
    return BucketPage(
        ops=tuple(
            FeedOp("remove" if each.body is None else "put", each.kind, each.entity, each.version, each.body)
            for each in shown
        ),
        cursor=shown[-1].position if shown else cursor,
        checksum=checksum(summary[1]),
        has_more=more,
    )


def unchanged(cursors: Mapping[str, int], summaries: Mapping[str, tuple[int, int]]) -> set[str]:
    """Return the buckets in which the phone has seen everything."""
    return {name for name, cursor in cursors.items() if summaries.get(name, (0, 0))[0] <= cursor}
