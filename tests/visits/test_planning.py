"""Planning: everybody is visited once, fairly, in the own cells, by a short walk."""

from datetime import date, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from visits.planning import Member, Stop, assign, curve, length_m, untangled, walk, with_booked

EVENINGS = [date(2026, 11, 23) + timedelta(days=n) for n in range(5)]


def stop(n: int, lon: float, lat: float, area: str = "330109001001001") -> Stop:
    return Stop(UUID(int=n), lon, lat, area)


def member(n: int, *cells: str, booked: dict[date, int] | None = None) -> Member:
    return Member(UUID(int=10_000 + n), None, frozenset(cells), booked or {})


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Stop], list[Member], int]:
    cells = [f"330109001001{n:03d}" for n in range(1, 5)]
    near = st.floats(0, 0.02)
    stops = [
        stop(n, 120.2 + draw(near), 30.1 + draw(near), draw(st.sampled_from(cells)))
        for n in range(draw(st.integers(0, 60)))
    ]
    members = [
        member(
            n,
            *draw(st.lists(st.sampled_from(cells), max_size=2)),
            booked=draw(st.dictionaries(st.sampled_from(EVENINGS), st.integers(1, 14), max_size=3)),
        )
        for n in range(draw(st.integers(0, 6)))
    ]
    return stops, members, draw(st.integers(1, 12))


@settings(max_examples=60, deadline=None)
@given(situations())
def test_every_household_is_planned_once_or_left_over_and_nobody_gets_too_much(
    situation: tuple[list[Stop], list[Member], int],
) -> None:
    stops, members, per_evening = situation
    plan = assign(stops, members, EVENINGS, per_evening)
    planned = [home for evening in plan.evenings for home in evening.households]
    assert sorted([*planned, *plan.left_over]) == sorted(each.household for each in stops)
    free = {each.person: {day: each.free(day, per_evening) for day in EVENINGS} for each in members}
    assert all(0 < len(evening.households) <= free[evening.person][evening.day] for evening in plan.evenings)
    assert len({(evening.person, evening.day) for evening in plan.evenings}) == len(plan.evenings)
    rooms = sum(sum(days.values()) for days in free.values())
    assert not plan.left_over or len(planned) >= rooms


def test_members_keep_their_cells_when_loads_are_even() -> None:
    cells = [f"330109001001{n:03d}" for n in range(1, 4)]
    stops = [stop(n, 120.2 + n / 1000, 30.1, cells[n % 3]) for n in range(60)]
    areas = {each.household: each.area for each in stops}
    members = [member(n, cell) for n, cell in enumerate(cells)]
    plan = assign(stops, members, EVENINGS, 12)
    for each, cell in zip(members, cells, strict=True):
        mine = [home for evening in plan.evenings if evening.person == each.person for home in evening.households]
        assert len(mine) == 20
        assert {areas[home] for home in mine} == {cell}


def test_a_full_cell_overflows_to_members_with_room() -> None:
    stops = [stop(n, 120.2 + n / 10_000, 30.1) for n in range(40)]
    plan = assign(stops, [member(1, "330109001001001"), member(2, "330109001001002")], EVENINGS, 12)
    counts = sorted(
        sum(len(evening.households) for evening in plan.evenings if evening.person == person)
        for person in {evening.person for evening in plan.evenings}
    )
    assert counts == [17, 23]
    assert plan.left_over == ()


def test_without_owners_the_shares_are_equal() -> None:
    stops = [stop(n, 120.2 + n % 10 / 1000, 30.1 + n // 10 / 1000) for n in range(100)]
    plan = assign(stops, [member(n) for n in range(4)], EVENINGS, 12)
    counts: dict[UUID, int] = {}
    for evening in plan.evenings:
        counts[evening.person] = counts.get(evening.person, 0) + len(evening.households)
    assert sorted(counts.values()) == [25, 25, 25, 25]


def test_the_same_question_has_the_same_answer() -> None:
    stops = [stop(n, 120.2 + n * 7 % 13 / 1000, 30.1 + n * 5 % 11 / 1000) for n in range(80)]
    members = [member(n) for n in range(3)]
    assert assign(stops, members, EVENINGS, 12) == assign(list(reversed(stops)), members, EVENINGS, 12)


def test_walking_order_is_much_shorter_than_the_order_of_a_list() -> None:
    stops = [stop(n, 120.2 + n * 7 % 12 / 1000, 30.1 + n * 5 % 11 / 1000) for n in range(12)]
    walked = untangled(walk(stops))
    assert sorted(each.household for each in walked) == sorted(each.household for each in stops)
    assert length_m(walked) < 0.5 * length_m(stops)


def test_two_opt_takes_a_crossing_out() -> None:
    crossing = [stop(1, 120.0, 30.0), stop(2, 120.01, 30.01), stop(3, 120.01, 30.0), stop(4, 120.0, 30.01)]
    assert length_m(untangled(crossing)) < length_m(crossing)


def test_the_curve_never_jumps_between_neighbouring_squares() -> None:
    side = 16  # the curve visits the 16 x 16 corner squares of its first quarter one after the other
    step = 1 / 65536
    where = sorted((curve((x + 0.5) * step, (y + 0.5) * step), x, y) for x in range(side) for y in range(side))
    assert [index for index, _, _ in where] == list(range(side * side))
    assert all(abs(x1 - x2) + abs(y1 - y2) == 1 for (_, x1, y1), (_, x2, y2) in pairwise(where))


def test_visits_given_by_hand_fill_their_evening() -> None:
    monday, tuesday, *_ = EVENINGS
    one, two = with_booked([member(1, booked={monday: 2}), member(2)], [(UUID(int=10_001), monday)] * 2)
    assert (one.load, one.free(monday, 12), one.free(tuesday, 12)) == (4, 8, 12)
    assert two.load == 0


def test_a_full_evening_is_passed_over_and_a_half_full_one_gets_what_fits() -> None:
    monday, tuesday, wednesday, *_ = EVENINGS
    stops = [stop(n, 120.2 + n / 1000, 30.1) for n in range(10)]
    plan = assign(stops, [member(1, booked={monday: 6, tuesday: 4})], EVENINGS, 6)
    sizes = [(evening.day, len(evening.households)) for evening in plan.evenings]
    assert sizes == [(tuesday, 2), (wednesday, 4), (EVENINGS[3], 4)]
