"""People of the demo: about 3,000, visibly made up (演示甲0001), in their organisations, squads and shifts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from uuid import UUID

from msgspec import Struct

from app.demo.district import FOUNDED, MADE_UP, SEED
from app.demo.district.identifiers import Identifiers
from grid.organisations import Force, Kind, Organisation
from grid.people import DutyShift, Person, SquadMember

STEMS = "甲乙丙丁戊己庚辛壬癸"
STAFF: Mapping[Kind, tuple[int, int]] = {
    Kind.CENTRE: (12, 12),
    Kind.TOWN_CENTRE: (4, 5),
    Kind.DEPARTMENT: (4, 6),
    Kind.STATION: (1, 1),
    Kind.TEAM: (3, 4),
}
"""Fewest and most people of an organisation; force units and squads are made of the people of teams."""

SQUAD_MIX = ((Force.GRID, 3), (Force.POLICE, 1), (Force.ENFORCEMENT, 1))
SHIFTS_UTC = (time(0), time(12))  # 8:00 and 20:00 in Shanghai
SHIFT_HOURS = 12


class Staff(Struct, frozen=True, kw_only=True):
    """People, and who of them is in which squad."""

    people: tuple[Person, ...]
    members: tuple[SquadMember, ...]


def build(organisations: Sequence[Organisation], seed: int = SEED) -> Staff:
    """Fill the organisations with people."""
    random = Random(seed + 2)
    ids = Identifiers(Random(seed + 3), FOUNDED)
    people: list[Person] = []
    for organisation in organisations:
        least, most = STAFF.get(organisation.kind, (0, 0))
        for _ in range(random.randint(least, most)):
            number = len(people) + 1
            name = f"演示{STEMS[number % len(STEMS)]}{number:04d}"
            people.append(
                Person(id=ids.next(), name=name, organisation=organisation.id, started_at=FOUNDED, source=MADE_UP)
            )
    return Staff(people=tuple(people), members=tuple(_squads(random, ids, organisations, people)))


def by_force(organisations: Iterable[Organisation], people: Iterable[Person]) -> dict[tuple[str, Force], list[Person]]:
    """Town and force → the people of its teams."""
    teams = {each.id: (each.area, each.force) for each in organisations if each.kind is Kind.TEAM}
    found: dict[tuple[str, Force], list[Person]] = {}
    for person in people:
        town, force = teams.get(person.organisation, ("", None))
        if force is not None:
            found.setdefault((town, force), []).append(person)
    return found


def _squads(
    random: Random, ids: Identifiers, organisations: Sequence[Organisation], people: Sequence[Person]
) -> Iterable[SquadMember]:
    forces = by_force(organisations, people)
    for squad in (each for each in organisations if each.kind is Kind.SQUAD):
        for force, count in SQUAD_MIX:
            for person in random.sample(forces[squad.area, force], count):
                yield SquadMember(id=ids.next(), squad=squad.id, person=person.id, started_at=FOUNDED)


def shifts(
    organisations: Sequence[Organisation],
    people: Sequence[Person],
    first: date,
    days: int,
    seed: int = SEED,
) -> list[DutyShift]:
    """One person of each force of each town on duty, round the clock, from a day on."""
    random = Random(seed + 4)
    ids = Identifiers(Random(seed + 5), FOUNDED)
    units: dict[tuple[str, Force | None], UUID] = {
        (each.area, each.force): each.id for each in organisations if each.kind is Kind.FORCE_UNIT
    }
    return [
        DutyShift(
            id=ids.next(),
            person=random.choice(staff).id,
            organisation=units[town, force],
            area=town,
            starts_at=(start := datetime.combine(first + timedelta(days=day), hour, UTC)),
            ends_at=start + timedelta(hours=SHIFT_HOURS),
        )
        for day in range(days)
        for hour in SHIFTS_UTC
        for (town, force), staff in by_force(organisations, people).items()
    ]
