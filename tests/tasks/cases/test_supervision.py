"""The ladder of an item: when each rung is reached, that none is climbed twice or after the work is done, and whom it

reaches. A leg is assigned Monday 23 November 2026, 10:00.
"""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from tasks.cases import escalation, supervision
from tasks.cases import orders as o
from tasks.cases.deadlines import Unit, part_of
from tasks.cases.effects import decide
from tasks.cases.model import Leg, LegKind, LegState, Pending, StageClock, State
from tasks.cases.situation import Situation
from tests.tasks.cases import stage


def local(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00")


def situation(ladder: str | None = None, **changes: object) -> Situation:
    """To be signed in 4 working hours (Monday 15:30) and handled by Tuesday's close."""
    case = stage.case(State.ASSIGNED)
    item = stage.item() if ladder is None else stage.item(ladder=escalation.read(ladder))
    s = stage.situation(case, item=item)
    leg = stage.leg(
        case,
        stage.TOWN_CENTRE,
        assigned_at=stage.NOW,
        sign_due=s.due_of("sign"),
        handle_due=s.due_of("handle"),
        handle_limit="1 work_day",
    )
    leg = replace(leg, **changes)
    return replace(s, legs=(leg,), leg=leg)


def rungs(s: Situation) -> dict[str, datetime]:
    assert s.leg is not None
    return {rung.step: rung.at for rung in supervision.ladder(s, s.leg)}


def climb(s: Situation, at: datetime) -> tuple[Situation, list[str]]:
    """Do to the leg what the sweep does at a moment; return it as it is then, with the names of the commands."""
    s, done = replace(s, now=at), list[str]()
    for _ in range(9):
        leg = s.leg
        assert leg is not None
        reached = supervision.reached(s, leg)
        if not reached:
            return s, done
        for order in supervision.orders_of(reached, leg):
            leg = _given(s, leg, order)
            done.append(type(order).__name__)
            s = replace(s, leg=leg, legs=(leg,))
    raise AssertionError("a rung is climbed for ever")


def _given(s: Situation, leg: Leg, order: o.LegOrder) -> Leg:
    _, _, change = decide(replace(s, leg=None, legs=(leg,)), order)
    return change.legs[0]


def test_a_new_leg_is_urged_at_three_quarters_at_the_due_and_the_working_morning_after():
    assert rungs(situation()) == {
        "sign 75%": local("2026-11-23T14:30"),  # 3 of 4 working hours from 10:00, over lunch
        "sign due": local("2026-11-23T15:30"),
        "sign daily 2026-11-24": local("2026-11-24T09:00"),
        "handle 75%": local("2026-11-24T14:07:30"),  # of 13.5 working hours to Tuesday's close
        "handle due": local("2026-11-24T17:30"),
        "handle daily 2026-11-25": local("2026-11-25T09:00"),
        "handle due + 3 work_day": local("2026-11-27T17:30"),
    }


def test_a_signed_leg_is_no_longer_urged_to_sign_and_a_submitted_one_not_at_all():
    assert not any(step.startswith("sign") for step in rungs(situation(state=LegState.SIGNED)))
    assert rungs(situation(state=LegState.SUBMITTED)) == {}


@pytest.mark.parametrize("state", [State.SUSPENDED, State.HANDLED, State.CLOSED])
def test_nobody_is_urged_while_the_clocks_of_the_case_stand_still_or_it_is_over(state: State):
    s = situation()
    assert rungs(replace(s, case=replace(s.case, state=state))) == {}


def test_what_is_overdue_is_urged_every_working_day():
    s = situation(state=LegState.SIGNED, urged_until=local("2026-11-27T09:00"))
    assert rungs(s)["handle daily 2026-11-30"] == local("2026-11-30T09:00")  # over the weekend


def test_every_rung_is_climbed_once_day_by_day_and_three_urgings_bring_supervision():
    s, told = situation(), list[tuple[str, list[str]]]()
    for at in (
        "23T14:29",
        "23T14:30",
        "23T14:31",
        "23T15:30",
        "24T09:00",
        "24T14:07:30",
        "24T17:30",
        "24T17:31",
        "25T09:00",
        "25T09:01",
        "26T09:00",
    ):
        s, done = climb(s, local(f"2026-11-{at}"))
        if done:
            told.append((at, done))
    assert [at for at, _ in told] == [
        "23T14:30", "23T15:30", "24T09:00", "24T14:07:30", "24T17:30", "25T09:00", "26T09:00",
    ]  # fmt: skip
    assert sum(done.count("Urge") for _, done in told) == 7
    assert [at for at, done in told if "Supervise" in done] == ["24T09:00"]  # the third urging


def test_after_an_outage_one_urging_stands_for_all_that_were_missed():
    s, done = climb(situation(), stage.NOW + timedelta(days=10))
    assert done == ["Urge", "Supervise"]
    assert climb(s, stage.NOW + timedelta(days=10, minutes=1))[1] == []
    assert s.leg is not None
    assert (s.leg.urges, s.leg.supervision_level) == (1, 1)


def test_after_the_centre_released_it_the_same_rungs_do_not_supervise_again():
    s, _ = climb(situation(), stage.NOW + timedelta(days=10))
    assert s.leg is not None
    released = _given(replace(s, actor=stage.CENTRE_CLERK), s.leg, o.Release(leg=s.leg.id))
    again, done = climb(replace(s, leg=released, legs=(released,)), stage.NOW + timedelta(days=11))
    assert done == ["Urge"]
    assert again.leg is not None
    assert again.leg.supervised_at is None


def test_a_higher_level_takes_the_place_of_a_lower_one_and_a_lower_one_changes_nothing():
    s = situation("handle due > organisation > supervise:1; handle due + 1 work_day > centre > supervise:2")
    s, first = climb(s, local("2026-11-24T17:30"))
    s, second = climb(s, local("2026-11-25T17:30"))
    assert (first, second) == (["Supervise"], ["Supervise"])
    assert s.leg is not None
    assert s.leg.supervision_level == 2
    assert climb(replace(s, leg=s.leg), local("2026-12-25T17:30"))[1] == []


def test_a_manual_urging_counts_towards_supervision_but_takes_no_rung():
    s = situation()
    assert s.leg is not None
    leg = s.leg
    for _ in range(3):
        leg = _given(replace(s, actor=stage.CENTRE_CLERK), leg, o.Urge(leg=leg.id, step="handle due"))
    assert leg.rungs == ()
    assert (leg.urges, leg.urged_until) == (3, None)
    assert climb(replace(s, leg=leg, legs=(leg,)), stage.NOW)[1] == ["Supervise"]


def test_arrival_stages_and_applications_have_clocks_of_their_own():
    stages = (
        StageClock(name="停工", limit="4 work_hour", due=local("2026-11-23T15:30")),
        StageClock(name="处罚", limit="7 work_day", due=local("2026-12-02T17:30"), done_at=stage.NOW),
    )
    pending = Pending("extension", "1 work_day", None, local("2026-11-23T11:00"))
    found = rungs(
        situation(state=LegState.SIGNED, arrive_due=local("2026-11-23T11:00"), stages=stages, pending=pending)
    )
    assert found["arrive 75%"] == local("2026-11-23T10:45")  # day and night
    assert found["arrive due"] == local("2026-11-23T11:00")
    assert found["arrive daily 2026-11-24"] == local("2026-11-24T09:00")
    assert found["stage 停工 daily 2026-11-24"] == local("2026-11-24T09:00")
    assert found["stage 停工 75%"] == local("2026-11-23T14:30")
    assert found["stage 停工 due"] == local("2026-11-23T15:30")
    assert not any("处罚" in step for step in found)  # reached
    assert [at for step, at in found.items() if step.startswith("request")] == [local("2026-11-24T17:30")]
    there = rungs(situation(state=LegState.SIGNED, arrive_due=local("2026-11-23T11:00"), arrived_at=stage.NOW))
    assert "arrive due" not in there


@pytest.mark.parametrize("clock", ["sign", "arrive", "stage", "handle", "total"])
def test_each_limit_of_a_leg_is_urged_at_three_quarters_at_the_due_and_daily(clock: str):
    """The rule of cases.md §5 holds for every clock; of the total the leads are reminded, not who assists."""
    moments = {rung.when for rung in escalation.LADDER if (rung.whom, rung.what) == ("organisation", "urge")}
    assert {f"{clock} 75%", f"{clock} due", f"{clock} daily"} <= moments


def test_the_total_of_a_case_runs_from_its_acceptance_and_for_its_leads_alone():
    s = situation()
    total = replace(s.case, clock_from=local("2026-11-23T08:00"), total_due=local("2026-11-23T16:00"))
    found = rungs(replace(s, case=total))
    assert (found["total 75%"], found["total due"]) == (local("2026-11-23T14:30"), local("2026-11-23T16:00"))
    assert s.leg is not None
    assisting = replace(s.leg, kind=LegKind.ASSIST)
    assert not any(step.startswith("total") for step in rungs(replace(s, case=total, leg=assisting)))


@pytest.mark.parametrize(
    ("whom", "expected"),
    [
        ("organisation", stage.ENFORCEMENT), ("handler", stage.OFFICER.id), ("superior", stage.TOWN_CENTRE),
        ("assigner", stage.TOWN_CENTRE), ("desk", stage.CENTRE), ("town", stage.TOWN_CENTRE), ("centre", stage.CENTRE),
    ],
)  # fmt: skip
def test_a_rung_reaches_whom_it_names(whom: str, expected: object):
    assert whom in escalation.WHOM
    case = stage.case(State.HANDLING)
    leg = stage.leg(case, stage.ENFORCEMENT, kind=LegKind.INNER, assigner=stage.TOWN_CENTRE, handler=stage.OFFICER.id)
    assert supervision.recipient(whom, stage.situation(case, leg), leg, stage.DIRECTORY) == expected


def test_a_verification_wakes_the_sweep_at_three_quarters_at_its_due_and_every_working_morning():
    calendar = stage.situation(stage.case()).calendar
    begun, friday = local("2026-11-26T17:30"), local("2026-11-27T17:30")
    case = stage.case(State.HANDLED, handled_at=begun, verify_due=friday)
    nearly = local("2026-11-27T15:37:30")  # three quarters of Friday's seven and a half hours
    assert supervision.wake_at(case, stage.item(), calendar) == nearly
    assert supervision.wake_at(replace(case, reminded_until=nearly), stage.item(), calendar) == friday
    monday = local("2026-11-30T09:00")
    assert supervision.wake_at(replace(case, reminded_until=friday), stage.item(), calendar) == monday
    assert supervision.wake_at(replace(case, state=State.CLOSED), stage.item(), calendar) is None


def test_a_call_back_wakes_the_sweep_at_three_quarters_and_at_its_end():
    calendar = stage.situation(stage.case()).calendar
    begun, until = local("2026-11-23T00:00"), local("2026-11-27T00:00")
    limits = {severity: replace(each, call_back="4 calendar_day") for severity, each in stage.item().limits.items()}
    item = stage.item(limits=limits)
    case = stage.case(State.CALLING_BACK, verified_at=begun, call_back_due=until)
    nearly = local("2026-11-26T00:00")
    assert supervision.wake_at(case, item, calendar) == nearly
    assert supervision.wake_at(replace(case, reminded_until=nearly), item, calendar) == until


def test_a_part_of_an_extended_limit_is_a_part_of_all_of_its_working_time():
    calendar = stage.situation(stage.case()).calendar
    start, due = local("2026-11-23T08:30"), local("2026-11-24T17:30")  # two days of 7.5 hours
    assert part_of(start, due, 0.5, Unit.WORK_DAY, calendar) == local("2026-11-23T17:30")
    pause = [(local("2026-11-23T13:30"), local("2026-11-23T17:30"))]
    assert part_of(start, due, 0.5, Unit.WORK_DAY, calendar, pause) == local("2026-11-24T10:30")
    night = part_of(local("2026-11-23T20:00"), local("2026-11-24T04:00"), 0.5, Unit.WORK_HOUR, calendar)
    assert night == local("2026-11-24T00:00")  # no working time before the due: day and night count


@pytest.mark.parametrize(
    "text", ["handle 75% > organisation > urge", "urged 3 > centre > supervise:2", "stage daily > handler > urge"]
)
def test_a_ladder_is_written_as_it_is_read(text: str):
    assert escalation.write(escalation.read(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "handle 0% > organisation > urge",
        "nap due > centre > urge",
        "handle due > friends > urge",
        "handle due > centre > shout",
        "urged 0 > centre > urge",
    ],
)
def test_a_rung_that_cannot_be_meant_is_refused(text: str):
    with pytest.raises(ValueError, match="/"):
        escalation.read(text)
