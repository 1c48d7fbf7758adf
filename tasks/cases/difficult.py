"""Difficult matters of several departments (多跨疑难事项): who leads, who assists, why; found by words; pure."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from app.kernel.problem import FieldError
from grid.organisations import Directory, Kind, Organisation
from tasks.cases.model import Case
from tasks.cases.orders import Precedent, Rule
from tasks.cases.ranking import Hit, Index, merged
from tasks.cases.selectors import WORDS, parse_selectors
from tasks.cases.words import terms

SHIPPED = Path(__file__).parent / "data" / "difficult_items.csv"
TITLE, KEYWORD, DESCRIPTION = 3.0, 3.0, 1.0
"""What a word counts by where it stands."""
FORCES = {"enforcement": "·综合执法", "police": "·公安", "grid": "·网格"}

Selector = Annotated[str, Meta(min_length=1, max_length=200)]
Word = Annotated[str, Meta(min_length=1, max_length=40)]


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an entry of the library says. `lead` and `assistants` are selectors; `item` names the item it belongs to."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    description: Annotated[str, Meta(max_length=4000)] = ""
    keywords: Annotated[tuple[Word, ...], Meta(max_length=30)] = ()
    domain: Annotated[str, Meta(max_length=40)] = ""
    lead: Selector
    assistants: Annotated[tuple[Selector, ...], Meta(max_length=20)] = ()
    basis: Annotated[str, Meta(max_length=4000)] = ""
    item: Annotated[str, Meta(max_length=40)] | None = None


class Kept(Struct, frozen=True, kw_only=True):
    """An entry as the library keeps it. `origin`: of the library, or of a ruling in the case `case_id`."""

    id: UUID
    code: str | None = None
    version: int = 1
    entry: Entry
    origin: Literal["library", "ruling"] = "library"
    provenance: str = ""
    case_id: UUID | None = None
    used: int = 0
    created_at: datetime
    created_by: UUID | None = None
    updated_at: datetime
    retired_at: datetime | None = None


class Sample(Struct, frozen=True):
    """An entry of a file with its code and where it comes from."""

    code: str
    entry: Entry
    provenance: str


def weights(entry: Entry) -> dict[str, float]:
    """Return the words of an entry with what they count."""
    keywords = [(terms(word) | {word.lower(): 1.0}, KEYWORD) for word in entry.keywords]
    return merged((terms(entry.title), TITLE), *keywords, (terms(entry.description), DESCRIPTION))


class Library:
    """The words of all entries of a district, renewed entry by entry."""

    def __init__(self) -> None:
        self._index = Index()
        self._versions: dict[UUID, int] = {}

    def __len__(self) -> int:
        return len(self._versions)

    def stale(self, present: Mapping[UUID, int]) -> list[UUID]:
        """Forget entries that are no more, and return those to be read again: new ones, or of another version."""
        for gone in self._versions.keys() - present.keys():
            self._index.drop(str(gone))
            del self._versions[gone]
        return [id_ for id_, version in present.items() if self._versions.get(id_) != version]

    def put(self, id_: UUID, version: int, entry: Entry) -> None:
        """Take an entry in the version given."""
        self._index.put(str(id_), weights(entry))
        self._versions[id_] = version

    def search(self, text: str, limit: int) -> list[Hit]:
        """Return the entries that fit a text best; keys are ids as text."""
        return self._index.search(terms(text), limit)


def _selector(field: str, text: str) -> list[FieldError]:
    try:
        parse_selectors(text)
    except ValueError as error:
        zh, _, en = str(error).partition(" / ")
        return [FieldError(field, (zh, en or zh))]
    return []


def faults(entry: Entry) -> list[FieldError]:
    """Return everything that is wrong with an entry; nothing if it can be kept."""
    found = _selector("lead", entry.lead)
    for n, assistant in enumerate(entry.assistants):
        found += _selector(f"assistants[{n}]", assistant)
    for field in ("title", "description", "basis", "domain"):
        if "\x00" in getattr(entry, field):
            found.append(FieldError(field, ("含有无法保存的字符", "holds a character that cannot be stored")))
    if any("\x00" in word for word in entry.keywords):
        found.append(FieldError("keywords", ("含有无法保存的字符", "holds a character that cannot be stored")))
    return found


def _several(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";") if part.strip())


def read(text: str) -> list[Sample]:
    """Read entries from CSV (code, domain, title, description, keywords, lead, assistants, basis, item, provenance)."""
    return [
        Sample(
            row["code"],
            Entry(
                title=row["title"],
                description=row["description"],
                keywords=_several(row["keywords"]),
                domain=row["domain"],
                lead=row["lead"],
                assistants=_several(row["assistants"]),
                basis=row["basis"],
                item=row["item"] or None,
            ),
            row["provenance"],
        )
        for row in csv.DictReader(StringIO(text))
    ]


def shipped() -> list[Sample]:
    """Return the entries that come with the product."""
    return read(SHIPPED.read_text(encoding="utf-8"))


def kept(samples: Iterable[Sample], now: datetime, fresh: Callable[[], UUID]) -> Sequence[Kept]:
    """Return samples as the library keeps them."""
    return [
        Kept(id=fresh(), code=each.code, entry=each.entry, provenance=each.provenance, created_at=now, updated_at=now)
        for each in samples
    ]


_OF_PLACE = {
    Kind.TOWN_CENTRE: "town",
    Kind.STATION: "station",
    Kind.SQUAD: "squad",
    Kind.FORCE_UNIT: "force",
    Kind.TEAM: "team",
}


def selector_of(organisation: Organisation, area: str) -> str:
    """Return how an organisation is found in the next case like one in `area`.

    A department by its name; what belongs to the place of the case by its kind, so that another town finds its own.
    """
    if organisation.kind is Kind.DEPARTMENT:
        return f"department:{organisation.name}"
    kind = _OF_PLACE.get(organisation.kind)
    if kind is None or not area.startswith(organisation.area):
        return "centre" if organisation.kind is Kind.CENTRE else f"organisation:{organisation.id}"
    return f"{kind}:{organisation.force.value}" if organisation.force is not None else kind


def ruled(case: Case, order: Rule, precedent: Precedent, directory: Directory) -> Entry:
    """Return what the library remembers of a ruling: the clerk's words, none of the reporter's."""

    def selector(id_: UUID) -> str:
        found = directory.get(id_)
        return f"organisation:{id_}" if found is None else selector_of(found, case.area)

    return Entry(
        title=precedent.title,
        description=order.reason,
        keywords=precedent.keywords,
        lead=selector(order.to),
        assistants=tuple(dict.fromkeys(map(selector, order.assistants))),
        basis=order.basis,
        item=case.item,
    )


def name_of(selector: str, directory: Directory) -> str:
    """Return a selector in words for people: the department, the force of the place, the organisation."""
    words: list[str] = []
    for each in parse_selectors(selector):
        found = directory.get(UUID(each.value)) if each.kind == "organisation" else None
        words.append(found.name if found is not None else f"{WORDS[each.kind][0]}{FORCES.get(each.value, each.value)}")
    return " / ".join(word.removeprefix("主管部门") for word in words)
