"""What people get to see: the scores within their reach, a score opened to its lines, a line to its facts."""

from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec import Struct

from app.identity import scope
from app.identity.scope import Ownership
from app.kernel import db
from app.kernel.actor import Actor
from scoring.teams import appeals, countstore, scheme, scorestore, store
from scoring.teams.aggregation import Selection
from scoring.teams.appeals import Appeal
from scoring.teams.engine import half_up
from scoring.teams.measures import MEASURES, Measure
from scoring.teams.period import parse
from scoring.teams.problems import RunNotFound, SchemeNotFound, ScoreNotFound
from scoring.teams.ranking import wilson
from scoring.teams.scheme import Indicator, Scheme
from scoring.teams.scorestore import FactView, LineView, Run, ScoreView
from scoring.teams.versions import SchemeVersion

READ = "score.read"


class Beside(Struct, frozen=True, kw_only=True):
    """A measure shown beside a line, such as the answer rate beside satisfaction; it carries no points."""

    measure: str
    name: str
    numerator: int
    denominator: int
    value: Decimal | None


class Line(Struct, frozen=True, kw_only=True):
    """A line of a score with what it means and what it is measured against.

    `low` and `high` bound the true rate with 95 % (Wilson); advisory, they never change a score. `baseline` and `cap`
    are the parts of the points that no single fact carries.
    """

    kind: Literal["indicator", "points", "adjustment"]
    code: str
    name: str
    measure: str | None
    meaning: str | None
    numerator: int | None
    denominator: int | None
    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    direction: str | None
    floor: Decimal | None
    target: Decimal | None
    normalised: Decimal | None
    weight: Decimal | None
    points: Decimal | None
    baseline: Decimal | None
    cap: Decimal | None
    beside: Beside | None


class ScoreDetail(Struct, frozen=True, kw_only=True):
    """One score with all its lines, the run it comes from and the appeals against it."""

    score: ScoreView
    run: Run
    lines: list[Line]
    appeals: list[Appeal]


def ownership(subject: str, town: str | None) -> Ownership:
    """Whose a score is: the subject's own organisation, in its town (a town's score is the town's)."""
    try:
        organisations = frozenset({UUID(subject)})
    except ValueError:
        organisations = frozenset[UUID]()
    return Ownership(area=town, organisations=organisations)


async def schemes(actor: Actor) -> list[SchemeVersion]:
    """Return all versions of all schemes."""
    scope.require_any(actor, "scheme.read")
    async with db.transaction(actor.district):
        return await store.schemes()


async def scores(
    period: str, actor: Actor, force: str | None, level: str | None, after: UUID | None, limit: int
) -> list[ScoreView]:
    """Return the scores of a period that the actor may see, best first in each scheme and peer group."""
    reach = scope.require_any(actor, READ)
    async with db.transaction(actor.district):
        last = None if after is None else await _score(after, actor)
        return await scorestore.scores(period, reach, force, level, last, limit)


async def _score(score_id: UUID, actor: Actor) -> ScoreView:
    score = await scorestore.score(score_id)
    if score is None:
        scope.require_any(actor, READ)
        raise ScoreNotFound()
    scope.require(actor, READ, ownership(score.subject, score.town), ScoreNotFound())
    return score


async def _run(score: ScoreView) -> tuple[Run, Scheme]:
    run = await scorestore.run(score.run)
    if run is None:
        raise RunNotFound()
    version = await store.scheme(run.scheme)
    if version is None:
        raise SchemeNotFound()
    return run, scheme.read(version.document)


async def score(score_id: UUID, actor: Actor) -> ScoreDetail:
    """Return one score with every line; ScoreNotFound when there is none or it is not the actor's to see."""
    async with db.transaction(actor.district):
        view = await _score(score_id, actor)
        run, rules = await _run(view)
        rows = await scorestore.lines(view.run, view.subject)
        lines = [await _line(row, view, run, rules) for row in rows]
        contested = await store.appeals_of(view.period, view.subject)
    return ScoreDetail(score=view, run=run, lines=lines, appeals=contested)


async def _line(row: LineView, view: ScoreView, run: Run, rules: Scheme) -> Line:
    rule = next((r for r in (*rules.indicators, *rules.points) if r.code == row.code), None)
    measure = None if rule is None else MEASURES.get(rule.measure)
    indicator = rule if isinstance(rule, Indicator) else None
    band = wilson(row.numerator or 0, row.denominator or 0) if indicator else None
    return Line(
        kind=row.kind,
        code=row.code,
        name="申诉调整" if rule is None else rule.name,
        measure=None if measure is None else measure.code,
        meaning=None if measure is None else measure.meaning[0],
        numerator=row.numerator,
        denominator=row.denominator,
        value=row.value,
        low=None if band is None else _places(band[0]),
        high=None if band is None else _places(band[1]),
        direction=None if indicator is None else indicator.direction,
        floor=None if indicator is None else half_up(indicator.floor),
        target=None if indicator is None else half_up(indicator.target),
        normalised=row.normalised,
        weight=row.weight,
        points=row.points,
        baseline=row.baseline,
        cap=row.cap,
        beside=await _beside(measure, view, run, rules),
    )


def _places(share: float) -> Decimal:
    return half_up(Decimal(repr(share)))


async def _beside(measure: Measure | None, view: ScoreView, run: Run, rules: Scheme) -> Beside | None:
    if measure is None or measure.beside is None:
        return None
    other = MEASURES[measure.beside]
    numerator, denominator = await countstore.count_beside(rules, other, view.subject, await _seen(run, rules))
    value = half_up(Decimal(numerator) / Decimal(denominator)) if denominator else None
    return Beside(measure=other.code, name=other.name[0], numerator=numerator, denominator=denominator, value=value)


async def _seen(run: Run, rules: Scheme) -> Selection:
    _, struck = appeals.effects(await store.upheld_by_id(run.appeals), rules.code)
    return Selection(window=parse(run.period).window(rules.zone()), watermark=run.watermark, struck=struck)


async def facts(
    score_id: UUID, code: str, actor: Actor, counted: bool | None, after: str | None, limit: int
) -> list[FactView]:
    """Return the facts behind a line of a score, each with its points, by id; no person is named."""
    async with db.transaction(actor.district):
        view = await _score(score_id, actor)
        run, rules = await _run(view)
        if not any(line.code == code for line in (*rules.indicators, *rules.points)):
            raise ScoreNotFound(("没有这个得分项", "the score has no such line"))
        return await scorestore.facts(run, view.subject, code, counted, after, limit)


async def run(run_id: UUID, actor: Actor) -> Run:
    """Return a run with its digests."""
    scope.require_any(actor, "score.compute")
    async with db.transaction(actor.district):
        found = await scorestore.run(run_id)
    if found is None:
        raise RunNotFound()
    return found


async def appeals_of_period(period: str, actor: Actor) -> list[Appeal]:
    """Return the appeals of a period that the actor may see."""
    reach = scope.require_any(actor, READ)
    async with db.transaction(actor.district):
        return await store.appeals(period, reach)


async def periods(actor: Actor) -> list[store.PeriodState]:
    """Return all periods, the newest first."""
    scope.require_any(actor, READ)
    async with db.transaction(actor.district):
        return await store.periods()
