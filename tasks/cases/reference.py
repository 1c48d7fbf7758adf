"""Catalogue, routing rules and calendar as each process keeps them: read again when their marks change."""

from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel import db
from tasks.cases import calendars, catalogue_files, deadlines, rules_files, rules_store, store, supervision_store
from tasks.cases.calendars import CalendarDocument
from tasks.cases.catalogue import Catalogue
from tasks.cases.deadlines import Calendar
from tasks.cases.rules_compiled import RuleSet, read_rules


class Reference(Struct, frozen=True):
    """The catalogue (shipped items and the district's own versions), the rules, and the district's calendar."""

    catalogue: Catalogue
    rules: RuleSet
    calendar: Calendar


Marks = tuple[UUID | None, UUID | None, UUID | None]
_kept: dict[str, tuple[Marks, Reference]] = {}
_shipped = catalogue_files.shipped()
_shipped_rules = read_rules(rules_files.shipped())


async def of(known: store.Known) -> Reference:
    """Return catalogue, rules and calendar as of the marks just read in this transaction."""
    district, marks = db.current().district or "", (known.catalogue, known.rules, known.calendar)
    kept = _kept.get(district)
    if kept is not None and kept[0] == marks:
        return kept[1]
    own = await store.items() if known.catalogue is not None else []
    rules = _shipped_rules if known.rules is None else read_rules(await rules_store.document(), published=True)
    days = None if known.calendar is None else await supervision_store.calendar()
    document = calendars.NOTHING if days is None else msgspec.convert(days.document, CalendarDocument)
    fresh = Reference(Catalogue([*_shipped, *own]), rules, calendars.applied(deadlines.national(), document))
    _kept[district] = (marks, fresh)
    return fresh


async def present() -> Reference:
    """Return catalogue, rules and calendar, reading the marks first."""
    return await of(await store.known([], [], []))


def calendar() -> Calendar:
    """Return the calendar of this transaction's district as of the marks it has read: call `of` or `present` first."""
    return _kept[db.current().district or ""][1].calendar
