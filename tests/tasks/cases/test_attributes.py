"""Attributes of a case against the schema of its item."""

from typing import Any

import pytest

from tasks.cases import attributes
from tasks.cases.attributes import SchemaError

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "depth_cm": {"type": "number", "minimum": 0, "maximum": 500},
        "plate": {"type": "string", "pattern": "^浙A"},
        "kind": {"enum": ["公交", "出租"]},
        "seen_on": {"type": "string", "format": "date"},
        "lanes": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["depth_cm"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"depth_cm": 12}, []),
        ({"depth_cm": 12, "plate": "浙A12345", "kind": "公交", "lanes": [1]}, []),
        ({}, ["attributes.depth_cm"]),
        ({"depth_cm": -1}, ["attributes.depth_cm"]),
        (
            {"depth_cm": "deep", "plate": "沪B1", "kind": "x"},
            ["attributes.depth_cm", "attributes.kind", "attributes.plate"],
        ),
        ({"depth_cm": 1, "lanes": [1, "x"]}, ["attributes.lanes.1"]),
        ({"depth_cm": 1, "seen_on": "2026-11-24"}, []),
        ({"depth_cm": 1, "seen_on": "yesterday"}, ["attributes.seen_on"]),
        ({"depth_cm": 1, "colour": "red", "size": 2}, ["attributes.colour", "attributes.size"]),
    ],
)
def test_every_bad_attribute_is_named(values: dict[str, Any], fields: list[str]):
    found = attributes.faults(SCHEMA, values)
    assert sorted(each.field for each in found) == fields
    assert all(each.message[0] and each.message[1] for each in found)


def test_without_a_schema_any_attributes_will_do():
    assert attributes.faults(None, {"anything": [1, {"x": None}]}) == []


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"type": "object", "properties": {"a": {"$ref": "https://example.org/schema.json"}}},
        {"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"type": "object", "properties": {"a": {"type": "decimal"}}},
        {"type": "object", "properties": {"a": {"pattern": "("}}},
        {"type": "object", "properties": {"a": {"pattern": r"(a)\1"}}},
        {"type": "object", "description": "x" * 30_000},
    ],
)
def test_a_schema_that_cannot_be_used_or_leads_elsewhere_is_refused(schema: dict[str, Any]):
    with pytest.raises(SchemaError) as refused:
        attributes.check_schema(schema)
    assert " / " in str(refused.value)


def doubling(levels: int, reference: str, anchor: str | None = None) -> dict[str, Any]:
    """Each part names the next one twice."""
    parts: dict[str, Any] = {
        f"a{n}": {"allOf": [{"$ref": reference.format(n + 1)}] * 2} | ({anchor: f"a{n}"} if anchor else {})
        for n in range(levels)
    }
    parts[f"a{levels}"] = {"type": "object"} | ({anchor: f"a{levels}"} if anchor else {})
    return {"type": "object", "$defs": parts, "$ref": reference.format(0)}


@pytest.mark.parametrize(("reference", "anchor"), [("#/$defs/a{}", None), ("#a{}", "$anchor")])
def test_a_schema_that_doubles_with_every_level_is_refused_before_it_is_run(reference: str, anchor: str | None):
    attributes.check_schema(doubling(5, reference, anchor))
    with pytest.raises(SchemaError, match="unfold"):
        attributes.check_schema(doubling(60, reference, anchor))


def test_a_schema_that_names_itself_is_taken():
    tree = {"type": "object", "properties": {"name": {"type": "string"}, "below": {"$ref": "#"}}}
    attributes.check_schema(tree)
    assert attributes.faults(tree, {"below": {"below": {"name": "丙"}}}) == []
    assert [each.field for each in attributes.faults(tree, {"below": {"name": 3}})] == ["attributes.below.name"]


def test_a_pattern_that_explodes_elsewhere_takes_linear_time_here():
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    attributes.check_schema(schema)
    assert [each.field for each in attributes.faults(schema, {"a": "a" * 5000 + "!"})] == ["attributes.a"]
