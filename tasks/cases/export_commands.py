"""Exporting cases as a stream: what the list shows, however many, with flat memory and a free loop.

One cursor reads all rows in one transaction, so that the file shows one moment. Who exported what is in the access
log before the first byte leaves.
"""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Literal

from msgspec import Struct

from app.identity import commands as identity
from app.identity import scope
from app.identity.scope import Reach
from app.kernel import db
from app.kernel.actor import Actor
from grid import facts as grid_facts
from grid.organisations import Directory
from tasks.cases import export, export_sheet, reading_store, reference
from tasks.cases.export import Names
from tasks.cases.listing import Filter, Where
from tasks.cases.problems import ExportsBusy

ACTION = "case.export"
Format = Literal["csv", "xlsx"]
CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MEDIA_TYPES: dict[Format, str] = {"csv": CSV, "xlsx": XLSX}
BATCH = 200
"""Rows formatted at a time: some milliseconds of the loop."""
AT_ONCE = 3
"""Exports of one process: each holds a connection of the pool as long as its reader takes."""

_running: set[object] = set()


class Export(Struct, frozen=True):
    """A file under way: its name, its kind, its bytes."""

    name: str
    media_type: str
    chunks: AsyncGenerator[bytes]


class _Wanted(Struct, frozen=True):
    """What is to be read, for whom."""

    asked: Filter
    reach: Reach
    directory: Directory
    names: Names
    district: str
    now: datetime


async def begin(asked: Filter, kind: Format, language: int, actor: Actor, now: datetime) -> Export:
    """Log an export and return it; nothing is read before its first chunk is asked for.

    Invalid for a filter that cannot be asked; ExportsBusy while this process writes as many as it can.
    """
    scope.require_any(actor, ACTION)
    reach = scope.require_any(actor, "case.read")
    if len(_running) >= AT_ONCE:
        raise ExportsBusy(headers={"Retry-After": "30"})
    async with db.transaction(actor.district):
        directory = await grid_facts.directory(now)
        reading_store.matching(Where(), asked, reach, directory, now)
        names = await _names(directory, language, now)
        await identity.log_access(actor, ACTION, f"cases:{kind}", _said(asked), now)
    wanted = _Wanted(asked, reach, directory, names, actor.district, now)
    chunks = _csv(wanted) if kind == "csv" else _xlsx(wanted)
    return Export(f"cases-{now:%Y%m%d-%H%M%S}.{kind}", MEDIA_TYPES[kind], chunks)


def _said(asked: Filter) -> str:
    """Return what was asked for, as the access log keeps it; words searched for may name somebody and stay out."""
    said = {name: getattr(asked, name) for name in Filter.__struct_fields__}
    return ", ".join(
        name if name == "text" else f"{name}={value}" for name, value in said.items() if value not in (None, ())
    )


async def _names(directory: Directory, language: int, now: datetime) -> Names:
    towns = {each.area[:9] for each in directory.by_id.values() if len(each.area) >= 9}
    return Names(
        {each.code: each.name for each in (await reference.present()).catalogue.present(now)},
        await grid_facts.area_names(sorted(towns)),
        {each.id: each.name for each in directory.by_id.values()},
        language,
    )


async def _tables(wanted: _Wanted) -> AsyncGenerator[list[list[export.Cell]]]:
    """Give the cells of all rows, batch by batch, out of one transaction."""
    token = object()
    _running.add(token)
    try:
        async with db.transaction(wanted.district):
            batches = reading_store.batches(wanted.asked, wanted.reach, wanted.directory, wanted.now, BATCH)
            async for rows in batches:
                yield [export.cells(row, wanted.names) for row in rows]
    finally:
        _running.discard(token)


async def _csv(wanted: _Wanted) -> AsyncGenerator[bytes]:
    yield export.BOM + export.csv_lines([export.titles(wanted.names.language)])
    tables = _tables(wanted)
    try:
        async for cells in tables:
            yield export.csv_lines(cells)
    finally:
        await tables.aclose()


async def _xlsx(wanted: _Wanted) -> AsyncGenerator[bytes]:
    """Pack beside the loop: that is most of the work."""
    sheet = export_sheet.Sheet(export.titles(wanted.names.language))
    tables = _tables(wanted)
    try:
        yield sheet.write([])
        async for cells in tables:
            if packed := await asyncio.to_thread(sheet.write, cells):
                yield packed
    finally:
        await tables.aclose()
    yield await asyncio.to_thread(sheet.close)
