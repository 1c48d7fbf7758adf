"""Every step that counts leaves a fact for scoring (cases.md §1, last rule)."""

from app.kernel import db
from tasks.cases import orders as o
from tests.tasks.cases import stage
from tests.tasks.cases.steps import facts, opened, play

CENTRE, TOWN, POLICE = stage.CENTRE_CLERK, stage.TOWN_CLERK, stage.POLICE_OFFICER
DONE = o.Submit(result="好了", evidence=(stage.photo(),))


async def test_every_step_that_counts_leaves_its_fact(place: str):
    case = await opened()
    await play(case, (TOWN, o.Return(reason="不归我们")), (CENTRE, o.Assign(to=stage.MARKET)))
    await play(case, (stage.MARKET_CLERK, o.Return(reason="不归我们")))
    ruling = o.Rule(to=stage.TOWN_CENTRE, reason="属地管理", returned_rightly=True)
    await play(case, (CENTRE, ruling), (TOWN, o.Sign()), (TOWN, o.Arrive()), (TOWN, o.AskAssist(to=stage.POLICE)))
    await play(case, (POLICE, o.Sign()), (POLICE, o.Attend()), (POLICE, o.Submit(result="已疏导")), (TOWN, o.Confirm()))
    await play(case, (TOWN, o.Record(kind="mediation", work="双方和解", settled=True)))
    await play(case, (TOWN, o.Record(kind="feedback", work="已告知来源")))
    await play(case, (TOWN, o.Request(kind="extension", amount="1 work_day", reason="下雨")), (CENTRE, o.Grant()))
    await play(case, (CENTRE, o.Urge()), (CENTRE, o.Supervise(reason="群体投诉")), (TOWN, o.Reply(answer="今天办结")))
    await play(case, (TOWN, DONE), (CENTRE, o.Verify(passed=True)))
    await play(case, (CENTRE, o.ReviewDossier(checklist={o.DossierPoint.REPLY: True})))
    kinds = {row["kind"] for row in await db.fetch("select distinct kind from fact")}
    wanted = {
        "signing", "arrival", "attendance", "mediation", "feedback", "verification", "review", "return", "extension",
        "urge", "supervision",
    }  # fmt: skip
    assert wanted <= kinds
    founded = {row["department"] or row["town"]: row["attributes"]["founded"] for row in await facts(case.id, "return")}
    assert founded == {stage.TOWN: False, str(stage.MARKET): True}  # it came back to the town: its return was unfounded
    urged = await facts(case.id, "urge")
    assert [row["attributes"].get("replied") for row in urged] == [True]
    assert (await facts(case.id, "supervision"))[0]["done_at"] is not None


async def test_an_answer_to_one_handling_counts_for_that_one_alone(place: str):
    case = await opened()
    handled = ((TOWN, o.Sign()), (TOWN, DONE), (CENTRE, o.Verify(passed=True)))
    await play(case, *handled, (stage.CITIZEN, o.Rate(score=1)))
    seen = await play(case, *handled)
    assert (seen.state, seen.rating, seen.redos) == ("calling_back", None, 1)
    turns = sorted(await facts(case.id, "case"), key=lambda row: row["occurred_at"])
    assert [row["attributes"].get("satisfied") for row in turns] == [False, None]
