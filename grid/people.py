"""People who work in the district, squads they form and who is on duty: values only."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct


class Person(Struct, frozen=True, kw_only=True):
    """Somebody who works in an organisation; `id` is also that of the account, if there is one."""

    id: UUID
    name: str
    organisation: UUID
    started_at: datetime
    ended_at: datetime | None = None
    source: str = ""


class SquadMember(Struct, frozen=True, kw_only=True):
    """A person of some force in a squad (小分队), for a period."""

    id: UUID
    squad: UUID
    person: UUID
    started_at: datetime
    ended_at: datetime | None = None


class DutyShift(Struct, frozen=True, kw_only=True):
    """A person on duty (值班) for an organisation in an area, from–to (the end is exclusive)."""

    id: UUID
    person: UUID
    organisation: UUID
    area: str
    starts_at: datetime
    ends_at: datetime
