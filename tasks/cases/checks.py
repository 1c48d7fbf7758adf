"""What is wrong with a command by itself, before anybody looks at the case; pure."""

from datetime import datetime, timedelta

from app.kernel.problem import FieldError
from tasks.cases import orders as o
from tasks.cases.deadlines import parse_limit

FURTHEST = timedelta(days=366)
"""A suspension ends within a year, or somebody has to ask again."""


def _request(order: o.Request, now: datetime) -> list[FieldError]:
    found: list[FieldError] = []
    if order.kind == "extension" or order.amount is not None:
        try:
            parse_limit(order.amount or "")
        except ValueError as error:
            zh, _, en = str(error).partition(" / ")
            found.append(FieldError("amount", (zh, en)))
    if order.until is not None and order.until.tzinfo is None:
        found.append(FieldError("until", ("时间缺少时区", "a time without its zone")))
    elif order.until is not None and not now < order.until <= now + FURTHEST:
        found.append(FieldError("until", ("须在今后一年之内", "within a year from now")))
    return found


def _supervise(order: o.Supervise) -> list[FieldError]:
    try:
        parse_limit(order.reply_within)
    except ValueError as error:
        zh, _, en = str(error).partition(" / ")
        return [FieldError("reply_within", (zh, en))]
    return []


def _texts(order: o.Order) -> list[FieldError]:
    why = ("含有无法保存的字符", "holds a character that cannot be stored")
    return [FieldError(field, why) for field in order.texts if "\x00" in (getattr(order, field) or "")]


def _at(order: o.Order) -> list[FieldError]:
    at = getattr(order, "at", None)
    if isinstance(at, datetime) and at.tzinfo is None:
        return [FieldError("at", ("时间缺少时区", "a time without its zone"))]
    return []


def faults(order: o.Order, now: datetime) -> list[FieldError]:
    """Return every bad field of a command; nothing if it can be given."""
    own = _request(order, now) if isinstance(order, o.Request) else []
    own += _supervise(order) if isinstance(order, o.Supervise) else []
    return [*_texts(order), *_at(order), *own]
