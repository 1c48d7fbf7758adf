"""Files of households (CSV, XLSX): each row read into a household to register, or all that is wrong with it; pure."""

from collections.abc import Iterable, Sequence
from typing import Any, get_type_hints

import msgspec
from msgspec import Struct

from app.kernel.crs import Datum, Place
from app.kernel.problem import FieldError, Invalid, Text, invalid
from visits.households import CareNeed, Consent, NewHousehold

MOST_ROWS = 50_000

HEADINGS: dict[str, str] = {
    "地址": "address",
    "村社代码": "village",
    "经度": "lon",
    "纬度": "lat",
    "坐标系": "datum",
    "精度": "accuracy_m",
    "人数": "residents",
    "联系电话": "contact",
    "同意联系": "consent",
    "服务需求": "care_needs",
}
"""Chinese heading → ours; either is read. No other column is: nothing else is kept of a dwelling."""

NEEDED = ("address", "village", "lon", "lat")

_CONSENT = {"": Consent.UNKNOWN, "未知": Consent.UNKNOWN, "同意": Consent.GIVEN, "拒绝": Consent.REFUSED}
_CARE = {
    "独居老人": CareNeed.ELDERLY_ALONE,
    "送药": CareNeed.MEDICINE_DELIVERY,
    "行动不便": CareNeed.MOBILITY,
    "儿童看护": CareNeed.CHILD_CARE,
    "居家维修": CareNeed.HOME_REPAIR,
    "助餐": CareNeed.MEAL_SERVICE,
}
_TYPES: dict[str, Any] = get_type_hints(NewHousehold, include_extras=True) | {
    "lon": get_type_hints(Place, include_extras=True)["lon"],
    "lat": get_type_hints(Place, include_extras=True)["lat"],
    "accuracy_m": get_type_hints(Place, include_extras=True)["accuracy_m"],
    "datum": Datum,
}


_SAYS: dict[str, Text] = {
    "address": ("应为1至200字的地址", "is an address of 1 to 200 characters"),
    "village": ("应为12位村社代码", "is a village's code of 12 digits"),
    "lon": ("应为经度，如 120.27", "is a longitude such as 120.27"),
    "lat": ("应为纬度，如 30.17", "is a latitude such as 30.17"),
    "datum": ("应为 wgs84、cgcs2000、gcj02 或 bd09", "is wgs84, cgcs2000, gcj02 or bd09"),
    "accuracy_m": ("应为米数，不为负", "is a number of metres, not negative"),
    "residents": ("应为0至99的整数", "is a whole number from 0 to 99"),
    "contact": ("应为电话号码，6至20位数字", "is a telephone number of 6 to 20 digits"),
    "consent": ("应为 同意、拒绝 或 未知", "is given, refused or unknown"),
    "care_needs": (
        f"应为 {'、'.join(_CARE)}，以分号隔开",
        f"is any of {', '.join(need.value for need in CareNeed)}, semicolons between",
    ),
}
"""What each column holds, as it is told to whoever filled it in otherwise."""


class BadRow(Struct, frozen=True, kw_only=True):
    """What is wrong with one row (the headings are row 1), in which column."""

    row: int
    column: str
    why: Text


class Line(Struct, frozen=True):
    """A row that can be read, as it stands in the file."""

    row: int
    new: NewHousehold


def read(table: Iterable[Sequence[Any]], datum: Datum) -> tuple[list[Line], list[BadRow]]:
    """Return the households of a table and every fault of the other rows; `datum` is for rows that name none.

    Invalid when the headings are wrong or there are no rows, or too many.
    """
    rows = iter(table)
    names = _names(next(rows, ()))
    good: list[Line] = []
    bad: list[BadRow] = []
    for number, cells in enumerate(rows, start=2):
        values = {name: _text(cell) for name, cell in zip(names, cells, strict=False) if name}
        if not any(values.values()):
            continue
        if len(good) + len(bad) >= MOST_ROWS:
            raise invalid("file", f"最多 {MOST_ROWS} 行", f"at most {MOST_ROWS} rows")
        new, faults = _household(values, datum)
        bad += [BadRow(row=number, column=each.field, why=each.message) for each in faults]
        if new is not None:
            good.append(Line(number, new))
    if not good and not bad:
        raise invalid("file", "没有数据行", "has no rows")
    return good, bad


def _names(cells: Sequence[Any]) -> list[str]:
    headings = [_text(cell) for cell in cells]
    names = [HEADINGS.get(heading, heading) for heading in headings]
    known = set(HEADINGS.values())
    faults = [
        FieldError(
            heading, ("不认识这一列，户档案不收其他信息", "an unknown column: nothing else is kept of a household")
        )
        for heading, name in zip(headings, names, strict=True)
        if name and name not in known
    ]
    faults += [
        FieldError(name, ("列名重复", "this heading comes twice")) for name in sorted(known) if names.count(name) > 1
    ]
    faults += [FieldError(name, ("缺少这一列", "this column is missing")) for name in NEEDED if name not in names]
    if faults:
        raise Invalid(faults[:50])
    return names


def _text(cell: Any) -> str:
    """A cell as text; a sheet keeps codes and telephone numbers as floats."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell).strip()


def _household(values: dict[str, str], datum: Datum) -> tuple[NewHousehold | None, list[FieldError]]:
    read: dict[str, Any] = {}
    faults: list[FieldError] = []
    for name, text in values.items():
        if not text and name not in NEEDED:
            continue
        try:
            read[name] = msgspec.convert(_words(name, text), _TYPES[name], strict=False)
        except ValueError:
            faults.append(FieldError(name, _SAYS[name]))
    if faults:
        return None, faults
    try:
        place = Place(read.pop("lon"), read.pop("lat"), read.pop("datum", datum), read.pop("accuracy_m", None))
    except ValueError:
        return None, [FieldError("lon", ("坐标超出范围", "not a point on Earth"))]
    return NewHousehold(place=place, **read), []


def _words(name: str, text: str) -> Any:
    """The words of a clerk as our closed lists have them."""
    if name == "consent":
        return _CONSENT.get(text, text)
    if name == "care_needs":
        parts = text.replace("；", ";").replace("、", ";").replace(",", ";").replace("，", ";").split(";")
        return [_CARE.get(part.strip(), part.strip()) for part in parts if part.strip()]
    return text
