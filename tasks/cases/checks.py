"""What is wrong with a command by itself, before anybody looks at the case; pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from app.kernel.problem import FieldError
from tasks.cases import orders as o
from tasks.cases.deadlines import parse_limit

FURTHEST = timedelta(days=366)
"""A suspension ends within a year, or somebody has to ask again."""


def _request(order: o.Request) -> list[FieldError]:
    found: list[FieldError] = []
    if order.kind == "extension" or order.amount is not None:
        try:
            parse_limit(order.amount or "")
        except ValueError as error:
            zh, _, en = str(error).partition(" / ")
            found.append(FieldError("amount", (zh, en)))
    return found


def _supervise(order: o.Supervise) -> list[FieldError]:
    try:
        parse_limit(order.reply_within)
    except ValueError as error:
        zh, _, en = str(error).partition(" / ")
        return [FieldError("reply_within", (zh, en))]
    return []


def _blank(order: o.Order) -> Iterator[tuple[str, str | None]]:
    """Yield every text of a command with the name of its field."""
    for field in (*order.texts, *order.personal):
        yield field, getattr(order, field)
    if isinstance(order, o.Check):
        yield "point", order.point
    for field, child in _children(order):
        for name in ("description", "title", "address"):
            yield f"{field}.{name}", getattr(child, name)


def _children(order: o.Order) -> list[tuple[str, o.Child]]:
    if isinstance(order, o.Split):
        return [(f"children[{n}]", each) for n, each in enumerate(order.children)]
    if isinstance(order, o.Check) and order.finding is not None:
        return [("finding", order.finding)]
    return []


def _texts(order: o.Order) -> list[FieldError]:
    why = ("含有无法保存的字符", "holds a character that cannot be stored")
    return [FieldError(field, why) for field, text in _blank(order) if "\x00" in (text or "")]


_MOMENTS: dict[type[o.Order], str] = {o.Suspend: "until", o.AssignVerifier: "due", o.Request: "until"}


def _ahead(order: o.Order, now: datetime) -> list[FieldError]:
    """Return the faults of a moment that has to lie ahead."""
    field = _MOMENTS.get(type(order), "")
    until: datetime | None = getattr(order, field, None)
    if until is None:
        return []
    if until.tzinfo is None:
        return [FieldError(field, ("时间缺少时区", "a time without its zone"))]
    if not now < until <= now + FURTHEST:
        return [FieldError(field, ("须在今后一年之内", "within a year from now"))]
    return []


def _at(order: o.Order) -> list[FieldError]:
    at = getattr(order, "at", None)
    if isinstance(at, datetime) and at.tzinfo is None:
        return [FieldError("at", ("时间缺少时区", "a time without its zone"))]
    return []


def faults(order: o.Order, now: datetime) -> list[FieldError]:
    """Return every bad field of a command; nothing if it can be given."""
    own = _request(order) if isinstance(order, o.Request) else []
    own += _supervise(order) if isinstance(order, o.Supervise) else []
    return [*_texts(order), *_at(order), *own, *_ahead(order, now)]
