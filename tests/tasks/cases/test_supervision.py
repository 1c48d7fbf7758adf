"""The ladder of urging: when each rung is due, and that nothing is urged twice or after the work is done."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from tasks.cases import supervision
from tasks.cases.model import LegState, State
from tasks.cases.situation import Situation
from tests.tasks.cases import stage


def local(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00")


def situation() -> Situation:
    """A leg assigned Monday 10:00, to be signed in 4 working hours and handled by Tuesday's close."""
    case = stage.case(State.ASSIGNED)
    s = stage.situation(case)
    leg = stage.leg(
        case,
        stage.TOWN_CENTRE,
        assigned_at=stage.NOW,
        sign_due=s.due_of("sign"),
        handle_due=s.due_of("handle"),
        handle_limit="1 work_day",
    )
    return replace(s, legs=(leg,), leg=leg)


def rungs(s: Situation) -> dict[str, datetime]:
    assert s.leg is not None
    return {rung.step: rung.at for rung in supervision.ladder(s, s.leg)}


def test_a_new_leg_is_urged_at_three_quarters_at_the_due_and_the_working_morning_after():
    item = stage.item()
    sign = item.clocks(stage.case().severity).sign
    found = rungs(situation())
    assert sign == "4 work_hour"
    assert found["handle-due"] == local("2026-11-24T17:30")
    assert found["handle-75"] < found["handle-due"]
    assert found["late-2026-11-25"] == local("2026-11-25T09:00")
    assert "sign-75" in found


def test_a_signed_leg_is_no_longer_urged_to_sign_and_a_submitted_one_not_at_all():
    s = situation()
    assert s.leg is not None
    signed = replace(s, leg=replace(s.leg, state=LegState.SIGNED))
    assert not any(step.startswith("sign") for step in rungs(signed))
    assert rungs(replace(s, leg=replace(s.leg, state=LegState.SUBMITTED))) == {}


def test_what_is_overdue_is_urged_every_working_day():
    s = situation()
    assert s.leg is not None
    friday = local("2026-11-27T09:00")
    urged = replace(s, leg=replace(s.leg, state=LegState.SIGNED, urged_until=friday))
    assert rungs(urged) == {"late-2026-11-30": local("2026-11-30T09:00")}


def test_after_an_outage_one_urging_stands_for_all_that_were_missed():
    s = situation()
    assert s.leg is not None
    late = replace(s, now=stage.NOW + timedelta(days=10))
    rung = supervision.due_rung(late, s.leg)
    assert rung is not None
    assert rung.step.startswith("late")
    assert supervision.due_rung(late, replace(s.leg, urged_until=late.now)) is None
