"""What is done to households and questionnaires: each function one use case in one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from asyncpg import UniqueViolationError
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from app.identity import cipher, scope
from app.identity import commands as identity
from app.identity.scope import Ownership
from app.kernel import changes, db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import FieldError, Invalid, NotPermitted, StaleVersion, invalid
from grid import areas
from grid import facts as grid_facts
from grid.cells import Located
from visits import buckets, households, round_store, store
from visits.households import CareNeed, Consent, Household, HouseholdChange, ImportRow, NewHousehold
from visits.problems import ContactWithheld, HouseholdNotFound
from visits.questionnaire import NewQuestionnaire, QuestionKind, Questionnaire

FEED_BATCH = 5_000


class HouseholdView(Struct, frozen=True, kw_only=True):
    """A household as people see it: the contact masked."""

    id: UUID
    address: str
    area: str
    lon: float
    lat: float
    residents: int
    contact: str | None
    consent: Consent
    care_needs: tuple[CareNeed, ...]
    refused_at: datetime | None
    unsafe_until: datetime | None
    last_visit_at: datetime | None
    moved_out_at: datetime | None
    version: int


class Unmask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why somebody needs the contact."""

    reason: Annotated[str, Meta(min_length=4, max_length=200)]


class Contact(Struct, frozen=True):
    """A household's contact in the clear, fetched singly."""

    household: UUID
    contact: str


class ImportReport(Struct, frozen=True, kw_only=True):
    """How many households an import took, and every bad row."""

    taken: int
    refused: tuple[FieldError, ...]


def view(household: Household) -> HouseholdView:
    """Return what people see."""
    shown = {name: getattr(household, name) for name in HouseholdView.__struct_fields__}
    if household.contact is not None:
        shown["contact"] = cipher.mask(cipher.open_(household.contact))
    return HouseholdView(**shown)


async def ownership(household: Household) -> Ownership:
    """Return whose a household is: its area's, and of everybody it was ever given to."""
    return Ownership(area=household.area, persons=await round_store.persons_of(household.id))


async def register_household(new: NewHousehold, actor: Actor, now: datetime) -> HouseholdView:
    """Register a dwelling where it stands; Invalid, NotPermitted outside the area, AddressTaken, HouseholdIdTaken."""
    lon, lat = new.place.wgs84()
    async with db.transaction(actor.district):
        scope.require(actor, "household.write", Ownership(area=new.village), NotPermitted())
        located = (await grid_facts.locate_to_keep([(lon, lat)]))[0]
        errors = misplaced(new, located, await grid_facts.area_names([new.village]))
        if errors:
            raise Invalid(errors)
        household = Household(
            id=new.id or new_id(),
            address=new.address.strip(),
            address_key=households.address_key(new.address),
            area=households.area_of(new.village, located.cell),
            lon=lon,
            lat=lat,
            received=new.place,
            residents=new.residents,
            contact=_sealed(new.contact, new.consent),
            consent=new.consent,
            care_needs=new.care_needs,
            created_at=now,
            updated_at=now,
        )
        await store.add_household(household, actor.id)
        await _feed([household])
    return view(household)


def misplaced(new: NewHousehold, located: Located, known: dict[str, str]) -> list[FieldError]:
    """Return what keeps a household from standing where it is said to."""
    rules = (
        (not households.address_key(new.address), "address", "缺少地址", "no address"),
        (new.village not in known, "village", *areas.absent(new.village, ("没有这个村社", "no such village"))),
        (located.reason == "outside", "place", "不在本区范围内", "outside the district"),
    )
    return [FieldError(field, (zh, en)) for wrong, field, zh, en in rules if wrong]


def _sealed(contact: str | None, consent: Consent) -> str | None:
    return None if contact is None or consent is Consent.REFUSED else cipher.seal(contact)


async def _feed(changed: Sequence[Household]) -> None:
    """Tell the phones of the cells; a household that moved out leaves them."""
    await changes.append_many(
        [
            (
                buckets.cell(home.area),
                "household",
                home.id,
                home.version,
                None if home.moved_out_at is not None else households.feed_body(home),
            )
            for home in changed
        ]
    )


async def save_household(household: Household, actor: UUID) -> None:
    """Write a changed household (locked by the caller, its version counted up), its history and its change."""
    await store.save_household(household)
    await store.add_version(household, actor)
    await _feed([household])


async def change_household(household_id: UUID, change: HouseholdChange, actor: Actor, now: datetime) -> HouseholdView:
    """Change a household as a desk does; StaleVersion when it changed since it was read."""
    async with db.transaction(actor.district):
        home = await writable(household_id, actor)
        if change.version != home.version:
            raise StaleVersion(version=home.version)
        named: dict[str, Any] = {
            name: value
            for name in ("residents", "consent", "care_needs")
            if not isinstance(value := getattr(change, name), UnsetType)
        }
        home = replace(home, **named, version=home.version + 1, updated_at=now)
        if change.contact is not UNSET:
            home = replace(home, contact=_sealed(change.contact, home.consent))
        if home.consent is Consent.REFUSED:
            home = replace(home, contact=None)
        if change.moved_out is True and home.moved_out_at is None:
            home = replace(home, moved_out_at=now)
        await save_household(home, actor.id)
    return view(home)


async def writable(household_id: UUID, actor: Actor) -> Household:
    """Lock and return a household the actor may change; HouseholdNotFound."""
    home = await store.household(household_id, lock=True)
    scope.require(actor, "household.write", await ownership(home), HouseholdNotFound())
    return home


async def get_household(household_id: UUID, actor: Actor) -> HouseholdView:
    """Return a household, its contact masked; HouseholdNotFound when it is not the actor's."""
    async with db.transaction(actor.district):
        home = await store.household(household_id)
        scope.require(actor, "household.read", await ownership(home), HouseholdNotFound())
    return view(home)


async def list_households(
    actor: Actor, area: str | None, care_need: CareNeed | None, after: UUID | None, limit: int
) -> list[HouseholdView]:
    """Return the actor's households by id."""
    reach = scope.require_any(actor, "household.read")
    async with db.transaction(actor.district):
        return [view(home) for home in await store.households(reach, area, care_need, after, limit)]


async def unmask(household_id: UUID, command: Unmask, actor: Actor, now: datetime) -> Contact:
    """Return one household's contact and write down who asked and why; ContactWithheld without consent."""
    async with db.transaction(actor.district):
        home = await store.household(household_id)
        scope.require(actor, "household.unmask", await ownership(home), HouseholdNotFound())
        if home.contact is None or home.consent is Consent.REFUSED:
            raise ContactWithheld
        await identity.log_access(actor, "household.unmask", f"household:{household_id}", command.reason, now)
    return Contact(household_id, cipher.open_(home.contact))


async def import_households(
    rows: Sequence[ImportRow], actor: Actor, now: datetime, *, dry_run: bool = False
) -> ImportReport:
    """Take all good rows at once (COPY) and list the bad ones; a row outside the actor's area is bad.

    Invalid when another import took one of the addresses meanwhile: nothing was taken; send it again.
    """
    reach = scope.require_any(actor, "household.write")
    async with db.transaction(actor.district):
        taken = await store.taken_addresses([households.address_key(row.address) for row in rows])
        good, bad = households.check(list(rows), taken)
        foreign = [row.id for row in good if not reach.covers(Ownership(area=row.area))]
        numbers = {row.id: n for n, row in enumerate(rows)}
        bad += [FieldError(f"rows[{numbers[each]}].area", ("不在辖区内", "not in your area")) for each in foreign]
        good = [row for row in good if row.id not in set(foreign)]
        if not dry_run:
            await _take(good, actor, now)
    return ImportReport(taken=len(good), refused=tuple(bad))


async def _take(rows: Sequence[ImportRow], actor: Actor, now: datetime) -> None:
    sealed = {row.id: seal for row in rows if (seal := _sealed(row.contact, row.consent)) is not None}
    try:
        await store.copy_households(rows, sealed, now)
    except UniqueViolationError as raced:
        raise invalid("file", "地址刚被另一次导入登记，请重试", "an address was just taken: import it again") from raced
    await store.copy_versions(rows, actor.id, now)
    drafts = [(buckets.cell(row.area), "household", row.id, 1, _import_body(row)) for row in rows]
    for start in range(0, len(drafts), FEED_BATCH):
        await changes.append_many(drafts[start : start + FEED_BATCH])


def _import_body(row: ImportRow) -> dict[str, object]:
    return {
        "address": row.address,
        "area": row.area,
        "lon": round(row.lon, 6),
        "lat": round(row.lat, 6),
        "residents": row.residents,
        "last_visit_at": None,
        "version": 1,
    }


async def publish_questionnaire(new: NewQuestionnaire, actor: Actor, now: datetime) -> Questionnaire:
    """Publish a version of a questionnaire; it goes to every phone and never changes again (VersionTaken)."""
    codes = [question.code for question in new.questions]
    errors = [
        FieldError(f"questions[{n}].code", ("题号重复", "a code appears twice"))
        for n, code in enumerate(codes)
        if code in codes[:n]
    ]
    choices = (QuestionKind.CHOICE, QuestionKind.CHOICES)
    errors += [
        FieldError(f"questions[{n}].options", ("选择题至少两个选项", "a choice needs two options"))
        for n, question in enumerate(new.questions)
        if question.kind in choices and len(set(question.options)) < 2
    ]
    if errors:
        raise Invalid(errors)
    made = Questionnaire(
        id=new_id(), code=new.code, version=new.version, title=new.title, questions=new.questions, published_at=now
    )
    async with db.transaction(actor.district):
        scope.require_any(actor, "questionnaire.write")
        await store.add_questionnaire(made)
        body = msgspec.to_builtins(made)
        await changes.append(buckets.REFERENCE, "questionnaire", f"{made.code}:{made.version}", 1, body)
    return made


async def list_questionnaires(actor: Actor) -> list[Questionnaire]:
    """Return every published version."""
    async with db.transaction(actor.district):
        return await store.questionnaires()
