"""Households: one address once, refusals respected, nothing personal in buckets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from app.kernel.crs import Datum, Place
from app.kernel.ids import new_id
from visits.households import (
    CareNeed,
    Consent,
    Household,
    ImportRow,
    Rules,
    add_months,
    address_key,
    check,
    feed_body,
    reason_not_to_plan,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def home(**changes: Any) -> Household:
    plain = Household(
        id=new_id(),
        address="演示路1号",
        address_key="演示路1号",
        area="330109001001001",
        lon=120.27,
        lat=30.16,
        received=Place(120.27, 30.16, Datum.WGS84),
        residents=3,
        contact="sealed",
        consent=Consent.GIVEN,
        care_needs=(CareNeed.ELDERLY_ALONE,),
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("演示路 1 号", "演示路1号"),
        ("演示路1-2号", "演示路1－2号"),
        ("ＡＢ座", "ab座"),
        ("演示路1号（东）", "演示路1号(东)"),
    ],
)
def test_spellings_of_one_address_are_equal(one: str, other: str) -> None:
    assert address_key(one) == address_key(other)


def test_different_addresses_differ() -> None:
    assert address_key("演示路1号") != address_key("演示路11号")


def row(address: str = "演示路1号", area: str = "330109001001001", **changes: Any) -> ImportRow:
    return replace(ImportRow(id=new_id(), address=address, area=area, lon=120.2, lat=30.1), **changes)


def test_an_import_keeps_the_good_rows_and_names_every_bad_one() -> None:
    rows = [
        row("甲路1号"),
        row("甲路 1 号"),
        row("  "),
        row("乙路1号", area="330109"),
        row("丙路1号", lon=200.0),
        row("丁路1号", residents=100),
        row("戊路1号"),
        row("己路1号"),
    ]
    good, bad = check(rows, frozenset({address_key("戊路1号")}))
    assert [each.address for each in good] == ["甲路1号", "己路1号"]
    assert [each.field for each in bad] == [
        "rows[1].address", "rows[2].address", "rows[3].area", "rows[4].lon", "rows[5].residents", "rows[6].address",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [("2026-08-31", 6, "2027-02-28"), ("2026-01-15", 12, "2027-01-15"), ("2027-12-31", 2, "2028-02-29")],
)
def test_months_end_on_the_months_last_day(start: str, months: int, end: str) -> None:
    assert add_months(datetime.fromisoformat(start), months) == datetime.fromisoformat(end)


@pytest.mark.parametrize(
    ("changes", "visits", "reason"),
    [
        ({}, 0, None),
        ({"moved_out_at": NOW}, 0, "moved_out"),
        ({"refused_at": NOW - timedelta(days=150)}, 0, "refused"),
        ({"refused_at": NOW - timedelta(days=190)}, 0, None),
        ({"unsafe_until": NOW + timedelta(days=1)}, 0, "unsafe"),
        ({"unsafe_until": NOW - timedelta(days=1)}, 0, None),
        ({}, 4, "enough"),
    ],
)
def test_who_refused_is_in_danger_or_was_visited_enough_is_not_planned(
    changes: dict[str, Any], visits: int, reason: str | None
) -> None:
    assert reason_not_to_plan(home(**changes), Rules(), visits, NOW) == reason


def test_neither_contact_nor_consent_nor_care_needs_are_in_the_bucket() -> None:
    assert set(feed_body(home())) == {"address", "area", "lon", "lat", "residents", "last_visit_at", "version"}
