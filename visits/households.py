"""Households (户): what is kept of a dwelling, who may be visited, and what is shown of it to whom."""

import re
import unicodedata
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from app.kernel.crs import Place
from app.kernel.problem import FieldError

Text200 = Annotated[str, Meta(min_length=1, max_length=200)]
VillageCode = Annotated[str, Meta(pattern=r"^\d{12}$", description="village-level code, 12 digits 村社代码")]
CellCode = Annotated[str, Meta(pattern=r"^\d{15}$", description="cell code, 15 digits 网格代码")]
Phone = Annotated[str, Meta(pattern=r"^\+?[0-9][0-9 \-]{5,19}$")]


class Consent(StrEnum):
    """What the household said about being called."""

    UNKNOWN = "unknown"
    GIVEN = "given"
    REFUSED = "refused"


class CareNeed(StrEnum):
    """Services a household asked for: a short closed list, never a free label on people."""

    ELDERLY_ALONE = "elderly_alone"  # 独居老人探访
    MEDICINE_DELIVERY = "medicine_delivery"  # 送药
    MOBILITY = "mobility"  # 行动不便
    CHILD_CARE = "child_care"  # 儿童看护
    HOME_REPAIR = "home_repair"  # 居家维修
    MEAL_SERVICE = "meal_service"  # 助餐


class Household(Struct, frozen=True, kw_only=True):
    """A dwelling that can be visited. `area` is its cell's code, or its village's while no cell covers it.

    `contact` is sealed (ciphertext). `lon` and `lat` are WGS-84 degrees; `received` is the point as it came.
    """

    id: UUID
    address: str
    address_key: str
    area: str
    lon: float
    lat: float
    received: Place
    residents: int
    contact: str | None
    consent: Consent
    care_needs: tuple[CareNeed, ...]
    refused_at: datetime | None = None
    unsafe_until: datetime | None = None
    last_visit_at: datetime | None = None
    moved_out_at: datetime | None = None
    version: int = 1
    created_at: datetime
    updated_at: datetime

    @property
    def cell(self) -> str | None:
        """The cell's code, if a cell covers it."""
        return self.area if len(self.area) == 15 else None


class NewHousehold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A household to register. `village` decides where no cell covers the point."""

    address: Text200
    village: VillageCode
    place: Place
    residents: Annotated[int, Meta(ge=0, le=99)] = 1
    contact: Phone | None = None
    consent: Consent = Consent.UNKNOWN
    care_needs: tuple[CareNeed, ...] = ()
    id: UUID | None = None


class HouseholdChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New values of some fields; what is left out stays. `version` is the one the change was made from."""

    version: int
    residents: Annotated[int, Meta(ge=0, le=99)] | UnsetType = UNSET
    contact: Phone | UnsetType | None = UNSET
    consent: Consent | UnsetType = UNSET
    care_needs: tuple[CareNeed, ...] | UnsetType = UNSET
    moved_out: bool | UnsetType = UNSET


class ImportRow(Struct, frozen=True, kw_only=True):
    """One household of an import, its cell already known; used for whole districts at once."""

    id: UUID
    address: str
    area: str
    lon: float
    lat: float
    residents: int = 1
    contact: str | None = None
    consent: Consent = Consent.UNKNOWN
    care_needs: tuple[CareNeed, ...] = ()
    received: Place | None = None
    """The point as it came; None: in WGS-84."""


class Rules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How households are protected from too many visits, and asked afterwards; a district sets its own.

    `tell`: households that may be called are sent word of a visit. `call_back_one_of`: so many visits have one that is
    called back, by chance; 0: none.
    """

    refusal_months: Annotated[int, Meta(ge=0, le=60)] = 6
    visits_per_period: Annotated[int, Meta(ge=1, le=100)] = 4
    period_days: Annotated[int, Meta(ge=1, le=366)] = 90
    unsafe_days: Annotated[int, Meta(ge=1, le=366)] = 30
    tell: bool = False
    call_back_one_of: Annotated[int, Meta(ge=0, le=10_000)] = 0


_NOISE = re.compile(r"[\s,，。.、·\-－—_/()（）]+")


def address_key(address: str) -> str:
    """Return the form in which two spellings of one address are equal: width, case, spaces and dashes do not count."""
    return _NOISE.sub("", unicodedata.normalize("NFKC", address)).casefold()


def area_of(village: str, cell: str | None) -> str:
    """Return the cell that covers the point, if it is one of the village; the clerk's word on the village stands."""
    return cell if cell is not None and cell.startswith(village) else village


def check(rows: list[ImportRow], taken: frozenset[str]) -> tuple[list[ImportRow], list[FieldError]]:
    """Split an import into the rows to take and the complaints about the others (`rows[n].field`, n from 0).

    `taken` are the address keys of households already known.
    """
    seen = set(taken)
    good: list[ImportRow] = []
    bad: list[FieldError] = []
    for number, row in enumerate(rows):
        key = address_key(row.address)
        complaint = _complaint(row, key, seen)
        if complaint is None:
            good.append(row)
            seen.add(key)
        else:
            bad.append(FieldError(f"rows[{number}].{complaint[0]}", complaint[1]))
    return good, bad


def _complaint(row: ImportRow, key: str, seen: set[str]) -> tuple[str, tuple[str, str]] | None:
    if not key:
        return "address", ("缺少地址", "no address")
    if key in seen:
        return "address", ("地址重复", "the address is already known")
    if not (row.area.isascii() and row.area.isdigit() and len(row.area) in (12, 15)):
        return "area", ("不是村社或网格代码", "not the code of a village or cell")
    if not (-180 <= row.lon <= 180 and -90 <= row.lat <= 90):
        return "lon", ("坐标超出范围", "not a point on Earth")
    if not 0 <= row.residents <= 99:
        return "residents", ("人数应为0–99", "residents must be 0-99")
    return None


def add_months(moment: datetime, months: int) -> datetime:
    """Return the same day and time so many months later; the 31st becomes the month's last day."""
    index = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(index, 12)
    first_of_next = moment.replace(year=year + (month == 11), month=(month + 1) % 12 + 1, day=1)
    last_day = (first_of_next - timedelta(days=1)).day
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last_day))


def reason_not_to_plan(household: Household, rules: Rules, visits_in_period: int, at: datetime) -> str | None:
    """Return why no visit may be planned at `at` (`moved_out|refused|unsafe|enough`), or None."""
    if household.moved_out_at is not None:
        return "moved_out"
    if household.refused_at is not None and at < add_months(household.refused_at, rules.refusal_months):
        return "refused"
    if household.unsafe_until is not None and at < household.unsafe_until:
        return "unsafe"
    return "enough" if visits_in_period >= rules.visits_per_period else None


def feed_body(household: Household) -> dict[str, object]:
    """Return what phones of the cell hold: neither contact nor care needs nor consent ever travel in buckets."""
    return {
        "address": household.address,
        "area": household.area,
        "lon": round(household.lon, 6),
        "lat": round(household.lat, 6),
        "residents": household.residents,
        "last_visit_at": None if household.last_visit_at is None else household.last_visit_at.isoformat(),
        "version": household.version,
    }
