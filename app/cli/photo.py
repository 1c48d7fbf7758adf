"""`zjw photo`: what a photo is, when and where it was taken, and whether that agrees with what is said of it."""

import asyncio
import tempfile
from datetime import datetime
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from app.kernel import clock
from app.kernel.crs import Datum, Place
from media.inspection import Bounds, Inspection, inspect
from media.reasons import Reason
from media.verdict import Claim, Context, Expected, Outcome, Verdict, judge, refuse, unread


class Report(Struct, frozen=True, kw_only=True):
    """All that is told of a file; width and height as stored, before turning by `orientation`."""

    type: str | None
    width: int | None
    height: int | None
    taken_at: str | None
    lon: float | None
    lat: float | None
    orientation: int
    phash: str | None
    verdict: Outcome
    reasons: tuple[Reason, ...]
    distance_m: float | None = None
    time_skew_s: float | None = None


@click.command("photo")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--at", "place", metavar="LON,LAT", help="Where it should have been taken (WGS-84).")
@click.option("--captured-at", metavar="TIME", help="When it is said to be taken (ISO 8601; Beijing time if no zone).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(file: Path, place: str | None, captured_at: str | None, as_json: bool) -> None:
    """Examine a photo as the platform examines evidence (照片核验). Any file ends in a verdict or a stated refusal."""
    expected, captured = _place(place), _time(captured_at)
    with tempfile.TemporaryDirectory(prefix="zjw-photo-") as folder:
        found = asyncio.run(inspect(file.absolute(), Path(folder), Bounds()))
    report = _report(found, _judge(found, expected, captured))
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        _tell(report)


def _place(text: str | None) -> Expected | None:
    if text is None:
        return None
    try:
        lon, lat = (float(part) for part in text.split(","))
        point = Place(lon, lat, Datum.WGS84)
    except ValueError:
        raise click.BadParameter(f"{text} is not LON,LAT in degrees 不是经纬度", param_hint="--at") from None
    return Expected(lon=point.lon, lat=point.lat)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text} is not a time (ISO 8601) 不是时间", param_hint="--captured-at") from None
    return given if given.tzinfo is not None else given.replace(tzinfo=clock.SHANGHAI)


def _judge(found: Inspection, expected: Expected | None, captured: datetime | None) -> Verdict:
    if found.refusal is not None:
        return refuse(found.refusal)
    context = Context(received_at=clock.now(), zone=clock.SHANGHAI, claim=Claim(at=captured), expected=expected)
    verdict = judge(found.exif, context)
    if found.media_type is not None and not found.hashes:
        return msgspec.structs.replace(verdict, reasons=(unread(found.media_type), *verdict.reasons))
    return verdict


def _report(found: Inspection, verdict: Verdict) -> Report:
    return Report(
        type=found.media_type,
        width=found.width,
        height=found.height,
        taken_at=found.exif.taken_at,
        lon=found.exif.lon,
        lat=found.exif.lat,
        orientation=found.exif.orientation,
        phash=found.phash,
        verdict=verdict.outcome,
        reasons=verdict.reasons,
        distance_m=verdict.distance_m,
        time_skew_s=verdict.time_skew_s,
    )


def _tell(report: Report) -> None:
    for name in ("type", "width", "height", "taken_at", "lon", "lat", "orientation", "phash", "distance_m"):
        value = getattr(report, name)
        if value is not None:
            click.echo(f"{name:12}{value}")
    click.echo(f"{'verdict':12}{report.verdict.value}")
    for reason in report.reasons:
        click.echo(f"  {reason.weight.value:14}{reason.en}  {reason.zh}")
