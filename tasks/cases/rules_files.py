"""Rule sets in files: the one that comes with the product, and TOML as people write it."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import msgspec

from tasks.cases.rules import Rule

SHIPPED = Path(__file__).parent / "data" / "rules.toml"


def shipped() -> dict[str, Any]:
    """Return the rules that hold until a district publishes its own, as a document."""
    return tomllib.loads(SHIPPED.read_text(encoding="utf-8"))


def document_of(rules: Iterable[Rule]) -> dict[str, Any]:
    """Return rules as they are stored: `{"rule": [...]}`, only what is said."""
    return {"rule": [_said(rule) for rule in rules]}


def _said(rule: Rule) -> dict[str, Any]:
    written: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(rule))  # lists, not tuples, as read from files
    told = {key: value for key, value in written.items() if value not in (None, [], "", {}, 0)}
    if "limits" in told:
        told["limits"] = rule.limits.given()
    return {key: value for key, value in told.items() if value != {}}


def toml_of(rules: Iterable[Rule]) -> str:
    """Return rules as TOML that reads back to the same."""
    return "\n".join(f"[[rule]]\n{_pairs(_said(rule))}" for rule in rules)


def _pairs(said: dict[str, Any]) -> str:
    return "".join(f"{key} = {_toml(value)}\n" for key, value in said.items())


def _toml(value: Any) -> str:
    match value:
        case dict():
            pairs = cast(dict[str, Any], value)
            return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in pairs.items() if v is not None) + " }"
        case list():
            return "[" + ", ".join(_toml(each) for each in cast(list[Any], value)) + "]"
        case _:
            return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
