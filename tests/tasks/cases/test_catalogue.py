"""The catalogue that ships, and which version holds when."""

import csv
from datetime import timedelta

import pytest
from msgspec.structs import replace

from tasks.cases import catalogue_files
from tasks.cases.catalogue import CLOCKS, Catalogue, Limits, Stage
from tasks.cases.catalogue_checks import faults
from tasks.cases.deadlines import Unit, due, national, parse_limit
from tasks.cases.model import Severity
from tasks.cases.selectors import parse_selectors
from tests.tasks.cases import stage

ITEMS = catalogue_files.shipped()
BY_CODE = {item.code: item for item in ITEMS}
PUBLIC_LISTS = ("city-management events", "hotline classes", "dispute types")


def test_132_items_ship_of_which_citizens_may_choose_a_hundred_without_proof():
    chosen = [item for item in ITEMS if item.citizen]
    assert len(ITEMS) == len(BY_CODE) == 132
    assert len(chosen) >= 100
    assert all(item.evidence_at_report == 0 and item.attribute_schema is None for item in chosen)


def test_what_citizens_choose_comes_from_public_lists_and_says_from_which():
    drawn = [item for item in ITEMS if any(name in item.source for name in PUBLIC_LISTS)]
    assert len(drawn) >= 115
    own = {item.code for item in ITEMS if "made for this product" in item.source}
    assert own == BY_CODE.keys() - {item.code for item in drawn}
    assert {item.code for item in ITEMS if item.citizen} & own <= {"G001"}


def test_every_item_has_its_source_its_limits_and_selectors_that_are_understood():
    for item in ITEMS:
        assert item.source
        assert faults(item) == []
        assert all(parse_selectors(each) for each in (item.lead, *item.assistants))
        for severity, limits in item.limits.items():
            read = [limit for clock in CLOCKS if (limit := limits.of(clock)) is not None]
            assert read
            if severity is not Severity.ROUTINE:  # urgent and critical clocks run day and night
                pressing = [limit for clock in ("sign", "handle") if (limit := limits.of(clock)) is not None]
                assert {limit.unit for limit in pressing} == {Unit.MINUTE}


def test_an_item_whose_routine_limits_are_working_time_needs_limits_in_minutes_for_what_presses():
    hours, minutes = Limits(sign="1 work_hour", handle="2 work_day"), Limits(sign="5 minute", handle="60 minute")
    alone = replace(ITEMS[0], limits={Severity.ROUTINE: hours})
    assert [each.field for each in faults(alone)] == ["limits.urgent.handle", "limits.critical.handle"]
    assert faults(replace(alone, limits={Severity.ROUTINE: minutes})) == []
    assert faults(replace(alone, limits=dict.fromkeys(Severity, minutes) | {Severity.ROUTINE: hours})) == []


def test_handling_written_as_stages_alone_ends_with_the_last_of_them():
    steps = (Stage("停工", "20 minute"), Stage("拆除", "90 minute"))
    staged = replace(ITEMS[0], limits=dict.fromkeys(Severity, Limits(sign="5 minute", stages=steps)))
    assert faults(staged) == []
    assert {staged.clocks(severity).handle for severity in Severity} == {"90 minute"}
    own = replace(staged, limits={Severity.ROUTINE: Limits(sign="5 minute", handle="2 work_hour", stages=steps)})
    assert own.clocks(Severity.ROUTINE).handle == "2 work_hour"


def test_a_call_for_help_is_critical_and_a_joint_inspection_is_there():
    assert BY_CODE["SOS"].severity is Severity.CRITICAL
    assert not BY_CODE["SOS"].citizen
    assert (BY_CODE["J001"].name, BY_CODE["J001"].citizen) == ("联合检查", False)


def test_the_limits_of_the_public_standard_are_kept_with_their_stages():
    unlawful = BY_CODE["E0101"].clocks(Severity.ROUTINE)
    assert [(stage.name, stage.limit) for stage in unlawful.stages] == [
        ("停工", "4 work_hour"),
        ("处罚", "7 work_day"),
        ("拆除", "20 work_day"),
    ]
    assert BY_CODE["E0102"].clocks(Severity.ROUTINE).handle == "4 work_hour"


def test_handling_is_over_when_its_last_stage_is_and_not_before():
    """A leg would be late while a stage of it still has time."""
    starts = [stage.NOW + timedelta(hours=5 * n) for n in range(60)]
    staged = [(item, limits) for item in ITEMS for limits in item.limits.values() if limits.stages]
    assert staged
    for item, limits in staged:
        handle = limits.of("handle")
        assert handle is not None
        for start in starts:
            last = max(due(start, parse_limit(each.limit), national()) for each in limits.stages)
            assert last == due(start, handle, national()), (item.code, start)


def test_every_item_has_words_people_use_for_it():
    assert [item.code for item in ITEMS if not item.aliases] == []


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


def test_the_file_of_items_has_the_columns_an_export_has():
    header = next(csv.reader(catalogue_files.SHIPPED.read_text(encoding="utf-8").splitlines()))
    assert tuple(header) == catalogue_files.COLUMNS
