"""A platform's record read by its mapping: in our fields, with every fault named; pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from math import isfinite
from typing import Any, cast
from zoneinfo import ZoneInfo

from app.kernel.problem import FieldError, Text
from tasks.cases.model import Severity
from tasks.channels.mapping import NUMBERS, TEXTS, FieldRule, Mapped, Mapping
from tasks.channels.paths import Path, fetch, leaves, parse


class Reader:
    """A mapping made ready for many records."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self._zone = ZoneInfo(mapping.zone)
        self._absent = frozenset({"", *mapping.absent})
        self._rules = [(name, rule, _paths(rule)) for name, rule in mapping.fields.items()]
        told = [path for _, _, paths in self._rules for path in paths] + [parse(each) or () for each in mapping.ignored]
        self._known = frozenset(tuple(map(str, path)) for path in told)

    def read(self, record: Any) -> tuple[Mapped, list[FieldError]]:
        """Return a record in our fields, and every fault of it; a fault names our field and where it comes from."""
        if not isinstance(record, dict):
            return Mapped(), [FieldError("", ("应为一个对象", "is an object"))]
        told = cast(dict[str, Any], record)
        found: dict[str, Any] = {}
        faults: list[FieldError] = list(self._strangers(told))
        for name, rule, paths in self._rules:
            try:
                value = self._value(name, rule, paths, told)
            except _Unfit as unfit:
                faults.append(FieldError(name, _with_origin(unfit.why, rule)))
                continue
            if value is not None:
                found[name] = value
            elif rule.required:
                faults.append(FieldError(name, _with_origin(("不能为空", "must not be empty"), rule)))
        return _mapped(found, self.mapping, faults), faults

    def origin(self, fault: FieldError) -> FieldError:
        """Return a fault of one of our fields with where the field comes from."""
        place = "point" if "point" in self.mapping.fields else "lon"
        rule = self.mapping.fields.get(place if fault.field == "place" else fault.field)
        return fault if rule is None else FieldError(fault.field, _with_origin(fault.message, rule))

    def _strangers(self, record: dict[str, Any]) -> Iterator[FieldError]:
        if self.mapping.extra == "ignore":
            return
        for path in leaves(record):
            known = any(path[:length] in self._known for length in range(1, len(path) + 1))
            if not known and not path[0].startswith("@"):
                where = ".".join(path)[:200]
                yield FieldError(where, ("映射中没有这个字段", "the mapping does not know this field"))

    def _value(self, name: str, rule: FieldRule, paths: tuple[Path, ...], record: dict[str, Any]) -> Any:
        if rule.constant is not None:
            raw: Any = rule.constant
        else:
            had = [value for path in paths if (value := self._present(fetch(record, path))) is not None]
            raw = None if not had else rule.join.join(map(_text, had)) if rule.concat else had[0]
        if raw is None:
            return rule.otherwise
        if rule.replace or rule.after or rule.until or rule.table:
            raw = _looked_up(_cut(_text(raw), rule), rule)
        return None if raw is None else self._typed(name, raw)

    def _present(self, value: Any) -> Any:
        return None if value is None or (isinstance(value, str) and value.strip() in self._absent) else value

    def _typed(self, name: str, raw: Any) -> Any:
        if name in TEXTS:
            return _text(raw).strip() or None
        if name in NUMBERS:
            return _number(raw)
        if name == "point":
            return _point(raw)
        return self._instant(raw) if name == "occurred_at" else raw

    def _instant(self, raw: Any) -> datetime:
        try:
            return _local(raw, self.mapping.time, self._zone).astimezone(UTC)
        except (ValueError, OverflowError, OSError, TypeError):
            raise _Unfit(("时间无法识别", "is not a time as the mapping expects it")) from None


class _Unfit(Exception):
    """A value that is not what its field takes."""

    def __init__(self, why: Text) -> None:
        super().__init__(why[1])
        self.why = why


def _paths(rule: FieldRule) -> tuple[Path, ...]:
    told = [rule.path] if rule.path else [*rule.first, *rule.concat]
    return tuple(path for each in told if (path := parse(each)) is not None)


def _with_origin(why: Text, rule: FieldRule) -> Text:
    origin = rule.path or ", ".join([*rule.first, *rule.concat])
    return (f"{why[0]}（取自 {origin}）", f"{why[1]} (from {origin})") if origin else why


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))  # a spreadsheet keeps every number as a float
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    raise _Unfit(("应为文字", "is a text"))


def _cut(text: str, rule: FieldRule) -> str | None:
    for old, new in rule.replace:
        text = text.replace(old, new)
    if rule.after:
        _, mark, text = text.partition(rule.after)
        if not mark:
            return None
    return text.partition(rule.until)[0] if rule.until else text


def _looked_up(text: str | None, rule: FieldRule) -> str | None:
    if text is None or not rule.table:
        return text
    found = rule.table.get(text.strip(), rule.otherwise)
    if found is None:
        shown = text.strip()[:60]
        raise _Unfit((f"对照表中没有 {shown}", f"the table does not have {shown}"))
    return found


def _number(raw: Any) -> float:
    try:
        value = float(raw if isinstance(raw, int | float) and not isinstance(raw, bool) else _text(raw).strip())
    except (ValueError, OverflowError):
        raise _Unfit(("应为数字", "is a number")) from None
    if not isfinite(value):
        raise _Unfit(("应为数字", "is a number"))
    return value


def _point(raw: Any) -> tuple[float, float]:
    parts = _text(raw).replace("，", ",").split(",")
    if len(parts) != 2:
        raise _Unfit(("应为“经度,纬度”", 'is "longitude,latitude"'))
    return _number(parts[0]), _number(parts[1])


def _local(raw: Any, form: str, zone: ZoneInfo) -> datetime:
    """Return an instant with its zone; ValueError, TypeError, OverflowError or OSError for what is none."""
    if isinstance(raw, datetime):
        told = raw
    elif isinstance(raw, date):
        told = datetime(raw.year, raw.month, raw.day, tzinfo=zone)
    elif form in ("unix", "unix_ms"):
        told = datetime.fromtimestamp(_number(raw) / (1000 if form == "unix_ms" else 1), UTC)
    elif form == "iso":
        told = datetime.fromisoformat(_text(raw).strip())
    elif "%z" in form:
        told = datetime.strptime(_text(raw).strip(), form).astimezone(UTC)
    else:
        told = datetime.strptime(_text(raw).strip(), form).replace(tzinfo=zone)
    return told if told.tzinfo is not None else told.replace(tzinfo=zone)


def _mapped(found: dict[str, Any], mapping: Mapping, faults: list[FieldError]) -> Mapped:
    lon, lat = found.get("point") or (found.get("lon"), found.get("lat"))
    missing = "lon" if lon is None else "lat"
    if (lon is None) != (lat is None) and all(each.field != missing for each in faults):
        faults.append(FieldError(missing, ("经度纬度须同时给出", "a place has both coordinates")))
    for name, value, most in (("lon", lon, 180), ("lat", lat, 90)):
        if value is not None and abs(value) > most:
            faults.append(FieldError(name, (f"应在 -{most} 至 {most} 之间", f"lies between -{most} and {most}")))
    severity = found.get("severity")
    if severity is not None and severity not in set(Severity):
        faults.append(FieldError("severity", ("没有这个紧急程度", "no such severity")))
    if (found.get("accuracy_m") or 0) < 0:
        faults.append(FieldError("accuracy_m", ("不能为负", "is not negative")))
    texts = {name: found.get(name, "") for name in ("external_id", "title", "description", "address")}
    return Mapped(
        **texts,
        item=found.get("item") or mapping.item or "",
        severity=severity,
        occurred_at=found.get("occurred_at"),
        lon=lon,
        lat=lat,
        accuracy_m=found.get("accuracy_m"),
        name=found.get("reporter.name"),
        phone=found.get("reporter.phone"),
        attributes={name[11:]: value for name, value in found.items() if name.startswith("attributes.")},
    )
