"""What is wrong with an item by itself: limits, selectors, ladder, schema; every bad field is named; pure."""

from collections.abc import Callable

from app.kernel.problem import FieldError
from tasks.cases import attributes, escalation
from tasks.cases.catalogue import CLOCKS, Draft, Limits
from tasks.cases.deadlines import Unit, parse_limit
from tasks.cases.model import Severity
from tasks.cases.selectors import parse_selectors

NEEDED = ("sign", "handle")
"""Limits an item must have for every severity: without them nobody can be late."""


def _tried(field: str, check: Callable[[], object]) -> list[FieldError]:
    try:
        check()
    except ValueError as error:
        zh, _, en = str(error).partition(" / ")
        return [FieldError(field, (zh, en or zh))]
    return []


def _timed(severity: Severity, text: str) -> None:
    if parse_limit(text).unit is not Unit.MINUTE and severity is not Severity.ROUTINE:
        raise ValueError("紧急与特急的时限以 minute 计 / urgent and critical limits are in minutes")


def _limits(severity: Severity, limits: Limits) -> list[FieldError]:
    found: list[FieldError] = []
    for clock in CLOCKS:
        text: str | None = getattr(limits, clock)
        if text is not None:
            found += _tried(f"limits.{severity.value}.{clock}", lambda text=text: _timed(severity, text))
    names = [stage.name for stage in limits.stages]
    field = f"limits.{severity.value}.stages"
    if len(set(names)) < len(names) or not all(name and not {";", ":"} & set(name) for name in names):
        found.append(FieldError(field, ("阶段须各有名称", "every stage needs a name of its own")))
    for stage in limits.stages:
        found += _tried(field, lambda stage=stage: _timed(severity, stage.limit))
    return found


def _routine(draft: Draft) -> list[FieldError]:
    routine = draft.limits.get(Severity.ROUTINE)
    if routine is None:
        return [FieldError("limits.routine.handle", ("一般事件须有时限", "limits for routine cases are missing"))]
    return _needed(Severity.ROUTINE, routine)


def _needed(severity: Severity, limits: Limits) -> list[FieldError]:
    why = ("此等级须有这项时限", f"{severity.value} cases need this limit")
    found = [clock for clock in NEEDED if getattr(limits, clock) is None and not (clock == "handle" and limits.stages)]
    return [FieldError(f"limits.{severity.value}.{clock}", why) for clock in found]


def _pressing(draft: Draft) -> list[FieldError]:
    """Urgent and critical cases count in minutes: limits of their own are needed unless the routine ones are such."""
    found: list[FieldError] = []
    routine = draft.limits.get(Severity.ROUTINE)
    usable = routine is not None and all(each.endswith(" minute") for each in _written(routine))
    for severity in (Severity.URGENT, Severity.CRITICAL):
        own = draft.limits.get(severity)
        if own is not None:
            found += _needed(severity, own)
        elif routine is not None and not usable:
            why = ("紧急与特急须有以 minute 计的时限", "urgent and critical cases need limits of their own, in minutes")
            found.append(FieldError(f"limits.{severity.value}.handle", why))
    return found


def _written(limits: Limits) -> list[str]:
    clocks: list[str | None] = [getattr(limits, clock) for clock in CLOCKS]
    return [text for text in (*clocks, *(stage.limit for stage in limits.stages)) if text is not None]


def _texts(draft: Draft) -> list[FieldError]:
    several = (*draft.aliases, *draft.assistants)
    found = [
        FieldError("aliases" if text in draft.aliases else "assistants", ("不得含分号", "must not hold a semicolon"))
        for text in several
        if ";" in text or text != text.strip() or not text
    ]
    for n, level in enumerate(draft.category):
        if not level or "\x00" in level or level != level.strip():
            found.append(
                FieldError(f"category[{n}]", ("类别须有两级名称", "a category has two levels, each with a name"))
            )
    for field in ("name", "lead", "closing", "source", "domain"):
        text: str = getattr(draft, field)
        if "\x00" in text or text != text.strip():
            why = ("含有空白或无法保存的字符", "begins or ends with space, or holds what cannot be stored")
            found.append(FieldError(field, why))
    return found


def faults(draft: Draft) -> list[FieldError]:
    """Return everything that is wrong with an item; nothing if it can be taken into the catalogue."""
    found = _texts(draft) + _routine(draft) + _pressing(draft)
    found += _tried("lead", lambda: parse_selectors(draft.lead))
    for n, assistant in enumerate(draft.assistants):
        found += _tried(f"assistants[{n}]", lambda assistant=assistant: parse_selectors(assistant))
    for n, rung in enumerate(draft.ladder):
        found += _tried(f"ladder[{n}]", lambda rung=rung: escalation.checked(rung))
    for severity, limits in draft.limits.items():
        found += _limits(severity, limits)
    schema = draft.attribute_schema
    if schema is not None:
        found += _tried("attribute_schema", lambda: attributes.check_schema(schema))
    return found
