"""`python -m bench`: every figure beside its floor. `--only NAME` for one part."""

import asyncio
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import click

from app.embedded.services import Services, remove
from bench.figure import Figure, table
from bench.platform import Context

FRAME = {"__init__", "__main__", "figure", "load", "million", "platform", "points", "texts"}


def parts() -> list[str]:
    """The names of all benchmarks: the modules of this folder that are not its frame."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in FRAME)


@click.command()
@click.option("--only", help="Comma-separated names of benchmarks.")
@click.option("--keep", type=Path, help="A folder for the services; a filled database is used again the next time.")
def main(only: str | None, keep: Path | None) -> None:
    """Measure on private durable services and print figure, floor and ratio."""
    chosen = only.split(",") if only else parts()
    if unknown := sorted(set(chosen) - set(parts())):
        raise click.ClickException(f"There is no benchmark {', '.join(unknown)}: choose from {', '.join(parts())}.")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="zjw-bench-") as folder:
        Path(folder).chmod(0o755)  # the database's own user must get through
        home = keep or Path(folder) / "home"
        services = Services.at(home)
        try:
            services.start()
            for name in chosen:
                click.echo(f"{name} …", err=True)
                figures += asyncio.run(import_module(f"bench.{name}").run(Context(services)))
        finally:
            services.stop() if keep else remove(home)
    click.echo(table(figures))


if __name__ == "__main__":
    sys.exit(main())
