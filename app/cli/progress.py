"""Progress of long work: bars on a terminal, a line per finished part elsewhere."""

import sys
from collections.abc import Callable
from typing import Any

import click
from tqdm import tqdm


def bars() -> Callable[[str, int, int], None]:
    """A bar per part on a terminal, a line per finished part otherwise."""
    bars: dict[str, tqdm[Any]] = {}

    def progress(what: str, done: int, of: int) -> None:
        bar = bars.setdefault(what, tqdm(total=of, desc=what, file=sys.stderr, disable=not sys.stderr.isatty()))
        bar.update(done - bar.n)
        if done >= of:
            bar.close()
            if not sys.stderr.isatty():
                click.echo(f"{what}: {of}", err=True)

    return progress
