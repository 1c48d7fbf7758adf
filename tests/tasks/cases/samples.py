"""One or more examples of every command, as the tests of the two tables give them."""

from tasks.cases import orders as o
from tasks.cases.model import Severity, Signal
from tests.tasks.cases import stage

POINT = "消防通道"
SAMPLES: dict[type[o.Order], list[o.Order]] = {
    o.Reject: [o.Reject(reason="不属本区")],
    o.Appeal: [o.Appeal(reason="属于本区")],
    o.Assign: [o.Assign(to=stage.TOWN_CENTRE)],
    o.Rule: [o.Rule(to=stage.TRANSPORT, reason="职责在交通")],
    o.Verify: [o.Verify(passed=True), o.Verify(passed=False)],
    o.Rate: [o.Rate(score=5), o.Rate(score=1), o.Rate(score=1, close_reasons="已多次处理")],
    o.Close: [o.Close(reason="重复")],
    o.RefuseWithdrawal: [o.RefuseWithdrawal(reason="隐患仍在")],
    o.Merge: [o.Merge(into=stage.new_id())],
    o.Unmerge: [o.Unmerge(reason="不是一回事")],
    o.TakeIn: [o.TakeIn(case=stage.new_id())],
    o.Split: [o.Split(children=(o.Child(item="H008", description="另一处"),))],
    o.Amend: [o.Amend(severity=Severity.URGENT)],
    o.SetCaseHandler: [o.SetCaseHandler(person=stage.CENTRE_CLERK.id)],
    o.Suspend: [o.Suspend(reason="等配件")],
    o.AssignVerifier: [o.AssignVerifier(to=stage.MARKET)],
    o.ReviewDossier: [o.ReviewDossier(checklist={o.DossierPoint.EVIDENCE: True})],
    o.Reopen: [o.Reopen(reason="又来了")],
    o.Add: [o.Add(text="补充一句")],
    o.Signal: [o.Signal(signal=Signal.CLEAR)],
    o.Return: [o.Return(reason="不归我们")],
    o.Delegate: [o.Delegate(to=stage.TEAM)],
    o.Record: [o.Record(work="已到现场")],
    o.Check: [o.Check(point=POINT, passed=False)],
    o.Submit: [o.Submit(result="已清理")],
    o.SendBack: [o.SendBack(reason="照片不清")],
    o.AskAssist: [o.AskAssist(to=stage.POLICE)],
    o.CallUp: [o.CallUp(force=stage.Force.POLICE)],
    o.Recall: [o.Recall(reason="派错")],
    o.Request: [o.Request(kind="extension", amount="1 work_day", reason="雨天")],
    o.Refuse: [o.Refuse(reason="不同意")],
    o.SetHandler: [o.SetHandler(person=stage.OFFICER.id)],
    o.Notify: [o.Notify(step="handle due", whom=("town",))],
    o.Reply: [o.Reply(answer="马上")],
    o.Supervise: [o.Supervise(reason="久拖不办")],
}


def samples(on: type[o.Order]) -> list[o.Order]:
    """Commands of a kind; one without fields needs no example."""
    return SAMPLES.get(on) or [on()]
