"""A trace is believed only as long as every link holds: whatever is changed, dropped or swapped is found."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.cases import trace

CASE = UUID("01900000-0000-7000-8000-000000000001")
ACTOR = UUID("01900000-0000-7000-8000-0000000000aa")
NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)


def entry(step: int, **body: object) -> trace.Entry:
    at = NOON + timedelta(minutes=step)
    return trace.Entry(case=CASE, at=at, actor=ACTOR, organisation=None, type="signed", body={"step": step, **body})


def five(algorithm: str = trace.SHA256) -> tuple[tuple[trace.Link, ...], trace.Head]:
    return trace.chain(trace.Head(), [entry(n) for n in range(5)], algorithm)


@pytest.mark.parametrize("algorithm", trace.available())
def test_an_untouched_chain_holds_under_every_algorithm(algorithm: str):
    links, head = five(algorithm)
    assert trace.verify(CASE, links, head) is None


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize(
    "change",
    [
        {"body": {"step": 99}},
        {"at": NOON - timedelta(days=1)},
        {"actor": UUID(int=7)},
        {"type": "closed"},
        {"organisation": UUID(int=8)},
        {"prev_hash": "0" * 64},
        {"algorithm": "md5"},
    ],
)
def test_a_changed_link_is_named(position: int, change: dict[str, object]):
    links, head = five()
    forged = [*links]
    forged[position] = msgspec.structs.replace(links[position], **change)
    found = trace.verify(CASE, forged, head)
    assert found is not None
    assert found.seq == position + 1


@pytest.mark.parametrize("position", range(5))
def test_a_dropped_link_is_found_even_the_last(position: int):
    links, head = five()
    found = trace.verify(CASE, links[:position] + links[position + 1 :], head)
    assert found is not None
    assert found.seq == position + 1


def test_a_chain_rewritten_from_end_to_end_differs_from_the_daily_root():
    _, head = five()
    _, forged = trace.chain(trace.Head(), [entry(n, forged="yes") for n in range(5)])
    assert trace.root([(CASE, head)]) != trace.root([(CASE, forged)])


def test_the_daily_root_does_not_depend_on_the_order_of_reading():
    heads = [(UUID(int=n), trace.Head(n, f"{n}")) for n in range(6)]
    assert trace.root(heads) == trace.root(reversed(heads))


def test_fractions_are_refused_since_readers_of_json_write_them_differently():
    with pytest.raises(TypeError, match="fraction"):
        trace.seal(trace.Head(), entry(1, lon=[{"x": 120.5}]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_the_hash_survives_storage_as_json_and_any_order_of_keys(body: dict[str, object]):
    first = trace.seal(trace.Head(), msgspec.structs.replace(entry(1), body=body))
    stored = msgspec.json.decode(msgspec.json.encode(dict(reversed(body.items()))))
    assert trace.verify(CASE, [msgspec.structs.replace(first, body=stored)]) is None


def test_a_text_is_held_as_a_salted_hash():
    assert trace.sealed_text("王某", "s1") != trace.sealed_text("王某", "s2")
    assert "王" not in trace.sealed_text("王某", "s1")
