"""The arithmetic of evaluation: facts and a scheme in, scores and their lines out; exact, and without a clock."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from scoring.teams.fact import Fact, current
from scoring.teams.measures import MEASURES, in_population, is_counted
from scoring.teams.period import Period
from scoring.teams.predicates import Window
from scoring.teams.ranking import Standing, places
from scoring.teams.scheme import Indicator, PointRule, Scheme

VERSION = "1"
"""Raised whenever the same input could give another output; a run names it."""
PLACES = 4
UNIT = Decimal(1).scaleb(-PLACES)


class Tally(Struct, frozen=True):
    """The facts behind one line: those counted and their population, by id in rising order.

    Of a point rule `counted` holds one fact for each de-duplication key, `population` all that fit.
    """

    counted: tuple[str, ...] = ()
    population: tuple[str, ...] = ()


Tallies = Mapping[str, Mapping[str, Tally]]
"""Subject → line code → tally; a subject with facts of the force but none in any line has an empty mapping."""


class Adjustment(Struct, frozen=True):
    """Points given or taken by an upheld appeal; `reference` names the appeal."""

    subject: str
    reference: str
    points: Decimal


class IndicatorLine(Struct, frozen=True):
    """One indicator of one subject; everything is null and the weight 0 where there is nothing to judge by."""

    code: str
    numerator: int
    denominator: int
    value: Decimal | None
    normalised: Decimal | None
    weight: Decimal
    points: Decimal | None


class PointLine(Struct, frozen=True):
    """One point rule of one subject: facts counted once each, points after the cap."""

    code: str
    count: int
    points: Decimal


class AdjustmentLine(Struct, frozen=True):
    """One adjustment by an upheld appeal."""

    reference: str
    points: Decimal


class Score(Struct, frozen=True, omit_defaults=True):
    """What one subject got: total = base + points of all lines, each rounded; null without any indicator data."""

    subject: str
    total: Decimal | None
    grade: str | None
    indicators: tuple[IndicatorLine, ...]
    point_rules: tuple[PointLine, ...]
    rank: int | None
    base: Decimal | None = None
    adjustments: tuple[AdjustmentLine, ...] = ()
    peer_group: str = ""


class Evaluation(Struct, frozen=True):
    """All scores of a scheme for a period, in the order of peer group, rank and subject."""

    scheme: str
    period: str
    subjects: tuple[Score, ...]


def half_up(value: Fraction | Decimal) -> Decimal:
    """Round to 4 places, halves away from zero, from the exact value."""
    exact = Fraction(value)
    scaled = abs(exact) * 10**PLACES
    units = int(scaled + Fraction(1, 2))
    return (Decimal(units if exact >= 0 else -units)).scaleb(-PLACES)


def evaluate(
    facts: Iterable[Fact],
    scheme: Scheme,
    period: Period,
    *,
    watermark: datetime | None = None,
    adjustments: Sequence[Adjustment] = (),
    overturned: Collection[str] = (),
) -> Evaluation:
    """Score every subject of the scheme from the facts as known at the watermark (None: every row).

    `overturned` are ids of facts struck out by upheld appeals: as if they had never been.
    """
    return judge(tally(facts, scheme, period, watermark=watermark, overturned=overturned), scheme, period, adjustments)


def tally(
    facts: Iterable[Fact],
    scheme: Scheme,
    period: Period,
    *,
    watermark: datetime | None = None,
    overturned: Collection[str] = (),
) -> Tallies:
    """Count: for every subject and line of the scheme, which facts stand in numerator and denominator."""
    window = period.window(scheme.zone())
    struck = frozenset(overturned)
    mine: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in current(facts, watermark):
        subject = getattr(fact, scheme.level)
        if subject and scheme.force in ("any", fact.force) and fact.fact_id not in struck:
            mine[subject].append(fact)
    return {subject: _tally_subject(own, scheme, window) for subject, own in mine.items()}


def _tally_subject(facts: list[Fact], scheme: Scheme, window: Window) -> dict[str, Tally]:
    facts.sort(key=lambda fact: fact.fact_id)
    tallies: dict[str, Tally] = {}
    for line in (*scheme.indicators, *scheme.points):
        measure = MEASURES[line.measure]
        population = [fact for fact in facts if in_population(fact, measure, window)]
        counted = [fact for fact in population if is_counted(fact, measure, window)]
        if isinstance(line, PointRule):
            population, counted = counted, _once(counted, line.dedupe)
        if population:
            tallies[line.code] = Tally(tuple(f.fact_id for f in counted), tuple(f.fact_id for f in population))
    return tallies


def _once(facts: list[Fact], dedupe: str) -> list[Fact]:
    """Keep the first fact of each key; a fact without the key stands for itself."""
    first: dict[str, Fact] = {}
    for fact in facts:
        if dedupe == "fact":
            key = None
        elif dedupe.startswith("attributes."):
            key = fact.attributes.get(dedupe.removeprefix("attributes."))
        else:
            key = getattr(fact, dedupe)
        name = f"id {fact.fact_id}" if key is None else f"key {msgspec.json.encode(key, order='sorted').decode()}"
        first.setdefault(name, fact)
    return list(first.values())


def judge(tallies: Tallies, scheme: Scheme, period: Period, adjustments: Sequence[Adjustment] = ()) -> Evaluation:
    """Turn counts into scores and ranks; the only place where points are computed, whoever counted."""
    scores = [
        _score(subject, own, scheme, [a for a in adjustments if a.subject == subject])
        for subject, own in tallies.items()
    ]
    return Evaluation(scheme.code, period.code, ranked(scores, scheme))


def ranked(scores: Iterable[Score], scheme: Scheme) -> tuple[Score, ...]:
    """Return the scores with ranks inside their peer groups, in the order of group, rank and subject."""
    held = list(scores)
    at = places(standing(score, scheme) for score in held)
    placed = [replace(score, rank=at[score.subject]) for score in held]
    return tuple(sorted(placed, key=lambda s: (s.peer_group, s.rank is None, s.rank or 0, s.subject)))


def standing(score: Score, scheme: Scheme, inputs: str = "") -> Standing:
    """Return what ranks and digests need of a score; `inputs` is the digest of its tallies."""
    total = score.total if rankable(score, scheme) else None
    return Standing(score.subject, score.peer_group, total, score.rank, inputs, score_digest(score))


def rankable(score: Score, scheme: Scheme) -> bool:
    """Tell whether the scheme lets the subject into the ranking, with what it lacks and what is too small."""
    if score.total is None:
        return False
    for line in score.indicators:
        rule = scheme.on_missing if line.denominator == 0 else scheme.small_sample
        if line.points is None and rule == "not_ranked":
            return False
    return True


def _score(subject: str, own: Mapping[str, Tally], scheme: Scheme, adjustments: Sequence[Adjustment]) -> Score:
    usable = [i for i in scheme.indicators if len(own.get(i.code, Tally()).population) >= i.least]
    spread = Fraction(sum(i.weight for i in scheme.indicators), sum(i.weight for i in usable) or 1)
    indicators = tuple(
        _indicator(i, own.get(i.code, Tally()), spread if i in usable else None) for i in scheme.indicators
    )
    rules = tuple(_points(rule, own.get(rule.code, Tally())) for rule in scheme.points)
    granted = tuple(
        AdjustmentLine(a.reference, half_up(a.points)) for a in sorted(adjustments, key=lambda a: a.reference)
    )
    total = None
    if usable:
        parts = [line.points for line in (*indicators, *rules, *granted) if line.points is not None]
        total = half_up(scheme.base) + sum(parts, Decimal(0))
    return Score(
        subject=subject,
        total=total,
        grade=None if total is None else _grade(total, scheme),
        indicators=indicators,
        point_rules=rules,
        rank=None,
        base=half_up(scheme.base) if scheme.base else None,
        adjustments=granted,
        peer_group=scheme.group_of(subject),
    )


def _indicator(indicator: Indicator, tally: Tally, spread: Fraction | None) -> IndicatorLine:
    counted, population = len(tally.counted), len(tally.population)
    if spread is None:
        return IndicatorLine(indicator.code, counted, population, None, None, half_up(Fraction(0)), None)
    value = Fraction(counted, population)
    share = (value - indicator.floor) / (indicator.target - indicator.floor)
    normalised = min(max(share, Fraction(0)), Fraction(1))
    weight = indicator.weight * spread
    return IndicatorLine(
        indicator.code,
        counted,
        population,
        half_up(value),
        half_up(normalised),
        half_up(weight),
        half_up(weight * normalised),
    )


def _points(rule: PointRule, tally: Tally) -> PointLine:
    points = rule.value * len(tally.counted)
    if rule.cap is not None and abs(points) > abs(rule.cap):
        points = rule.cap
    return PointLine(rule.code, len(tally.counted), half_up(points))


def _grade(total: Decimal, scheme: Scheme) -> str | None:
    """Return the highest band reached; a total below every band takes the lowest."""
    reached = [grade for grade in scheme.grades if total >= grade.bottom]
    return next((grade.name for grade in reached or scheme.grades[-1:]), None)


def canonical(document: Evaluation | Score | Mapping[str, Tally]) -> bytes:
    """Return the bytes that are digested: JSON with sorted keys, no spaces, decimals as text of 4 places."""
    return msgspec.json.encode(document, order="sorted")


def score_digest(score: Score) -> str:
    """Return the SHA-256 of a score without its rank, which depends on others."""
    return hashlib.sha256(canonical(replace(score, rank=None))).hexdigest()


def tally_digest(own: Mapping[str, Tally]) -> str:
    """Return the SHA-256 of what was counted for one subject."""
    return hashlib.sha256(canonical(own)).hexdigest()


def run_digests(standings: Iterable[Standing]) -> tuple[str, str]:
    """Return the digests of a run's input and output: SHA-256 over `subject digest` and `subject rank digest` lines."""
    held = sorted(standings, key=lambda s: s.subject)
    inputs = "".join(f"{s.subject} {s.input_digest}\n" for s in held)
    outputs = "".join(f"{s.subject} {s.rank or '-'} {s.output_digest}\n" for s in held)
    return hashlib.sha256(inputs.encode()).hexdigest(), hashlib.sha256(outputs.encode()).hexdigest()
