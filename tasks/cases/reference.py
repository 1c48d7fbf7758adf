"""Catalogue and routing rules as each process keeps them: read again when their marks in the database change."""

from uuid import UUID

from msgspec import Struct

from app.kernel import db
from tasks.cases import catalogue_files, rules_files, rules_store, store
from tasks.cases.catalogue import Catalogue
from tasks.cases.rules_compiled import RuleSet, read_rules


class Reference(Struct, frozen=True):
    """The catalogue (shipped items and the district's own versions) and the rules: its own, else those shipped."""

    catalogue: Catalogue
    rules: RuleSet


_kept: dict[str, tuple[UUID | None, UUID | None, Reference]] = {}
_shipped = catalogue_files.shipped()
_shipped_rules = read_rules(rules_files.shipped())


async def of(catalogue_mark: UUID | None, rules_mark: UUID | None) -> Reference:
    """Return catalogue and rules as of the marks just read in this transaction."""
    district = db.current().district or ""
    kept = _kept.get(district)
    if kept is not None and kept[:2] == (catalogue_mark, rules_mark):
        return kept[2]
    own = await store.items() if catalogue_mark is not None else []
    rules = _shipped_rules if rules_mark is None else read_rules(await rules_store.document())
    fresh = Reference(Catalogue([*_shipped, *own]), rules)
    _kept[district] = (catalogue_mark, rules_mark, fresh)
    return fresh


async def present() -> Reference:
    """Return catalogue and rules, reading the marks first."""
    known = await store.known([], [], [])
    return await of(known.catalogue, known.rules)
