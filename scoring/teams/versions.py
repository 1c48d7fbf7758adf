"""A version of a scheme on its way from draft to published: who may do which step, and which version holds when."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from scoring.teams.problems import SameHandRefused, SchemeOverlaps, SchemeStateRefused


class SchemeVersion(Struct, frozen=True, kw_only=True):
    """A version of a scheme with the hands it went through; `document` is the TOML, to the byte."""

    id: UUID
    code: str
    version: int
    name: str
    force: str
    level: str
    length: str
    state: Literal["draft", "reviewed", "published"]
    document: str
    sha256: str
    effective: date
    until: date | None
    author: UUID
    created_at: datetime
    reviewer: UUID | None = None
    reviewed_at: datetime | None = None
    publisher: UUID | None = None
    published_at: datetime | None = None


def _need(version: SchemeVersion, state: str, actor: UUID) -> None:
    if version.state != state:
        raise SchemeStateRefused(
            (f"这一步需要状态 {state}，当前为 {version.state}", f"this needs the state {state}, it is {version.state}"),
            state=version.state,
        )
    if version.author == actor:
        raise SameHandRefused(("起草人不能审核或发布自己的方案", "an author does not review or publish the own scheme"))


def review(version: SchemeVersion, actor: UUID, now: datetime) -> SchemeVersion:
    """Return the version as reviewed; by anybody but its author."""
    _need(version, "draft", actor)
    return replace(version, state="reviewed", reviewer=actor, reviewed_at=now)


def publish(
    version: SchemeVersion, published: Sequence[SchemeVersion], actor: UUID, now: datetime
) -> tuple[SchemeVersion, SchemeVersion | None]:
    """Return the version as published and its predecessor, which ends where this one begins (None without one).

    `published` are the published versions of the same force, level and length. Raises SchemeOverlaps when two would
    hold on one day.
    """
    _need(version, "reviewed", actor)
    ended: SchemeVersion | None = None
    for other in published:
        if not _meet(version, other):
            continue
        if other.code != version.code or other.effective >= version.effective or ended is not None:
            raise SchemeOverlaps(
                (
                    f"与 {other.code} 第 {other.version} 版（{other.effective} 起）重叠",
                    f"overlaps with {other.code} version {other.version}, effective {other.effective}",
                ),
                scheme=str(other.id),
            )
        ended = replace(other, until=version.effective)
    return replace(version, state="published", publisher=actor, published_at=now), ended


def _meet(one: SchemeVersion, other: SchemeVersion) -> bool:
    return (one.until or date.max) > other.effective and (other.until or date.max) > one.effective
