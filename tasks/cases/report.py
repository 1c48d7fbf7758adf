"""What comes in at the one door: a matter as any channel reports it, and what makes it unacceptable; pure."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from app.kernel.crs import Place
from app.kernel.problem import FieldError
from media.evidence import EvidenceRef
from tasks.cases.model import Severity, Signal

LONGEST = {"title": 200, "description": 10_000, "address": 500, "external_id": 200, "source": 40}
REPORTER_KINDS = ("citizen", "resident", "worker", "organisation", "machine", "system")
AHEAD = timedelta(minutes=5)
"""How far a reported time may lie in the future: clocks differ."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""What happened before is no case."""


Line = Annotated[str, Meta(min_length=1, max_length=100)]


class Reporter(Struct, frozen=True, kw_only=True):
    """Who reports: `id` of the account or citizen; name and phone are encrypted and kept apart.

    `resident`: a citizen spoken for by a clerk or visitor, without a login.
    """

    kind: str = "citizen"
    id: UUID | None = None
    name: str | None = None
    phone: str | None = None


class Solved(Struct, frozen=True, kw_only=True):
    """OpenSolved: it was solved at the door or on the spot, by this organisation; somebody else verifies a sample."""

    organisation: UUID
    result: str
    person: UUID | None = None
    verified_by_system: bool | None = None
    """None: by the item's sample, decided by the case's id."""


class Report(Struct, frozen=True, kw_only=True):
    """One matter to open. The same `id`, or the same (source, external_id), opens one case only.

    `lead` and `assistants` are hints of a channel that knows better than the rules (a sensor rule, a campaign).
    """

    source: str
    item: str
    id: UUID | None = None
    external_id: str | None = None
    title: str = ""
    description: str = ""
    reporter: Reporter = Reporter()
    place: Place | None = None
    address: str = ""
    severity: Severity | None = None
    attributes: dict[str, Any] = {}
    evidence: tuple[EvidenceRef, ...] = ()
    parent: UUID | None = None
    origin: UUID | None = None
    """The inspection that found it; no parent: the inspection may close before it."""
    checklist: Annotated[tuple[Line, ...], Meta(max_length=100)] = ()
    """The points of an inspection."""
    occurred_at: datetime | None = None
    sender: UUID | None = None
    desk: UUID | None = None
    lead: UUID | None = None
    assistants: tuple[UUID, ...] = ()
    signal: Signal = Signal.NONE
    solved: Solved | None = None
    complained_about: tuple[UUID, ...] = ()
    unsorted: bool = False
    """Nobody chose the item and no words spoke for one: `item` stands in until a clerk has sorted it."""


def _text_faults(report: Report) -> list[FieldError]:
    found: list[FieldError] = []
    for field, most in LONGEST.items():
        text: str = getattr(report, field) or ""
        if len(text) > most:
            found.append(FieldError(field, (f"不能超过 {most} 字", f"at most {most} characters")))
        if "\x00" in text:
            found.append(FieldError(field, ("含有无法保存的字符", "holds a character that cannot be stored")))
    return found


def _solved_by_the_blamed(report: Report) -> bool:
    solver = set[UUID | None]() if report.solved is None else {report.solved.organisation, report.solved.person}
    return not solver.isdisjoint(report.complained_about)


def faults(report: Report, now: datetime) -> list[FieldError]:
    """Return what is wrong with a report by itself, every bad field; nothing if it can be opened."""
    attributes = msgspec.json.encode(report.attributes)
    late = report.occurred_at is not None and report.occurred_at > now + AHEAD
    early = report.occurred_at is not None and report.occurred_at < EARLIEST
    checks = (
        (not report.source.strip(), "source", ("不能为空", "must not be empty")),
        (not report.item.strip(), "item", ("不能为空", "must not be empty")),
        (not (report.title + report.description).strip(), "description", ("请写明事由", "say what it is about")),
        (report.reporter.kind not in REPORTER_KINDS, "reporter.kind", ("没有这种报告人", "no such kind of reporter")),
        (early, "occurred_at", ("时间过早", "the time lies too far back")),
        (late, "occurred_at", ("时间在将来", "the time lies in the future")),
        (
            _solved_by_the_blamed(report),
            "solved",
            ("被投诉方不能自行办结", "who is complained about solves nothing here"),
        ),
        (len(attributes) > 20_000, "attributes", ("属性过多", "too many attributes")),
        (len(set(report.checklist)) < len(report.checklist), "checklist", ("检查项重复", "a point occurs twice")),
        (
            "\x00" in "".join(report.checklist),
            "checklist",
            ("含有无法保存的字符", "holds a character that cannot be stored"),
        ),
        (b"\\u0000" in attributes, "attributes", ("含有无法保存的字符", "holds a character that cannot be stored")),
    )
    return _text_faults(report) + [FieldError(field, why) for wrong, field, why in checks if wrong]


def title_of(report: Report, item_name: str) -> str:
    """Return the title: as given, else the beginning of the description, else the item."""
    first = report.title.strip() or report.description.strip().split("\n")[0][:60]
    return first or item_name
