"""A scheme (考评方案): what a force is measured by and what that is worth; read from TOML, every bad field named."""

import hashlib
import re
import tomllib
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from app.kernel.problem import Invalid, invalid
from scoring.teams.fields import Fields
from scoring.teams.measures import MEASURES
from scoring.teams.period import LENGTHS, Length

Force = Literal["enforcement", "police", "grid", "any"]
Level = Literal["team", "force_unit", "town", "department"]
Missing = Literal["reweight", "not_ranked"]

FORCES: tuple[Force, ...] = ("enforcement", "police", "grid", "any")
LEVELS: tuple[Level, ...] = ("team", "force_unit", "town", "department")
MISSING: tuple[Missing, ...] = ("reweight", "not_ranked")
DIRECTIONS = ("up", "down")
_ATTRIBUTE = re.compile(r"attributes\.[A-Za-z_][A-Za-z0-9_]*")
DEDUPE_COLUMNS = ("fact", "person", "item", "town")


class Indicator(Struct, frozen=True, kw_only=True):
    """A share of facts, turned into points between two goalposts; `least` is the smallest denominator that counts."""

    code: str
    name: str
    measure: str
    direction: Literal["up", "down"]
    floor: Fraction
    target: Fraction
    weight: Fraction
    least: int = 1


class PointRule(Struct, frozen=True, kw_only=True):
    """Points for each fact counted, up to a cap; of facts with the same `dedupe` key of one subject only one counts."""

    code: str
    name: str
    measure: str
    value: Decimal
    cap: Decimal | None
    dedupe: str


class Grade(Struct, frozen=True):
    """A band of totals from `bottom` upwards."""

    name: str
    bottom: Decimal


class PeerGroup(Struct, frozen=True):
    """Subjects that are ranked among themselves; whoever is named in no group is in the common one."""

    code: str
    name: str
    subjects: frozenset[str]


class Scheme(Struct, frozen=True, kw_only=True):
    """One version of a scheme. Weights and goalposts are exact; points are rounded half up to 4 places."""

    code: str
    name: str
    force: Force
    level: Level
    length: Length
    timezone: str
    effective: date
    until: date | None
    base: Decimal
    on_missing: Missing
    small_sample: Missing
    indicators: tuple[Indicator, ...]
    points: tuple[PointRule, ...]
    grades: tuple[Grade, ...]
    peer_groups: tuple[PeerGroup, ...]
    sha256: str

    def zone(self) -> ZoneInfo:
        """Return the time zone in which the periods begin."""
        return ZoneInfo(self.timezone)

    def measures(self) -> dict[str, str]:
        """Return indicator or rule code → measure code."""
        return {line.code: line.measure for line in (*self.indicators, *self.points)}

    def group_of(self, subject: str) -> str:
        """Return the code of the subject's peer group, "" for the common one."""
        return next((group.code for group in self.peer_groups if subject in group.subjects), "")


def read(document: str) -> Scheme:
    """Read a scheme from TOML; raises Invalid naming every bad field (`indicator[2].floor`)."""
    try:
        content = tomllib.loads(document, parse_float=Decimal)
    except (
        ValueError,
        RecursionError,
    ) as error:  # numbers of thousands of digits and deep nesting are no TOMLDecodeError
        raise invalid("document", f"不是有效的 TOML：{error}", f"not valid TOML: {error}") from error
    whole = Fields(content, "")
    head = whole.table("scheme")
    indicators = tuple(_indicator(f) for f in whole.tables("indicator", required=True))
    points = tuple(_point_rule(f) for f in whole.tables("points"))
    grades = tuple(_grade(f) for f in whole.tables("grade"))
    groups = tuple(_group(f) for f in whole.tables("peer_group"))
    whole.unique("indicator and points code", [line.code for line in (*indicators, *points)])
    whole.unique("grade.name", [grade.name for grade in grades])
    whole.unique("grade.from", [str(grade.bottom) for grade in grades])
    whole.unique("peer_group.code", [group.code for group in groups])
    whole.unique("peer_group.subjects", [subject for group in groups for subject in sorted(group.subjects)])
    scheme = _head(head, document, indicators, points, grades, groups)
    whole.close()
    if whole.errors:
        raise Invalid(whole.errors)
    return scheme


def _head(
    head: Fields,
    document: str,
    indicators: tuple[Indicator, ...],
    points: tuple[PointRule, ...],
    grades: tuple[Grade, ...],
    groups: tuple[PeerGroup, ...],
) -> Scheme:
    force = head.choice("force", FORCES)
    level = head.choice("level", LEVELS)
    if force == "any" and level in ("team", "force_unit"):
        head.wrong("force", "班组与力量单元的方案须指明力量", "a scheme for teams or force units names its force")
    head.choice("rounding", ("half_up:4",), "half_up:4")
    effective, until = head.day("effective"), head.day("until", None)
    if until is not None and until <= effective:
        head.wrong("until", "应晚于 effective", "must be after effective")
    scheme = Scheme(
        code=head.code("code"),
        name=head.text("name"),
        force=force,
        level=level,
        length=head.choice("period", LENGTHS),
        timezone=head.zone("timezone"),
        effective=effective,
        until=until,
        base=head.money("base", Decimal(0)),
        on_missing=head.choice("on_missing", MISSING, "reweight"),
        small_sample=head.choice("small_sample", MISSING, "reweight"),
        indicators=indicators,
        points=points,
        grades=tuple(sorted(grades, key=lambda grade: grade.bottom, reverse=True)),
        peer_groups=groups,
        sha256=hashlib.sha256(document.encode()).hexdigest(),
    )
    head.close()
    return scheme


def _indicator(fields: Fields) -> Indicator:
    indicator = Indicator(
        code=fields.code("code"),
        name=fields.text("name"),
        measure=fields.choice("measure", tuple(MEASURES)),
        direction=fields.choice("direction", DIRECTIONS),
        floor=Fraction(fields.number("floor")),
        target=Fraction(fields.number("target")),
        weight=Fraction(fields.number("weight")),
        least=fields.whole("min_denominator", 1),
    )
    rising = indicator.target > indicator.floor
    if indicator.target == indicator.floor or rising != (indicator.direction == "up"):
        fields.wrong(
            "target",
            "与 floor、direction 不符：up 时应高于 floor，down 时应低于 floor",
            "does not fit floor and direction: above the floor for up, below it for down",
        )
    if indicator.weight <= 0:
        fields.wrong("weight", "应大于 0", "must be above 0")
    fields.close()
    return indicator


def _point_rule(fields: Fields) -> PointRule:
    rule = PointRule(
        code=fields.code("code"),
        name=fields.text("name"),
        measure=fields.choice("measure", tuple(MEASURES)),
        value=fields.money("value"),
        cap=fields.money("cap", None),
        dedupe=fields.text("dedupe", "fact"),
    )
    if rule.value == 0:
        fields.wrong("value", "不能为 0", "must not be 0")
    if rule.cap is not None and rule.cap * rule.value <= 0:
        fields.wrong("cap", "应与 value 同号且不为 0", "must have the sign of value and not be 0")
    if not (rule.dedupe in DEDUPE_COLUMNS or _ATTRIBUTE.fullmatch(rule.dedupe)):
        fields.wrong(
            "dedupe",
            f"应为 attributes.名称 或 {'、'.join(DEDUPE_COLUMNS)}",
            f"expected attributes.NAME or one of {', '.join(DEDUPE_COLUMNS)}",
        )
    fields.close()
    return rule


def _grade(fields: Fields) -> Grade:
    grade = Grade(fields.text("name"), fields.number("from"))
    fields.close()
    return grade


def _group(fields: Fields) -> PeerGroup:
    group = PeerGroup(fields.code("code"), fields.text("name"), frozenset(fields.texts("subjects")))
    fields.close()
    return group
