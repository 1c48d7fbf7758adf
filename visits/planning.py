"""Who visits which household on which evening: balanced by count, cells kept, each list in walking order.

Plain arithmetic on a plane: at the size of a district (60 km) the error of an equirectangular projection is far below
the width of a street. 5,000 households to 100 members take well under 5 s.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby, pairwise
from math import ceil, cos, hypot, radians
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

METRES_PER_DEGREE = 111_320.0
SLACK = 1.15
"""How far over the average load a member may go so as to keep the own cells together."""


NEAR_M = 300.0
"""A walk that ends nearer than this goes on; else somebody without a list begins a new one."""


class Stop(Struct, frozen=True):
    """A household to visit; WGS-84 degrees."""

    household: UUID
    lon: float
    lat: float
    area: str


class Member(Struct, frozen=True):
    """Somebody to give visits to. `cells` are area codes whose subtree is theirs; `booked`: visits by day they have."""

    person: UUID
    squad: UUID | None
    cells: frozenset[str]
    booked: Mapping[date, int] = {}

    @property
    def load(self) -> int:
        """How many visits they already have."""
        return sum(self.booked.values())

    def free(self, day: date, per_evening: int) -> int:
        """How many visits more they can have that day."""
        return max(0, per_evening - self.booked.get(day, 0))


class Evening(Struct, frozen=True):
    """One member's list for one day, in walking order, with its length in metres."""

    person: UUID
    squad: UUID | None
    day: date
    households: tuple[UUID, ...]
    walk_m: float


class Plan(Struct, frozen=True):
    """The proposal: lists per member and evening, and the households nobody has room for."""

    evenings: tuple[Evening, ...]
    left_over: tuple[UUID, ...]


def metres(a: Stop, b: Stop) -> float:
    """Return the distance of two stops in metres, as the crow flies."""
    east = (b.lon - a.lon) * cos(radians((a.lat + b.lat) / 2))
    return hypot(east, b.lat - a.lat) * METRES_PER_DEGREE


def curve(lon: float, lat: float) -> int:
    """Return a point's index on a Hilbert curve of 2^16 x 2^16 squares over one degree: near numbers, near places."""
    x, y, index = int(lon % 1 * 65536), int(lat % 1 * 65536), 0
    side = 32768
    while side:
        right, up = int(x & side > 0), int(y & side > 0)
        index += side * side * ((3 * right) ^ up)
        if not up:
            if right:
                x, y = 65535 - x, 65535 - y
            x, y = y, x
        side //= 2
    return index


def walk(stops: Sequence[Stop]) -> list[Stop]:
    """Return the stops in walking order: from the one most to the north-west always on to the nearest."""
    left = sorted(stops, key=lambda stop: (stop.lon - stop.lat, str(stop.household)))
    order = left[:1]
    del left[:1]
    while left:
        here = order[-1]
        order.append(left.pop(min(range(len(left)), key=lambda n: metres(here, left[n]))))
    return order


def untangled(walked: Sequence[Stop]) -> list[Stop]:
    """Return the walk with stretches turned round wherever that shortens it (2-opt); an evening's list is short."""
    order = list(walked)
    pairs = [(i, j) for i in range(len(order) - 2) for j in range(i + 2, len(order))]
    for _ in range(4):
        before = order.copy()
        for i, j in pairs:
            turned = [order[i], *reversed(order[i + 1 : j + 1]), *order[j + 1 : j + 2]]
            if length_m(turned) < length_m(order[i : j + 2]) - 0.01:
                order[i + 1 : j + 1] = turned[1 : j - i + 1]
        if order == before:
            break
    return order


def length_m(order: Sequence[Stop]) -> float:
    """Return the length of a walk in metres."""
    return sum(metres(a, b) for a, b in pairwise(order))


def assign(stops: Iterable[Stop], members: Sequence[Member], evenings: Sequence[date], per_evening: int) -> Plan:
    """Give every stop to a member and an evening.

    First each cell goes to the members it belongs to, up to a little over the average; what is left goes to whoever
    has room and already walks nearest. Nobody gets more than `per_evening` visits an evening, those they already have
    counted; the rest is left over.
    """
    waiting = sorted(stops, key=lambda stop: (stop.area, curve(stop.lon, stop.lat), str(stop.household)))
    if not members or not evenings:
        return Plan((), tuple(stop.household for stop in waiting))
    capacity = {member.person: sum(member.free(day, per_evening) for day in evenings) for member in members}
    fair = ceil((len(waiting) + sum(member.load for member in members)) / len(members))
    lists: dict[UUID, list[Stop]] = {member.person: [] for member in members}
    rooms = {
        member.person: max(0, min(capacity[member.person], ceil(fair * SLACK) - member.load)) for member in members
    }
    homeless: list[Stop] = []
    for area, group in groupby(waiting, key=lambda stop: stop.area):
        owners = [m for m in members if any(area.startswith(cell) for cell in m.cells)]
        homeless += _keep_cell(list(group), owners, rooms, lists)
    left = _fill_nearest(homeless, members, capacity, fair, lists)
    plans = [
        evening for member in members for evening in _evenings(member, lists[member.person], evenings, per_evening)
    ]
    return Plan(tuple(plans), tuple(stop.household for stop in left))


def with_booked(members: Sequence[Member], visits: Iterable[tuple[UUID, date]]) -> list[Member]:
    """Return the members with one visit more on a day for each time they are named with it."""
    more: dict[UUID, Counter[date]] = {}
    for person, day in visits:
        more.setdefault(person, Counter())[day] += 1
    return [replace(member, booked=Counter(member.booked) + more.get(member.person, Counter())) for member in members]


def _keep_cell(
    stops: list[Stop], owners: Sequence[Member], rooms: dict[UUID, int], lists: dict[UUID, list[Stop]]
) -> list[Stop]:
    """Cut a cell, which lies along the curve, into one stretch for each owner; return what they have no room for.

    The fullest comes first and takes what it can of an equal share, so that the others level it out.
    """
    for n, owner in enumerate(sorted(owners, key=lambda m: (rooms[m.person], str(m.person)))):
        taken = min(rooms[owner.person], len(stops) // (len(owners) - n))
        lists[owner.person] += stops[:taken]
        rooms[owner.person] -= taken
        stops = stops[taken:]
    return stops


def _fill_nearest(
    homeless: list[Stop],
    members: Sequence[Member],
    capacity: Mapping[UUID, int],
    fair: int,
    lists: dict[UUID, list[Stop]],
) -> list[Stop]:
    """Give each stop to who walks nearest, those under the average first; return what nobody has room for."""
    loads = {member.person: member.load + len(lists[member.person]) for member in members}
    left: list[Stop] = []
    for stop in homeless:
        room = [person for person in loads if len(lists[person]) < capacity[person]]
        free = [person for person in room if loads[person] < fair] or room
        if not free:
            left.append(stop)
            continue
        # Whoever has nothing yet could start right here, but only after those already near have had their share.
        nearest = min(
            free, key=lambda person: (metres(stop, lists[person][-1]) if lists[person] else NEAR_M, loads[person])
        )
        lists[nearest].append(stop)
        loads[nearest] += 1
    return left


def _evenings(member: Member, stops: list[Stop], evenings: Sequence[date], per_evening: int) -> list[Evening]:
    """Cut one long walk into as few evenings as hold it, as even as what is free on them allows."""
    order = walk(stops)
    made: list[Evening] = []
    for day, size in _sizes(len(order), {day: member.free(day, per_evening) for day in evenings}):
        part, order = untangled(order[:size]), order[size:]
        households = tuple(stop.household for stop in part)
        made.append(Evening(member.person, member.squad, day, households, round(length_m(part), 1)))
    return made


def _sizes(count: int, free: Mapping[date, int]) -> list[tuple[date, int]]:
    """Spread so many visits over the first days that hold them, no day over its room, none empty."""
    days: dict[date, int] = {}
    for day, room in free.items():
        if sum(days.values()) < count and room:
            days[day] = room
    level = next((n for n in range(count + 1) if sum(min(n, room) for room in days.values()) >= count), 0)
    sizes: list[tuple[date, int]] = []
    for day, room in days.items():
        size = min(level, room, count)
        count -= size
        if size:
            sizes.append((day, size))
    return sizes
