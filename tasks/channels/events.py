"""What channels tell others."""

from uuid import UUID

from app.kernel.event import Event


class CitizenErased(Event, frozen=True, kw_only=True):
    """A citizen had their data erased: whoever keeps any of it elsewhere erases it too."""

    citizen: UUID


class ImportQueued(Event, frozen=True, kw_only=True):
    """A file of cases waits to be worked through, from its beginning or from where it was left."""

    district: str
    case_import: UUID
