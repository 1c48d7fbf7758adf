"""The closed registry of what can be measured: fact kinds with whitelisted predicates, no free SQL, no expressions."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec import Struct

from app.kernel.problem import Text
from scoring.teams.fact import Fact
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
    holds,
)

Anchor = Literal["occurred_at", "due_at", "done_at"]


class Measure(Struct, frozen=True, kw_only=True):
    """What one indicator counts: the population (denominator) and the part of it that is counted (numerator).

    `anchor` is the time column that puts a fact into a period. The numerator is a subset of the denominator because its
    predicates are asked of the population only.
    """

    code: str
    name: Text
    kinds: tuple[str, ...]
    anchor: Anchor
    population: tuple[Predicate, ...] = ()
    counted: tuple[Predicate, ...]
    meaning: Text
    source: str
    beside: str | None = None
    """Another measure to be shown beside this one (satisfaction reports its answer rate)."""


def in_population(fact: Fact, measure: Measure, window: Window) -> bool:
    """Tell whether the fact belongs to the denominator of the measure in the period."""
    return (
        fact.kind in measure.kinds
        and window.holds(getattr(fact, measure.anchor))
        and all(holds(fact, p, window) for p in measure.population)
    )


def is_counted(fact: Fact, measure: Measure, window: Window) -> bool:
    """Tell whether a fact of the population belongs to the numerator too."""
    return all(holds(fact, p, window) for p in measure.counted)


_CASES = "national practice of supervision bulletins; evaluation rules §3"


def _measure(
    code: str,
    kinds: str | tuple[str, ...],
    anchor: Anchor,
    name: Text,
    meaning: Text,
    source: str,
    *,
    of: tuple[Predicate, ...] = (),
    counts: tuple[Predicate, ...] = (),
    beside: str | None = None,
) -> Measure:
    return Measure(
        code=code,
        name=name,
        kinds=(kinds,) if isinstance(kinds, str) else kinds,
        anchor=anchor,
        population=of,
        counted=counts,
        meaning=meaning,
        source=source,
        beside=beside,
    )


_ALL = (
    _measure(
        "case.closed_on_time",
        "case",
        "due_at",
        ("按期结案率", "Closed on time"),
        ("本期到期且未延期的事件中，在时限内办结的", "Of the cases due in the period and not deferred: closed in time"),
        "按期结案率 = closed on time / (due − deferred); Lianyungang bulletin, June 2019",
        of=(IsNot("deferred", True),),
        counts=(OnTime(),),
    ),
    _measure(
        "case.closed",
        "case",
        "due_at",
        ("结案率", "Closed"),
        (
            "本期到期且未延期的事件中，期末前已办结的（不论是否超时）",
            "Of the cases due in the period and not deferred: closed before the period ended, in time or not",
        ),
        "Lianyungang bulletin, June 2019: due 29,186, closed 25,783, on time 24,165",
        of=(IsNot("deferred", True),),
        counts=(DoneInPeriod(),),
    ),
    _measure(
        "case.reworked",
        "case",
        "done_at",
        ("返工率", "Reworked"),
        (
            "本期办结的事件（含延期的）中，被退回返工至少一次的",
            "Of the cases done in the period, deferred ones included: sent back at least once",
        ),
        "evaluation rules §3, normative example",
        counts=(AtLeast("reworks", 1),),
    ),
    _measure(
        "case.deferred",
        "case",
        "due_at",
        ("延期率", "Deferred"),
        ("本期到期的事件中，获准延期的", "Of the cases due in the period: those deferred"),
        "evaluation rules §3, extensions of the enforcement scheme",
        counts=(Is("deferred", True),),
    ),
    _measure(
        "signing.on_time",
        "signing",
        "due_at",
        ("按时签收率", "Signed on time"),
        ("本期应签收的环节中，在时限内签收的", "Of the legs to be signed for in the period: signed in time"),
        "case router rules §1, Sign",
        counts=(OnTime(),),
    ),
    _measure(
        "return.unfounded",
        "return",
        "occurred_at",
        ("推诿率", "Unfounded returns"),
        ("本期已有裁定的退单中，裁定不成立的", "Of the returns of the period that were ruled on: ruled unfounded"),
        "case router rules §1, Return and Rule",
        of=(Known("founded"),),
        counts=(Is("founded", False),),
    ),
    _measure(
        "verification.passed",
        "verification",
        "occurred_at",
        ("核查通过率", "Verified at first sight"),
        ("本期由人核查的处置结果中，核查通过的", "Of the results verified by people in the period: passed"),
        "case router rules §1, Verify; what the system let pass says nothing",
        of=(IsNot("by_system", True),),
        counts=(Is("passed", True),),
    ),
    _measure(
        "survey.satisfied",
        "survey",
        "occurred_at",
        ("满意率", "Satisfied"),
        ("本期已答复的回访中，表示满意的", "Of the call-backs of the period that were answered: satisfied"),
        "evaluation rules §3: satisfaction counts answered only and reports the answer rate",
        of=(Is("answered", True),),
        counts=(Is("satisfied", True),),
        beside="survey.answered",
    ),
    _measure(
        "survey.answered",
        "survey",
        "occurred_at",
        ("回访答复率", "Answered"),
        ("本期回访中，得到答复的", "Of the call-backs of the period: answered"),
        "evaluation rules §3: satisfaction counts answered only and reports the answer rate",
        counts=(Is("answered", True),),
    ),
    _measure(
        "visit.covered_day",
        "visit_due",
        "due_at",
        ("日间走访覆盖率", "Visit coverage by day"),
        (
            "本期到期的日间走访任务（已取消的除外）中，期末前见到住户的",
            "Of the households due by day in the period, cancelled ones apart: somebody was met before it ended",
        ),
        "field rules, Coverage; 民情双访",
        of=(IsNot("cancelled", True), Is("half", "day")),
        counts=(DoneInPeriod(),),
    ),
    _measure(
        "visit.covered_night",
        "visit_due",
        "due_at",
        ("夜间走访覆盖率", "Visit coverage by night"),
        (
            "本期到期的夜间走访任务（已取消的除外）中，期末前见到住户的",
            "Of the households due by night in the period, cancelled ones apart: somebody was met before it ended",
        ),
        "field rules, Coverage; 民情双访",
        of=(IsNot("cancelled", True), Is("half", "night")),
        counts=(DoneInPeriod(),),
    ),
    _measure(
        "arrival.on_time",
        "arrival",
        "due_at",
        ("按时到场率", "Arrived on time"),
        ("本期应到场的环节中，在时限内到场的", "Of the arrivals due in the period: in time"),
        "case router rules §1, Arrive; police scheme",
        counts=(OnTime(),),
    ),
    _measure(
        "attendance.on_time",
        "attendance",
        "due_at",
        ("协同到场率", "Attended on time"),
        ("本期应到场协同的环节中，在时限内到场的", "Of the joint attendances due in the period: in time"),
        "case router rules §1, CallUp and Attend; joint attendance of the police scheme",
        counts=(OnTime(),),
    ),
    _measure(
        "report.valid",
        "report",
        "occurred_at",
        ("有效上报率", "Valid reports"),
        ("本期网格员上报的事项中，予以受理的", "Of the matters reported by workers in the period: not rejected"),
        "evaluation rules §3, valid report rate of the grid scheme",
        counts=(Is("valid", True),),
    ),
    _measure(
        "mediation.settled",
        "mediation",
        "occurred_at",
        ("调解成功率", "Disputes settled"),
        ("本期调解的纠纷中，达成协议的", "Of the disputes mediated in the period: an agreement was reached"),
        "case router rules §1, Record(mediation); police scheme",
        counts=(Is("settled", True),),
    ),
    _measure(
        "missed_report.found",
        "missed_report",
        "occurred_at",
        ("漏报", "Missed reports"),
        (
            "本期由中心首先发现、而当日该网格有指名巡查的事项",
            "Matters first found by the centre in a cell that a named patrol had covered that day",
        ),
        "evaluation rules §2",
    ),
    _measure(
        "supervision.late",
        "supervision",
        "due_at",
        ("督办超时", "Supervision overdue"),
        ("本期到期的督办中，未答复或超时答复的", "Of the supervisions due in the period: not answered, or late"),
        "evaluation rules §3, normative example",
        counts=(Late(),),
    ),
)

MEASURES: Mapping[str, Measure] = MappingProxyType({measure.code: measure for measure in _ALL})
"""Every measure by its code; a scheme can name nothing else."""


def registry_hash() -> str:
    """Return the SHA-256 of the whole registry: a run names it, so that a changed predicate cannot pass unseen."""
    return hashlib.sha256(msgspec.json.encode(_ALL, order="sorted")).hexdigest()


_ANCHORS: dict[Anchor, str] = {"occurred_at": "occurred", "due_at": "due", "done_at": "done"}


def _told(predicates: tuple[Predicate, ...]) -> str:
    return " and ".join(f"`{predicate.told()}`" for predicate in predicates) or "all"


def reference() -> str:
    """Return the registry as a Markdown table: fact kind, predicates, meaning, source."""
    lines = [
        "| measure | 名称 | fact kind | in the period by | denominator | numerator | 含义 | meaning | source |",
        "| --- |" + " --- |" * 8,
    ]
    for m in _ALL:
        cells = (
            f"`{m.code}`",
            m.name[0],
            ", ".join(f"`{kind}`" for kind in m.kinds),
            _ANCHORS[m.anchor],
            _told(m.population),
            _told(m.counted),
            *m.meaning,
            m.source,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
