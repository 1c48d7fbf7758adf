"""What every command to a case has in common: the version it saw, its id, the words it leaves; pure."""

from typing import Annotated, Any, ClassVar
from uuid import UUID

from msgspec import Meta, Struct

from app.kernel.crs import Place
from media.evidence import EvidenceRef
from tasks.cases.model import Severity

Words = Annotated[str, Meta(min_length=1, max_length=4000)]
Note = Annotated[str, Meta(max_length=4000)]
Evidence = EvidenceRef
Evidences = Annotated[tuple[EvidenceRef, ...], Meta(max_length=30)]
Assistants = Annotated[tuple[UUID, ...], Meta(max_length=20)]


class Order(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every command: the version it saw, and an id that makes a second delivery harmless."""

    texts: ClassVar[tuple[str, ...]] = ()
    """Fields of free text: kept apart from the trace, which holds their salted hashes."""
    public: ClassVar[frozenset[str]] = frozenset()
    """Those of them the reporter may read."""
    personal: ClassVar[tuple[str, ...]] = ()
    """Fields that say who somebody is: sealed elsewhere, in no text, trace or digest."""
    past: ClassVar[str] = ""
    """The type of the event it leaves."""
    words: ClassVar[tuple[str, str]] = ("", "")

    command_id: UUID | None = None
    version: Annotated[int, Meta(ge=0)] | None = None


class LegOrder(Order, frozen=True, kw_only=True):
    """A command to one leg; `leg` may be left out where only one fits the actor."""

    leg: UUID | None = None


class Child(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case to be opened from another: a part of it, or what an inspection found. Routed like any new one.

    Without a place it is where the other is.
    """

    item: Annotated[str, Meta(min_length=1, max_length=40)]
    description: Words
    title: Annotated[str, Meta(max_length=200)] = ""
    severity: Severity | None = None
    place: Place | None = None
    address: Annotated[str, Meta(max_length=500)] = ""
    attributes: dict[str, Any] = {}
    evidence: Evidences = ()


def name_of(order: type[Order]) -> str:
    """Return the command's name in addresses and lists: `ask-assist` for AskAssist."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in order.__name__).lstrip("-")
