"""`zjw crs`: the same place in another datum."""

import click
import msgspec

from app.kernel.crs import Datum, Place, convert

_DATUM = click.Choice([datum.value for datum in Datum])


@click.command("crs", context_settings={"ignore_unknown_options": True})  # so that -120.5 is a number, not an option
@click.option("--from", "source", type=_DATUM, required=True, help="Datum of the given point.")
@click.option("--to", "target", type=_DATUM, required=True, help="Datum wanted.")
@click.option("--json", "as_json", is_flag=True, help="One compact JSON object.")
@click.argument("lon", type=float)
@click.argument("lat", type=float)
def command(source: str, target: str, as_json: bool, lon: float, lat: float) -> None:
    """Convert a point between datums (坐标系转换), exact to under 0.01 m both ways; outside China all are equal."""
    try:
        place = Place(lon, lat, Datum(source))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    x, y = convert(place.lon, place.lat, place.datum, Datum(target))
    found = msgspec.json.encode({"lon": round(x, 9), "lat": round(y, 9)})
    click.echo((found if as_json else msgspec.json.format(found, indent=1)).decode())
