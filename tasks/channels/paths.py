"""Places inside a JSON record: `a.b[0].c`, or `/a/b/0/c` as in RFC 6901 where names hold dots; pure."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

Path = tuple[str | int, ...]

_STEP = re.compile(r"([^.\[\]]+)((?:\[\d{1,4}\])*)")
_DEEPEST = 20


@lru_cache(maxsize=4096)
def parse(text: str) -> Path | None:
    """Return the steps of a path; None for what is none."""
    if text.startswith("/"):
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")) or None
    steps: list[str | int] = []
    for part in text.split("."):
        fits = _STEP.fullmatch(part)
        if fits is None:
            return None
        steps.append(fits[1])
        steps += [int(number) for number in re.findall(r"\d+", fits[2])]
    return tuple(steps) if len(steps) <= _DEEPEST else None


def fetch(record: Any, path: Path) -> Any:
    """Return what lies at a path; None where nothing does."""
    found = record
    for step in path:
        if isinstance(found, dict):
            found = cast(dict[str, Any], found).get(str(step))
        elif isinstance(found, list):
            found = _element(cast(list[Any], found), step)
        else:
            return None
    return found


def _element(values: list[Any], step: str | int) -> Any:
    number = int(step) if str(step).isdecimal() and len(str(step)) < 6 else -1
    return values[number] if 0 <= number < len(values) else None


def leaves(record: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Return the steps, as texts, to every value that holds no others."""
    pending: list[tuple[tuple[str, ...], Any]] = [((key,), value) for key, value in record.items()]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict) and value and len(path) < _DEEPEST:
            pending += [((*path, key), each) for key, each in cast(dict[str, Any], value).items()]
        elif isinstance(value, list) and value and len(path) < _DEEPEST:
            pending += [((*path, str(n)), each) for n, each in enumerate(cast(list[Any], value))]
        elif value not in (None, "", [], {}):
            yield path
