"""What evidence may be declared, and the states it goes through, each once and forward only."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.crs import Datum, Place, convert
from media import evidence as rules
from media.configuration import Limits
from media.evidence import EvidenceRef, State
from media.reasons import refused
from media.verdict import Expected, Outcome, Verdict, refuse

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


def ref(n: int = 1, size: int = 10, media_type: str = "image/jpeg", place: Place | None = None) -> EvidenceRef:
    return EvidenceRef(id=UUID(int=n), sha256="a" * 64, size=size, media_type=media_type, captured_at=NOW, place=place)


def declared(one: EvidenceRef, expected: Expected | None = None) -> rules.Evidence:
    return rules.declared(one, "visit", UUID(int=9), expected, None, UUID(int=8), NOW)


@pytest.mark.parametrize(("refs", "fields"), [
    ([ref(1), ref(2, media_type="video/mp4", size=150 << 20)], []),
    ([ref(1), ref(1)], ["evidence[1].id"]),
    ([ref(1, size=31 << 20), ref(2, media_type="image/gif")], ["evidence[0].size", "evidence[1].media_type"]),
    ([ref(1, media_type="video/mp4", size=201 << 20)], ["evidence[0].size"]),
    ([ref(1, media_type="text/html")], ["evidence[0].media_type"]),
])  # fmt: skip
def test_every_fault_of_a_declaration_is_listed_by_its_field(refs: list[EvidenceRef], fields: list[str]) -> None:
    assert [error.field for error in rules.faults(refs, Limits())] == fields


@pytest.mark.parametrize("clock", ["0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"])
def test_a_clock_that_cannot_be_right_refuses_nothing_and_counts_as_none(clock: str) -> None:
    one = EvidenceRef(
        id=UUID(int=1), sha256="a" * 64, size=10, media_type="image/jpeg", captured_at=datetime.fromisoformat(clock)
    )
    assert (rules.faults([one], Limits()), declared(one).captured_at) == ([], None)


def test_a_place_is_kept_as_it_came_and_in_wgs84() -> None:
    place = Place(120.27, 30.17, Datum.GCJ02, 15.0)
    one = declared(ref(place=place), Expected(lon=120.26, lat=30.17, limit_m=100))
    assert one.received_place == place
    assert (one.lon, one.lat) == convert(120.27, 30.17, Datum.GCJ02, Datum.WGS84)
    assert one.claim.accuracy_m == 15.0
    assert one.expected == Expected(lon=120.26, lat=30.17, limit_m=100)


@pytest.mark.parametrize(("verdict", "state"), [
    (Verdict(outcome=Outcome.OK), State.VERIFIED),
    (Verdict(outcome=Outcome.DOUBTFUL), State.FLAGGED),
    (Verdict(outcome=Outcome.CONTRADICTED), State.FLAGGED),
    (refuse(refused("empty", "空", "empty")), State.REFUSED),
])  # fmt: skip
def test_a_verdict_leads_to_a_state(verdict: Verdict, state: State) -> None:
    one = rules.checked(rules.stored(declared(ref()), NOW), verdict, NOW)
    assert (one.state, one.verdict, one.checked_at) == (state, verdict, NOW)


ORDER = [State.AWAITING, State.STORED, State.VERIFIED]


@given(st.lists(st.sampled_from(["stored", "checked"]), max_size=8))
def test_states_only_go_forward_and_a_verdict_never_changes(steps: list[str]) -> None:
    one = declared(ref())
    for n, step in enumerate(steps):
        before = one
        later = NOW.replace(minute=n)
        one = rules.stored(one, later) if step == "stored" else rules.checked(one, Verdict(outcome=Outcome.OK), later)
        assert ORDER.index(one.state) - ORDER.index(before.state) in (0, 1)
        assert before.checked_at in (None, one.checked_at)
        assert before.stored_at in (None, one.stored_at)
