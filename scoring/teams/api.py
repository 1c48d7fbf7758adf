"""Evaluation over HTTP: schemes, scores within reach down to their facts, periods, appeals."""

from datetime import datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from app.identity import scope
from app.kernel.actor import Actor
from app.kernel.problem import Text
from scoring.teams import commands, hearing, period_commands, reading
from scoring.teams.appeals import NO_NUL, Appeal, Decision
from scoring.teams.computing import Computed
from scoring.teams.hearing import Contest
from scoring.teams.measures import MEASURES
from scoring.teams.period import named
from scoring.teams.period_commands import Verification
from scoring.teams.reading import ScoreDetail
from scoring.teams.scorestore import FactView, Run, ScoreView
from scoring.teams.store import PeriodState
from scoring.teams.versions import SchemeVersion

T = TypeVar("T")
TAGS = ["scoring"]

Limit = Annotated[int, QueryParameter(ge=1, le=1000)]
FactId = Annotated[str, Meta(pattern=r"^[^\x00-\x1f]{1,200}$")]
Word = Annotated[str, Meta(pattern="^[A-Za-z0-9_.-]{1,64}$")]

Moment = Annotated[datetime, Meta(tz=True)]
Reason = Annotated[str, Meta(min_length=1, max_length=1000, pattern=NO_NUL)]


class SchemeDraft(Struct, frozen=True, forbid_unknown_fields=True):
    """A scheme as TOML text (考评方案)."""

    document: Annotated[str, Meta(min_length=1, max_length=100_000)]


class AppealTime(Struct, frozen=True, forbid_unknown_fields=True):
    """When the time for appeals ends."""

    until: Moment


class Reopening(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a locked period is opened again, and until when."""

    reason: Reason
    until: Moment


class MeasureView(Struct, frozen=True, kw_only=True):
    """A measure of the closed registry: what it counts and where that comes from. Texts are Chinese, English."""

    code: str
    name: Text
    kinds: tuple[str, ...]
    anchor: str
    meaning: Text
    source: str
    beside: str | None


def _page(request: Request[Any, Any, Any], rows: list[T], limit: int, after: str) -> Response[list[T]]:
    """Return the rows, with a Link to the next page when there may be one (RFC 8288)."""
    headers: dict[str, str] = {}
    if len(rows) == limit:
        following = dict(request.query_params.items()) | {"after": after, "limit": str(limit)}
        headers["Link"] = f'<{request.url.path}?{urlencode(following)}>; rel="next"'
    return Response(rows, headers=headers)


@get("/scoring/measures", opt={"action": "scheme.read"}, tags=TAGS)
async def list_measures(actor: NamedDependency[Actor]) -> list[MeasureView]:
    """List every measure a scheme may name: fact kinds, the time that puts a fact into a period, meaning, source."""
    scope.require_any(actor, "scheme.read")
    return [
        MeasureView(
            code=m.code,
            name=m.name,
            kinds=m.kinds,
            anchor=m.anchor,
            meaning=m.meaning,
            source=m.source,
            beside=m.beside,
        )
        for m in MEASURES.values()
    ]


@get("/scoring/schemes", opt={"action": "scheme.read"}, tags=TAGS)
async def list_schemes(actor: NamedDependency[Actor]) -> list[SchemeVersion]:
    """List all versions of all schemes with their documents, the newest of each scheme first."""
    return await reading.schemes(actor)


@post("/scoring/schemes", opt={"action": "scheme.manage"}, tags=TAGS)
async def draft_scheme(
    data: JSONBody[SchemeDraft], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> SchemeVersion:
    """Store the next version of a scheme as a draft. 422 names every bad field of the document."""
    scope.require_any(actor, "scheme.manage")
    return await commands.draft_scheme(data.document, actor, now)


@post("/scoring/schemes/{scheme_id:uuid}/review", opt={"action": "scheme.manage"}, tags=TAGS, status_code=200)
async def review_scheme(
    scheme_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> SchemeVersion:
    """Mark a draft as reviewed; by anybody but its author."""
    scope.require_any(actor, "scheme.manage")
    return await commands.review_scheme(scheme_id, actor, now)


@post("/scoring/schemes/{scheme_id:uuid}/publish", opt={"action": "scheme.manage"}, tags=TAGS, status_code=200)
async def publish_scheme(
    scheme_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> SchemeVersion:
    """Publish a reviewed version; by anybody but its author. The version before it ends where this one begins."""
    scope.require_any(actor, "scheme.manage")
    return await commands.publish_scheme(scheme_id, actor, now)


@get("/scoring/periods", opt={"action": "score.read"}, tags=TAGS)
async def list_periods(actor: NamedDependency[Actor]) -> list[PeriodState]:
    """List the periods and where each stands, the newest first."""
    return await reading.periods(actor)


@get("/scoring/periods/{period:str}/scores", opt={"action": "score.read"}, tags=TAGS)
async def list_scores(
    request: Request[Any, Any, Any],
    period: FromPath[str],
    actor: NamedDependency[Actor],
    force: FromQuery[Word | None] = None,
    level: FromQuery[Word | None] = None,
    after: FromQuery[UUID | None] = None,
    limit: Limit = 200,
) -> Response[list[ScoreView]]:
    """List the scores of a period that I may see: by scheme and peer group, the best first. Persons are not scored."""
    code = named(period).code
    rows = await reading.scores(code, actor, force, level, after, limit)
    return _page(request, rows, limit, str(rows[-1].id) if rows else "")


@get("/scoring/scores/{score_id:uuid}", opt={"action": "score.read"}, tags=TAGS)
async def read_score(score_id: FromPath[UUID], actor: NamedDependency[Actor]) -> ScoreDetail:
    """Open a score: every line with numerator, denominator, target and points, the run, and the appeals against it."""
    return await reading.score(score_id, actor)


@get("/scoring/scores/{score_id:uuid}/lines/{code:str}/facts", opt={"action": "score.read"}, tags=TAGS)
async def list_facts(
    request: Request[Any, Any, Any],
    score_id: FromPath[UUID],
    code: FromPath[Word],
    actor: NamedDependency[Actor],
    counted: FromQuery[bool | None] = None,
    after: FromQuery[FactId | None] = None,
    limit: Limit = 200,
) -> Response[list[FactView]]:
    """Open a line of a score to its facts, by id: which are counted, which stand in the denominator only, the points
    each carries. `counted` keeps one of the two sorts. Persons are not named."""
    rows = await reading.facts(score_id, code, actor, counted, after, limit)
    return _page(request, rows, limit, rows[-1].fact_id if rows else "")


@get("/scoring/runs/{run_id:uuid}", opt={"action": "score.compute"}, tags=TAGS)
async def read_run(run_id: FromPath[UUID], actor: NamedDependency[Actor]) -> Run:
    """Tell what a run was computed from: versions, watermark and digests."""
    return await reading.run(run_id, actor)


@post("/scoring/runs/{run_id:uuid}/verify", opt={"action": "score.compute"}, tags=TAGS, status_code=200)
async def verify_run(run_id: FromPath[UUID], actor: NamedDependency[Actor]) -> Verification:
    """Compute a run again from what it names and say whether it comes out to the byte."""
    scope.require_any(actor, "score.compute")
    return await period_commands.verify(run_id, actor.district)


@post("/scoring/periods/{period:str}/recompute", opt={"action": "score.compute"}, tags=TAGS, status_code=200)
async def recompute(
    period: FromPath[str],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    scheme: FromQuery[Word | None] = None,
) -> list[Computed]:
    """Compute the scores of a period from its facts, for one scheme or for all in force."""
    scope.require_any(actor, "score.compute")
    return await commands.recompute(period, scheme, actor, now)


@post("/scoring/periods/{period:str}/freeze", opt={"action": "score.compute"}, tags=TAGS, status_code=200)
async def freeze_period(
    period: FromPath[str], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> PeriodState:
    """Pin the facts of a period: what is recorded from now on no longer counts."""
    scope.require_any(actor, "score.compute")
    return await period_commands.freeze_period(period, actor, now)


@post("/scoring/periods/{period:str}/invite", opt={"action": "score.compute"}, tags=TAGS, status_code=200)
async def invite_appeals(
    period: FromPath[str],
    data: JSONBody[AppealTime],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> PeriodState:
    """Open the time for appeals of a frozen period."""
    scope.require_any(actor, "score.compute")
    return await period_commands.invite_appeals(period, data.until, actor, now)


@post("/scoring/periods/{period:str}/lock", opt={"action": "score.compute"}, tags=TAGS, status_code=200)
async def lock_period(
    period: FromPath[str], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> PeriodState:
    """Fix the scores of a period for good, with the upheld appeals; after the time for appeals."""
    scope.require_any(actor, "score.compute")
    return await period_commands.lock_period(period, actor, now)


@post("/scoring/periods/{period:str}/reopen", opt={"action": "score.compute"}, tags=TAGS, status_code=200)
async def reopen_period(
    period: FromPath[str],
    data: JSONBody[Reopening],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> PeriodState:
    """Let the facts of a locked period count again, for a reason and until a time; the locked runs stay."""
    scope.require_any(actor, "score.compute")
    return await period_commands.reopen_period(period, data.reason, data.until, actor, now)


@get("/scoring/periods/{period:str}/appeals", opt={"action": "score.read"}, tags=TAGS)
async def list_appeals(period: FromPath[str], actor: NamedDependency[Actor]) -> list[Appeal]:
    """List the appeals of a period that I may see, oldest first, with who raised and who decided each."""
    return await reading.appeals_of_period(named(period).code, actor)


@post("/scoring/appeals", opt={"action": "score.appeal"}, tags=TAGS)
async def raise_appeal(
    data: JSONBody[Contest], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Appeal:
    """Contest a line or a fact of a score of mine (申诉)."""
    return await hearing.raise_appeal(data, actor, now)


@post("/scoring/appeals/{appeal_id:uuid}/decision", opt={"action": "score.decide"}, tags=TAGS, status_code=200)
async def decide_appeal(
    appeal_id: FromPath[UUID],
    data: JSONBody[Decision],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Appeal:
    """Uphold or dismiss an appeal with reasons; by anybody but whoever raised it."""
    return await hearing.decide_appeal(appeal_id, data, actor, now)


routes = [
    list_measures, list_schemes, draft_scheme, review_scheme, publish_scheme, list_periods, list_scores, read_score,
    list_facts, read_run, verify_run, recompute, freeze_period, invite_appeals, lock_period, reopen_period,
    list_appeals, raise_appeal, decide_appeal,
]  # fmt: skip
