"""What happened, in the past tense: the base of every event, and how one is written down and read back."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from msgspec import Struct


class Event(Struct, frozen=True, kw_only=True):
    """Base of every event: its id makes subscribers idempotent. Subclasses are named in the past tense."""

    known: ClassVar[dict[str, type["Event"]]] = {}

    id: UUID
    at: datetime
    actor: UUID

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        twin = Event.known.setdefault(cls.__name__, cls)
        if (twin.__module__, twin.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"event {cls.__name__} is taken by {twin.__module__}")
        Event.known[cls.__name__] = cls


def to_body(event: Event) -> dict[str, Any]:
    """Return the event as JSON-able values."""
    return msgspec.to_builtins(event)


def from_body(name: str, body: dict[str, Any]) -> Event:
    """Return the event of class `name`; KeyError for a name nobody knows, msgspec.ValidationError for a bad body."""
    return msgspec.convert(body, Event.known[name])
