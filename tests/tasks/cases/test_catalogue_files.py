"""The catalogue as CSV and XLSX: what is written is read back, what is wrong is named cell by cell."""

import csv
import zipfile
from io import BytesIO, StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tasks.cases import catalogue_files
from tasks.cases.catalogue import CLOCKS, Draft, Limits, Stage
from tasks.cases.catalogue_checks import faults
from tasks.cases.escalation import LADDER, Escalation
from tasks.cases.model import Severity

ITEMS = catalogue_files.shipped()
HAN = st.characters(categories=["Lo", "Ll", "Nd", "Po"], exclude_characters=";:|\x00")
WORDS = st.text(HAN, min_size=1, max_size=12)
LIMITS = st.builds("{} {}".format, st.integers(1, 90), st.sampled_from(["minute", "work_hour", "work_day"]))
STAGES = st.lists(st.builds(Stage, WORDS, LIMITS), max_size=3, unique_by=lambda stage: stage.name).map(tuple)
SEVERAL = st.lists(WORDS, max_size=4).map(tuple)
MAYBE = st.none() | LIMITS
CLOCKED = st.builds(
    Limits, sign=LIMITS, handle=LIMITS, stages=STAGES, arrive=MAYBE, verify=MAYBE, call_back=MAYBE, total=MAYBE
)
MINUTES = st.integers(1, 900).map("{} minute".format)
PRESSING = st.builds(Limits, sign=MINUTES, handle=MINUTES, arrive=st.none() | MINUTES, total=st.none() | MINUTES)
SCHEMAS = st.none() | st.dictionaries(
    st.text("abcdef_", min_size=1, max_size=5),
    st.sampled_from([{"type": "number", "minimum": 0}, {"type": "string", "pattern": "^浙A"}, {"enum": ["甲", "乙"]}]),
    max_size=3,
).map(lambda properties: {"type": "object", "properties": properties})


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    """Any item that can be taken."""
    own: dict[Severity, Limits] = {Severity.ROUTINE: draw(CLOCKED)}
    own |= {severity: draw(PRESSING) for severity in (Severity.URGENT, Severity.CRITICAL)}
    return Draft(
        code=draw(st.from_regex(r"[A-Z][0-9]{1,6}", fullmatch=True)),
        name=draw(WORDS),
        category=(draw(WORDS), draw(WORDS)),
        aliases=draw(SEVERAL),
        domain=draw(st.sampled_from(["", "urban"])),
        lead=draw(st.sampled_from(["town", "department:水利局 | town", "squad | station | town"])),
        assistants=draw(st.sampled_from([(), ("town",), ("force:police", "station | town")])),
        severity=draw(st.sampled_from(Severity)),
        attribute_schema=draw(SCHEMAS),
        evidence_at_report=draw(st.integers(0, 9)),
        evidence_at_handling=draw(st.integers(0, 9)),
        limits=own,
        verification=draw(st.booleans()),
        call_back=draw(st.booleans()),
        reopen_days=draw(st.integers(0, 100)),
        privacy=draw(st.sampled_from(["handlers", "desk"])),
        citizen=draw(st.booleans()),
        closing=draw(st.just("") | WORDS),
        duplicate_metres=draw(st.integers(0, 20_000)),
        duplicate_hours=draw(st.integers(0, 8760)),
        ladder=draw(st.sampled_from([LADDER, (Escalation("handle due + 2 work_day", "centre", "supervise:2"),)])),
        solved_sample=draw(st.floats(0, 1)),
        source=draw(st.just("") | WORDS),
    )


@settings(max_examples=60)
@given(st.lists(drafts(), max_size=4, unique_by=lambda draft: draft.code))
def test_what_is_written_is_read_back(items: list[Draft]):
    assert [fault for item in items for fault in faults(item)] == []
    assert catalogue_files.read_csv(catalogue_files.write_csv(items)) == catalogue_files.Sheet(items, [])
    assert catalogue_files.read(catalogue_files.write_xlsx(items)) == catalogue_files.Sheet(items, [])


def test_the_shipped_items_survive_both_forms():
    said = [Draft(**{field: getattr(item, field) for field in Draft.__struct_fields__}) for item in ITEMS]
    assert catalogue_files.read_csv(catalogue_files.write_csv(ITEMS)).drafts == said
    assert catalogue_files.read(catalogue_files.write_xlsx(ITEMS)).drafts == said


def changed(**cells: str) -> str:
    """The first three shipped items as CSV, cells of the second (row 3) replaced."""
    rows = list(csv.DictReader(StringIO(catalogue_files.write_csv(ITEMS[:3]))))
    rows[1] |= cells
    out = StringIO()
    writer = csv.DictWriter(out, catalogue_files.COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


BAD_CELLS = [
    ("code", ""),
    ("code", "E 01"),
    ("name", ""),
    ("category", ""),
    ("subcategory", ""),
    ("lead", ""),
    ("lead", "nobody"),
    ("lead", "force:army"),
    ("assistants", "town;nobody"),
    ("severity", "bad"),
    ("evidence_at_report", "two"),
    ("evidence_at_report", "-1"),
    ("verification", "maybe"),
    ("citizen", "1"),
    ("privacy", "everybody"),
    ("return_limit", "99999"),
    ("routine_sign", "2 days"),
    ("routine_handle", ""),  # no stages stand for it either
    ("urgent_sign", "0 minute"),
    ("urgent_sign", ""),
    ("critical_handle", ""),
    ("critical_handle", "4 work_hour"),
    ("urgent_total", "2 work_day"),
    ("critical_total", "soon"),
    ("stages", "停工:4 days"),
    ("stages", "停工:4 work_hour;停工:5 work_hour"),
    ("urgent_stages", "4 work_hour"),
    ("duplicate_metres", "99999999"),
    ("duplicate_hours", "x"),
    ("solved_sample", "1.5"),
    ("solved_sample", "nan"),
    ("ladder", "handle due > nobody > urge"),
    ("ladder", "handle"),
    ("attribute_schema", "{"),
    ("attribute_schema", '{"type": "array"}'),
    ("attribute_schema", '{"type": "object", "properties": ' + '{"a": ' * 900 + "{}" + "}" * 901),
    ("attribute_schema", '{"type": "object", "properties": ' + '{"a": ' * 2500 + "{}" + "}" * 2501),
    ("attribute_schema", '{"type": "object", "properties": {"a": {"$ref": "http://example.org/x"}}}'),
    ("attribute_schema", '{"type": "object", "properties": {"a": {"type": "nothing"}}}'),
]


@pytest.mark.parametrize(("column", "text"), BAD_CELLS)
def test_a_bad_cell_is_reported_with_row_column_and_reason_and_the_good_rows_come_along(column: str, text: str):
    sheet = catalogue_files.read_csv(changed(**{column: text}))
    assert {(each.row, each.column) for each in sheet.bad} == {(3, column)}
    assert all(each.why[0] and each.why[1] for each in sheet.bad)
    assert [draft.code for draft in sheet.drafts] == [ITEMS[0].code, ITEMS[2].code]


def test_every_bad_cell_of_a_row_is_reported_not_only_the_first():
    sheet = catalogue_files.read_csv(changed(severity="bad", reopen_days="x", urgent_sign="soon"))
    assert {each.column for each in sheet.bad} == {"severity", "reopen_days", "urgent_sign"}


def test_a_row_with_more_cells_than_columns_is_reported():
    head, one, two = catalogue_files.write_csv(ITEMS[:2]).splitlines()
    sheet = catalogue_files.read_csv("\n".join((head, f"{one},,", f"{two},,多出来的")))
    assert [(each.row, each.column) for each in sheet.bad] == [(3, catalogue_files.COLUMNS[-1])]
    assert [draft.code for draft in sheet.drafts] == [ITEMS[0].code]


def test_a_code_that_occurs_twice_is_reported():
    sheet = catalogue_files.read_csv(catalogue_files.write_csv([ITEMS[0], ITEMS[0]]))
    assert [(each.row, each.column) for each in sheet.bad] == [(3, "code")]


def _bomb() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet1.xml", b"0" * (catalogue_files.LARGEST + 1))
    return out.getvalue()


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "code"),
    "no header": (b"a,b\n1,2\n", "a"),
    "not UTF-8": ("编码".encode("gb18030"), "code"),
    "not a workbook": (b"PK\x03\x04nothing", "code"),
    "unpacks to too much": (_bomb(), "code"),
    "open quote": (b'code,name,lead\n"E1,x', "code"),
    "zero": (b"code,name,lead\nE1,\x00,town", "code"),
    "column twice": (b"code,name,lead,name\n", "name"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_such_file_is_said_so(name: str):
    content, column = FILES[name]
    sheet = catalogue_files.read(content)
    assert sheet.drafts == []
    assert column in {each.column for each in sheet.bad}


@settings(max_examples=200)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_bytes_make_reading_fail(content: bytes):
    sheet: Any = catalogue_files.read(content)
    assert sheet.bad or sheet.drafts == []


def test_a_cell_that_looks_like_a_formula_stays_text():
    odd = replace(ITEMS[0], closing="=1+1", aliases=("@x", "+1"))
    assert catalogue_files.read(catalogue_files.write_xlsx([odd])).drafts[0].closing == "=1+1"


def test_every_clock_of_every_severity_has_its_column():
    assert {f"{severity.value}_{clock}" for severity in Severity for clock in CLOCKS} <= {*catalogue_files.COLUMNS}
