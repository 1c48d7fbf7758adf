"""Identifiers grow, carry their time, and never repeat."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

import pytest

from app.kernel import ids


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = ids.new_id()
    assert (made.version, made.variant) == (7, RFC_4122)


def test_the_first_48_bits_are_the_millisecond_of_its_making() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    made = ids.made_at(ids.new_id())
    assert before <= made <= datetime.now(UTC) + timedelta(milliseconds=100)


def test_ids_of_one_process_grow_strictly_even_within_a_millisecond() -> None:
    made = [ids.new_id() for _ in range(20_000)]
    assert all(a < b for a, b in itertools.pairwise(made))
    assert {i.version for i in made} == {7}


def test_ids_of_many_threads_never_repeat() -> None:
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: [ids.new_id() for _ in range(2_000)], range(8)))
    assert len({i for batch in batches for i in batch}) == 16_000


def test_ids_go_on_growing_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ids.new_id()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert ids.new_id() > before
