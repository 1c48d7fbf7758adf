"""Every bad field of a body, not only the first: walks the value beside its type and names each path."""

import types
from collections.abc import Sequence
from typing import Any, Union, cast, get_args, get_origin

import msgspec

from app.kernel.problem import FieldError, Text

_MOST = 50
"""So many bad fields are listed; a thousand-record batch of nonsense need not be answered in full."""

_TYPES = {
    "str": "文字",
    "int": "整数",
    "float": "数字",
    "bool": "true 或 false",
    "null": "空值",
    "object": "对象",
    "array": "列表",
    "uuid": "UUID",
    "datetime": "带时区的时间",
    "date": "日期",
}


def invalid_fields(value: Any, kind: Any, path: str = "") -> list[FieldError]:
    """Return all that keeps `value` (decoded JSON) from being a `kind`; empty when nothing does."""
    errors: list[FieldError] = []
    _walk(value, kind, path, errors)
    return errors[:_MOST]


def _walk(value: Any, kind: Any, path: str, errors: list[FieldError]) -> None:
    if len(errors) >= _MOST:
        return
    struct = _struct_in(kind)
    item = _item_of(kind)
    if struct is not None and isinstance(value, dict):
        _walk_struct(cast(dict[str, Any], value), struct, path, errors)
    elif item is not None and isinstance(value, list):
        before = len(errors)
        for n, element in enumerate(cast(list[Any], value)):
            _walk(element, item, f"{path}[{n}]", errors)
        if len(errors) == before:
            _check(value, kind, path, errors)
    else:
        _check(value, kind, path, errors)


def _walk_struct(value: dict[str, Any], struct: type[msgspec.Struct], path: str, errors: list[FieldError]) -> None:
    before = len(errors)
    known: set[str] = set()
    for field in msgspec.structs.fields(struct):
        known.add(field.encode_name)
        at = f"{path}.{field.encode_name}" if path else field.encode_name
        if field.encode_name in value:
            _walk(value[field.encode_name], field.type, at, errors)
        elif field.required:
            errors.append(FieldError(at, ("缺少必填项", "is required")))
    if struct.__struct_config__.forbid_unknown_fields:
        errors += (
            FieldError(f"{path}.{name}" if path else name, ("未知的字段", "is not a known field"))
            for name in sorted(value.keys() - known)
        )
    if len(errors) == before:
        _check(value, struct, path, errors)


def _check(value: Any, kind: Any, path: str, errors: list[FieldError]) -> None:
    try:
        msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        errors.append(FieldError(path or "body", translate(str(error).partition(" - at ")[0])))


def translate(message: str) -> Text:
    """Return msgspec's message in Chinese and English: ``Expected `int`, got `str` `` → 应为整数."""
    if message.startswith("Expected `"):
        expected = message.split("`")[1]
        detail = message.partition("` ")[2] if "` of length" in message or "` matching" in message else ""
        words = " 或 ".join(_TYPES.get(part.strip(), part.strip()) for part in expected.split("|"))
        return f"应为{words}{' ' + detail if detail else ''}", message
    if message.startswith("Invalid enum value"):
        return f"不是可选的值{message.removeprefix('Invalid enum value')}", message
    if message.startswith("Invalid "):
        return f"格式不正确（{message.removeprefix('Invalid ')}）", message
    return message, message


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    """Return the one Struct class a type stands for, looking through Optional and Annotated."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    structs = [found for part in _parts(kind) if (found := _struct_in(part)) is not None]
    return structs[0] if len(structs) == 1 else None


def _item_of(kind: Any) -> Any:
    """Return the item type of a list, sequence or homogeneous tuple type, else None."""
    origin = get_origin(kind)
    arguments = get_args(kind)
    if isinstance(origin, type) and issubclass(origin, Sequence) and arguments:
        return arguments[0] if len(arguments) == 1 or arguments[1:] == (...,) else None
    items = [found for part in _parts(kind) if (found := _item_of(part)) is not None]
    return items[0] if len(items) == 1 else None


def _parts(kind: Any) -> tuple[Any, ...]:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return get_args(kind)
    if hasattr(kind, "__metadata__"):
        return (kind.__origin__,)
    return ()
