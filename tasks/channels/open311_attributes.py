"""Attributes of an Open311 service from the JSON Schema of its item, and the values a form sends for them; pure."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from msgspec import Struct


class Value(Struct, frozen=True):
    """One of the values to choose from."""

    key: str
    name: str


class Attribute(Struct, frozen=True, kw_only=True):
    """One field a service asks for; `values` are those of a list."""

    variable: bool = True
    code: str
    datatype: str
    required: bool
    datatype_description: str
    order: int
    description: str
    values: tuple[Value, ...]


Schema = dict[str, Any]
_DATES = ("date", "date-time")
_LARGEST = 10**15
_LONG = 200
"""A text that may be longer than this gets more than a line."""


def attributes(schema: Schema | None) -> tuple[Attribute, ...]:
    """Return the attributes of an item in the order of its schema; none without one."""
    known = schema or {}
    required: list[str] = known.get("required", [])
    fields: dict[str, Schema] = known.get("properties", {})
    return tuple(_attribute(n, code, one, code in required) for n, (code, one) in enumerate(fields.items(), 1))


def _attribute(order: int, code: str, schema: Schema, required: bool) -> Attribute:
    return Attribute(
        code=code,
        datatype=_datatype(schema),
        required=required,
        datatype_description=_limits(schema),
        order=order,
        description=str(schema.get("title") or schema.get("description") or code),
        values=_values(schema),
    )


def _limits(schema: Schema) -> str:
    """Return in words what a value has to fit."""
    words = {
        "minimum": "≥ {}", "maximum": "≤ {}", "minLength": "≥ {} 字 (characters)", "maxLength": "≤ {} 字 (characters)",
        "pattern": "{}", "format": "{}",
    }  # fmt: skip
    return "; ".join(text.format(schema[name]) for name, text in words.items() if name in schema)


def _datatype(schema: Schema) -> str:
    kind = schema.get("type")
    if kind == "array":
        return "multivaluelist" if _values(schema) else "text"
    if _values(schema):
        return "singlevaluelist"
    if kind in ("number", "integer"):
        return "number"
    if schema.get("format") in _DATES:
        return "datetime"
    return "text" if schema.get("maxLength", 0) > _LONG else "string"


def _values(schema: Schema) -> tuple[Value, ...]:
    """Return what there is to choose from: `enum`, `oneOf` with `const` and `title`, yes or no."""
    if schema.get("type") == "array":
        return _values(cast("Schema", schema.get("items") or {}))
    if schema.get("type") == "boolean":
        return (Value("true", "是 (yes)"), Value("false", "否 (no)"))
    named: list[Schema] = [one for one in schema.get("oneOf", []) if "const" in one]
    chosen = [Value(str(one["const"]), str(one.get("title", one["const"]))) for one in named]
    return tuple(chosen or [Value(str(one), str(one)) for one in schema.get("enum", [])])


def values_of(schema: Schema | None, sent: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return what a form sent as the values the schema speaks of; what cannot be read stays text, to be refused.

    Nothing was said where a form sends an empty field.
    """
    fields: dict[str, Schema] = (schema or {}).get("properties", {})
    said = {code: [text for text in texts if text] for code, texts in sent.items()}
    return {code: _value(fields.get(code, {}), texts) for code, texts in said.items() if texts}


def _value(schema: Schema, texts: Sequence[str]) -> Any:
    if schema.get("type") == "array":
        inner: Schema = schema.get("items") or {}
        return [_one(inner, text) for text in texts]
    return _one(schema, texts[-1])


def _one(schema: Schema, text: str) -> Any:
    choices: list[Any] = [*schema.get("enum", []), *(one["const"] for one in schema.get("oneOf", []) if "const" in one)]
    for choice in choices:
        if str(choice) == text:
            return choice
    kind = schema.get("type")
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    return _number(text, kind) if kind in ("number", "integer") else text


def _number(text: str, kind: str) -> Any:
    try:
        number = int(text) if kind == "integer" or text.strip().lstrip("-").isdecimal() else float(text)
    except ValueError:
        return text
    return number if abs(number) < _LARGEST else text  # neither nan, infinity nor what no JSON reader holds
