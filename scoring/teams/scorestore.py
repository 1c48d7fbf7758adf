"""Queries on runs, scores, lines and emissions, and the counting of facts; the caller opens the transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from app.identity.scope import Reach
from app.kernel import db, ids
from scoring.teams import aggregation
from scoring.teams.emissions import Emission
from scoring.teams.engine import (
    AdjustmentLine,
    Evaluation,
    IndicatorLine,
    PointLine,
    Score,
)
from scoring.teams.ranking import Standing
from scoring.teams.scheme import Scheme
from scoring.teams.store import reach_arguments, within

T = TypeVar("T", bound=Struct)


class Run(Struct, frozen=True, kw_only=True):
    """One computation: what it ran on and what came out, by digest."""

    id: UUID
    scheme: UUID
    period: str
    kind: Literal["live", "locked"]
    engine_version: str
    registry_hash: str
    scheme_hash: str
    watermark: datetime
    appeals: list[UUID]
    input_digest: str
    output_digest: str
    computed_at: datetime
    actor: UUID


class ScoreView(Struct, frozen=True, kw_only=True):
    """A score in a list; `peers` counts those ranked in its group."""

    id: UUID
    run: UUID
    scheme: str
    scheme_name: str
    force: str
    level: str
    period: str
    subject: str
    town: str | None
    total: Decimal | None
    grade: str | None
    rank: int | None
    peers: int
    peer_group: str
    base: Decimal | None
    computed_at: datetime
    kind: Literal["live", "locked"]


class LineView(Struct, frozen=True, kw_only=True):
    """A line of a score as it is stored; `baseline` and `cap` are the parts of its points no fact carries."""

    kind: Literal["indicator", "points", "adjustment"]
    code: str
    numerator: int | None
    denominator: int | None
    value: Decimal | None
    normalised: Decimal | None
    weight: Decimal | None
    points: Decimal | None
    baseline: Decimal | None
    cap: Decimal | None


class FactView(Struct, frozen=True, kw_only=True):
    """A fact behind a line: counted or only in the population, with the points it carries; persons are not named."""

    fact_id: str
    version: int
    kind: str
    counted: bool
    points: Decimal
    item: str | None
    town: str | None
    occurred_at: datetime
    due_at: datetime | None
    done_at: datetime | None
    attributes: dict[str, Any]


_RUN = ", ".join(Run.__struct_fields__)


def _row(record: Any, kind: type[T]) -> T:
    return msgspec.convert(dict(record), kind)


class Scored(Struct, frozen=True, kw_only=True):
    """A score with all that is stored beside it."""

    score: Score
    town: str | None
    rankable: bool
    input_digest: str
    output_digest: str


async def live_run(scheme: UUID, period: str) -> Run | None:
    """Return the run whose scores follow the facts, None before the first."""
    row = await db.fetchrow(
        f"select {_RUN} from score_run where scheme = $1 and period = $2 and kind = 'live'", scheme, period
    )
    return None if row is None else _row(row, Run)


async def run(run_id: UUID) -> Run | None:
    """Return a run by id."""
    row = await db.fetchrow(f"select {_RUN} from score_run where id = $1", run_id)
    return None if row is None else _row(row, Run)


async def live_runs(period: str) -> list[Run]:
    """Return the live runs of a period."""
    rows = await db.fetch(f"select {_RUN} from score_run where period = $1 and kind = 'live' order by id", period)
    return [_row(row, Run) for row in rows]


async def save_run(run: Run) -> None:
    """Write a run, or the newer state of a live one."""
    values = msgspec.structs.astuple(run)
    holders = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    fresh = ", ".join(f"{name} = excluded.{name}" for name in Run.__struct_fields__ if name != "id")
    await db.execute(
        f"insert into score_run ({_RUN}) values ({holders}) on conflict (id) do update set {fresh}", *values
    )


async def replace_scores(
    run: UUID,
    scores: Sequence[Scored],
    emissions: Sequence[Emission],
    subjects: Collection[str] | None,
) -> None:
    """Write scores, lines and emissions in place of those of `subjects` (None: of all); ids of scores stay."""
    gone = None if subjects is None else sorted(subjects)
    for table in ("score_line", "score_emission"):
        await db.execute(f"delete from {table} where run = $1 and ($2::text[] is null or subject = any($2))", run, gone)
    await db.execute(
        "delete from score where run = $1 and ($2::text[] is null or subject = any($2)) and subject <> all($3::text[])",
        run,
        gone,
        [scored.score.subject for scored in scores],
    )
    await _upsert_scores(run, scores)
    lines = [row for scored in scores for row in _lines(run, scored.score)]
    await db.copy("score_line", _LINE_COLUMNS, lines)
    await _add_emissions(run, emissions)


_LINE_COLUMNS = (
    *("id", "run", "subject", "position", "kind", "code"),
    *("numerator", "denominator", "value", "normalised", "weight", "points"),
)
_UNIT = "\x1f"
"""ASCII unit separator: arrays travel as one text each, six times faster than element by element."""


async def _add_emissions(run: UUID, emissions: Sequence[Emission]) -> None:
    rows = [
        (
            *(ids.new_id(), e.subject, e.code, _UNIT.join(e.counted), _UNIT.join(e.population)),
            *(_UNIT.join(map(str, e.points)), e.baseline, e.cap),
        )
        for e in emissions
    ]
    if rows:
        await db.execute(
            "insert into score_emission (id, run, subject, code, counted, population, points, baseline, cap)"
            " select id, $1, subject, code, string_to_array(counted, $10), string_to_array(population, $10),"
            " string_to_array(points, $10)::numeric[], baseline, cap from unnest($2::uuid[], $3::text[], $4::text[],"
            " $5::text[], $6::text[], $7::text[], $8::numeric[], $9::numeric[])"
            " as e(id, subject, code, counted, population, points, baseline, cap)",
            run,
            *(list(column) for column in zip(*rows, strict=True)),
            _UNIT,
        )


_SCORE_COLUMNS = {
    "id": "uuid",
    "subject": "text",
    "town": "text",
    "total": "numeric",
    "grade": "text",
    "rank": "int",
    "peer_group": "text",
    "base": "numeric",
    "rankable": "boolean",
    "input_digest": "text",
    "output_digest": "text",
}


async def _upsert_scores(run: UUID, scores: Sequence[Scored]) -> None:
    names = ", ".join(_SCORE_COLUMNS)
    arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(_SCORE_COLUMNS.values(), 2))
    fresh = ", ".join(f"{name} = excluded.{name}" for name in _SCORE_COLUMNS if name not in ("id", "subject"))
    rows = [
        (
            *(ids.new_id(), s.score.subject, s.town, s.score.total, s.score.grade, s.score.rank),
            *(s.score.peer_group, s.score.base, s.rankable, s.input_digest, s.output_digest),
        )
        for s in scores
    ]
    if rows:
        await db.execute(
            f"insert into score (run, {names}) select $1, {names} from unnest({arrays}) as s({names})"
            f" on conflict (run, subject) do update set {fresh}",
            run,
            *(list(column) for column in zip(*rows, strict=True)),
        )


def _lines(run: UUID, score: Score) -> Iterable[tuple[Any, ...]]:
    position = 0
    for i in score.indicators:
        cells = (i.code, i.numerator, i.denominator, i.value, i.normalised, i.weight, i.points)
        yield (ids.new_id(), run, score.subject, position, "indicator", *cells)
        position += 1
    for p in score.point_rules:
        yield (ids.new_id(), run, score.subject, position, "points", p.code, p.count, *(None,) * 4, p.points)
        position += 1
    for a in score.adjustments:
        yield (ids.new_id(), run, score.subject, position, "adjustment", a.reference, *(None,) * 5, a.points)
        position += 1


async def standings(run: UUID) -> list[Standing]:
    """Return all that ranks and the run's digests need of the stored scores."""
    rows = await db.fetch(
        "select subject, peer_group, case when rankable then total end as total, rank, input_digest, output_digest"
        " from score where run = $1 order by subject",
        run,
    )
    return [Standing(*row) for row in rows]


async def save_ranks(run: UUID, places: Mapping[str, int | None]) -> None:
    """Write the ranks that differ from those stored."""
    await db.execute(
        "update score set rank = place.rank from unnest($2::text[], $3::int[]) as place(subject, rank)"
        " where score.run = $1 and score.subject = place.subject and score.rank is distinct from place.rank",
        run,
        list(places),
        list(places.values()),
    )


async def stored(run: UUID, scheme: Scheme, period: str) -> Evaluation:
    """Return what a run stored, put together again as the engine gave it (order of subjects apart)."""
    rows = await db.fetch("select subject, total, grade, rank, base, peer_group from score where run = $1", run)
    parts: dict[str, dict[str, list[Any]]] = {
        row["subject"]: {"indicator": [], "points": [], "adjustment": []} for row in rows
    }
    lines = await db.fetch(
        "select subject, kind, code, numerator, denominator, value, normalised, weight, points from score_line"
        " where run = $1 order by subject, position",
        run,
    )
    for line in lines:
        parts[line["subject"]][line["kind"]].append(line)
    return Evaluation(scheme.code, period, tuple(_score(row, parts[row["subject"]]) for row in rows))


def _score(row: Any, parts: dict[str, list[Any]]) -> Score:
    return Score(
        subject=row["subject"],
        total=row["total"],
        grade=row["grade"],
        rank=row["rank"],
        indicators=tuple(IndicatorLine(*tuple(i)[2:]) for i in parts["indicator"]),
        point_rules=tuple(PointLine(p["code"], p["numerator"], p["points"]) for p in parts["points"]),
        base=row["base"],
        adjustments=tuple(AdjustmentLine(a["code"], a["points"]) for a in parts["adjustment"]),
        peer_group=row["peer_group"],
    )


_SCORE_VIEW = (
    "select s.id, s.run, sc.code as scheme, sc.name as scheme_name, sc.force, sc.level, r.period, s.subject, s.town,"
    " s.total, s.grade, s.rank, s.peer_group, s.base, r.computed_at, r.kind, (select count(*) from score p"
    " where p.run = s.run and p.peer_group = s.peer_group and p.rank is not null)::int as peers"
    " from score s join score_run r on r.id = s.run join score_scheme sc on sc.id = r.scheme"
)
# The newest run of each scheme shows; after a reopening that is the live one again.
_NEWEST = (
    "not exists (select 1 from score_run later join score_scheme ls on ls.id = later.scheme where later.period ="
    " r.period and ls.code = sc.code and (later.computed_at, later.id) > (r.computed_at, r.id))"
)


_LAST = 2_147_483_647
"""The place of those without a rank: after all others."""


async def scores(
    period: str, reach: Reach, force: str | None, level: str | None, after: ScoreView | None, limit: int
) -> list[ScoreView]:
    """Return the present scores of a period within reach, by scheme, group, rank and subject, from after `after` on."""
    rows = await db.fetch(
        f"select * from ({_SCORE_VIEW} where r.period = $1 and {_NEWEST} and {within('s', 2)}"
        " and ($5::text is null or sc.force = $5) and ($6::text is null or sc.level = $6)) as v"
        " where $7::text is null or (scheme, peer_group, coalesce(rank, $11), subject) > ($7, $8::text, $9::int, $10)"
        " order by scheme, peer_group, coalesce(rank, $11), subject limit $12",
        period,
        *reach_arguments(reach),
        force,
        level,
        *((None, None, None, None) if after is None else _key(after)),
        _LAST,
        limit,
    )
    return [_row(row, ScoreView) for row in rows]


def _key(view: ScoreView) -> tuple[str, str, int, str]:
    return view.scheme, view.peer_group, _LAST if view.rank is None else view.rank, view.subject


async def score(score_id: UUID) -> ScoreView | None:
    """Return a score by id."""
    row = await db.fetchrow(f"{_SCORE_VIEW} where s.id = $1", score_id)
    return None if row is None else _row(row, ScoreView)


async def lines(run: UUID, subject: str) -> list[LineView]:
    """Return the lines of a score in their order."""
    rows = await db.fetch(
        "select l.kind, l.code, l.numerator, l.denominator, l.value, l.normalised, l.weight, l.points,"
        " e.baseline, e.cap from score_line l left join score_emission e using (run, subject, code)"
        " where l.run = $1 and l.subject = $2 order by l.position",
        run,
        subject,
    )
    return [_row(row, LineView) for row in rows]


async def facts(
    run: Run, subject: str, code: str, counted: bool | None, after: str | None, limit: int
) -> list[FactView]:
    """Return the facts behind a line by id, as the run knew them, with the points each carries."""
    rows = await db.fetch(
        "with line as (select counted, population, points from score_emission"
        " where run = $1 and subject = $2 and code = $3),"
        " share as (select s.fact_id, s.points from line, unnest(line.counted, line.points) as s(fact_id, points))"
        " select f.fact_id, f.version, f.kind, share.fact_id is not null as counted,"
        " coalesce(share.points, 0.0000) as points, f.item, f.town, f.occurred_at, f.due_at, f.done_at, f.attributes"
        " from line, unnest(line.population) as p(fact_id) join fact f on f.fact_id = p.fact_id"
        " left join share on share.fact_id = p.fact_id"
        f" where {aggregation.newest('f', '$4')} and ($5::boolean is null or (share.fact_id is not null) = $5)"
        ' and ($6::text is null or f.fact_id collate "C" > $6) order by f.fact_id collate "C" limit $7',
        run.id,
        subject,
        code,
        run.watermark,
        counted,
        after,
        limit,
    )
    return [_row(row, FactView) for row in rows]


async def stands_behind(run: UUID, subject: str, fact: str) -> bool:
    """Tell whether a fact stands behind any line of a score."""
    return await db.fetchval(
        "select exists (select 1 from score_emission where run = $1 and subject = $2 and $3 = any(population))",
        run,
        subject,
        fact,
    )
