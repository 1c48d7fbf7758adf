"""Organisations as values, and the directory that answers who can own work in an area."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from grid.duty import NOBODY, Roster


class Kind(StrEnum):
    """What an organisation (单位) is."""

    CENTRE = "centre"  # 区社会治理中心
    TOWN_CENTRE = "town_centre"  # 镇街社会治理中心
    DEPARTMENT = "department"  # 区级部门
    STATION = "station"  # 村社站
    FORCE_UNIT = "force_unit"  # 镇街一支力量
    TEAM = "team"  # 一支力量的班组
    SQUAD = "squad"  # 小分队, members of several forces


class Force(StrEnum):
    """The three forces (力量) that are scored separately."""

    ENFORCEMENT = "enforcement"  # 综合执法
    POLICE = "police"  # 公安
    GRID = "grid"  # 网格


class Organisation(Struct, frozen=True, kw_only=True):
    """A centre, department, station, force unit, team or squad that can own work in the subtree of its area."""

    id: UUID
    kind: Kind
    name: str
    code: str
    area: str
    force: Force | None = None
    parent: UUID | None = None
    successor: UUID | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    source: str = ""

    def alive(self, at: datetime) -> bool:
        """Whether it exists at that moment (the end is exclusive)."""
        started = self.started_at is None or self.started_at <= at
        return started and (self.ended_at is None or at < self.ended_at)


class _Book:
    """The organisations by id, by place and by department's name; shared by directories of different moments."""

    def __init__(self, organisations: Iterable[Organisation]) -> None:
        ordered = sorted(organisations, key=lambda each: each.code)
        self.by_id: Mapping[UUID, Organisation] = {each.id: each for each in ordered}
        self.by_place: dict[tuple[Kind, str, Force | None], list[Organisation]] = {}
        self.departments: dict[str, list[Organisation]] = {}
        self.centres = [each for each in ordered if each.kind is Kind.CENTRE]
        self.children: dict[UUID, list[UUID]] = {}
        self.predecessors: dict[UUID, list[Organisation]] = {}
        for each in ordered:
            self._enter(each)

    def _enter(self, each: Organisation) -> None:
        self.by_place.setdefault((each.kind, each.area, each.force), []).append(each)
        if each.parent is not None:
            self.children.setdefault(each.parent, []).append(each.id)
        if each.successor is not None:
            self.predecessors.setdefault(each.successor, []).append(each)
        if each.kind is Kind.DEPARTMENT:
            for key in {each.code, each.name}:
                self.departments.setdefault(key, []).append(each)


class Directory:
    """All organisations of a district as of one moment; ended ones are kept, so that old work still has a name.

    Pure and immutable; a look-up never asks the database. Areas are codes whose prefixes are their ancestors.
    """

    def __init__(self, organisations: "Iterable[Organisation] | _Book", at: datetime, duty: Roster = NOBODY) -> None:
        self.at = at
        self.duty = duty
        self._book = organisations if isinstance(organisations, _Book) else _Book(organisations)

    def as_of(self, at: datetime) -> "Directory":
        """The same organisations seen at another moment (no copy is made)."""
        return Directory(self._book, at, self.duty)

    def with_duty(self, duty: Roster) -> "Directory":
        """The same organisations with another roster of who is on duty."""
        return Directory(self._book, self.at, duty)

    @property
    def by_id(self) -> Mapping[UUID, Organisation]:
        """Every organisation, ended or not."""
        return self._book.by_id

    def _alive(self, found: Iterable[Organisation]) -> list[Organisation]:
        return [each for each in found if each.alive(self.at)]

    def get(self, organisation: UUID) -> Organisation | None:
        """The organisation of that id, ended or not."""
        return self.by_id.get(organisation)

    def all(self, kind: Kind, area: str, force: Force | None = None) -> list[Organisation]:
        """Living organisations of that kind whose area is exactly `area`, by code."""
        return self._alive(self._book.by_place.get((kind, area, force), ()))

    def find(self, kind: Kind, area: str, force: Force | None = None) -> Organisation | None:
        """The organisation of that kind whose area is `area` or the nearest area above it; lowest code first.

        Where the one of an area ended, its successor does its work, whatever area that is of.
        """
        for length in (15, 12, 9, 6):
            if length > len(area):
                continue
            found = self._book.by_place.get((kind, area[:length], force))
            if found is not None and (here := self._at_work(found)) is not None:
                return here
        return None

    def department(self, name_or_code: str) -> Organisation | None:
        """The department of that name or code; the successor of one that was renamed or ended."""
        return self._at_work(self._book.departments.get(name_or_code, ()))

    def _at_work(self, found: Sequence[Organisation]) -> Organisation | None:
        """The first that is alive; else who does the work now of the first that has a successor."""
        for each in found:
            if each.alive(self.at):
                return each
        return next((heir for each in found if (heir := self.current(each.id)) is not None), None)

    def squad_on_duty(self, area: str, at: datetime) -> Organisation | None:
        """The squad (小分队) with somebody on duty that is nearest to an area in the tree; lowest code first."""
        nearest, best = 0, None
        for depth, organisation in self.duty.near(area, at):
            if depth < nearest:
                break
            here = self.by_id.get(organisation)
            if here is None or here.kind is not Kind.SQUAD or not here.alive(self.at):
                continue
            nearest = depth
            best = here if best is None or here.code < best.code else best
        return best

    def centre(self) -> Organisation | None:
        """The district centre (区社会治理中心)."""
        return next((each for each in self._book.centres if each.alive(self.at)), None)

    def current(self, organisation: UUID) -> Organisation | None:
        """Who does its work now: the end of the chain of successors; None when the chain ends in nobody alive."""
        seen: set[UUID] = set()
        here = self.by_id.get(organisation)
        while here is not None and not here.alive(self.at):
            if here.successor is None or here.id in seen:
                return None
            seen.add(here.id)
            here = self.by_id.get(here.successor)
        return here

    def line(self, organisation: UUID) -> frozenset[UUID]:
        """Who does its work now with everybody whose work came to that one: their open work is one and the same.

        Of one that ended without anybody after it, or is unknown, itself.
        """
        heir = self.current(organisation)
        if heir is None:
            return frozenset({organisation})
        found, waiting = {heir.id}, [heir.id]
        while waiting:
            for each in self._book.predecessors.get(waiting.pop(), ()):
                if each.id not in found and not each.alive(self.at):
                    found.add(each.id)
                    waiting.append(each.id)
        return frozenset(found)

    def line_of_all(self, organisations: Iterable[UUID]) -> frozenset[UUID]:
        """The lines of several, as one."""
        return frozenset(each for organisation in organisations for each in self.line(organisation))

    def ancestors(self, organisation: UUID) -> frozenset[UUID]:
        """The organisation itself and everybody above it."""
        found: set[UUID] = set()
        here = self.by_id.get(organisation)
        while here is not None and here.id not in found:
            found.add(here.id)
            here = None if here.parent is None else self.by_id.get(here.parent)
        return frozenset(found)

    def below(self, organisation: UUID) -> frozenset[UUID]:
        """The organisation itself and everybody below it."""
        found: set[UUID] = set()
        waiting = [organisation]
        while waiting:
            here = waiting.pop()
            if here not in found:
                found.add(here)
                waiting.extend(self._book.children.get(here, ()))
        return frozenset(found)
