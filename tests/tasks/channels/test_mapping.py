"""A mapping is data: what it makes of a record, and every way it can be wrong, told when it is saved."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.cases import reference
from tasks.channels import bulk, push, sheet, sources
from tasks.channels.mapping import Mapped, Mapping, check
from tasks.channels.paths import fetch, leaves, parse
from tasks.channels.reading import Reader

ITEMS = {item.code for item in reference._shipped}
PLAIN = {"external_id": {"path": "id"}, "description": {"path": "text"}}


def mapping(fields: dict[str, Any] | None = None, **more: Any) -> Mapping:
    told = {"item": "G001", **more, "fields": PLAIN | (fields or {})}
    return msgspec.convert(told, Mapping)


def read(record: Any, fields: dict[str, Any] | None = None, **more: Any) -> Mapped:
    mapped, faults = Reader(mapping(fields, **more)).read(record)
    assert faults == []
    return mapped


def faults(record: Any, fields: dict[str, Any] | None = None, **more: Any) -> list[str]:
    return [each.field for each in Reader(mapping(fields, **more)).read(record)[1]]


RECORD = {"id": "1", "text": "路灯不亮"}


@pytest.mark.parametrize(
    ("fields", "record", "field", "value"),
    [
        ({"address": {"path": "a.b[1].c"}}, {"a": {"b": [{"c": ""}, {"c": "演示路"}]}}, "address", "演示路"),
        ({"address": {"path": "/a.b/0"}}, {"a.b": ["演示路"]}, "address", "演示路"),
        ({"address": {"first": ["x", "y"]}}, {"x": " ", "y": "演示路"}, "address", "演示路"),
        ({"address": {"concat": ["x", "y", "z"], "join": " "}}, {"x": "甲", "z": 5}, "address", "甲 5"),
        ({"address": {"constant": "演示路"}}, {}, "address", "演示路"),
        ({"address": {"path": "x", "after": "地：", "until": "\n"}}, {"x": "地：甲\n乙"}, "address", "甲"),
        ({"address": {"path": "x", "after": "地："}}, {"x": "没有"}, "address", ""),
        ({"title": {"path": "x", "replace": [["n", "\n"]]}}, {"x": "甲n乙"}, "title", "甲\n乙"),
        ({"item": {"path": "k", "table": {"7": "H305"}}}, {"k": 7}, "item", "H305"),
        ({"item": {"path": "k", "table": {"7": "H305"}}}, {}, "item", "G001"),
        ({"item": {"path": "k", "table": {"7": "H305"}, "otherwise": "H008"}}, {"k": 8}, "item", "H008"),
        ({"severity": {"path": "k", "table": {"急": "urgent"}}}, {"k": "急"}, "severity", "urgent"),
        ({"reporter.phone": {"path": "p"}}, {"p": 13900000000.0}, "phone", "13900000000"),
        ({"attributes.depth_cm": {"path": "d"}}, {"d": 12}, "attributes", {"depth_cm": 12}),
        ({"point": {"path": "p"}}, {"p": "120.1，30.2"}, "lon", 120.1),
        ({"lon": {"path": "x"}, "lat": {"path": "y"}}, {"x": "120.1", "y": 30.2}, "lat", 30.2),
    ],
)
def test_a_field_is_read_as_its_rule_says(fields: Any, record: Any, field: str, value: Any) -> None:
    assert getattr(read(RECORD | record, fields), field) == value


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("iso", "2026-11-23T10:00:00"),
        ("iso", "2026-11-23 10:00"),
        ("iso", "2026-11-23T02:00:00Z"),
        ("%Y/%m/%d %H:%M", "2026/11/23 10:00"),
        ("%d.%m.%Y %H:%M %z", "23.11.2026 02:00 +0000"),
        ("unix", 1795399200),
        ("unix_ms", "1795399200000"),
    ],
)
def test_a_time_is_an_instant_in_the_zone_of_the_mapping(form: str, told: Any) -> None:
    read_time = read(RECORD | {"t": told}, {"occurred_at": {"path": "t"}}, time=form).occurred_at
    assert read_time == datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "record", "field"),
    [
        ({"occurred_at": {"path": "t"}}, {"t": "soon"}, "occurred_at"),
        ({"occurred_at": {"path": "t"}}, {"t": "9999-12-31T23:59:59-14:00"}, "occurred_at"),
        ({"item": {"path": "k", "table": {"7": "H305"}}}, {"k": 8}, "item"),
        ({"severity": {"path": "k"}}, {"k": "fast"}, "severity"),
        ({"title": {"path": "t"}}, {"t": {"a": 1}}, "title"),
        ({"title": {"path": "t", "required": True}}, {"t": None}, "title"),
        ({"point": {"path": "p"}}, {"p": "120.1"}, "point"),
        ({"lon": {"path": "x"}, "lat": {"path": "y"}}, {"x": "NaN", "y": 30}, "lon"),
        ({"lon": {"path": "x"}, "lat": {"path": "y"}}, {"x": 120.1}, "lat"),
        ({"lon": {"path": "x"}, "lat": {"path": "y"}}, {"x": 120.1, "y": 91}, "lat"),
        ({"accuracy_m": {"path": "x"}}, {"x": -1}, "accuracy_m"),
        ({}, {"colour": "red"}, "colour"),
        ({}, {"deep": {"er": [{"x": 1}]}}, "deep.er.0.x"),
    ],
)
def test_what_does_not_fit_is_a_fault_of_its_field(fields: Any, record: Any, field: str) -> None:
    assert faults(RECORD | record, fields) == [field]


def test_a_fault_says_where_the_field_comes_from() -> None:
    _, found = Reader(mapping({"occurred_at": {"path": "order.time"}})).read(RECORD | {"order": {"time": "x"}})
    assert found[0].message[1].endswith("(from order.time)")


def test_fields_nobody_reads_may_be_left_out_by_name_or_altogether() -> None:
    record = RECORD | {"status": {"code": 1}, "colour": "red", "nothing": None}
    assert faults(record) == ["colour", "status.code"] or sorted(faults(record)) == ["colour", "status.code"]
    assert faults(record, ignored=["status", "colour"]) == []
    assert faults(record, extra="ignore") == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"fields": PLAIN | {"colour": {"path": "c"}}}, "fields.colour"),
        ({"fields": PLAIN | {"attributes.": {"path": "c"}}}, "fields.attributes."),
        ({"fields": PLAIN | {"title": {}}}, "fields.title"),
        ({"fields": PLAIN | {"title": {"path": "a", "constant": "b"}}}, "fields.title"),
        ({"fields": PLAIN | {"title": {"path": "a..b"}}}, "fields.title.path"),
        ({"fields": PLAIN | {"title": {"concat": ["a", "b["]}}}, "fields.title.concat"),
        ({"fields": PLAIN | {"title": {"path": "a", "replace": [["", "x"]]}}}, "fields.title.replace"),
        ({"fields": PLAIN | {"title": {"path": "a", "otherwise": "x"}}}, "fields.title.otherwise"),
        ({"fields": PLAIN | {"item": {"path": "a", "table": {"1": "NOPE"}}}}, "fields.item.table.1"),
        ({"fields": PLAIN | {"item": {"constant": "NOPE"}}}, "fields.item.constant"),
        ({"fields": PLAIN | {"severity": {"path": "a", "table": {"1": "fast"}}}}, "fields.severity.table.1"),
        ({"fields": PLAIN | {"lon": {"path": "x"}}}, "fields.lon"),
        ({"fields": {"description": {"path": "text"}}}, "fields.external_id"),
        ({"fields": {"external_id": {"path": "id"}}}, "fields.description"),
        ({"item": None}, "item"),
        ({"item": "NOPE"}, "item"),
        ({"zone": "Asia/Hangzhou"}, "zone"),
        ({"time": "%H:%M"}, "time"),
        ({"time": "soon"}, "time"),
        ({"records": "a["}, "records"),
        ({"ignored": ["a", ""]}, "ignored[1]"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_where(change: dict[str, Any], field: str) -> None:
    told = msgspec.convert({"item": "G001", "fields": PLAIN} | change, Mapping)
    assert [each.field for each in check(told, ITEMS)] == [field]


def test_every_fault_of_a_mapping_is_told_at_once() -> None:
    told = mapping({"colour": {"path": "c"}, "title": {}}, zone="Mars/One", time="?")
    assert {each.field for each in check(told, ITEMS)} == {"fields.colour", "fields.title", "zone", "time"}


@pytest.mark.parametrize("code", sorted(sources.shipped()))
def test_the_shipped_mappings_can_be_used(code: str) -> None:
    found = check(sources.shipped()[code].mapping, ITEMS)
    own_rows = [each for each in found if code != sources.IMPORT]
    assert own_rows == []


def test_an_order_of_hangzhou_is_read_with_its_lost_line_breaks_and_its_address() -> None:
    """The format of shared orders: a bare "n" stands where a line ended."""
    order = {
        "outid": "2021121513947",
        "reporting_time": "2021-12-24 17:17:14",
        "processing_time": "2021-12-28 11:06:08",
        "event_status": "已作出处理意见",
        "description": "诉求：噪音扰民n事实和理由：演示小区敲锣打鼓，要求管理。n事发地：浙江省杭州市萧山区演示路",
    }
    mapped, found = Reader(sources.shipped()["minhuwoying"].mapping).read(order)
    assert found == []
    assert mapped.description.splitlines() == [
        "诉求：噪音扰民",
        "事实和理由：演示小区敲锣打鼓，要求管理。",
        "事发地：浙江省杭州市萧山区演示路",
    ]
    assert mapped.address == "浙江省杭州市萧山区演示路"
    assert mapped.occurred_at == datetime(2021, 12, 24, 9, 17, 14, tzinfo=UTC)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_no_record_makes_the_reader_fail(record: Any) -> None:
    for source in sources.shipped().values():
        mapped, found = Reader(source.mapping).read(record)
        assert found or mapped.external_id or source.code == sources.IMPORT


@given(st.dictionaries(st.text("abcd", min_size=1, max_size=3), JSON, max_size=4))
def test_what_lies_at_the_path_of_a_leaf_is_the_leaf(record: dict[str, Any]) -> None:
    for path in leaves(record):
        assert fetch(record, path) is not None


@pytest.mark.parametrize("text", ["", ".", "a.", "a[", "a[x]", "[0]", "a[99999]"])
def test_what_is_no_path_is_none(text: str) -> None:
    assert parse(text) is None


def test_only_what_changed_is_told_and_what_is_no_longer_told_stays() -> None:
    before = push.digests(Mapped(external_id="1", title="甲", address="路", lon=1.0, lat=2.0))
    now = push.digests(Mapped(external_id="1", title="乙", lon=1.0, lat=2.5, phone="13900000000"))
    assert push.changed(before, now) == ["title", "place"]
    assert push.changed(before, before) == []


def test_a_long_update_comes_in_pieces_that_fit() -> None:
    texts = push.update_texts(Mapped(description="长" * 9_000), ["description"])
    assert all(len(each) <= push.LONGEST_TEXT for each in texts)
    assert "".join(texts).endswith("长" * 9_000)


def test_a_small_file_that_unpacks_to_a_very_large_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import zipfile

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/worksheets/sheet1.xml", b"0" * 1_000_000)
    monkeypatch.setattr(sheet, "LARGEST_UNPACKED", 999_999)
    with pytest.raises(bulk.Invalid) as refused:
        bulk.rows_of(file.getvalue(), mapping())
    assert "unpacked" in str(refused.value)
