"""Three-way merge: disjoint changes both stay, overlapping ones are shown with both values."""

from hypothesis import given
from hypothesis import strategies as st

from visits.sync.merge import three_way
from visits.sync.verdict import FieldConflict

FIELDS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), min_size=3, max_size=3)
SOME = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))


def test_disjoint_changes_merge() -> None:
    merge = three_way({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"b": 3})
    assert (merge.changed, merge.conflicts) == ({"b": 3}, ())


def test_overlapping_changes_conflict_with_both_values_and_the_rest_merges() -> None:
    merge = three_way({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 3, "b": 4})
    assert (merge.changed, merge.conflicts) == ({"b": 4}, (FieldConflict("a", 2, 3),))


def test_the_same_wish_on_both_sides_is_no_conflict() -> None:
    assert three_way({"a": 1}, {"a": 2}, {"a": 2}).conflicts == ()


@given(FIELDS, FIELDS, SOME)
def test_a_field_is_changed_conflicting_or_as_the_server_has_it(
    base: dict[str, int], server: dict[str, int], phone: dict[str, int]
) -> None:
    merge = three_way(base, server, phone)
    conflicting = {conflict.field for conflict in merge.conflicts}
    assert conflicting.isdisjoint(merge.changed)
    result = server | merge.changed
    for field in server:
        wants, phone_changed = phone.get(field, base[field]), phone.get(field, base[field]) != base[field]
        server_changed = server[field] != base[field]
        assert (field in conflicting) == (phone_changed and server_changed and wants != server[field])
        if phone_changed and not server_changed:
            assert result[field] == wants
        else:
            assert result[field] == server[field]


@given(FIELDS, SOME)
def test_merging_again_changes_nothing(base: dict[str, int], phone: dict[str, int]) -> None:
    once = three_way(base, base, phone)
    assert three_way(base, base | once.changed, phone).changed == {}
