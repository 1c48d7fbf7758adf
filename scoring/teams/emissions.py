"""What each fact brought: the points of every line shared out over its facts so that they add up to the last place."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from scoring.teams.engine import UNIT, Score, Tallies, Tally
from scoring.teams.scheme import PointRule, Scheme


class Emission(Struct, frozen=True, kw_only=True):
    """The facts of one (subject, line): `points` goes with `counted`, one each; facts not counted carry 0.

    sum(points) + baseline + cap = the points of the line, exactly. `baseline` is what no fact stands for (full points
    for "never returned for rework" have no fact in the numerator), `cap` what the cap of a point rule takes back.
    """

    subject: str
    code: str
    counted: tuple[str, ...]
    population: tuple[str, ...]
    points: tuple[Decimal, ...]
    baseline: Decimal
    cap: Decimal


def share(total: Decimal, parts: int) -> tuple[Decimal, ...]:
    """Split into equal parts of 4 places; the remainder goes, one unit each, to the first (largest remainder)."""
    if parts == 0:
        return ()
    units, rest = divmod(int(abs(total) / UNIT), parts)
    sign = -1 if total < 0 else 1
    return tuple(sign * (units + (1 if n < rest else 0)) * UNIT for n in range(parts))


def emissions(tallies: Tallies, scores: Sequence[Score], scheme: Scheme) -> list[Emission]:
    """Return the emissions of all lines that have facts or points."""
    rules = {rule.code: rule for rule in scheme.points}
    result: list[Emission] = []
    for score in scores:
        own = tallies.get(score.subject, {})
        for line in (*score.indicators, *score.point_rules):
            facts = own.get(line.code, Tally())
            if facts.population:
                result.append(
                    _emission(score.subject, line.code, facts, line.points or Decimal(0), rules.get(line.code))
                )
    return result


def _emission(subject: str, code: str, facts: Tally, points: Decimal, rule: PointRule | None) -> Emission:
    zero = Decimal(0).quantize(UNIT)
    baseline = cap = zero
    if rule is not None:
        parts = (rule.value.quantize(UNIT),) * len(facts.counted)
        cap = points - sum(parts, zero)
    else:
        parts = share(points, len(facts.counted))
        baseline = points - sum(parts, zero)
    return Emission(
        subject=subject,
        code=code,
        counted=facts.counted,
        population=facts.population,
        points=parts,
        baseline=baseline,
        cap=cap,
    )
