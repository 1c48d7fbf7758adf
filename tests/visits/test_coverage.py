"""Coverage adds up from cells to the district."""

from visits.coverage import Coverage, Level, roll_up

CELLS = [
    Coverage(area="330109001001001", due=5, met=2, absent=1, day=1, night=2, demands=1),
    Coverage(area="330109001001002", due=3, met=3, day=3, solved=1, demands=2),
    Coverage(area="330109002001001", due=2, refused=1, night=1),
]


def test_cells_add_up_to_villages_towns_and_the_district() -> None:
    village, other = roll_up(CELLS, Level.VILLAGE)
    assert village == Coverage(area="330109001001", due=8, met=5, absent=1, day=4, night=2, demands=3, solved=1)
    assert other.area == "330109002001"
    assert [each.area for each in roll_up(CELLS, Level.TOWN)] == ["330109001", "330109002"]
    (district,) = roll_up(CELLS, Level.DISTRICT)
    assert (district.area, district.due, district.open) == ("330109", 10, 3)
