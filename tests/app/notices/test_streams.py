"""Open streams as values: each notice once, only one's own, and a reader that does not keep up is let go."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.kernel.ids import new_id
from app.notices import streams
from app.notices.streams import OpenStream, Told, Watch

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MINE, THEIRS = new_id(), new_id()


def told(recipient: UUID = MINE, at: datetime = NOW) -> Told:
    return Told(id=new_id(), recipient=recipient, made_at=at, event=b"x")


def test_a_notice_offered_again_is_not_sent_again() -> None:
    stream = OpenStream("330109", frozenset({MINE}), [])
    first, second = told(), told()
    stream.offer([first])
    stream.offer([first, second])
    stream.offer([first, second])
    assert stream.waiting.qsize() == 2


def test_what_was_there_before_and_what_is_others_is_not_sent() -> None:
    old = told()
    stream = OpenStream("330109", frozenset({MINE}), [old.id])
    stream.offer([old, told(THEIRS)])
    assert stream.waiting.empty()


def test_a_reader_that_does_not_keep_up_is_dropped_with_bounded_memory() -> None:
    stream = OpenStream("330109", frozenset({MINE}), [])
    stream.offer([told() for _ in range(3 * streams.MOST_WAITING)])
    assert stream.dropped
    assert stream.waiting.qsize() == streams.MOST_WAITING
    left = [stream.waiting.get_nowait() for _ in range(streams.MOST_WAITING)]
    assert left[-1] is None


def test_the_window_moves_on_behind_the_newest_notice_and_never_back() -> None:
    watch = Watch(NOW - streams.OVERLAP)
    watch.offer([told(at=NOW + timedelta(minutes=5))])
    assert watch.since == NOW + timedelta(minutes=4)
    watch.offer([told(at=NOW)])
    assert watch.since == NOW + timedelta(minutes=4)


def test_the_last_stream_of_a_district_takes_its_watch_along() -> None:
    one, two = (OpenStream("330110", frozenset({each}), []) for each in (MINE, THEIRS))
    streams.add(one, NOW)
    streams.add(two, NOW + timedelta(hours=1))
    assert streams.watches["330110"].recipients == {MINE, THEIRS}
    assert streams.watches["330110"].since == NOW
    streams.remove(one)
    streams.remove(two)
    assert "330110" not in streams.watches
