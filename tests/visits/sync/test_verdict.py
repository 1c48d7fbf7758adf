"""Verdicts: one digest for one content, times by skew or by uptime."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from app.kernel.ids import new_id
from visits.sync.verdict import Op, Ruling, Verdict, digest, moment, to_bytes

RECEIVED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OP = Op(
    op_id=new_id(), type="visit.record", entity_id=new_id(), captured_at=RECEIVED - timedelta(hours=2),
    body={"b": 1, "a": {"y": 2, "x": 3}},
)  # fmt: skip


def test_the_digest_sees_the_content_not_its_order_or_the_sending() -> None:
    same = replace(OP, body={"a": {"x": 3, "y": 2}, "b": 1}, sent_uptime=5.0, depends_on=(new_id(),))
    assert digest(same) == digest(OP)
    again = msgspec.convert(msgspec.json.decode(msgspec.json.encode(OP)), Op)
    assert digest(again) == digest(OP)
    packed = msgspec.convert(msgspec.msgpack.decode(msgspec.msgpack.encode(OP)), Op)
    assert digest(packed) == digest(OP)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "case.report"},
        {"entity_id": new_id()},
        {"body": {"b": 2}},
        {"base_version": 1},
        {"captured_at": RECEIVED},
    ],
)
def test_any_other_content_has_another_digest(change: dict[str, Any]) -> None:
    assert digest(replace(OP, **change)) != digest(OP)


@pytest.mark.parametrize("hours", [-72, -8, 8, 72])
def test_a_clock_wrong_by_hours_or_days_is_corrected(hours: int) -> None:
    wrong = timedelta(hours=hours)
    op = replace(OP, captured_at=OP.captured_at + wrong, captured_uptime=100.0, sent_uptime=7300.0, boot_id="b")
    when = moment(op, RECEIVED + wrong, RECEIVED)
    assert (when.corrected_at, when.flags) == (OP.captured_at, ())


def test_a_clock_set_between_capture_and_sending_is_found_by_the_uptimes() -> None:
    op = replace(
        OP, captured_at=OP.captured_at + timedelta(hours=8), captured_uptime=0.0, sent_uptime=7200.0, boot_id="b"
    )
    when = moment(op, RECEIVED, RECEIVED)
    assert (when.corrected_at, when.flags) == (RECEIVED - timedelta(hours=2), ("clock_changed",))


@pytest.mark.parametrize(
    "uptimes",
    [
        {},
        {"captured_uptime": 1.0, "boot_id": "b"},
        {"captured_uptime": 900.0, "sent_uptime": 20.0, "boot_id": "b"},
        {"captured_uptime": float("nan"), "sent_uptime": 20.0, "boot_id": "b"},
        {"captured_uptime": 1.0, "sent_uptime": 20.0},
    ],
)
def test_without_comparable_uptimes_the_time_is_unverified_but_taken(uptimes: dict[str, Any]) -> None:
    when = moment(replace(OP, **uptimes), RECEIVED, RECEIVED)
    assert (when.corrected_at, when.flags) == (OP.captured_at, ("time_unverified",))


def test_a_verdict_is_the_same_bytes_every_time() -> None:
    verdict = Verdict(op_id=OP.op_id, verdict=Ruling.APPLIED, entity_id=OP.entity_id, version=1)
    assert to_bytes(verdict) == to_bytes(msgspec.json.decode(to_bytes(verdict), type=Verdict))
