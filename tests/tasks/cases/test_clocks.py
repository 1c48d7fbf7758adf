"""The clocks of cases and legs: what starts them, stops them, moves them and cuts them; every sentence of the rules."""

from datetime import datetime

import pytest
from msgspec.structs import replace

from app.kernel.actor import Actor
from app.kernel.problem import Invalid
from tasks.cases import orders as o
from tasks.cases import supervision
from tasks.cases.catalogue import Limits, Stage
from tasks.cases.deadlines import Calendar, national
from tasks.cases.effects import decide
from tasks.cases.journal import merged
from tasks.cases.model import Leg, LegKind, Severity, State
from tasks.cases.problems import RoleNotPermitted, TransitionRefused
from tasks.cases.situation import Called, Found, Situation
from tests.tasks.cases import stage


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00")


LIMITS = Limits(sign="4 work_hour", handle="5 work_day", total="8 work_day", arrive="6 work_hour", verify="2 work_day")
STAGES = (Stage("停工", "4 work_hour"), Stage("处罚", "7 work_day"), Stage("拆除", "20 work_day"))
START = at("2026-11-23T10:00")


class Played:
    """A case on which commands are played at times of the test's choosing."""

    def __init__(self, limits: Limits = LIMITS, calendar: Calendar | None = None, **item: object) -> None:
        self.item = stage.item(limits={Severity.ROUTINE: limits}, **item)
        self.calendar = calendar or national()
        self.case = stage.case(State.RECEIVED, accepted_at=None, clock_from=None)
        self.legs: tuple[Leg, ...] = ()

    def give(self, moment: str, actor: Actor, order: o.Order, **changes: object) -> "Played":
        s = Situation(
            case=self.case, legs=self.legs, item=self.item, actor=actor, now=at(moment), calendar=self.calendar,
            fresh=stage.new_id, last_lead_now=self.case.last_lead,
        )  # fmt: skip
        _, _, change = decide(replace(s, **changes), order)
        self.case, self.legs = change.case, merged(self.legs, change.legs)
        return self

    @property
    def root(self) -> Leg:
        return next(leg for leg in reversed(self.legs) if leg.kind is LegKind.ROOT)

    def handled_by_the_town(self) -> "Played":
        self.give("2026-11-23T09:00", stage.CENTRE_CLERK, o.Accept())
        self.give("2026-11-23T10:00", stage.CENTRE_CLERK, o.Assign(to=stage.TOWN_CENTRE))
        return self.give("2026-11-23T14:00", stage.TOWN_CLERK, o.Sign())


def test_the_handling_clock_runs_from_assignment_not_from_signing():
    case = Played().handled_by_the_town()
    assert case.root.handle_due == at("2026-11-30T17:30")  # five working days after the 23rd
    later = Played()
    later.give("2026-11-23T09:00", stage.CENTRE_CLERK, o.Accept())
    later.give("2026-11-23T10:00", stage.CENTRE_CLERK, o.Assign(to=stage.TOWN_CENTRE))
    later.give("2026-11-26T14:00", stage.TOWN_CLERK, o.Sign())
    assert later.root.handle_due == case.root.handle_due


def test_the_total_runs_from_acceptance_and_cuts_what_a_leg_has():
    case = Played(replace(LIMITS, handle="20 work_day")).handled_by_the_town()
    assert case.case.total_due == at("2026-12-03T17:30")  # eight working days after the 23rd
    assert case.root.handle_due == case.case.total_due


def test_rework_has_a_fresh_handle_limit_inside_the_same_total():
    case = Played(evidence_at_handling=0).handled_by_the_town()
    total = case.case.total_due
    case.give("2026-11-25T10:00", stage.TOWN_CLERK, o.Submit(result="好了"))
    case.give("2026-11-27T10:00", stage.CENTRE_CLERK, o.Verify(passed=False))
    assert (case.case.state, case.case.total_due) == (State.ASSIGNED, total)
    assert case.root.assigned_at == at("2026-11-27T10:00")
    assert case.root.handle_due == total  # five working days from the 27th would be the 4th of December


def test_a_reopening_begins_a_new_total():
    case = Played(verification=False, call_back=False).handled_by_the_town()
    case.give("2026-11-25T10:00", stage.TOWN_CLERK, o.Submit(result="好了"))
    assert case.case.state is State.CLOSED
    case.give("2026-12-01T10:00", stage.CENTRE_CLERK, o.Reopen(reason="又堵了"))
    assert case.case.total_due == at("2026-12-11T17:30")
    assert case.root.handle_due == at("2026-12-08T17:30")


def test_after_a_reopening_everything_is_reckoned_from_there():
    case = Played(verification=False, call_back=False).handled_by_the_town()
    case.give("2026-11-25T10:00", stage.TOWN_CLERK, o.Submit(result="好了"))
    case.give("2026-12-01T10:00", stage.CENTRE_CLERK, o.Reopen(reason="又堵了"))
    case.give("2026-12-01T11:00", stage.TOWN_CLERK, o.Sign())
    case.give("2026-12-01T12:00", stage.SYSTEM, o.Recompute())
    assert case.case.total_due == at("2026-12-11T17:30")
    suspended(case, "2026-12-02T00:00", "2026-12-03T00:00")
    assert (case.case.total_due, case.root.handle_due) == (at("2026-12-14T17:30"), at("2026-12-09T17:30"))


def suspended(case: Played, since: str, until: str) -> Played:
    case.give(since, stage.TOWN_CLERK, o.Request(kind="suspension", until=at(until), reason="等配件"))
    case.give(since, stage.CENTRE_CLERK, o.Grant())
    assert case.case.state is State.SUSPENDED
    return case.give(until, stage.SYSTEM, o.Resume())


def test_a_suspension_stops_every_clock_from_grant_to_resume():
    case = Played().handled_by_the_town()
    suspended(case, "2026-11-24T00:00", "2026-11-26T00:00")  # two whole working days
    assert case.root.handle_due == at("2026-12-02T17:30")
    assert case.case.total_due == at("2026-12-07T17:30")


def test_an_unsigned_leg_below_a_suspended_root_has_its_signing_clock_stopped_too():
    case = Played().handled_by_the_town()
    case.give("2026-11-23T17:00", stage.TOWN_CLERK, o.Delegate(to=stage.ENFORCEMENT))
    suspended(case, "2026-11-24T00:00", "2026-11-25T00:00")
    inner = case.legs[-1]
    assert inner.kind is LegKind.INNER
    assert inner.sign_due == at("2026-11-25T12:00")  # half an hour on Monday, the rest on Wednesday
    assert inner.arrive_due == at("2026-11-25T15:30")


def test_an_extension_moves_the_due_by_its_amount_at_most_as_often_as_the_item_says():
    case = Played(replace(LIMITS, total=None), extension_limit=1).handled_by_the_town()
    request = o.Request(kind="extension", amount="2 work_day", reason="等配件")
    case.give("2026-11-25T10:00", stage.TOWN_CLERK, request).give("2026-11-25T11:00", stage.CENTRE_CLERK, o.Grant())
    assert case.root.handle_due == at("2026-12-02T17:30")
    with pytest.raises(TransitionRefused):
        case.give("2026-11-25T12:00", stage.TOWN_CLERK, request)


def test_an_extension_reaches_no_further_than_the_total():
    case = Played(extension_limit=1).handled_by_the_town()
    request = o.Request(kind="extension", amount="10 work_day", reason="等配件")
    case.give("2026-11-25T10:00", stage.TOWN_CLERK, request).give("2026-11-25T11:00", stage.CENTRE_CLERK, o.Grant())
    assert case.root.handle_due == case.case.total_due


def test_a_suspension_in_the_time_an_extension_added_stops_the_clock_as_well():
    case = Played(replace(LIMITS, total=None), extension_limit=1).handled_by_the_town()
    request = o.Request(kind="extension", amount="5 work_day", reason="等配件")
    case.give("2026-11-25T10:00", stage.TOWN_CLERK, request).give("2026-11-25T11:00", stage.CENTRE_CLERK, o.Grant())
    assert case.root.handle_due == at("2026-12-07T17:30")
    suspended(case, "2026-12-02T00:00", "2026-12-03T00:00")  # after the first due, inside the extension
    assert case.root.handle_due == at("2026-12-08T17:30")


def test_an_inner_leg_ends_no_later_than_its_parent_and_its_own_suspension_stops_it_alone():
    case = Played(replace(LIMITS, total=None)).handled_by_the_town()
    case.give("2026-11-24T10:00", stage.TOWN_CLERK, o.Delegate(to=stage.ENFORCEMENT))
    inner = case.legs[-1]
    assert inner.handle_due == case.root.handle_due  # its own would be a day later
    case.give("2026-11-24T11:00", stage.OFFICER, o.Sign(leg=inner.id))
    request = o.Request(kind="suspension", until=at("2026-11-26T00:00"), reason="等配件", leg=inner.id)
    case.give("2026-11-25T00:00", stage.OFFICER, request).give(
        "2026-11-25T00:00", stage.TOWN_CLERK, o.Grant(leg=inner.id)
    )
    assert case.case.state is State.HANDLING
    assert case.root.handle_due == at("2026-11-30T17:30")
    assert case.legs[-1].handle_due == case.root.handle_due


def test_the_suspension_of_an_inner_leg_moves_its_arriving_its_stages_and_its_reply_too():
    whole = Limits(arrive="6 work_hour", handle="5 work_day", stages=(Stage("停工", "3 work_day"),))
    case = Played(whole).handled_by_the_town()
    case.give("2026-11-23T16:00", stage.TOWN_CLERK, o.Delegate(to=stage.ENFORCEMENT))
    inner = case.legs[-1].id
    case.give("2026-11-23T16:30", stage.OFFICER, o.Sign(leg=inner))
    case.give("2026-11-23T17:00", stage.CENTRE_CLERK, o.Supervise(leg=inner, reason="群体投诉"))
    before = case.legs[-1]
    assert (before.arrive_due, before.reply_due) == (at("2026-11-24T14:30"), at("2026-11-25T17:30"))
    request = o.Request(kind="suspension", until=at("2026-11-26T00:00"), reason="等配件", leg=inner)
    case.give("2026-11-24T00:00", stage.OFFICER, request)
    case.give("2026-11-24T00:00", stage.TOWN_CLERK, o.Grant(leg=inner))  # two whole working days
    moved = case.legs[-1]
    assert (moved.arrive_due, moved.reply_due) == (at("2026-11-26T14:30"), at("2026-11-27T17:30"))
    assert dues(moved)["停工"] == dues(case.root)["停工"] == at("2026-11-26T17:30")  # never past its parent's
    case.give("2026-11-24T10:00", stage.SYSTEM, o.Recompute())
    assert case.legs[-1] == moved


def test_a_suspension_of_the_case_moves_the_reply_and_the_arriving_of_a_force_called_up():
    case = Played(Limits(handle="5 work_day")).handled_by_the_town()
    case.give("2026-11-23T15:00", stage.TOWN_CLERK, o.Arrive())
    called = Found(called=Called(stage.POLICE, None))
    case.give("2026-11-23T16:00", stage.TOWN_CLERK, o.CallUp(force=stage.Force.POLICE), found=called)
    root = case.root.id
    case.give("2026-11-23T16:10", stage.CENTRE_CLERK, o.Supervise(leg=root, reason="群体投诉"))
    assert (case.root.reply_due, case.legs[-1].arrive_due) == (at("2026-11-25T17:30"), at("2026-11-23T16:30"))
    suspended(case, "2026-11-23T16:20", "2026-11-24T17:30")
    assert (case.root.reply_due, case.legs[-1].arrive_due) == (at("2026-11-27T09:40"), at("2026-11-24T17:40"))


def test_a_reply_given_in_time_keeps_the_due_it_was_measured_by():
    case = Played(Limits(handle="5 work_day")).handled_by_the_town()
    case.give("2026-11-23T16:10", stage.CENTRE_CLERK, o.Supervise(reason="群体投诉"))
    case.give("2026-11-23T16:15", stage.TOWN_CLERK, o.Reply(answer="正在办"))
    suspended(case, "2026-11-24T00:00", "2026-11-26T00:00")
    assert case.root.reply_due == at("2026-11-25T17:30")


def test_an_item_without_a_limit_takes_the_old_items_limit_away():
    case = Played().handled_by_the_town()
    other = stage.item(code="E0101", limits={Severity.ROUTINE: Limits(sign="4 work_hour", total="8 work_day")})
    case.give("2026-11-24T10:00", stage.CENTRE_CLERK, o.Amend(item="E0101"), found=Found(item=other))
    assert (case.root.handle_limit, case.root.arrive_due) == (None, None)
    assert case.root.handle_due == case.case.total_due == at("2026-12-03T17:30")
    case.item = other
    suspended(case, "2026-11-25T00:00", "2026-11-26T00:00")
    assert case.root.handle_due == case.case.total_due == at("2026-12-04T17:30")


def test_a_suspension_asked_by_its_length_alone_ends_by_itself():
    case = Played().handled_by_the_town()
    request = o.Request(kind="suspension", amount="2 work_day", reason="等配件")
    case.give("2026-11-24T10:00", stage.TOWN_CLERK, request).give("2026-11-24T11:00", stage.CENTRE_CLERK, o.Grant())
    assert (case.case.state, case.case.resume_at) == (State.SUSPENDED, at("2026-11-26T17:30"))
    case.give("2026-11-26T17:30", stage.SYSTEM, o.Resume())
    assert case.root.handle_due == at("2026-12-03T15:00")
    case.give("2026-11-27T09:00", stage.TOWN_CLERK, o.Delegate(to=stage.ENFORCEMENT))
    inner = case.legs[-1].id
    case.give("2026-11-27T09:30", stage.OFFICER, o.Sign(leg=inner))
    case.give("2026-11-27T10:00", stage.OFFICER, replace(request, leg=inner))
    case.give("2026-11-27T11:00", stage.TOWN_CLERK, o.Grant(leg=inner))
    assert case.case.state is State.HANDLING
    assert case.legs[-1].pauses == ((at("2026-11-27T11:00"), at("2026-12-01T17:30")),)


def test_another_item_counts_from_the_original_start_and_keeps_the_pauses():
    case = Played().handled_by_the_town()
    suspended(case, "2026-11-24T00:00", "2026-11-25T00:00")
    other = stage.item(
        code="E0101", limits={Severity.ROUTINE: replace(LIMITS, handle="2 work_day", total="3 work_day")}
    )
    case.give("2026-11-25T10:00", stage.CENTRE_CLERK, o.Amend(item="E0101"), found=Found(item=other))
    assert case.case.pauses
    assert case.root.handle_due == at("2026-11-26T17:30")  # two working days after the 23rd, one of which was paused
    assert case.case.total_due == at("2026-11-27T17:30")


# ---- stages


def staged() -> Played:
    return Played(Limits(sign="4 work_hour", handle="20 work_day", stages=STAGES)).handled_by_the_town()


def dues(leg: Leg) -> dict[str, datetime]:
    return {each.name: each.due for each in leg.stages}


def test_named_stages_are_due_from_assignment():
    assert dues(staged().root) == {
        "停工": at("2026-11-23T15:30"),
        "处罚": at("2026-12-02T17:30"),
        "拆除": at("2026-12-21T17:30"),
    }


def test_a_stage_is_reached_by_a_record_that_names_it_once():
    case = staged().give("2026-11-23T15:00", stage.TOWN_CLERK, o.Record(work="已责令停工", stage="停工"))
    assert [each.done_at for each in case.root.stages] == [at("2026-11-23T15:00"), None, None]
    assert not any("停工" in rung.step for rung in _ladder(case))
    for wrong in ("停工", "验收"):
        with pytest.raises(Invalid) as refused:
            case.give("2026-11-23T16:00", stage.TOWN_CLERK, o.Record(work="再次", stage=wrong))
        assert refused.value.errors[0].field == "stage"


def _ladder(case: Played) -> list[supervision.Rung]:
    s = stage.situation(case.case, *case.legs, item=case.item)
    return supervision.ladder(s, case.root)


def test_what_the_squadron_reached_its_town_has_reached_and_a_new_squadron_need_not_again():
    case = staged()
    case.give("2026-11-23T14:10", stage.TOWN_CLERK, o.Delegate(to=stage.ENFORCEMENT))
    inner = case.legs[-1]
    case.give("2026-11-23T14:20", stage.OFFICER, o.Sign(leg=inner.id))
    case.give("2026-11-23T15:00", stage.OFFICER, o.Record(work="已责令停工", stage="停工", leg=inner.id))
    assert case.root.stages[0].done_at == at("2026-11-23T15:00")
    case.give("2026-11-23T16:00", stage.TOWN_CLERK, o.Recall(leg=inner.id, reason="换人"))
    case.give("2026-11-23T16:10", stage.TOWN_CLERK, o.Delegate(to=stage.ENFORCEMENT))
    assert case.legs[-1].stages[0].done_at == at("2026-11-23T15:00")
    assert dues(case.legs[-1])["处罚"] == dues(case.root)["处罚"]


def test_stages_move_with_suspensions_and_extensions():
    case = staged()
    suspended(case, "2026-11-24T00:00", "2026-11-25T00:00")
    assert dues(case.root)["处罚"] == at("2026-12-03T17:30")
    request = o.Request(kind="extension", amount="2 work_day", reason="等配件")
    case.give("2026-11-25T10:00", stage.TOWN_CLERK, request).give("2026-11-25T11:00", stage.CENTRE_CLERK, o.Grant())
    assert dues(case.root)["处罚"] == at("2026-12-07T17:30")


# ---- answers to urging, supervision


def test_an_urging_expects_an_answer_which_is_recorded_on_the_leg():
    case = Played().handled_by_the_town()
    case.give("2026-11-24T10:00", stage.CENTRE_CLERK, o.Urge())
    assert (case.root.urges, case.root.urged_at, case.root.answered_at) == (1, at("2026-11-24T10:00"), None)
    case.give("2026-11-24T11:00", stage.TOWN_CLERK, o.Reply(answer="今天办结"))
    assert case.root.answered_at == at("2026-11-24T11:00")


def test_supervision_has_a_level_and_a_reply_due_and_ends_by_the_centre_alone():
    case = Played().handled_by_the_town()
    case.give("2026-11-24T10:00", stage.CENTRE_CLERK, o.Supervise(level=2, reason="群体投诉"))
    assert (case.root.supervision_level, case.root.reply_due) == (2, at("2026-11-26T17:30"))
    case.give("2026-11-24T11:00", stage.TOWN_CLERK, o.Reply(answer="今天办结"))
    assert case.root.supervised_at is not None  # a reply does not end it
    for actor in (stage.TOWN_CLERK, stage.SYSTEM, stage.TRANSPORT_CLERK):
        with pytest.raises(RoleNotPermitted):
            case.give("2026-11-24T12:00", actor, o.Release())
    case.give("2026-11-24T12:00", stage.CENTRE_CLERK, o.Release())
    assert (case.root.supervised_at, case.root.supervision_level) == (None, None)


# ---- another calendar


def test_when_the_holidays_arrive_every_running_due_is_reckoned_again():
    case = Played().handled_by_the_town()
    assert case.root.handle_due == at("2026-11-30T17:30")
    case.calendar = national().with_overrides(days_off=[at("2026-11-25T00:00").date()])
    case.give("2026-11-24T10:00", stage.SYSTEM, o.Recompute())
    assert case.root.handle_due == at("2026-12-01T17:30")
    assert case.case.total_due == at("2026-12-04T17:30")
    with pytest.raises(RoleNotPermitted):
        case.give("2026-11-24T10:00", stage.CENTRE_CLERK, o.Recompute())


def test_working_time_a_rule_set_for_a_routine_case_does_not_hold_once_it_is_urgent():
    case = Played()
    case.item = stage.item(
        limits={Severity.ROUTINE: LIMITS, Severity.URGENT: Limits(sign="30 minute", handle="8 minute")}
    )
    case.case = replace(case.case, limits={"handle": "9 work_day", "sign": "20 minute"})
    case.handled_by_the_town()
    assert (case.root.handle_limit, case.root.sign_due) == ("9 work_day", at("2026-11-23T10:20"))
    case.give("2026-11-23T15:00", stage.CENTRE_CLERK, o.Amend(severity=Severity.URGENT))
    assert (case.root.handle_limit, case.root.handle_due) == ("8 minute", at("2026-11-23T10:08"))


def test_urgent_and_critical_limits_of_the_shipped_items_run_day_and_night():
    for item in stage.CATALOGUE.present(stage.NOW):
        for severity in (Severity.URGENT, Severity.CRITICAL):
            limits = item.clocks(severity)
            texts = [getattr(limits, clock) for clock in ("sign", "arrive", "handle", "verify", "call_back", "total")]
            texts += [each.limit for each in limits.stages]
            assert all(text is None or text.endswith(" minute") for text in texts), (item.code, severity, texts)
