"""What is done to the grid: each function one use case in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Meta, Struct
from shapely import MultiPolygon

from app.identity import commands as identity
from app.identity import scope
from app.identity.scope import Ownership, Reach
from app.kernel import changes, db, ids, outbox
from app.kernel.actor import Actor
from app.kernel.crs import Datum
from app.kernel.problem import FieldError, Invalid, invalid
from grid import areas, facts, imports, store, succession_commands
from grid.areas import Area, RefusedRow
from grid.cells import Cell, feed_body
from grid.events import CellsEnded
from grid.imports import FeatureCollection, Finding, Known, Survey
from grid.organisations import Force, Kind, Organisation
from grid.people import DutyShift, Person, SquadMember
from grid.problems import CellsRefused, OrganisationCodeTaken, OrganisationEnded, OrganisationNotFound, PersonNotFound

AreaCode = Annotated[
    str,
    Meta(
        pattern=r"^([0-9]{6}|[0-9]{9}|[0-9]{12}|[0-9]{15})$",
        max_length=15,
        description="6, 9, 12 or 15 digits 区域代码",
    ),
]
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
OrganisationCode = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", max_length=64)]
Instant = Annotated[datetime, Meta(tz=True)]


class ImportReport(Struct, frozen=True, kw_only=True):
    """What an import of cells did or, in a dry run, would do. `ended` are cells that were replaced."""

    dry_run: bool
    accepted: bool
    features: int
    villages: tuple[str, ...]
    taken: int
    ended: tuple[str, ...]
    findings: tuple[Finding, ...]


class Settlement(Struct, frozen=True, kw_only=True):
    """All that a district begins with."""

    areas: Sequence[Area]
    boundaries: Mapping[str, MultiPolygon]
    cells: Sequence[Cell]
    organisations: Sequence[Organisation]
    people: Sequence[Person]
    members: Sequence[SquadMember]
    shifts: Sequence[DutyShift]


class AreaReport(Struct, frozen=True, kw_only=True):
    """How many areas an import took, and the rows it refused with the reason."""

    taken: int
    refused: tuple[RefusedRow, ...]


CellCode = Annotated[str, Meta(pattern=r"^[0-9]{15}$", max_length=15, description="15 digits 网格代码")]

ENDED_AT_ONCE = 20
"""So many ended cells an event names: what a subscriber can deal with in one short transaction."""


class Redraw(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cells that end, the ones that take their ground (one → many: split, many → one: merge), and why."""

    ends: Annotated[tuple[CellCode, ...], Meta(min_length=1, max_length=200)]
    cells: FeatureCollection
    datum: Datum
    reason: Annotated[str, Meta(min_length=4, max_length=200)]


class NewOrganisation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An organisation to found; a force unit and a team have a force, others none."""

    kind: Kind
    name: Name
    code: OrganisationCode
    area: AreaCode
    force: Force | None = None
    parent: UUID | None = None


class EndOrganisation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End of an organisation; open work goes to the successor."""

    successor: UUID | None = None


class NewShift(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's duty for an organisation in an area, from–to (at most 24 hours)."""

    person: UUID
    organisation: UUID
    area: AreaCode
    starts_at: Instant
    ends_at: Instant


async def import_areas(
    district: str, rows: Sequence[Mapping[str, str]], boundaries: Mapping[str, MultiPolygon], now: datetime, source: str
) -> AreaReport:
    """Take the areas of a divisions file that are not there yet; refused rows are listed with the reason."""
    read, refused = areas.read(rows, district, now, source=source)
    async with db.transaction(district):
        known = await store.area_codes(district)
        fresh = [area for area in read if area.code not in known]
        await store.add_areas(fresh, boundaries)
    return AreaReport(taken=len(fresh), refused=tuple(refused))


async def settle(district: str, settlement: Settlement) -> None:
    """Write a whole new district by COPY: areas and organisations parents first, then cells, people, squads, duty.

    Nothing is checked but what the database checks; it joins the caller's transaction, if there is one.
    """
    async with db.transaction(district):
        await store.add_areas(settlement.areas, settlement.boundaries)
        await store.add_cells(settlement.cells)
        await store.add_organisations(settlement.organisations, ids.new_id())
        await store.add_people(settlement.people)
        await store.add_squad_members(settlement.members)
        await store.add_shifts(settlement.shifts, ids.new_id())
        await _tell(settlement.cells, ())


async def import_cells(
    collection: FeatureCollection,
    datum: Datum,
    actor: Actor,
    now: datetime,
    *,
    source: str = "",
    replace: bool = False,
    dry_run: bool = False,
) -> ImportReport:
    """Take all cells of a file or none: raises CellsRefused with every finding, and then nothing has changed.

    With `replace` the living cells of the villages named in the file end now; a dry run reports and changes nothing.
    """
    async with db.transaction(actor.district):
        reach = scope.require_any(actor, "grid.manage")
        villages = imports.villages(collection)
        everywhere = await _lock_cells(actor, now)
        ending = [cell for cell in everywhere if replace and cell.village in villages]
        survey = await _survey(collection, datum, reach, (everywhere, ending, False), now, source)
        return await _exchange(survey, ending, collection, actor, now, dry_run)


async def redraw_cells(redraw: Redraw, actor: Actor, now: datetime, *, dry_run: bool = False) -> ImportReport:
    """Split, merge or redraw: the named cells end and new ones, with new codes, take their whole ground, or none does.

    Invalid for a cell that does not live or is not in reach; CellsRefused lists every finding, ground lost included.
    Who redrew and why goes into the access log.
    """
    async with db.transaction(actor.district):
        reach = scope.require_any(actor, "grid.manage")
        everywhere = await _lock_cells(actor, now)
        living = {cell.code: cell for cell in everywhere if reach.covers(Ownership(area=cell.code))}
        if strange := [n for n, code in enumerate(redraw.ends) if code not in living]:
            message = ("没有这个现行网格", "no such living cell")
            raise Invalid([FieldError(f"ends[{n}]", message) for n in strange])
        ending = [living[code] for code in sorted(set(redraw.ends))]
        survey = await _survey(redraw.cells, redraw.datum, reach, (everywhere, ending, True), now, "redrawn")
        report = await _exchange(survey, ending, redraw.cells, actor, now, dry_run)
        if not dry_run:
            codes = ", ".join(report.ended)
            await identity.log_access(actor, "grid.redraw", f"cells:{codes}", redraw.reason, now)
    return report


async def _lock_cells(actor: Actor, now: datetime) -> list[Cell]:
    await store.lock_cells(actor.district)
    return await store.cells([actor.district], now)


async def _exchange(
    survey: Survey, ending: Sequence[Cell], collection: FeatureCollection, actor: Actor, now: datetime, dry_run: bool
) -> ImportReport:
    """End cells and take others, if nothing speaks against it; phones and whoever keeps cells are told."""
    accepted = not survey.refused
    report = ImportReport(
        dry_run=dry_run,
        accepted=accepted,
        features=len(collection.features),
        villages=tuple(imports.villages(collection)),
        taken=len(survey.cells) if accepted else 0,
        ended=tuple(cell.code for cell in ending) if accepted else (),
        findings=survey.findings,
    )
    if dry_run:
        return report
    if not accepted:
        raise CellsRefused(findings=msgspec.to_builtins(survey.findings))
    await store.end_cells(report.ended, now)
    await store.add_cells(survey.cells)
    await _tell(survey.cells, report.ended)
    await succession_commands.succeed(ending, actor.district, now)
    batches = [report.ended[n : n + ENDED_AT_ONCE] for n in range(0, len(report.ended), ENDED_AT_ONCE)]
    if batches:
        await outbox.emit(*(CellsEnded(id=ids.new_id(), at=now, actor=actor.id, cells=batch) for batch in batches))
    return report


async def _tell(taken: Sequence[Cell], ended: Sequence[str]) -> None:
    """Let the phones of a cell have its outline, and drop it when the cell ends."""
    drafts: list[changes.Draft] = [(f"cell:{cell.code}", "cell", cell.code, 1, feed_body(cell)) for cell in taken]
    drafts += [(f"cell:{code}", "cell", code, 2, None) for code in ended]
    if drafts:
        await changes.append_many(drafts)


async def _survey(
    collection: FeatureCollection, datum: Datum, reach: Reach, present: tuple[Sequence[Cell], Sequence[Cell], bool],
    now: datetime, source: str,
) -> Survey:  # fmt: skip
    """Check a file against the living cells and those of them that end, whose ground must be kept or may go."""
    everywhere, ending, keep_ground = present
    gone = {cell.code for cell in ending}
    villages = [code for code in imports.villages(collection) if reach.covers(Ownership(area=code))]
    known = Known(
        villages=frozenset(await store.area_names(villages)),
        boundaries=await store.boundaries(villages),
        used=await store.known_cells(imports.codes(collection)),
        cells=[cell for cell in everywhere if cell.code not in gone],
        ending=ending if keep_ground else (),
    )
    return imports.check(collection, datum, known, now, source)


async def found_organisation(new: NewOrganisation, actor: Actor, now: datetime) -> Organisation:
    """Found an organisation; Invalid lists every bad field, OrganisationCodeTaken refuses a used code."""
    scope.require(
        actor, "organisation.manage", Ownership(area=new.area), invalid("area", "不在权限范围", "not in reach")
    )
    organisation = Organisation(
        id=ids.new_id(), started_at=now, source="", **{name: getattr(new, name) for name in new.__struct_fields__}
    )
    async with db.transaction(actor.district):
        if errors := await _errors(new, now):
            raise Invalid(errors)
        try:
            async with db.transaction(actor.district):
                await store.add_organisations([organisation], ids.new_id())
        except asyncpg.UniqueViolationError as taken:
            raise OrganisationCodeTaken(code=new.code) from taken
    return organisation


async def _errors(new: NewOrganisation, now: datetime) -> list[FieldError]:
    errors: list[FieldError] = []
    if (new.kind in (Kind.FORCE_UNIT, Kind.TEAM)) != (new.force is not None):
        errors.append(
            FieldError(
                "force", ("力量单位和班组须有力量，其他单位没有", "force units and teams have a force, no other")
            )
        )
    if new.code != new.code.strip():
        errors.append(FieldError("code", ("代码前后有空白", "the code begins or ends with white space")))
    if not await store.area_names([new.area]):
        errors.append(FieldError("area", areas.absent(new.area, ("没有这个区域", "there is no such area"))))
    parent = None if new.parent is None else (await facts.directory(now)).get(new.parent)
    if new.parent is not None and (parent is None or not parent.alive(now)):
        errors.append(FieldError("parent", ("没有这个上级单位", "there is no such organisation")))
    elif parent is not None and not new.area.startswith(parent.area):
        errors.append(FieldError("parent", ("上级单位不在上级区域", "the parent's area does not hold this area")))
    return errors


async def end_organisation(organisation: UUID, end: EndOrganisation, actor: Actor, now: datetime) -> Organisation:
    """End an organisation, with or without a successor; what has ended does not change (OrganisationEnded)."""
    async with db.transaction(actor.district):
        directory = await facts.directory(now)
        found = directory.get(organisation)
        if found is None:
            raise OrganisationNotFound
        scope.require(actor, "organisation.manage", Ownership(area=found.area), OrganisationNotFound())
        heir = None if end.successor is None else directory.get(end.successor)
        if end.successor is not None and (heir is None or not heir.alive(now) or heir.id == organisation):
            raise invalid("successor", "没有这个承接单位", "there is no such organisation")
        if not await store.end_organisation(organisation, now, end.successor, ids.new_id()):
            raise OrganisationEnded(organisation=str(organisation))
    return msgspec.structs.replace(found, ended_at=now, successor=end.successor)


async def plan_shift(new: NewShift, actor: Actor) -> DutyShift:
    """Put a person on duty; Invalid lists every bad field."""
    scope.require(actor, "duty.manage", Ownership(area=new.area), PersonNotFound())
    shift = DutyShift(id=ids.new_id(), **{name: getattr(new, name) for name in new.__struct_fields__})
    async with db.transaction(actor.district):
        errors: list[FieldError] = []
        if not 0 < (new.ends_at - new.starts_at).total_seconds() <= 86400:
            errors.append(
                FieldError("ends_at", ("班次须在开始后24小时内结束", "a shift ends within 24 hours of its start"))
            )
        if areas.level_of(new.area) is None:
            errors.append(FieldError("area", ("不是区域代码", "not the code of an area")))
        if not 2000 <= new.starts_at.year < 2200:
            errors.append(FieldError("starts_at", ("年份超出范围", "the year is out of range")))
        if not await store.people([new.person]):
            errors.append(FieldError("person", ("没有这个人员", "there is no such person")))
        if (await facts.directory(new.starts_at)).get(new.organisation) is None:
            errors.append(FieldError("organisation", ("没有这个单位", "there is no such organisation")))
        if errors:
            raise Invalid(errors)
        await store.add_shifts([shift], ids.new_id())
    return shift
