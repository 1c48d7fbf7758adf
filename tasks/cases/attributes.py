"""The attributes of a case against its item's JSON Schema: every bad field by name, in both languages; pure."""

from functools import lru_cache
from typing import Any, cast

import jsonschema_rs
import msgspec

from app.kernel.problem import FieldError, Text

LARGEST = 20_000
"""A schema is at most so many bytes."""
UNFOLDED = 10_000
"""With every reference put in its place it is at most so many parts: they double where each names the next twice."""
_KIND = jsonschema_rs.ValidationErrorKind
_REASONS: tuple[tuple[Any, str], ...] = (
    (_KIND.Required, "必须填写"),
    (_KIND.AdditionalProperties, "目录中没有这个属性"),
    (_KIND.Type, "类型不对"),
    (_KIND.Enum, "不在可选值之内"),
    (_KIND.Pattern, "格式不对"),
    (_KIND.Minimum, "太小"),
    (_KIND.Maximum, "太大"),
    (_KIND.MinLength, "太短"),
    (_KIND.MaxLength, "太长"),
)


class SchemaError(ValueError):
    """A schema that cannot be used; says why in both languages (`zh / en`)."""


def _refuse_reference(address: str) -> Any:
    raise ValueError(f"not followed: {address}")


def _references(schema: Any) -> list[str]:
    """Return every reference of a schema."""
    if isinstance(schema, list):
        return [each for part in cast("list[Any]", schema) for each in _references(part)]
    if not isinstance(schema, dict):
        return []
    known = cast("dict[str, Any]", schema)
    own = [str(value) for key, value in known.items() if key in ("$ref", "$dynamicRef", "$recursiveRef", "$schema")]
    return own + [each for part in known.values() for each in _references(part)]


def _unfolded(schema: Any, targets: dict[str, Any], known: dict[str, int]) -> int:
    """Return how many parts a schema has with its references in place; what leads back to itself counts once."""
    if isinstance(schema, list):
        return sum(_unfolded(each, targets, known) for each in cast("list[Any]", schema))
    if not isinstance(schema, dict):
        return 0
    count = 1
    for key, value in cast("dict[str, Any]", schema).items():
        if key in ("$ref", "$dynamicRef") and isinstance(value, str):
            if value not in known:
                known[value] = 1
                known[value] = _unfolded(targets.get(value), targets, known)
            count += known[value]
        else:
            count += _unfolded(value, targets, known)
    return count


def _targets(schema: Any, pointer: str = "#") -> dict[str, Any]:
    """Return what references may name, by JSON pointer (RFC 6901) and by anchor."""
    found = {pointer: schema}
    parts = enumerate(cast("list[Any]", schema)) if isinstance(schema, list) else ()
    if isinstance(schema, dict):
        known = cast("dict[str, Any]", schema)
        found |= {f"#{known[key]}": known for key in ("$anchor", "$dynamicAnchor") if isinstance(known.get(key), str)}
        parts = known.items()
    for key, part in parts:
        found |= _targets(part, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    return found


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> Any:
    # Linear-time patterns: a schema is typed by a clerk and run on what strangers send
    linear = jsonschema_rs.RegexOptions()
    return jsonschema_rs.Draft202012Validator(
        msgspec.json.decode(schema), pattern_options=linear, retriever=_refuse_reference, validate_formats=True
    )


def _compiled(schema: dict[str, Any]) -> Any:
    return _validator(msgspec.json.encode(schema, order="sorted"))


def check_schema(schema: dict[str, Any]) -> None:
    """Refuse what is no JSON Schema of an object, leads elsewhere or is too much to check against; SchemaError."""
    try:
        _check_schema(schema)
    except RecursionError:
        raise SchemaError("属性结构嵌套过深 / the schema is nested too deeply") from None


def _check_schema(schema: dict[str, Any]) -> None:
    if len(msgspec.json.encode(schema)) > LARGEST:
        raise SchemaError("属性结构过大 / the schema is too large")
    if schema.get("type") != "object":
        raise SchemaError('属性结构须为对象（"type": "object"） / the schema must be of an object')
    if any(not each.startswith("#") for each in _references(schema) if "json-schema.org" not in each):
        raise SchemaError("属性结构不得引用外部地址 / the schema refers to something outside itself")
    if _unfolded(schema, _targets(schema), {}) > UNFOLDED:
        raise SchemaError("属性结构的引用展开后过大 / the references of the schema unfold to too much")
    try:
        _compiled(schema)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise SchemaError(f"不是有效的 JSON Schema / not a JSON Schema: {str(error)[:200]}") from None


def faults(schema: dict[str, Any] | None, values: dict[str, Any]) -> list[FieldError]:
    """Return every bad attribute as `attributes.depth_cm`; nothing if they fit or there is no schema."""
    if schema is None:
        return []
    return [fault for error in _compiled(schema).iter_errors(values) for fault in _named(error)]


def _named(error: Any) -> list[FieldError]:
    path = ["attributes", *map(str, error.instance_path)]
    why = _why(error)
    if isinstance(error.kind, _KIND.Required):
        return [FieldError(".".join([*path, str(error.kind.property)]), why)]
    if isinstance(error.kind, _KIND.AdditionalProperties):
        return [FieldError(".".join([*path, str(each)]), why) for each in error.kind.unexpected]
    return [FieldError(".".join(path), why)]


def _why(error: Any) -> Text:
    zh = next((words for kind, words in _REASONS if isinstance(error.kind, kind)), "不符合要求")
    return zh, str(error.message)[:300]
