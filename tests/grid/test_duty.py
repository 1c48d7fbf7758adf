"""Who is on duty as a value: nearest first, while the shift lasts."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from grid.duty import OnDuty, Roster
from grid.organisations import Directory, Kind, Organisation

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


def squad(number: int, area: str, code: str = "", kind: Kind = Kind.SQUAD) -> Organisation:
    return Organisation(id=UUID(int=number), kind=kind, name=f"{number}", code=code or f"Q{number}", area=area)


def turn(organisation: Organisation, since: timedelta = -HOUR, until: timedelta = HOUR) -> OnDuty:
    return OnDuty(organisation.id, organisation.area, AT + since, AT + until)


HERE, SAME_TOWN = squad(1, "330109003001"), squad(2, "330109003002")
TWIN, OTHER_TOWN = squad(3, "330109003002", code="Q0"), squad(4, "330109004001")
UNIT = squad(5, "330109003001", kind=Kind.FORCE_UNIT)
EVERYBODY = (HERE, SAME_TOWN, TWIN, OTHER_TOWN, UNIT)
CELL = "330109003001001"


def nearest(*turns: OnDuty, area: str = CELL, at: datetime = AT) -> Organisation | None:
    return Directory(EVERYBODY, at).with_duty(Roster(turns)).squad_on_duty(area, at)


def test_the_squad_of_the_nearest_area_is_taken():
    turns = [turn(each) for each in EVERYBODY]
    assert nearest(*turns) == HERE
    assert nearest(*turns[1:]) == TWIN  # of two as near, the one with the lower code
    assert nearest(turns[3]) == OTHER_TOWN
    assert nearest(*turns, area="330109004002001") == OTHER_TOWN


def test_nobody_is_on_duty_before_or_at_the_end_of_a_shift():
    shift = turn(HERE)
    assert nearest(shift, at=AT - HOUR) == HERE
    assert nearest(shift, at=AT + HOUR) is None
    assert nearest(shift, at=AT - HOUR * 2) is None


def test_other_organisations_on_duty_are_no_squad():
    assert nearest(turn(UNIT)) is None
    assert nearest() is None


def test_another_moment_of_the_same_directory_keeps_the_roster():
    directory = Directory(EVERYBODY, AT).with_duty(Roster([turn(HERE)]))
    assert directory.as_of(AT + HOUR).squad_on_duty(CELL, AT) == HERE
