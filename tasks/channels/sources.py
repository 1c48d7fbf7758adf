"""Sources: platforms whose records become cases, the mappings that ship with the product, and who a source is; pure."""

import tomllib
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta, Struct

from app.kernel.actor import Actor
from app.kernel.problem import FieldError
from tasks.channels.mapping import Mapping

FOLDER = Path(__file__).parent / "data"
SHIPPED_AT = datetime.fromisoformat("2026-11-23T00:00:00Z")
NAMESPACE = UUID("6f1c2f0e-3b7d-5a52-8f0c-330109000104")
IMPORT = "import"
"""The source of files whose columns are those of our template."""
RESERVED = frozenset({"citizen", "desk", "field", "visit", "sensing", "open311", "system"})
"""Sources of our own channels: no platform pushes under their names."""


class Source(Struct, frozen=True, kw_only=True):
    """A platform with its mapping in force; `sandbox`: everything it sends is a dry run. Version 1 may be shipped."""

    code: str
    name: str
    mapping: Mapping
    organisation: UUID | None = None
    sandbox: bool = False
    version: int = 1
    changed_at: datetime = SHIPPED_AT
    changed_by: UUID | None = None


class SourceRow(Struct, frozen=True, kw_only=True):
    """A source in the list."""

    code: str
    name: str
    organisation: UUID | None
    sandbox: bool
    version: int
    changed_at: datetime


class NewSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source as it is saved: its mapping as an object or as a TOML text. `version` is the one it changes."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    mapping: Mapping | None = None
    toml: Annotated[str, Meta(max_length=200_000)] | None = None
    organisation: UUID | None = None
    sandbox: bool = False
    version: Annotated[int, Meta(ge=0)] | None = None


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    mapping: Mapping


@lru_cache(maxsize=1)
def shipped() -> dict[str, Source]:
    """Return the sources that come with the product, by code."""
    found: dict[str, Source] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
        found[path.stem] = Source(code=path.stem, name=file.name, mapping=file.mapping)
    return found


def read_toml(text: str) -> Mapping | FieldError:
    """Return the mapping of a TOML text (its table `mapping`, or the text whole), or what is wrong with it."""
    try:
        told: dict[str, Any] = tomllib.loads(text)
        return msgspec.convert(told.get("mapping", told), Mapping)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        return FieldError("toml", (f"无法读取：{error}", f"cannot be read: {error}"))


def row(source: Source) -> SourceRow:
    """Return a source as the list shows it."""
    return SourceRow(
        code=source.code,
        name=source.name,
        organisation=source.organisation,
        sandbox=source.sandbox,
        version=source.version,
        changed_at=source.changed_at,
    )


def actor_of(code: str, district: str) -> Actor:
    """Return who reports and amends what a source sends: the source itself, whichever of its keys it used."""
    return Actor(
        id=uuid5(NAMESPACE, f"{district}/{code}"), kind="machine", district=district, scopes=frozenset({"case.read"})
    )
