"""One answer to "may they?": the same for one object and for lists, and never a neighbour's."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.identity import matrix, scope
from app.identity.scope import Ownership
from app.kernel.actor import Actor, Membership, Role, system
from app.kernel.problem import NotFound, NotPermitted

ORGANISATIONS = [UUID(int=n) for n in range(1, 5)]
PERSONS = [UUID(int=n) for n in range(11, 14)]
AREAS = [
    "330109", "330109001", "330109001001", "330109001001001", "330109001001002", "330109001010", "330109010",
    "330109100", "330110", "330110001",
]  # fmt: skip

memberships = st.builds(
    Membership, st.sampled_from(list(Role)), st.sampled_from([None, *ORGANISATIONS]), st.sampled_from(AREAS)
)
actors = st.builds(
    Actor,
    id=st.sampled_from(PERSONS),
    kind=st.sampled_from(["staff", "citizen", "machine", "device", "system"]),
    district=st.just("330109"),
    memberships=st.lists(memberships, max_size=3).map(tuple),
    scopes=st.frozensets(st.sampled_from(sorted(matrix.ACTIONS)), max_size=3),
)
ownerships = st.builds(
    Ownership,
    area=st.sampled_from([None, *AREAS]),
    organisations=st.frozensets(st.sampled_from(ORGANISATIONS), max_size=2),
    persons=st.frozensets(st.sampled_from(PERSONS), max_size=2),
)
actions = st.sampled_from(sorted(matrix.ACTIONS))


def cells(actor: Actor, action: str) -> list[tuple[str, Membership | None]]:
    row = matrix.ACTIONS[action]
    if actor.kind == "citizen":
        return [(row["citizen"], None)]
    return [(row[m.role], m) for m in actor.memberships]


def in_words(cell: str, membership: Membership | None, actor: Actor, object_: Ownership) -> bool:
    """The matrix's legend, written out once more."""
    own = actor.id in object_.persons
    org = own or (membership is not None and membership.organisation in object_.organisations)
    area = org or (membership is not None and object_.area is not None and object_.area.startswith(membership.area))
    return {"-": False, "own": own, "org": org, "area": area, "all": True}[cell]


@given(actors, actions, ownerships)
def test_may_is_what_the_matrix_says_in_words(actor: Actor, action: str, object_: Ownership) -> None:
    if actor.kind == "system":
        expected = True
    elif actor.kind in ("machine", "device"):
        expected = action in actor.scopes
    else:
        expected = any(in_words(cell, membership, actor, object_) for cell, membership in cells(actor, action))
    assert scope.may(actor, action, object_) is expected
    assert scope.reach(actor, action).covers(object_) is expected


@given(actors, actions)
def test_a_reach_of_nothing_covers_nothing(actor: Actor, action: str) -> None:
    within = scope.reach(actor, action)
    everything = Ownership(area="330109001", organisations=frozenset(ORGANISATIONS), persons=frozenset(PERSONS))
    if within.nothing:
        assert not within.covers(everything)
    assert (
        within.nothing
        or within.everything
        or within.covers(
            Ownership(
                area=within.areas[0] if within.areas else None,
                organisations=within.organisations,
                persons=frozenset({within.person} if within.person else ()),
            )
        )
    )


def officer(area: str, role: Role = Role.STATION) -> Actor:
    return Actor(id=uuid4(), kind="staff", district="330109", memberships=(Membership(role, uuid4(), area),))


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ("330109001", "330109001", True),
        ("330109001", "330109001001", True),
        ("330109001", "330109001001001", True),
        ("330109001", "330109", False),
        ("330109001", "330109002", False),
        ("330109001", "330109010", False),
        ("330109001001", "330109001010", False),
        ("330109001001", "330109001001001", True),
        ("330109001001", "330109001002001", False),
        ("330109001001001", "330109001001010", False),
    ],
)
def test_an_area_reaches_down_and_never_sideways_or_up(mine: str, theirs: str, expected: bool) -> None:
    assert scope.may(officer(mine), "household.read", Ownership(area=theirs)) is expected


def test_no_area_code_is_the_beginning_of_another_of_its_own_level() -> None:
    # codes are refused unless they have 6, 9, 12 or 15 digits (a constraint of the membership table, a check of the
    # API): so a prefix is always an ancestor, and 330109001 never reaches a "3301090010"
    for mine in AREAS:
        for theirs in AREAS:
            if theirs.startswith(mine) and theirs != mine:
                assert len(theirs) > len(mine)
                assert (len(theirs) - len(mine)) % 3 == 0


def test_an_object_without_an_area_is_in_nobodys_area() -> None:
    assert not scope.may(officer("330109"), "household.read", Ownership())
    assert not scope.may(officer(""), "household.read", Ownership())


def test_without_any_use_of_the_action_it_is_403_and_somebody_elses_object_is_as_if_it_were_not() -> None:
    with pytest.raises(NotPermitted):
        scope.require(officer("330109001", Role.AUDITOR), "household.read", Ownership(area="330109001"), NotFound())
    with pytest.raises(NotFound):
        scope.require(officer("330109001"), "household.read", Ownership(area="330109002"), NotFound())
    scope.require(officer("330109001"), "household.read", Ownership(area="330109001"), NotFound())


def test_the_system_may_everything_and_nobody_without_membership_anything() -> None:
    nobody = Actor(id=uuid4(), kind="staff", district="330109")
    for action in matrix.ACTIONS:
        assert scope.reach(system("330109"), action).everything
        assert scope.reach(nobody, action).nothing


def test_an_unknown_action_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError):
        scope.may(officer("330109"), "no.such", Ownership())


# --- the matrix ------------------------------------------------------------------------------------------------------


def test_every_row_has_a_cell_for_every_role_and_citizens() -> None:
    assert list(matrix.COLUMNS) == [*Role, "citizen"]
    for action, row in matrix.ACTIONS.items():
        package, _, verb = action.partition(".")
        assert package, action
        assert verb, action
        assert list(row) == list(matrix.COLUMNS)


def test_actions_are_listed_once() -> None:
    listed = [line.split()[0] for line in matrix.TABLE.strip().splitlines()[1:] if line.strip()]
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("row", ["x.read own", "x.read " + "own " * 12, "x.read " + "own " * 10 + "some"])
def test_a_row_that_does_not_fit_is_refused(row: str) -> None:
    with pytest.raises(ValueError, match=r"bad row 'x\.read'"):
        matrix.parse("action ...\n" + row)


def test_the_auditor_reads_nothing_about_people_and_the_administrator_no_cases() -> None:
    about_people = ("household.", "visit.", "person.", "case.")
    for action, row in matrix.ACTIONS.items():
        if action.startswith(about_people):
            assert row[Role.AUDITOR] == "-", action
        if action.startswith(("case.", "household.", "visit.")):
            assert row[Role.ADMINISTRATOR] == "-", action


def test_only_those_who_manage_accounts_or_audit_may_do_so() -> None:
    for action in ("account.manage", "key.manage", "device.manage", "dead_letter.read", "dead_letter.replay"):
        assert [c for c, cell in matrix.ACTIONS[action].items() if cell != "-"] == [Role.ADMINISTRATOR]
    assert [c for c, cell in matrix.ACTIONS["access_log.read"].items() if cell != "-"] == [Role.AUDITOR]
