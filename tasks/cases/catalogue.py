"""The catalogue (事项目录): what a case can be about and how it is handled; versions are never changed; pure."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from tasks.cases.deadlines import Limit, parse_limit
from tasks.cases.escalation import LADDER, Escalation
from tasks.cases.model import Severity

SHIPPED_FROM = datetime(2020, 1, 1, tzinfo=UTC)
"""The shipped items count from here on, so that past cases of an import find one."""
CLOCKS = ("sign", "arrive", "handle", "verify", "call_back", "total")


class Stage(Struct, frozen=True):
    """A named part of handling with a limit of its own, counted from assignment (停工、处罚、拆除)."""

    name: str
    limit: str


class Limits(Struct, frozen=True, kw_only=True):
    """The clocks of one severity, each written as a limit such as `4 work_hour`; None where no clock runs."""

    sign: str | None = None
    arrive: str | None = None
    handle: str | None = None
    stages: tuple[Stage, ...] = ()
    verify: str | None = None
    call_back: str | None = None
    total: str | None = None

    def of(self, clock: str) -> Limit | None:
        """Return the limit of one of `CLOCKS`."""
        text: str | None = getattr(self, clock)
        return None if text is None else parse_limit(text)


Line = Annotated[str, Meta(max_length=200)]
Code = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Times = Annotated[int, Meta(ge=0, le=1000)]


class Draft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What can be said of one kind of matter (事项); `lead` and `assistants` are selectors (see routing)."""

    code: Code
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    category: tuple[Line, Line]
    aliases: Annotated[tuple[Line, ...], Meta(max_length=100)] = ()
    domain: Line = ""
    lead: Annotated[str, Meta(min_length=1, max_length=500)]
    assistants: Annotated[tuple[Line, ...], Meta(max_length=20)] = ()
    severity: Severity = Severity.ROUTINE
    attribute_schema: dict[str, Any] | None = None
    """JSON Schema (2020-12) of a case's attributes; None: any will do."""
    evidence_at_report: Times = 0
    evidence_at_handling: Times = 0
    limits: dict[Severity, Limits]
    verification: bool = True
    call_back: bool = False
    reopen_days: Times = 15
    reopen_count: Times = 1
    return_limit: Times = 2
    extension_limit: Times = 1
    privacy: Literal["handlers", "desk"] = "handlers"
    """Who sees the reporter: all who handle the case, or the desks alone."""
    citizen: bool = True
    closing: Annotated[str, Meta(max_length=2000)] = ""
    """What must be so before it counts as done (结案条件)."""
    duplicate_metres: Annotated[int, Meta(ge=0, le=20_000)] = 300
    duplicate_hours: Annotated[int, Meta(ge=0, le=8760)] = 72
    """A case of the item so near and so close in time is probably the same matter."""
    ladder: Annotated[tuple[Escalation, ...], Meta(max_length=30)] = LADDER
    solved_sample: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """The share of cases solved on the spot that somebody else verifies."""
    source: Annotated[str, Meta(max_length=500)] = ""

    def clocks(self, severity: Severity) -> Limits:
        """Return the limits that hold for a severity; those of `routine` where it has none of its own.

        Handling that is written as stages alone ends with the last of them.
        """
        found = self.limits.get(severity) or self.limits[Severity.ROUTINE]
        return found if found.handle or not found.stages else replace(found, handle=found.stages[-1].limit)


class Item(Draft, frozen=True, kw_only=True):
    """One item in one version; it holds from `effective_from` until the next begins or `effective_to`.

    A retired item is one more version that ends where it begins.
    """

    version: int = 1
    effective_from: datetime = SHIPPED_FROM
    effective_to: datetime | None = None

    @property
    def retired(self) -> bool:
        """Whether this version only says that the item is no more."""
        return self.effective_to is not None and self.effective_to <= self.effective_from


FIELDS = Draft.__struct_fields__


def changed(old: Draft, new: Draft) -> tuple[str, ...]:
    """Return the fields in which two versions differ in what they say."""
    return tuple(field for field in FIELDS if getattr(old, field) != getattr(new, field))


def versioned(draft: Draft, version: int, since: datetime, until: datetime | None = None) -> Item:
    """Return what is said of an item as one of its versions."""
    said = {field: getattr(draft, field) for field in FIELDS}
    return Item(**said, version=version, effective_from=since, effective_to=until)


class BadRow(Struct, frozen=True):
    """Why a row of a file cannot be taken: row (2 = the first below the header), column, reason (zh, en)."""

    row: int
    column: str
    why: tuple[str, str]


class Catalogue:
    """All versions of all items; answers which one holds at a moment. Immutable once built."""

    def __init__(self, items: Iterable[Item], revision: int = 0) -> None:
        self.revision = revision
        self._versions: dict[tuple[str, int], Item] = {}
        self._by_code: dict[str, list[Item]] = {}
        for item in sorted(items, key=lambda each: (each.code, each.effective_from, each.version)):
            self._versions[item.code, item.version] = item
            self._by_code.setdefault(item.code, []).append(item)
        times = (at for item in self._versions.values() for at in (item.effective_from, item.effective_to))
        self._turns = sorted({at for at in times if at is not None})

    def era(self, moment: datetime) -> int:
        """Return how many changes have come into force by then: the same number, the same items in force."""
        return bisect_right(self._turns, moment)

    def version(self, code: str, version: int) -> Item:
        """Return one version; KeyError if there never was one."""
        return self._versions[code, version]

    def at(self, code: str, moment: datetime) -> Item | None:
        """Return the version in force at a moment; None for an unknown or ended item."""
        for item in reversed(self._by_code.get(code, ())):
            if item.effective_from <= moment:
                return item if item.effective_to is None or moment < item.effective_to else None
        return None

    def history(self, code: str) -> list[Item]:
        """Return every version of an item, by the time it begins; empty for an unknown code."""
        return list(self._by_code.get(code, ()))

    def next_version(self, code: str) -> int:
        """Return the number a new version of an item gets."""
        return 1 + max((item.version for item in self._by_code.get(code, ())), default=0)

    def present(self, moment: datetime) -> list[Item]:
        """Return every item in force at a moment, by code."""
        return [item for code in self._by_code if (item := self.at(code, moment)) is not None]
