"""The catalogue that ships, its file format, and which version holds when."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tasks.cases import catalogue_files
from tasks.cases.catalogue import CLOCKS, Catalogue
from tasks.cases.deadlines import Unit
from tasks.cases.model import Severity
from tasks.cases.selectors import parse_selectors
from tests.tasks.cases import stage

ITEMS = catalogue_files.shipped()


def test_132_items_ship_of_which_citizens_may_choose_a_hundred_without_proof():
    chosen = [item for item in ITEMS if item.citizen]
    assert len(ITEMS) == 132
    assert len(chosen) >= 100
    assert all(item.evidence_at_report == 0 and item.attribute_schema is None for item in chosen)


def test_every_item_has_its_source_its_limits_and_selectors_that_are_understood():
    for item in ITEMS:
        assert item.source
        assert all(parse_selectors(each) for each in (item.lead, *item.assistants))
        for severity, limits in item.limits.items():
            read = [limit for clock in CLOCKS if (limit := limits.of(clock)) is not None]
            assert read
            if severity is not Severity.ROUTINE:  # urgent and critical clocks run day and night
                pressing = [limit for clock in ("sign", "handle") if (limit := limits.of(clock)) is not None]
                assert {limit.unit for limit in pressing} == {Unit.MINUTE}


def test_the_file_reads_back_what_was_written():
    assert catalogue_files.read_csv(catalogue_files.write_csv(ITEMS)).bad == []


def test_every_bad_cell_of_a_file_is_reported_with_row_and_column():
    text = catalogue_files.write_csv(ITEMS[:3]).replace("E0102,暴露垃圾", ",暴露垃圾").replace("2 work_day", "2 days")
    bad = catalogue_files.read_csv(text).bad
    assert {(each.row, each.column) for each in bad} >= {(3, "code"), (2, "routine_verify")}
    assert all(all(each.why) for each in bad)


def test_a_code_that_occurs_twice_is_reported():
    bad = catalogue_files.read_csv(catalogue_files.write_csv([ITEMS[0], ITEMS[0]])).bad
    assert [(each.row, each.column) for each in bad] == [(3, "code")]


@pytest.mark.parametrize(("days", "version"), [(-1, 1), (0, 2), (5, 2), (9, 3), (20, None)])
def test_the_version_in_force_is_the_newest_that_has_begun(days: int, version: int | None):
    first = replace(ITEMS[0], effective_from=stage.SINCE)
    second = replace(first, version=2, effective_from=stage.NOW)
    third = replace(
        first,
        version=3,
        effective_from=stage.NOW + timedelta(days=9),
        effective_to=stage.NOW + timedelta(days=20),
    )
    have = Catalogue([third, first, second])
    found = have.at(first.code, stage.NOW + timedelta(days=days))
    assert (found.version if found else None) == version
    assert have.version(first.code, 1) == first
