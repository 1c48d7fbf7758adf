"""Periods by name, their instants, and the life of one."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from scoring.teams import period
from scoring.teams.period import Link, State, Step

SHANGHAI = ZoneInfo("Asia/Shanghai")
SOMEBODY = UUID(int=7)


@pytest.mark.parametrize(
    ("code", "start", "end", "before", "after"),
    [
        ("2026-10", "2026-10-01", "2026-11-01", "2026-09", "2026-11"),
        ("2026-12", "2026-12-01", "2027-01-01", "2026-11", "2027-01"),
        ("2026-Q1", "2026-01-01", "2026-04-01", "2025-Q4", "2026-Q2"),
        ("2026", "2026-01-01", "2027-01-01", "2025", "2027"),
    ],
)
def test_a_period_runs_from_midnight_to_midnight_of_its_zone(code: str, start: str, end: str, before: str, after: str):
    named = period.parse(code)
    window = named.window(SHANGHAI)
    assert window.start == datetime.fromisoformat(f"{start}T00:00+08:00")
    assert window.end == datetime.fromisoformat(f"{end}T00:00+08:00")
    assert (named.before().code, named.after().code) == (before, after)
    assert period.holding(window.start, named.length, SHANGHAI) == named


@pytest.mark.parametrize("code", ["2026-13", "2026-1", "2026-Q5", "october", "", "0001-01", "2026-10-01"])
def test_what_is_not_a_period_is_refused(code: str):
    with pytest.raises(ValueError, match="not a period"):
        period.parse(code)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", Step)
def test_a_period_takes_only_the_steps_of_its_table(state: State, step: Step):
    allowed = {
        (State.OPEN, Step.FREEZE): State.FROZEN,
        (State.FROZEN, Step.INVITE): State.APPEAL,
        (State.APPEAL, Step.LOCK): State.LOCKED,
        (State.LOCKED, Step.REOPEN): State.REOPENED,
        (State.REOPENED, Step.FREEZE): State.FROZEN,
    }
    assert period.next_state(state, step) == allowed.get((state, step))
    assert (step in period.possible(state)) == ((state, step) in allowed)


def chain() -> list[Link]:
    links: list[Link] = []
    for number, name in enumerate(("frozen", "appeal", "locked"), 1):
        link = Link(
            period="2026-10",
            seq=number,
            at=datetime(2026, 11, number, tzinfo=UTC),
            actor=SOMEBODY,
            type=name,
            body={"watermark": "2026-11-01T00:00:00Z"},
            previous=links[-1].hash if links else "",
        )
        links.append(period.seal(link))
    return links


def test_a_sound_record_has_no_broken_link():
    assert period.broken(chain()) is None
    assert period.broken([]) is None


@pytest.mark.parametrize(
    "change",
    [{"actor": UUID(int=8)}, {"type": "open"}, {"body": {}}, {"at": datetime(2026, 1, 1, tzinfo=UTC)}, {"seq": 5}],
)
def test_a_changed_entry_is_found(change: dict[str, object]):
    links = chain()
    links[1] = msgspec.structs.replace(links[1], **change)
    assert period.broken(links) == 2


def test_a_rewritten_entry_is_found_by_its_successor():
    links = chain()
    links[1] = period.seal(msgspec.structs.replace(links[1], body={"watermark": "other"}))
    assert period.broken(links) == 3


def test_a_missing_entry_is_found():
    links = chain()
    assert period.broken([links[0], links[2]]) == 2


def test_the_hash_does_not_depend_on_the_zone_in_which_a_time_is_written():
    link = chain()[0]
    assert period.seal(msgspec.structs.replace(link, at=link.at.astimezone(SHANGHAI))).hash == link.hash
