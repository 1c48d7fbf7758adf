"""A verdict says ok, doubtful or contradicted, with what was measured and every reason in two languages."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.clock import SHANGHAI
from app.kernel.crs import Datum, convert
from media.exif import Exif
from media.verdict import Claim, Context, Expected, Outcome, Sighting, judge

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
LON, LAT = 120.27, 30.17
METRE = 1 / 111_200  # degrees of latitude
HERE = Expected(lon=LON, lat=LAT, limit_m=200)
TAKEN = {"taken": "2026-11-20T12:00:00", "offset": 480}
GCJ = convert(LON, LAT, Datum.WGS84, Datum.GCJ02)
BD = convert(LON, LAT, Datum.WGS84, Datum.BD09)


def place(north_m: float = 0.0) -> dict[str, float]:
    return {"lon": LON, "lat": LAT + north_m * METRE}


# what the file says, what the report says, what else is known, outcome, reason that must be among those given
CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], str, str | None]] = [
    ("all agrees", TAKEN | place(), {"at": NOON} | place(), {"expected": HERE}, "ok", None),
    ("the report alone vouches", {}, {"at": NOON} | place(), {"expected": HERE}, "ok", None),
    ("the file alone vouches", TAKEN | place(), {}, {"expected": HERE}, "ok", None),
    ("nothing to compare with", TAKEN | place(), {}, {}, "ok", None),
    ("no place anywhere", TAKEN, {"at": NOON}, {"expected": HERE}, "doubtful", "place-unknown"),
    ("no time anywhere", place(), place(), {"expected": HERE}, "doubtful", "time-unknown"),
    ("at the limit", {}, {"at": NOON} | place(199), {"expected": HERE}, "ok", None),
    ("beyond the limit", {}, {"at": NOON} | place(260), {"expected": HERE}, "contradicted", "too-far"),
    (
        "beyond it but within the fix",
        {},
        {"at": NOON, "accuracy_m": 80.0} | place(260),
        {"expected": HERE},
        "doubtful",
        "place-uncertain",
    ),
    (
        "sent as WGS-84 but GCJ-02",
        {},
        {"at": NOON, "lon": GCJ[0], "lat": GCJ[1]},
        {"expected": HERE},
        "doubtful",
        "datum-suspect",
    ),
    (
        "sent as WGS-84 but BD-09",
        {},
        {"at": NOON, "lon": BD[0], "lat": BD[1]},
        {"expected": HERE},
        "doubtful",
        "datum-suspect",
    ),
    ("west instead of east", TAKEN | {"lon": -LON, "lat": LAT}, {}, {"expected": HERE}, "doubtful", "sign-suspect"),
    (
        "the file is from elsewhere",
        TAKEN | {"lon": 11.9, "lat": 43.5},
        {"at": NOON} | place(),
        {"expected": HERE},
        "contradicted",
        "exif-elsewhere",
    ),
    (
        "the file is from near by",
        TAKEN | place(1_500),
        {"at": NOON} | place(),
        {"expected": HERE},
        "doubtful",
        "exif-apart",
    ),
    (
        "the file is in GCJ-02",
        TAKEN | {"lon": GCJ[0], "lat": GCJ[1]},
        {"at": NOON} | place(),
        {"expected": HERE},
        "ok",
        None,
    ),
    ("an old photo", {"taken": "2008-10-22T16:28:39"}, {"at": NOON} | place(), {}, "contradicted", "other-time"),
    (
        "three hours off",
        {"taken": "2026-11-20T09:20:00", "offset": 480},
        {"at": NOON} | place(),
        {},
        "doubtful",
        "time-apart",
    ),
    (
        "whole hours off, zone unknown",
        {"taken": "2026-11-20T05:00:30"},
        {"at": NOON} | place(),
        {},
        "doubtful",
        "zone-suspect",
    ),
    ("a minute off", {"taken": "2026-11-20T12:01:00"}, {"at": NOON} | place(), {}, "ok", None),
    ("from the future", {}, {"at": NOON + timedelta(hours=3)} | place(), {}, "doubtful", "future"),
    ("mock position", {}, {"at": NOON, "mock": True} | place(), {}, "doubtful", "mock"),
    ("the same picture again", {}, {"at": NOON} | place(), {"reuse": (UUID(int=1),)}, "doubtful", "reused"),
    (
        "40 km in 10 minutes",
        {},
        {"at": NOON} | place(),
        {"before": Sighting(LON, LAT + 40_000 * METRE, NOON - timedelta(minutes=10))},
        "doubtful",
        "too-fast",
    ),
    (
        "40 km in an hour",
        {},
        {"at": NOON} | place(),
        {"before": Sighting(LON, LAT + 40_000 * METRE, NOON - timedelta(hours=1))},
        "ok",
        None,
    ),
    (
        "300 m in a second is scatter",
        {},
        {"at": NOON} | place(),
        {"before": Sighting(LON, LAT + 300 * METRE, NOON)},
        "ok",
        None,
    ),
]


@pytest.mark.parametrize(
    ("file", "report", "known", "outcome", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_evidence_is_judged_by_what_agrees(
    file: dict[str, Any], report: dict[str, Any], known: dict[str, Any], outcome: str, code: str | None
) -> None:
    verdict = judge(Exif(**file), Context(received_at=NOON, zone=SHANGHAI, claim=Claim(**report), **known))
    assert verdict.outcome == outcome, verdict.reasons
    codes = [reason.code for reason in verdict.reasons]
    assert code is None or code in codes
    assert (outcome == "ok") == (code is None)
    assert all(reason.zh and reason.en for reason in verdict.reasons)


def test_a_verdict_carries_its_measurements() -> None:
    before = Sighting(LON, LAT + 40_000 * METRE, NOON - timedelta(minutes=10))
    claim = Claim(at=NOON, lon=GCJ[0], lat=GCJ[1])
    file = Exif(taken="2026-11-20T12:00:30", offset=480, lon=LON, lat=LAT)
    verdict = judge(file, Context(received_at=NOON, zone=SHANGHAI, claim=claim, expected=HERE, before=before))
    assert verdict.datum_suspect == Datum.GCJ02
    assert verdict.distance_m == pytest.approx(500, abs=100)
    assert verdict.exif_vs_claim_m == verdict.distance_m
    assert verdict.limit_m == 200
    assert verdict.time_skew_s == 30
    assert verdict.implied_speed_kmh == pytest.approx(240, abs=5)


numbers = st.floats(-90, 90)


@given(numbers, numbers, numbers, numbers, st.booleans(), st.integers(1991, 2099))
def test_any_combination_has_an_outcome_and_what_is_not_ok_has_a_reason(
    a: float, b: float, c: float, d: float, mock: bool, year: int
) -> None:
    context = Context(
        received_at=NOON, zone=SHANGHAI, claim=Claim(at=NOON, lon=a, lat=b, mock=mock), expected=Expected(lon=c, lat=d)
    )
    verdict = judge(Exif(taken=f"{year}-11-20T12:00:00", lon=c, lat=b), context)
    assert verdict.outcome == Outcome.OK or verdict.reasons
    assert verdict.outcome != Outcome.OK or (verdict.distance_m or 0) <= 200
