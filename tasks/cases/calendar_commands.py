"""The district's calendar: shown, written, years imported; kept in versions; one function = one transaction."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, StaleVersion
from tasks.cases import calendars, deadlines, supervision_store
from tasks.cases.calendars import CalendarDocument, Day, Year


class ChangedCalendar(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The calendar written anew; `version` is the one it was made from (0: none of its own yet)."""

    version: Annotated[int, Meta(ge=0, le=1_000_000)]
    calendar: CalendarDocument


class CalendarView(Struct, frozen=True, kw_only=True):
    """What the district says of its days; version 0 says nothing. `known_until`: the last day whose holidays are known,

    later ones count as ordinary weeks. `national_until`: of these the country's, as shipped.
    """

    version: int
    calendar: CalendarDocument
    known_until: date | None
    national_until: date | None
    author: UUID | None = None
    published_at: datetime | None = None


Change = Callable[[CalendarDocument], CalendarDocument]


async def show(actor: Actor) -> CalendarView:
    """Return the district's calendar as it holds now."""
    async with db.transaction(actor.district):
        return _view(await supervision_store.calendar())


async def write(changed: ChangedCalendar, actor: Actor, now: datetime) -> CalendarView:
    """Write the calendar anew as its next version; dues are reckoned again soon after. Invalid, StaleVersion."""
    return await _publish(lambda _: changed.calendar, actor, now, changed.version)


async def take_year(year: Year, actor: Actor, now: datetime) -> CalendarView:
    """Take all days of a year, as holiday-cn writes them: the year's holidays are known from now on. Invalid."""
    return await _publish(lambda document: calendars.with_year(document, year), actor, now)


async def take_days(days: tuple[Day, ...], actor: Actor, now: datetime) -> CalendarView:
    """Take days off and make-up days of the district. Invalid."""
    return await _publish(lambda document: calendars.with_days(document, days), actor, now)


async def _publish(change: Change, actor: Actor, now: datetime, seen: int | None = None) -> CalendarView:
    scope.require_any(actor, "calendar.manage")
    async with db.transaction(actor.district):
        await supervision_store.lock_marks()
        had = _view(await supervision_store.calendar())
        if seen is not None and seen != had.version:
            raise StaleVersion(version=had.version)
        document = change(had.calendar)
        if errors := calendars.faults(document):
            raise Invalid(errors)
        if document == had.calendar:
            return had
        await supervision_store.publish_calendar(
            new_id(), had.version + 1, msgspec.to_builtins(document), actor.id, now
        )
        return _view(await supervision_store.calendar())


def _view(row: supervision_store.CalendarRow | None) -> CalendarView:
    national = deadlines.national()
    document = calendars.NOTHING if row is None else msgspec.convert(row.document, CalendarDocument)
    return CalendarView(
        version=0 if row is None else row.version,
        calendar=document,
        known_until=calendars.applied(national, document).known_until,
        national_until=national.known_until,
        author=None if row is None else row.author,
        published_at=None if row is None else row.published_at,
    )
