"""Whether a photo agrees with the work it is said to show: a verdict with its reasons in words, to advise a person."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from app.kernel.crs import Datum, convert, distance_m
from media.exif import Exif
from media.reasons import Reason, Weight, contradicted, doubtful, note

Point = tuple[float, float]
"""(longitude, latitude) in WGS-84, degrees."""

TIME_LIMIT = timedelta(minutes=10)
"""How far the camera's time may lie from the reported one."""
OTHER_DAY = timedelta(hours=24)
"""From here on the photo is of another occasion."""
FUTURE_LIMIT = timedelta(minutes=5)
"""How far ahead of the server a reported time may lie."""
SPEED_LIMIT_KMH = 150.0
"""Faster than anybody moves inside a district."""
SPEED_FROM_M = 1_000.0
"""Shorter hops say nothing: positions scatter."""
OTHER_PLACE_M = 5_000.0
"""From here on the photo's own place is another place than the reported one."""
DATUM_GAIN = 4.0
"""A datum is suspect when reading the point in it brings it so many times closer."""


class Outcome(StrEnum):
    """The verdict in one word; `refused` is about bytes that show nothing."""

    OK = "ok"
    DOUBTFUL = "doubtful"
    CONTRADICTED = "contradicted"
    REFUSED = "refused"


class Expected(Struct, frozen=True, kw_only=True):
    """Where the work is: a point in WGS-84 and how far from it evidence may be taken, in metres."""

    lon: float
    lat: float
    limit_m: float = 200.0


class Claim(Struct, frozen=True, kw_only=True):
    """What the report says of the capture: time (corrected), place in WGS-84, and the phone's mock-location flag."""

    at: datetime | None = None
    lon: float | None = None
    lat: float | None = None
    accuracy_m: float | None = None
    mock: bool = False

    @property
    def point(self) -> Point | None:
        """The claimed place, if there is one."""
        return None if self.lon is None or self.lat is None else (self.lon, self.lat)


class Sighting(Struct, frozen=True):
    """Where and when the same person's evidence before this one was captured."""

    lon: float
    lat: float
    at: datetime


class Context(Struct, frozen=True, kw_only=True):
    """All that a photo is compared with; `zone` is assumed for cameras that do not tell theirs."""

    received_at: datetime
    zone: tzinfo
    claim: Claim = Claim()
    expected: Expected | None = None
    before: Sighting | None = None
    reuse: tuple[UUID, ...] = ()


class Verdict(Struct, frozen=True, kw_only=True):
    """Never a bare boolean: what was measured, and why the outcome is what it is. Metres, seconds, km/h."""

    outcome: Outcome
    distance_m: float | None = None
    limit_m: float | None = None
    exif_vs_claim_m: float | None = None
    time_skew_s: float | None = None
    implied_speed_kmh: float | None = None
    mock: bool = False
    datum_suspect: Datum | None = None
    reuse: tuple[UUID, ...] = ()
    reasons: tuple[Reason, ...] = ()


def judge(exif: Exif, context: Context) -> Verdict:
    """Compare what the file says with what the report says and with what the place of work is."""
    claim, expected = context.claim, context.expected
    own = None if exif.lon is None or exif.lat is None else (exif.lon, exif.lat)
    point = claim.point or own
    taken = exif.instant(context.zone)
    distance = None if point is None or expected is None else distance_m(*point, expected.lon, expected.lat)
    apart = None if own is None or claim.point is None else distance_m(*own, *claim.point)
    skew = None if taken is None or claim.at is None else (taken - claim.at).total_seconds()
    speed = _speed(point, claim.at or taken, context.before)
    suspect = None if distance is None or point is None else _suspect(point, distance, expected)
    reasons = (
        *exif.reasons,
        *_whether_known(point, claim.at or taken),
        *_place(point, distance, claim, expected, suspect),
        *_own_place(apart, own, claim),
        *_time(skew, exif),
        *_future(claim.at or taken, context.received_at),
        *_speeding(speed),
        *_mock(claim),
        *_reuse(context.reuse),
    )
    return Verdict(
        outcome=outcome(reasons),
        distance_m=_rounded(distance),
        limit_m=None if expected is None else expected.limit_m,
        exif_vs_claim_m=_rounded(apart),
        time_skew_s=skew,
        implied_speed_kmh=_rounded(speed),
        mock=claim.mock,
        datum_suspect=suspect,
        reuse=context.reuse,
        reasons=reasons,
    )


def outcome(reasons: Sequence[Reason]) -> Outcome:
    """The heaviest reason decides."""
    weights = {reason.weight for reason in reasons}
    if Weight.CONTRADICTED in weights:
        return Outcome.CONTRADICTED
    return Outcome.DOUBTFUL if Weight.DOUBTFUL in weights else Outcome.OK


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _speed(point: Point | None, at: datetime | None, before: Sighting | None) -> float | None:
    if point is None or at is None or before is None:
        return None
    metres = distance_m(*point, before.lon, before.lat)
    seconds = max(abs((at - before.at).total_seconds()), 1.0)
    return metres / seconds * 3.6 if metres > SPEED_FROM_M else 0.0


def _suspect(point: Point, distance: float, expected: Expected | None) -> Datum | None:
    """The datum in which the point fits the place of work far better (it was sent as WGS-84 but is not)."""
    if expected is None or distance <= expected.limit_m:
        return None
    for datum in (Datum.GCJ02, Datum.BD09):
        there = distance_m(*convert(*point, datum, Datum.WGS84), expected.lon, expected.lat)
        if there <= expected.limit_m and there * DATUM_GAIN < distance:
            return datum
    return None


def _whether_known(point: Point | None, at: datetime | None) -> Iterator[Reason]:
    if point is None:
        yield doubtful("place-unknown", "没有任何拍摄位置可供核对", "nothing tells where this was taken")
    if at is None:
        yield doubtful("time-unknown", "没有任何拍摄时间可供核对", "nothing tells when this was taken")


def _place(
    point: Point | None, distance: float | None, claim: Claim, expected: Expected | None, suspect: Datum | None
) -> Iterator[Reason]:
    if point is None or distance is None or expected is None or distance <= expected.limit_m:
        return
    far, limit = f"{distance:,.0f}", f"{expected.limit_m:,.0f}"
    if suspect is not None:
        yield doubtful(
            "datum-suspect",
            f"距目标 {far} 米，但按 {suspect} 坐标系解读则相符：坐标系可能有误",
            f"{far} m from the place of work, but it fits when read as {suspect}: the datum may be wrong",
        )
    elif _mirrored(point, expected):
        yield doubtful(
            "sign-suspect",
            "经纬度正负号（东西/南北）颠倒后与目标相符：定位方向标记可能有误",
            "it fits the place of work with a sign (east/west, north/south) turned round: the reference may be wrong",
        )
    elif distance <= expected.limit_m + (claim.accuracy_m or 0.0):
        yield doubtful(
            "place-uncertain",
            f"距目标 {far} 米，超过 {limit} 米，但在定位误差之内",
            f"{far} m from the place of work, over {limit} m but within the accuracy of the fix",
        )
    else:
        yield contradicted(
            "too-far", f"距目标 {far} 米，超过 {limit} 米", f"{far} m from the place of work; the limit is {limit} m"
        )


def _mirrored(point: Point, expected: Expected) -> bool:
    lon, lat = point
    turned = ((-lon, lat), (lon, -lat), (-lon, -lat))
    return any(distance_m(x, y, expected.lon, expected.lat) <= expected.limit_m for x, y in turned)


def _own_place(apart: float | None, own: Point | None, claim: Claim) -> Iterator[Reason]:
    if apart is None or own is None or claim.point is None:
        return
    allowed = 200.0 + (claim.accuracy_m or 0.0)
    if apart > OTHER_PLACE_M:
        yield contradicted(
            "exif-elsewhere",
            f"照片自带位置与上报位置相距 {apart:,.0f} 米",
            f"the place in the picture is {apart:,.0f} m from the reported one",
        )
    elif apart > allowed and not _shifted(own, claim.point, allowed):
        yield doubtful(
            "exif-apart",
            f"照片自带位置与上报位置相距 {apart:,.0f} 米",
            f"the place in the picture is {apart:,.0f} m from the reported one",
        )


def _shifted(own: Point, claimed: Point, allowed: float) -> bool:
    """Many phones sold in China write GCJ-02 into the picture: then the shift explains the distance."""
    return distance_m(*convert(*own, Datum.GCJ02, Datum.WGS84), *claimed) <= allowed


def _time(skew: float | None, exif: Exif) -> Iterator[Reason]:
    if skew is None or abs(skew) <= TIME_LIMIT.total_seconds():
        return
    off = _duration(abs(skew))
    zh = f"拍摄时间比上报时间{'早' if skew < 0 else '晚'} {off[0]}"
    en = f"taken {off[1]} {'before' if skew < 0 else 'after'} the reported time"
    if abs(skew) >= OTHER_DAY.total_seconds():
        yield contradicted("other-time", zh, en)
    elif exif.offset is None and abs((skew + 1800) % 3600 - 1800) <= TIME_LIMIT.total_seconds():
        yield doubtful("zone-suspect", f"{zh}：相机时区可能不同", f"{en}: the camera may be set to another time zone")
    else:
        yield doubtful("time-apart", zh, en)


def _duration(seconds: float) -> tuple[str, str]:
    for size, zh, en in ((86_400, "天", "days"), (3_600, "小时", "h")):
        if seconds >= size:
            return f"{seconds / size:,.1f} {zh}", f"{seconds / size:,.1f} {en}"
    return f"{seconds / 60:.0f} 分钟", f"{seconds / 60:.0f} min"


def _future(at: datetime | None, received: datetime) -> Iterator[Reason]:
    if at is not None and at - received > FUTURE_LIMIT:
        yield doubtful(
            "future", "拍摄时间晚于收到的时间：设备时钟有误", "taken after it was received: a clock is wrong"
        )


def _speeding(speed: float | None) -> Iterator[Reason]:
    if speed is not None and speed > SPEED_LIMIT_KMH:
        yield doubtful(
            "too-fast",
            f"与同一人上一份佐证之间的速度达每小时 {speed:,.0f} 公里",
            f"the same person's evidence before this implies {speed:,.0f} km/h",
        )


def _mock(claim: Claim) -> Iterator[Reason]:
    if claim.mock:
        yield doubtful(
            "mock", "手机报告位置由模拟定位软件提供", "the phone says its position came from a mock provider"
        )


def _reuse(reuse: Sequence[UUID]) -> Iterator[Reason]:
    if reuse:
        yield doubtful(
            "reused",
            f"与另外 {len(reuse)} 份佐证为同一画面",
            f"the same picture as {len(reuse)} other pieces of evidence",
        )


def refuse(reason: Reason) -> Verdict:
    """The verdict on bytes that are of no use."""
    return Verdict(outcome=Outcome.REFUSED, reasons=(reason,))


def unread(media_type: str) -> Reason:
    """The note on what is kept but not looked into (video)."""
    return note("not-examined", f"{media_type} 仅核对类型，未读取内容", f"{media_type}: only the type was checked")
