"""Figures: a table a clerk can recount, of the cases received in a period that the reader may see."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.kernel import db
from app.kernel.actor import Actor, Role
from app.kernel.problem import Invalid, NotPermitted
from tasks.cases import figure_commands, intake
from tasks.cases import orders as o
from tasks.cases.figures import Asked, FiguresOf
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, opened, play, report
from tests.tools import people

SINCE, UNTIL = NOW - timedelta(days=40), NOW + timedelta(days=40)


async def of(group_by: str = "month", actor: Actor = stage.CENTRE_CLERK, now: datetime = NOW, **more: Any) -> FiguresOf:
    fields: dict[str, Any] = {"group_by": group_by, "since": SINCE, "until": UNTIL} | more
    return await figure_commands.measure(Asked(**fields), actor, now)


async def finished(hours: float, *, due_hours: float | None = 48, received: datetime = NOW, **columns: Any) -> None:
    """A case received then and handed in so many hours later; its turn was due after `due_hours`."""
    case = await intake.open(report(), stage.CITIZEN, NOW)
    handled = received + timedelta(hours=hours)
    due = None if due_hours is None else received + timedelta(hours=due_hours)
    await db.execute(
        "update case_leg set state = 'confirmed', submitted_at = $2, done_at = $2, handle_due = $3 where case_id = $1",
        case.id, handled, due,
    )  # fmt: skip
    said = {"received_at": received, "handled_at": handled, "state": "handled", "due_at": None} | columns
    sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(said, 2))
    await db.execute(f"update cases set {sets} where id = $1", case.id, *said.values())


async def test_the_table(place: str):
    """Five cases handed in after 1, 2, 3, 4 and 90 hours; one of them late; one open and late; one open in time."""
    for hours in (1, 2, 3, 4, 90):
        await finished(hours)
    late, early = await opened(), await opened()
    await db.execute("update cases set due_at = $2 where id = $1", late.id, NOW + timedelta(hours=5))
    await db.execute("update cases set due_at = $2 where id = $1", early.id, NOW + timedelta(hours=500))
    total = (await of(now=NOW + timedelta(hours=100))).total
    assert (total.cases, total.handled) == (7, 5)
    assert total.mean_hours == 20.0
    assert total.median_hours == 3.0
    assert total.p90_hours == pytest.approx(4 + 0.6 * 86)  # a tenth of five: between the fourth and the fifth
    assert total.on_time_share == round(4 / 6, 4)  # of five handed in and one late


async def test_what_was_solved_on_the_spot_counts_but_has_no_handling_time(place: str):
    await finished(10)
    await finished(0, solved_at_once=True)
    total = (await of()).total
    assert (total.cases, total.handled, total.solved_on_the_spot) == (2, 2, 1)
    assert (total.mean_hours, total.on_time_share) == (10.0, 1.0)


async def test_a_turn_without_a_due_is_neither_in_time_nor_late(place: str):
    await finished(10, due_hours=None)
    assert (await of()).total.on_time_share is None


async def test_the_turn_that_was_handed_in_last_is_judged_not_one_before_a_redo(place: str):
    await finished(10, due_hours=5)
    case = await db.fetchval("select id from cases")
    await db.execute("update case_leg set submitted_at = $1", NOW + timedelta(hours=3))
    again = await db.fetchrow("select * from case_leg")
    assert again is not None
    more = dict(again) | {"id": case, "ordinal": 9, "state": "confirmed", "submitted_at": NOW + timedelta(hours=10)}
    more["handle_due"] = NOW + timedelta(hours=11)
    places = ", ".join(f"${n + 1}" for n in range(len(more)))
    await db.execute(f"insert into case_leg ({', '.join(more)}) values ({places})", *more.values())
    total = (await of()).total
    assert (total.cases, total.on_time_share) == (1, 1.0)


async def test_returns_and_rework_are_counted_as_commands_leave_them(place: str):
    case = await opened()
    await play(
        case,
        (stage.TOWN_CLERK, o.Return(reason="不归我们")),
        (stage.CENTRE_CLERK, o.Assign(to=stage.TOWN_CENTRE)),
        (stage.TOWN_CLERK, o.Sign()),
        (stage.TOWN_CLERK, o.Submit(result="已劝离", evidence=(stage.photo(),))),
    )
    total = (await of()).total
    assert (total.cases, total.handled, total.returns, total.reworks, total.redos, total.reopens) == (1, 1, 1, 0, 0, 0)
    assert total.mean_hours == round(4 / 60, 2)  # a minute a step
    await db.execute("update cases set reworks = 2, redos = 3, reopens = 1")
    total = (await of()).total
    assert (total.reworks, total.redos, total.reopens) == (2, 3, 1)


async def test_groups_have_names_and_their_order(place: str):
    await finished(1)
    await finished(3, item="H305", source="12315", received=datetime(2026, 10, 31, 16, 0, tzinfo=UTC), town=None)
    await finished(5, received=datetime(2026, 10, 31, 15, 59, tzinfo=UTC), last_lead=stage.MARKET)

    async def keys(group_by: str) -> list[tuple[Any, Any, int]]:
        return [(each.key, each.name, each.cases) for each in (await of(group_by)).groups]

    assert await keys("month") == [("2026-10", None, 1), ("2026-11", None, 2)]  # months of the district's clock
    assert await keys("town") == [(stage.TOWN, "甲镇（演示）", 2), (None, None, 1)]
    assert [(key, n) for key, _, n in await keys("item")] == [("H008", 2), ("H305", 1)]
    assert all(name for _, name, _ in await keys("item"))
    assert await keys("organisation") == [
        (str(stage.TOWN_CENTRE), "甲镇社会治理中心（演示）", 2), (str(stage.MARKET), "市场监督管理局", 1),
    ]  # fmt: skip
    assert await keys("source") == [("citizen", None, 2), ("12315", None, 1)]


@pytest.mark.parametrize(
    ("more", "many"),
    [({"item": "H305"}, 1), ({"source": "citizen"}, 3), ({"area": stage.TOWN}, 3), ({"area": "330109004"}, 0),
     ({"lead": stage.MARKET}, 0), ({"severity": "critical"}, 0), ({"since": NOW + timedelta(hours=1)}, 0),
     ({"until": NOW}, 0), ({"until": NOW + timedelta(seconds=1)}, 3)],
)  # fmt: skip
async def test_figures_are_cut_by_filters(place: str, more: dict[str, Any], many: int):
    await finished(1)
    await finished(2)
    await finished(2, item="H305")
    found = await of(**more)
    assert found.total.cases == many == sum(each.cases for each in found.groups)
    if not many:
        assert (found.total.mean_hours, found.total.on_time_share, found.total.returns) == (None, None, 0)


@pytest.mark.parametrize(
    ("actor", "many"), [(stage.TOWN_CLERK, 1), (stage.STATION_CLERK, 1), (stage.MANAGER, 1), (stage.CENTRE_CLERK, 1),
                        (stage.OTHER_TOWN_CLERK, 0), (stage.TRANSPORT_CLERK, 0), (stage.MARKET_CLERK, 0)]
)  # fmt: skip
async def test_figures_hold_only_what_their_reader_sees(place: str, actor: Actor, many: int):
    await finished(1)
    for group_by in ("item", "town", "organisation", "source", "month"):
        found = await of(group_by, actor)
        assert (found.total.cases, len(found.groups)) == (many, many)


async def test_figures_refuse_what_cannot_be_asked(place: str):
    refused: list[dict[str, Any]] = [{"group_by": "person"}, {"until": SINCE}, {"area": "x"}]
    for more in refused:
        with pytest.raises(Invalid) as caught:
            await of(**more)
        assert caught.value.errors[0].field == next(iter(more))
    for actor in (stage.CITIZEN, stage.OFFICER):
        with pytest.raises(NotPermitted):
            await of(actor=actor)


async def test_over_http_the_last_month_by_default(place: str, http: httpx.AsyncClient):
    await intake.open(report(), stage.CITIZEN, datetime.now(UTC))
    clerk = await people.sign_in(place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN)
    answer = await http.get("/v1/figures/cases", params={"group_by": "item"}, headers=clerk.headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"]["cases"] == 1
    assert [each["key"] for each in answer.json()["groups"]] == ["H008"]
    assert (await http.get("/v1/figures/cases?group_by=person", headers=clerk.headers)).status_code in (400, 422)
