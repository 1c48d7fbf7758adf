"""`zjw jt808 decode`: what a frame of a vehicle terminal says, or what is broken in it."""

import click
import msgspec

from app.kernel.problem import Problem
from tasks.sensing import jt808, jt808_bodies


@click.group("jt808")
def command() -> None:
    """JT/T 808: messages of vehicle terminals (车载终端报文)."""


@command.command("decode")
@click.argument("frame", metavar="HEX", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def decode(frame: tuple[str, ...], as_json: bool) -> None:
    """Decode one frame, given in hexadecimal with its flags 7E; positions come out as signed WGS-84 degrees."""
    try:
        told = jt808_bodies.describe(jt808.decode(jt808.from_hex(" ".join(frame))))
    except Problem as problem:
        raise click.ClickException(f"broken frame 报文损坏: {problem}") from None
    if as_json:
        click.echo(msgspec.json.encode(told).decode())
        return
    for name, value in told.items():
        if name != "fields" and value is not None:
            click.echo(f"{name:18}{value}")
    for name, value in told["fields"].items():
        click.echo(f"  {name:16}{value}")
