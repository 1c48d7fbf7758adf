"""What a phone pulls: its buckets, its cursors after a restore, whole pages."""

import msgspec

from app.kernel.changes import Change
from app.kernel.ids import new_id
from visits import buckets
from visits.sync import feed
from visits.sync.feed import Pull

DEVICE, ME, SQUAD = new_id(), new_id(), new_id()


def test_a_person_sees_the_common_bucket_the_own_the_squads_and_the_cells() -> None:
    assert buckets.buckets_of(ME, {SQUAD}, ["330109001001001"]) == (
        "reference", f"person:{ME}", f"squad:{SQUAD}", "cell:330109001001001",
    )  # fmt: skip


def test_a_new_bucket_starts_at_zero_and_a_lost_one_is_named() -> None:
    asked = Pull(device_id=DEVICE, app_schema=2, epoch="e", buckets={"reference": 7, "cell:1": 3})
    assert feed.cursors(asked, ("reference", "cell:2"), "e") == ({"reference": 7, "cell:2": 0}, ("cell:1",))


def test_after_a_restore_every_cursor_is_zero() -> None:
    asked = Pull(device_id=DEVICE, app_schema=2, epoch="old", buckets={"reference": 7})
    assert feed.cursors(asked, ("reference",), "new") == ({"reference": 0}, ())


def test_a_page_says_whether_there_is_more_and_never_moves_back() -> None:
    changes = [Change(n, "household", f"h{n}", 1, {} if n != 5 else None) for n in (4, 5, 9)]
    page = feed.page(3, changes, 2, (9, 1))
    assert [op.op for op in page.ops] == ["put", "remove"]
    assert (page.cursor, page.has_more) == (5, True)
    page = feed.page(5, changes[2:], 2, (9, -1))
    assert (page.cursor, page.has_more, page.checksum) == (9, False, "f" * 16)
    assert feed.page(9, [], 2, (9, 0)).cursor == 9


def test_no_room_left_is_more_to_come_without_moving_on() -> None:
    page = feed.page(3, [Change(4, "household", "h", 1, {})], 0, (4, 1))
    assert (page.ops, page.cursor, page.has_more) == ((), 3, True)


def test_a_phone_that_holds_all_it_was_given_can_pull_again() -> None:
    cells = [f"330109{n:09}" for n in range(feed.MAX_CELLS)]
    given = buckets.buckets_of(ME, {new_id() for _ in range(500)}, cells)
    asked = {"device_id": DEVICE, "app_schema": 2, "epoch": "e", "buckets": dict.fromkeys(given, 7)}
    again = msgspec.json.decode(msgspec.json.encode(asked), type=Pull)
    assert feed.cursors(again, given, "e") == (dict.fromkeys(given, 7), ())
