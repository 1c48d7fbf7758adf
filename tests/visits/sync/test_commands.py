"""Push and pull: every op one verdict and one effect, whatever order, clock, network or neighbour it has."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from asyncpg.exceptions import DeadlockDetectedError
from msgspec.structs import replace

from app.kernel import db
from app.kernel.ids import new_id
from tests.visits import stage
from tests.visits.stage import EVENING, MORNING, Stage, op, visit_body
from tests.visits.sync.phone import LATER, count, pull, pushed, words
from visits import round_commands
from visits.proposal import MemberChoice, PlanRequest, Reassign
from visits.sync import commands
from visits.sync.handlers import HANDLERS, Context
from visits.sync.verdict import MAX_OPS, Effect, Op, Push


@pytest.fixture
async def on(district: str) -> Stage:
    return await stage.build()


# What a push does


async def test_a_visit_with_two_photos_and_a_demand_is_one_visit_two_pieces_of_evidence_and_one_case(on: Stage) -> None:
    photos = [stage.photo(), stage.photo()]
    demand = {"id": str(new_id()), "text": "楼道灯不亮（演示）", "evidence": [photos[1]["id"]]}
    visit = op("visit.record", visit_body(on.homes[0], evidence=photos, demands=[demand]))
    (verdict,) = await pushed(on, visit)
    assert verdict["verdict"] == "applied"
    assert verdict["result"]["cases"] == [demand["id"]]
    row = await db.fetchrow("select * from visit")
    assert row is not None
    assert (str(row["id"]), row["outcome"], row["half"], row["flags"]) == (
        visit["entity_id"], "met", "night", ["time_unverified"],
    )  # fmt: skip
    assert (row["person"], row["device"], row["skew_s"]) == (on.worker.actor.id, on.device, 0.0)
    evidence = await db.fetch("select owner_kind, state from evidence order by owner_kind")
    assert [(each["owner_kind"], each["state"]) for each in evidence] == [("case", "awaiting"), ("visit", "awaiting")]
    case = await db.fetchrow("select id, source, state from cases")
    assert case is not None
    assert (str(case["id"]), case["source"]) == (demand["id"], "visit")
    kinds = {
        row["kind"]: row["team"]
        for row in await db.fetch("select kind, team from fact where kind in ('visit', 'demand')")
    }
    assert kinds == {"visit": str(on.team), "demand": str(on.team)}


async def test_a_demand_solved_at_the_door_is_a_case_that_is_handled(on: Stage) -> None:
    demand = {"id": str(new_id()), "text": "不会用燃气报警器（演示）", "solved": "当场教会"}
    assert await words(on, op("visit.record", visit_body(on.homes[0], demands=[demand]))) == ["applied"]
    assert await db.fetchval("select solved from visit") == 1
    assert await db.fetchval("select state from cases") in ("handled", "closed", "calling_back")


async def test_a_demand_of_an_unknown_item_is_kept_under_the_general_one(on: Stage) -> None:
    demand = {"id": str(new_id()), "text": "演示", "item": "GONE-1"}
    assert await words(on, op("visit.record", visit_body(on.homes[0], demands=[demand]))) == ["applied"]
    assert await db.fetchval("select item from cases") == "G001"


async def test_the_same_push_again_has_one_effect_and_the_same_bytes(on: Stage) -> None:
    push = stage.push(on, op("visit.record", visit_body(on.homes[0])), op("visit.record", {"household": "?"}))
    first = await commands.push(push, on.worker.actor, LATER)
    month = replace(push, sent_at=LATER + timedelta(days=30))
    again = await commands.push(month, on.worker.actor, LATER + timedelta(days=30))
    assert [bytes(raw) for raw in again.verdicts] == [bytes(raw) for raw in first.verdicts]
    assert await count("visit") == 1
    assert await db.fetchval("select count(*) from fact where kind = 'visit'") == 1


async def test_an_op_twice_in_one_push_has_one_effect(on: Stage) -> None:
    visit = op("visit.record", visit_body(on.homes[0]))
    answer = await commands.push(stage.push(on, visit, visit), on.worker.actor, LATER)
    assert len({bytes(raw) for raw in answer.verdicts}) == 1
    assert await count("visit") == 1


async def test_an_op_id_with_another_body_is_refused_and_the_first_verdict_stays(on: Stage) -> None:
    visit = op("visit.record", visit_body(on.homes[0]))
    changed = visit | {"body": visit_body(on.homes[1])}
    first, reused, again = await pushed(on, visit, changed, visit)
    assert (first["verdict"], reused["verdict"], again) == ("applied", "rejected", first)
    assert reused["problem"]["type"] == "/problems/op-id-reused"
    assert await words(on, changed) == ["rejected"]
    assert await count("visit") == 1


async def test_poison_in_the_middle_blocks_nothing(on: Stage) -> None:
    async def trip(_op: Op, _context: Context) -> Effect:
        await db.execute("insert into household (id) values ($1)", new_id())
        raise AssertionError("the constraint refuses this first")

    HANDLERS["test.trip"] = trip
    try:
        verdicts = await pushed(
            on,
            op("visit.record", visit_body(on.homes[0])),
            {"op_id": "no id"},
            "not an op",
            op("visit.record", {"outcome": "met"}),
            op("test.trip", {}),
            op("nobody.knows", {}),
            op("visit.record", visit_body(on.homes[0], note="\x00")),
            op("visit.record", visit_body(on.homes[0]), captured_at="2026-11-23T19:00:00"),
            op("visit.record", visit_body(new_id())),
            op("visit.record", visit_body(on.homes[1])),
        )
    finally:
        del HANDLERS["test.trip"]
    assert [each["verdict"] for each in verdicts] == [
        "applied", "rejected", "rejected", "rejected", "retry",
        "rejected", "rejected", "rejected", "rejected", "applied",
    ]  # fmt: skip
    assert all(each["problem"]["type"].startswith("/problems/") for each in verdicts if each["verdict"] != "applied")
    assert await count("visit") == 2
    kept = await commands.unsettled(on.worker.actor, None, 100, LATER)
    assert {each.state for each in kept} == {"rejected"}
    assert len(kept) == 3, "what could be read and was refused stays visible to people"


async def test_what_failed_may_be_sent_again(on: Stage) -> None:
    calls: list[UUID] = []

    async def twice(op_: Op, _context: Context) -> Effect:
        calls.append(op_.op_id)
        if len(calls) == 1:
            raise OSError("a disk that comes back")
        return Effect(version=7)

    HANDLERS["test.twice"] = twice
    try:
        again = op("test.twice", {})
        assert await words(on, again) == ["retry"]
        (verdict,) = await pushed(on, again)
        assert (verdict["verdict"], verdict["version"]) == ("applied", 7)
        assert await words(on, again) == ["applied"]
    finally:
        del HANDLERS["test.twice"]
    assert len(calls) == 2


async def test_too_many_ops_are_to_be_sent_again(on: Stage) -> None:
    ops = [op("nobody.knows", {}) for _ in range(MAX_OPS + 2)]
    found = await words(on, *ops)
    assert found[: MAX_OPS + 2] == ["rejected"] * MAX_OPS + ["retry"] * 2


# Dependencies


async def test_an_op_before_its_dependency_in_one_push_is_applied_in_the_same_answer(on: Stage) -> None:
    first, second = op("visit.record", visit_body(on.homes[0])), op("visit.record", visit_body(on.homes[1]))
    second["depends_on"] = [first["op_id"]]
    assert await words(on, second, first) == ["applied", "applied"]


async def test_an_op_without_its_dependency_is_held_seen_by_people_and_released_when_it_lands(on: Stage) -> None:
    first, second, third = (op("visit.record", visit_body(home)) for home in on.homes[:3])
    second["depends_on"], third["depends_on"] = [first["op_id"]], [second["op_id"], first["op_id"]]
    (held,) = await pushed(on, third)
    assert (held["verdict"], held["waits_for"]) == ("held", [second["op_id"], first["op_id"]])
    assert await words(on, second) == ["held"]
    assert await count("visit") == 0
    assert [each.state for each in await commands.unsettled(on.leader.actor, None, 10, LATER)] == ["held", "held"]
    assert await commands.unsettled(on.outsider.actor, None, 10, LATER) == []
    mine = await commands.unsettled(on.worker.actor, None, 10, LATER)
    assert {str(each.op_id): each.waits_for for each in mine}[third["op_id"]] == [
        UUID(second["op_id"]), UUID(first["op_id"]),
    ]  # fmt: skip
    assert await words(on, first) == ["applied"]
    assert await count("visit") == 3
    assert await words(on, second, third) == ["applied", "applied"]
    assert await commands.unsettled(on.worker.actor, None, 10, LATER) == []
    assert set((await pull(on)).acknowledged.values()) == {"applied"}


@pytest.mark.parametrize("failure", [OSError("a disk"), DeadlockDetectedError("two in a ring")])
async def test_a_held_op_that_fails_when_released_blocks_no_other_and_is_tried_again(
    on: Stage, failure: Exception
) -> None:
    calls: list[UUID] = []

    async def once_bad(op_: Op, _context: Context) -> Effect:
        calls.append(op_.op_id)
        if len(calls) == 1:
            raise failure
        return Effect(version=1)

    first = op("visit.record", visit_body(on.homes[0]))
    poison = op("test.once_bad", {}, depends_on=[first["op_id"]])
    good = op("visit.record", visit_body(on.homes[1]), depends_on=[first["op_id"]])
    HANDLERS["test.once_bad"] = once_bad
    try:
        assert await words(on, poison, good) == ["held", "held"]
        assert await words(on, first) == ["applied"]
        assert await words(on, poison, good) == ["applied", "applied"]
    finally:
        del HANDLERS["test.once_bad"]
    assert (len(calls), await count("visit")) == (2, 2)


async def test_an_op_that_depends_on_a_refused_one_stays_held(on: Stage) -> None:
    bad, after = op("visit.record", {"household": "?"}), op("visit.record", visit_body(on.homes[0]))
    after["depends_on"] = [bad["op_id"]]
    assert await words(on, bad, after) == ["rejected", "held"]


# Clocks


@pytest.mark.parametrize("hours", [-72, -8, 8, 72])
async def test_a_clock_wrong_by_hours_or_days_neither_refuses_nor_turns_night_into_day(on: Stage, hours: int) -> None:
    wrong = timedelta(hours=hours)
    visit = op("visit.record", visit_body(on.homes[0], EVENING + wrong), captured_at=(EVENING + wrong).isoformat())
    visit |= {"captured_uptime": 1000.0, "sent_uptime": 4600.0, "boot_id": "b"}
    (verdict,) = await pushed(on, visit, sent_at=LATER + wrong)
    assert (verdict["verdict"], verdict["flags"]) == ("applied", [])
    row = await db.fetchrow("select started_at, half, captured_at, received_at, skew_s from visit")
    assert row is not None
    assert tuple(row) == (EVENING, "night", EVENING + wrong, LATER, -wrong.total_seconds())
    stored = await db.fetchrow("select captured_at, received_at, corrected_at, skew_s from sync_op")
    assert stored is not None
    assert tuple(stored) == (EVENING + wrong, LATER, EVENING, -wrong.total_seconds())


@pytest.mark.parametrize("absurd", ["0001-01-01T00:00:00+12:00", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"])
async def test_no_time_whatever_refuses_work(on: Stage, absurd: str) -> None:
    stamp = datetime.fromisoformat(absurd)
    bodies = (
        visit_body(on.homes[0]) | {"started_at": absurd, "ended_at": absurd, "outcome": "unsafe"},
        visit_body(on.homes[1], evidence=[stage.photo(captured_at=absurd)]),
    )
    ops = [op("visit.record", body, captured_at=absurd) for body in bodies]
    waiting = op("visit.record", visit_body(on.homes[2]), captured_at=absurd, depends_on=[ops[0]["op_id"]])
    assert await words(on, waiting, sent_at=stamp) == ["held"]
    assert await words(on, *ops) == ["applied", "applied"]
    assert await words(on, waiting, sent_at=stamp) == ["applied"]


async def test_a_held_op_keeps_the_time_of_the_push_that_brought_it(on: Stage) -> None:
    first, second = op("visit.record", visit_body(on.homes[0])), op("visit.record", visit_body(on.homes[1]))
    second["depends_on"] = [first["op_id"]]
    wrong = timedelta(hours=8)
    second |= {"captured_at": (EVENING + wrong).isoformat(), "body": visit_body(on.homes[1], EVENING + wrong)}
    assert await words(on, second, sent_at=LATER + wrong) == ["held"]
    next_day = LATER + timedelta(days=1)
    assert await words(on, first, sent_at=next_day, now=next_day) == ["applied"]
    starts = await db.fetch("select started_at, received_at from visit order by received_at")
    assert [tuple(row) for row in starts] == [(EVENING, LATER), (EVENING, next_day)]


# Old apps, moved work, merged fields


async def test_a_visit_of_an_older_schema_is_applied(on: Stage) -> None:
    body = visit_body(on.homes[0]) | {"result": "not_home"}
    del body["outcome"], body["questionnaire"], body["questionnaire_version"], body["answers"]
    assert await words(on, op("visit.record", body), app_schema=1) == ["applied"]
    assert await db.fetchval("select outcome from visit") == "absent"


async def test_a_visit_under_an_assignment_that_moved_meanwhile_counts_and_is_flagged(on: Stage) -> None:
    round_ = await round_commands.plan_round(stage.new_round(on), on.leader.actor, MORNING)
    mine = PlanRequest(members=(MemberChoice(person=on.worker.actor.id),))
    await round_commands.assign(round_.id, mine, on.leader.actor, MORNING)
    (turn, *_rest) = await round_commands.list_assignments(round_.id, None, on.leader.actor)
    move = Reassign(source=on.worker.actor.id, target=on.other.actor.id)
    await round_commands.reassign(round_.id, move, on.leader.actor, EVENING)
    body = visit_body(turn.household_id, assignment=str(turn.id))
    (verdict,) = await pushed(on, op("visit.record", body))
    assert verdict["verdict"] == "applied"
    assert "assignment_moved" in verdict["flags"]


async def test_disjoint_changes_of_a_household_merge_and_overlapping_ones_conflict(on: Stage) -> None:
    home = on.homes[0]

    def amend(fields: dict[str, Any], base: int) -> dict[str, Any]:
        return op("household.amend", fields, home, base_version=base)

    first, second, third = await pushed(
        on, amend({"residents": 3}, 1), amend({"care_needs": ["mobility"]}, 1), amend({"residents": 5}, 1)
    )
    assert (first["verdict"], first["version"]) == ("applied", 2)
    assert (second["verdict"], second["version"]) == ("merged", 3)
    assert third["verdict"] == "conflict"
    assert third["conflicts"] == [{"field": "residents", "server": 3, "phone": 5}]
    row = await db.fetchrow("select residents, care_needs, version from household where id = $1", home)
    assert row is not None
    assert tuple(row) == (3, ["mobility"], 3)


async def test_a_case_seen_in_the_street_is_reported_offline(on: Stage) -> None:
    place = {"lon": 120.265, "lat": 30.184, "datum": "wgs84"}
    report = op("case.report", {"text": "占道堆物（演示）", "place": place, "evidence": [stage.photo()]})
    (verdict,) = await pushed(on, report)
    assert verdict["verdict"] == "applied", verdict
    assert str(await db.fetchval("select id from cases")) == report["entity_id"]
    command = op("case.command", {"command": "fly"}, UUID(report["entity_id"]))
    (refused,) = await pushed(on, command)
    assert refused["problem"]["errors"][0]["field"] == "body.command"
    (added,) = await pushed(
        on, op("case.command", {"command": "add", "text": "补充（演示）"}, UUID(report["entity_id"]))
    )
    assert added["verdict"] in ("applied", "conflict"), added


# Real concurrency


async def connect(district: str, connections: int) -> None:
    """Have that many connections open, so that what is started at once also runs at once."""
    meeting = asyncio.Barrier(connections)

    async def hold() -> None:
        async with db.transaction(district):
            await meeting.wait()

    await asyncio.gather(*(hold() for _ in range(connections)))


async def test_five_identical_pushes_at_once_have_one_effect_and_one_answer(committed: str) -> None:
    on = await stage.build()
    await connect(committed, 5)
    demand = {"id": str(new_id()), "text": "楼道灯不亮（演示）"}
    push = stage.push(on, *(op("visit.record", visit_body(home, demands=[demand])) for home in on.homes[:1]))
    answers = await asyncio.gather(*(commands.push(push, on.worker.actor, LATER) for _ in range(5)))
    assert len({tuple(bytes(raw) for raw in answer.verdicts) for answer in answers}) == 1
    async with db.transaction(committed):
        assert (await count("visit"), await count("cases"), await count("sync_op")) == (1, 1, 1)
        assert await db.fetchval("select count(*) from fact where kind = 'visit'") == 1


async def test_an_op_and_its_dependency_sent_at_once_over_two_connections_are_both_applied(committed: str) -> None:
    on = await stage.build()
    await connect(committed, 12)
    pairs: list[tuple[Push, Push]] = []
    for _ in range(8):
        first, second = op("visit.record", visit_body(on.homes[0])), op("visit.record", visit_body(on.homes[1]))
        second["depends_on"] = [first["op_id"]]
        pairs.append((stage.push(on, first), stage.push(on, second)))
    await asyncio.gather(*(commands.push(push, on.worker.actor, LATER) for pair in pairs for push in reversed(pair)))
    async with db.transaction(committed):
        assert await db.fetchval("select count(*) from sync_op where state = 'applied'") == 16
        assert await count("visit") == 16


async def test_pushes_that_share_ops_in_opposite_order_do_not_wait_for_each_other_for_ever(committed: str) -> None:
    on = await stage.build()
    await connect(committed, 6)
    ops = [op("visit.record", visit_body(on.homes[n % 4])) for n in range(6)]
    answers = await asyncio.gather(
        *(commands.push(stage.push(on, *(ops if n % 2 else reversed(ops))), on.worker.actor, LATER) for n in range(6))
    )
    for answer in answers:
        assert {msgspec.json.decode(raw)["verdict"] for raw in answer.verdicts} == {"applied"}
    async with db.transaction(committed):
        assert await count("visit") == 6
