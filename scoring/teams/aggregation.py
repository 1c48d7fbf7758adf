"""Says in SQL what `engine.tally` says in Python: which facts stand behind every line of a scheme (a test compares)."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from msgspec import Struct

from scoring.teams.measures import MEASURES, Anchor, Measure
from scoring.teams.predicates import (
    AtLeast,
    DoneInPeriod,
    Is,
    IsNot,
    Known,
    Late,
    OnTime,
    Predicate,
    Window,
)
from scoring.teams.scheme import PointRule, Scheme

Query: TypeAlias = tuple[str, list[Any]]
"""Statement and arguments."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Selection(Struct, frozen=True, kw_only=True):
    """Which facts a run looks at: known at `watermark`, not struck out, of these subjects (None: of all)."""

    window: Window
    watermark: datetime
    struck: Collection[str] = ()
    subjects: Collection[str] | None = None


class Arguments:
    """Collects the arguments of a statement; `add` returns the place holder."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def add(self, value: Any, kind: str) -> str:
        """Add a value and return its place holder, cast to the kind."""
        self.values.append(value)
        return f"${len(self.values)}::{kind}"


def _attribute(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"not an attribute name: {name!r}")
    return f"attributes->'{name}'"


def condition(predicate: Predicate, arguments: Arguments, end: str) -> str:
    """Return the predicate as an SQL condition that is true or false, never null; `end` is the period's end."""
    match predicate:
        case OnTime():
            return "coalesce(done_at <= due_at, false)"
        case Late():
            return "(done_at is null or coalesce(done_at > due_at, false))"
        case DoneInPeriod():
            return f"coalesce(done_at < {end}, false)"
        case _:
            return _attribute_condition(predicate, arguments)


def _attribute_condition(predicate: Is | IsNot | AtLeast | Known, arguments: Arguments) -> str:
    value = _attribute(predicate.attribute)
    match predicate:
        case Is(value=wanted):
            return f"coalesce({value} = to_jsonb({_json(wanted, arguments)}), false)"
        case IsNot(value=unwanted):
            return f"({value} is distinct from to_jsonb({_json(unwanted, arguments)}))"
        case Known():
            return f"coalesce(jsonb_typeof({value}) = 'boolean', false)"
        case AtLeast(number=number):
            least = arguments.add(number, "int")
            return f"coalesce(jsonb_typeof({value}) = 'number' and {value} >= to_jsonb({least}), false)"


def _json(value: bool | str, arguments: Arguments) -> str:
    return arguments.add(value, "boolean" if isinstance(value, bool) else "text")


def known(row: str, watermark: str) -> str:
    """Return the condition that a version of a fact was known at the watermark."""
    return f"{row}.recorded_at <= {watermark} and ({row}.superseded_at is null or {row}.superseded_at > {watermark})"


def newest(row: str, watermark: str) -> str:
    """Return the condition that a version of a fact was known at the watermark and no newer one was.

    Versions count from 1, so only those above 1 can be newer: that keeps the anti join small.
    """
    return (
        f"{known(row, watermark)} and not exists (select 1 from fact newer where newer.fact_id = {row}.fact_id"
        f" and newer.version > 1 and newer.version > {row}.version and {known('newer', watermark)})"
    )


def _mine(row: str, scheme: Scheme, selection: Selection, arguments: Arguments) -> str:
    """Return the condition that a fact is one of the scheme's and of the selection."""
    parts = [newest(row, arguments.add(selection.watermark, "timestamptz")), f"{row}.{scheme.level} <> ''"]
    if scheme.force != "any":
        parts.append(f"{row}.force = {arguments.add(scheme.force, 'text')}")
    if selection.subjects is not None:
        parts.append(f"{row}.{scheme.level} = any({arguments.add(sorted(selection.subjects), 'text[]')})")
    if selection.struck:
        parts.append(f"{row}.fact_id <> all({arguments.add(sorted(selection.struck), 'text[]')})")
    return " and ".join(parts)


def _in_window(lines: Sequence[Measure], start: str, end: str, arguments: Arguments) -> str:
    """Return the condition that a fact can stand in some line at all: one index range for each anchor."""
    anchors: dict[Anchor, set[str]] = {}
    for measure in lines:
        anchors.setdefault(measure.anchor, set()).update(measure.kinds)
    return " or ".join(
        f"(f.kind = any({arguments.add(sorted(kinds), 'text[]')}) and f.{anchor} >= {start} and f.{anchor} < {end})"
        for anchor, kinds in sorted(anchors.items())
    )


_IDS = 'fact_id order by fact_id collate "C"'


def tallies(scheme: Scheme, selection: Selection) -> Query:
    """Return the query for rows `(subject, code, counted text[], population text[])`, one for each line with facts.

    Rows with the code "" carry no facts: their `counted` holds the town most facts of the subject name.
    """
    arguments = Arguments()
    start = arguments.add(selection.window.start, "timestamptz")
    end = arguments.add(selection.window.end, "timestamptz")
    lines = (*scheme.indicators, *scheme.points)
    measures = [MEASURES[line.measure] for line in lines]
    latest = (
        f"select f.fact_id, f.{scheme.level} as subject, f.kind, f.town, f.person, f.item, f.occurred_at, f.due_at,"
        f" f.done_at, f.attributes from fact f where ({_in_window(measures, start, end, arguments)})"
        f" and {_mine('f', scheme, selection, arguments)}"
    )
    branches = [
        _once(line, measure, start, end, arguments)
        if isinstance(line, PointRule)
        else _branch(line.code, measure, start, end, arguments)
        for line, measure in zip(lines, measures, strict=True)
    ]
    towns = "select subject, '', array[mode() within group (order by town)], '{}'::text[] from latest group by subject"
    return f"with latest as materialized ({latest}) " + " union all ".join([*branches, towns]), arguments.values


def _population(measure: Measure, start: str, end: str, arguments: Arguments) -> str:
    conditions = [condition(predicate, arguments, end) for predicate in measure.population]
    inside = f"kind = any({arguments.add(list(measure.kinds), 'text[]')})"
    return " and ".join([inside, f"{measure.anchor} >= {start}", f"{measure.anchor} < {end}", *conditions])


def _counted(measure: Measure, end: str, arguments: Arguments) -> str:
    return " and ".join(condition(predicate, arguments, end) for predicate in measure.counted) or "true"


def _branch(code: str, measure: Measure, start: str, end: str, arguments: Arguments) -> str:
    counted = _counted(measure, end, arguments)
    return (
        f"select subject, {arguments.add(code, 'text')} as code,"
        f" coalesce(array_agg({_IDS}) filter (where {counted}), '{{}}') as counted,"
        f" array_agg({_IDS}) as population from latest"
        f" where {_population(measure, start, end, arguments)} group by subject"
    )


def _once(rule: PointRule, measure: Measure, start: str, end: str, arguments: Arguments) -> str:
    """Return the branch of a point rule: the first fact of each key is counted, a fact without the key always."""
    key = "null::jsonb"
    if rule.dedupe.startswith("attributes."):
        key = f"nullif({_attribute(rule.dedupe.removeprefix('attributes.'))}, 'null'::jsonb)"
    elif rule.dedupe != "fact":
        key = f"to_jsonb({rule.dedupe})"
    fits = f"{_population(measure, start, end, arguments)} and {_counted(measure, end, arguments)}"
    return (
        f"select subject, {arguments.add(rule.code, 'text')} as code,"
        f" array_agg({_IDS}) filter (where key is null or place = 1) as counted, array_agg({_IDS}) as population"
        f" from (select subject, fact_id, {key} as key, row_number() over"
        f' (partition by subject, {key} order by fact_id collate "C") as place'
        f" from latest where {fits}) as fitting group by subject"
    )


def subjects(scheme: Scheme, selection: Selection) -> Query:
    """Return the query for rows `(subject, town)`: everybody with a fact of the force, whenever it happened.

    Steps through the index from one subject to the next instead of reading all facts.
    """
    arguments = Arguments()
    level = scheme.level
    force = "true" if scheme.force == "any" else f"force = {arguments.add(scheme.force, 'text')}"
    mine = _mine("f", scheme, selection, arguments)
    step = f"select {level} from fact where {force} and {level} > %s order by {level} limit 1"
    return (
        f"with recursive stepped(subject) as ((select min({level}) from fact where {force} and {level} <> '')"
        f" union all select ({step % 'stepped.subject'}) from stepped where stepped.subject is not null)"
        f" select stepped.subject, any_fact.town from stepped cross join lateral"
        f" (select f.town from fact f where f.{level} = stepped.subject and {mine} limit 1) as any_fact"
    ), arguments.values


def named_subjects(scheme: Scheme, selection: Selection) -> Query:
    """Return the query for rows `(subject, town)` of the selection's subjects that have a fact of the force."""
    arguments = Arguments()
    named = arguments.add(sorted(selection.subjects or ()), "text[]")
    mine = _mine("f", scheme, selection, arguments)
    return (
        f"select named.subject, any_fact.town from unnest({named}) as named(subject) cross join lateral"
        f" (select f.town from fact f where f.{scheme.level} = named.subject and {mine} limit 1) as any_fact"
    ), arguments.values


def count(scheme: Scheme, measure: Measure, subject: str, selection: Selection) -> Query:
    """Return the query for `(numerator, denominator)` of one more measure of one subject."""
    arguments = Arguments()
    end = arguments.add(selection.window.end, "timestamptz")
    start = arguments.add(selection.window.start, "timestamptz")
    alone = Selection(
        window=selection.window, watermark=selection.watermark, struck=selection.struck, subjects=(subject,)
    )
    counted = _counted(measure, end, arguments)
    where = f"{_population(measure, start, end, arguments)} and {_mine('f', scheme, alone, arguments)}"
    return f"select count(*) filter (where {counted}), count(*) from fact f where {where}", arguments.values
