"""A spreadsheet of facts is read whole or every bad cell is named."""

import pytest

from app.kernel.problem import Invalid
from scoring.teams import fact
from scoring.teams.fact import COLUMNS
from tests.scoring.teams.making import at, made

HEADER = ",".join(COLUMNS)
GOOD = (
    'f1,1,case,grid,330109001,,,team-01,p1,E1,2026-10-01T08:00:00+08:00,,,"{""reworks"": 0}",2026-10-01T09:00:00+08:00,'
)


def wrong_cells(text: str) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        fact.from_csv(text)
    return [error.field for error in refusal.value.errors]


def test_a_good_row_is_read():
    (read,) = fact.from_csv(f"{HEADER}\n{GOOD}\n")
    assert (read.fact_id, read.attributes, read.force_unit, read.due_at) == ("f1", {"reworks": 0}, None, None)
    assert read.occurred_at.utcoffset() is not None


def test_a_mark_of_a_spreadsheet_programme_at_the_start_does_not_matter():
    assert len(fact.from_csv(f"\ufeff{HEADER}\r\n{GOOD}\r\n")) == 1


def test_every_bad_cell_is_named_with_its_row():
    bad = GOOD.replace("f1,1,", "f2,one,").replace("08:00:00+08:00", "08:00:00").replace('"{""reworks"": 0}"', "[1]")
    assert wrong_cells(f"{HEADER}\n{GOOD}\n{bad}\n,1,,,,,,,,,,,,,,\n") == [
        "row 3.version",
        "row 3.occurred_at",
        "row 3.attributes",
        "row 4.fact_id",
        "row 4.kind",
        "row 4.occurred_at",
        "row 4.recorded_at",
    ]


def test_missing_and_unknown_columns_are_named():
    assert wrong_cells("fact_id,kind,wait\n") == ["version", "occurred_at", "recorded_at", "force", "wait"]


def test_a_row_with_more_cells_than_the_header_is_named():
    assert wrong_cells(f"{HEADER}\n{GOOD},extra\n") == ["row 2"]


def test_an_empty_file_is_not_taken_for_no_facts():
    assert "fact_id" in wrong_cells("")


def test_a_withdrawn_fact_is_known_until_it_was_withdrawn():
    withdrawn = made("case", "c", recorded_at=at(10), superseded_at=at(20))
    assert fact.current([withdrawn]) == []
    assert fact.current([withdrawn], at(15)) == [withdrawn]
    assert fact.current([withdrawn], at(20)) == []
    assert fact.current([withdrawn], at(5)) == []
