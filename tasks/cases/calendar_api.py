"""The district's calendar and the three loops over HTTP: decode, call, encode."""

from datetime import datetime
from typing import Annotated, Any

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from tasks.cases import calendar_commands as commands
from tasks.cases import loops, supervision_store
from tasks.cases.calendar_commands import CalendarView, ChangedCalendar
from tasks.cases.calendars import Year
from tasks.cases.loops import LoopsView

MANAGE: dict[str, Any] = {"action": "calendar.manage"}


@get("/calendar", opt={"action": "calendar.read"}, tags=["calendar"])
async def calendar(actor: NamedDependency[Actor]) -> CalendarView:
    """Show the district's own working hours, days off and make-up days, and until when holidays are known."""
    scope.require_any(actor, "calendar.read")
    return await commands.show(actor)


@put("/calendar", opt=MANAGE, tags=["calendar"])
async def write(
    data: JSONBody[ChangedCalendar], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> CalendarView:
    """Write the district's calendar anew. Dues that move are reckoned again within minutes, each with a step.

    409 when somebody else has written it since the version you name.
    """
    return await commands.write(data, actor, now)


@post("/calendar/years", opt=MANAGE, tags=["calendar"], status_code=200)
async def years(data: JSONBody[Year], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> CalendarView:
    """Take the holidays and make-up days of a year, in the form of the files of holiday-cn."""
    return await commands.take_year(data, actor, now)


@get("/loops", opt={"action": "loop.read"}, tags=["supervision"])
async def three_loops(
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    town: Annotated[str | None, QueryParameter(pattern=r"^[0-9]{9}$")] = None,
) -> LoopsView:
    """Count what is open and overdue in the three loops (event, responsible body, assessment), by town."""
    reach = scope.require_any(actor, "loop.read")
    areas = None if reach.everything else reach.areas
    if town is not None:
        inside = areas is None or any(town.startswith(area) for area in areas)
        areas = (town,) if inside else tuple(area for area in areas or () if area.startswith(town))
    async with db.transaction(actor.district):
        rows = await supervision_store.loops(now, areas)
    return loops.view([(each.loop, each.town, each.open, each.overdue) for each in rows])


routes: list[Any] = [calendar, write, years, three_loops]
