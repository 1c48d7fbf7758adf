"""The numbers of an area as a map layer has them."""

from visits.coverage import Coverage, Heat, Tally, figures


def test_a_layer_has_flat_numbers_the_halves_of_the_day_and_what_is_open() -> None:
    row = Coverage(area="330109001001001", due=5, met=2, absent=1, by_night=Tally(due=4, met=2))
    flat = figures(row)
    assert (flat["due"], flat["open"], flat["night_due"], flat["night_met"], flat["day_met"]) == (5, 2, 4, 2, 0)
    assert set(map(type, flat.values())) == {int}
    assert figures(Heat(area="330109001001001", visits=3, met=1))["visits"] == 3
