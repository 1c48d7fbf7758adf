"""Files of households as a clerk writes them: what is read, and what is said of a bad row."""

import re
from typing import Any

import pytest

from app.kernel.crs import Datum
from app.kernel.problem import Invalid
from visits import household_files
from visits.households import CareNeed, Consent

HEADINGS = ["地址", "村社代码", "经度", "纬度", "坐标系", "人数", "联系电话", "同意联系", "服务需求"]
GOOD = ["演示路1号", "330109001001", "120.262", "30.184", "gcj02", "3", "13800000001", "同意", "送药；助餐"]


def read(*rows: list[Any], headings: list[str] = HEADINGS) -> Any:
    return household_files.read([headings, *rows], Datum.WGS84)


def test_a_row_is_read_with_chinese_headings_and_words() -> None:
    [line], bad = read(GOOD)
    assert (line.row, bad, line.new.place.datum) == (2, [], Datum.GCJ02)
    assert (line.new.residents, line.new.consent) == (3, Consent.GIVEN)
    assert line.new.care_needs == (CareNeed.MEDICINE_DELIVERY, CareNeed.MEAL_SERVICE)


def test_numbers_of_a_sheet_are_codes_and_telephones_again_and_empty_cells_are_left_out() -> None:
    [line], bad = read(["演示路1号", 330109001001.0, 120.262, 30.184, None, 2.0, 13800000001.0, "", ""])
    assert (bad, line.new.village, line.new.contact) == ([], "330109001001", "13800000001")
    assert (line.new.residents, line.new.place.datum, line.new.consent) == (2, Datum.WGS84, Consent.UNKNOWN)


def test_empty_rows_are_passed_over_and_do_not_shift_the_numbers() -> None:
    lines, _ = read([""] * 9, GOOD)
    assert [line.row for line in lines] == [3]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("address", ""),
        ("village", "33010900100"),
        ("lon", "181"),
        ("lat", "north"),
        ("lat", "nan"),
        ("datum", "mars"),
        ("residents", "100"),
        ("residents", "-1"),
        ("contact", "call me"),
        ("consent", "maybe"),
        ("care_needs", "送药；troublemaker"),
    ],
)
def test_a_bad_cell_is_told_by_row_and_column(column: str, text: str) -> None:
    cells = list(GOOD)
    cells[[household_files.HEADINGS[heading] for heading in HEADINGS].index(column)] = text
    lines, bad = read(GOOD, cells)
    assert [line.row for line in lines] == [2]
    assert [each.row for each in bad] == [3]
    assert bad[0].column in (column, "lon")
    zh, en = bad[0].why
    assert not re.search(r"Expected|regex|`|[\\^$]", f"{zh} {en}"), "words, no machine's"


def test_all_bad_cells_of_a_row_are_told() -> None:
    _, bad = read(["", "x", "y", "30.184", "", "", "", "", ""])
    assert [each.column for each in bad] == ["address", "village", "lon"]


@pytest.mark.parametrize(
    ("headings", "says"),
    [
        ([*HEADINGS, "民族"], "unknown column"),
        ([*HEADINGS, "备注"], "unknown column"),
        ([*HEADINGS, "address"], "twice"),
        (HEADINGS[1:], "missing"),
        ([], "missing"),
    ],
)
def test_other_columns_keep_a_file_out(headings: list[str], says: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(GOOD, headings=headings)
    assert says in str([each.message for each in refused.value.errors])


def test_a_file_of_headings_alone_is_refused() -> None:
    with pytest.raises(Invalid):
        read()
