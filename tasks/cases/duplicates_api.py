"""Probable duplicates and merging in bulk over HTTP: decode, call, encode."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from msgspec import Meta, Struct

from app.identity import scope
from app.kernel.actor import Actor
from app.kernel.problem import language_of
from tasks.cases import duplicates_commands as commands
from tasks.cases.duplicates_commands import Duplicate, MergeVerdict

Limit = Annotated[int, QueryParameter(ge=1, le=100)]


class MergeWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cases that are one matter with `into`, and why; the reason is written into the trace of each."""

    into: UUID
    cases: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=200)]
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]


@get("/cases/{case_id:uuid}/duplicates", opt={"action": "case.view"}, tags=["cases"])
async def duplicates(
    case_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime], limit: Limit = 20
) -> list[Duplicate]:
    """List open cases that are probably the same matter, likeliest first: same item or similar words, near and recent.

    How near and how recent is set by the item. Only cases you may see are compared.
    """
    scope.require_any(actor, "case.view")
    return await commands.likely(case_id, actor, now, limit)


@post("/cases/merge", opt={"action": "case.act"}, tags=["case commands"], status_code=200)
async def merge(
    data: JSONBody[MergeWish],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    languages: Annotated[str, HeaderParameter(name="Accept-Language")] = "",
) -> list[MergeVerdict]:
    """Merge many cases into one after a storm; each has its own verdict, and the good ones are merged."""
    return await commands.merge_all(data.into, data.cases, data.reason, actor, language_of(languages), now)


routes: list[Any] = [duplicates, merge]
