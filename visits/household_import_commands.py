"""Import of a file of households: the good rows taken in one transaction, every bad one listed by line and column."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.crs import Datum
from app.kernel.ids import new_id
from grid import facts as grid_facts
from visits import commands, household_files, households
from visits.household_files import BadRow, Line
from visits.households import ImportRow


class FileReport(Struct, frozen=True, kw_only=True):
    """What an import took or, in a dry run, would take; `refused` is in the file's order."""

    dry_run: bool
    taken: int
    refused: tuple[BadRow, ...]


async def import_file(
    table: Iterable[Sequence[Any]], datum: Datum, actor: Actor, now: datetime, *, dry_run: bool = False
) -> FileReport:
    """Register the households of a table (headings first); points are read in `datum` where the row names none.

    The same file again takes nothing: its addresses are known. Invalid for a file whose headings are wrong.
    """
    scope.require_any(actor, "household.write")
    lines, bad = household_files.read(table, datum)
    async with db.transaction(actor.district):
        rows, misplaced = await _placed(lines)
        report = await commands.import_households([row for _, row in rows], actor, now, dry_run=dry_run)
    bad += misplaced
    for each in report.refused:  # their fields are `rows[n].column`
        number, _, column = each.field.removeprefix("rows[").partition("].")
        bad.append(BadRow(row=rows[int(number)][0], column=column, why=each.message))
    return FileReport(dry_run=dry_run, taken=report.taken, refused=tuple(sorted(bad, key=lambda one: one.row)))


async def _placed(lines: Sequence[Line]) -> tuple[list[tuple[int, ImportRow]], list[BadRow]]:
    """Rows with their cells, found by one statement for all points, and those that stand nowhere here."""
    points = [line.new.place.wgs84() for line in lines]
    located = await grid_facts.locate_to_keep(points)
    known = await grid_facts.area_names(sorted({line.new.village for line in lines}))
    rows: list[tuple[int, ImportRow]] = []
    bad: list[BadRow] = []
    for line, point, where in zip(lines, points, located, strict=True):
        new = line.new
        if faults := commands.misplaced(new, where, known):
            bad += [BadRow(row=line.row, column=each.field, why=each.message) for each in faults]
            continue
        row = ImportRow(
            id=new_id(),
            address=new.address.strip(),
            area=households.area_of(new.village, where.cell),
            lon=point[0],
            lat=point[1],
            residents=new.residents,
            contact=new.contact,
            consent=new.consent,
            care_needs=new.care_needs,
            received=new.place,
        )
        rows.append((line.row, row))
    return rows, bad
