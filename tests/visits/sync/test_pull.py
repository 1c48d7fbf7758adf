"""Pull, and the rights of people and devices: each gets what is theirs, whole, whatever pages it comes in."""

from functools import reduce
from operator import xor

import msgspec
import pytest
from msgspec.structs import replace

from app.identity import keystore
from app.identity.devices import DeviceState
from app.kernel import changes
from app.kernel.actor import Membership, Role
from app.kernel.problem import NotPermitted
from tests.visits import stage
from tests.visits.stage import MORNING, Stage, op, visit_body
from tests.visits.sync.phone import LATER, count, pull, pushed, words
from visits import round_commands
from visits.problems import AppTooOld, DeviceRetired, ForeignDevice
from visits.proposal import MemberChoice, PlanRequest
from visits.sync import commands, feed
from visits.sync.feed import PullAnswer


@pytest.fixture
async def on(district: str) -> Stage:
    return await stage.build()


# Rights and devices


async def test_nobody_visits_in_a_foreign_area(on: Stage) -> None:
    stranger = replace(on.worker.actor, memberships=on.outsider.actor.memberships)
    answer = await commands.push(stage.push(on, op("visit.record", visit_body(on.homes[0]))), stranger, LATER)
    verdict = msgspec.json.decode(answer.verdicts[0])
    assert (verdict["verdict"], verdict["problem"]["type"]) == ("rejected", "/problems/household-not-found")


async def test_a_right_lost_while_work_was_unsent_does_not_lose_the_work_under_an_assignment(on: Stage) -> None:
    round_ = await round_commands.plan_round(stage.new_round(on), on.leader.actor, MORNING)
    mine = PlanRequest(members=(MemberChoice(person=on.worker.actor.id),))
    await round_commands.assign(round_.id, mine, on.leader.actor, MORNING)
    moved_away = replace(on.worker.actor, memberships=on.outsider.actor.memberships)
    answer = await commands.push(stage.push(on, op("visit.record", visit_body(on.homes[0]))), moved_away, LATER)
    assert msgspec.json.decode(answer.verdicts[0])["verdict"] == "applied"


async def test_a_retired_device_is_kept_in_quarantine_and_pulls_nothing(on: Stage) -> None:
    await keystore.set_device_state(on.device, DeviceState.RETIRED, LATER)
    visit = op("visit.record", visit_body(on.homes[0]))
    (verdict,) = await pushed(on, visit)
    assert (verdict["verdict"], verdict["problem"]["type"]) == ("held", "/problems/device-retired")
    assert await words(on, visit) == ["held"]
    assert await count("visit") == 0
    assert [each.state for each in await commands.unsettled(on.centre.actor, None, 10, LATER)] == ["quarantined"]
    with pytest.raises(DeviceRetired):
        await pull(on)


async def test_a_department_pulls_its_cases_and_no_households_a_citizen_nothing(on: Stage) -> None:
    department = replace(on.worker.actor, memberships=(Membership(Role.DEPARTMENT, on.team, stage.DISTRICT),))
    answer = await pull(on, actor=department)
    assert set(answer.buckets) == {"reference", f"person:{on.worker.actor.id}", f"squad:{on.team}"}
    citizen = replace(on.worker.actor, kind="citizen", memberships=())
    with pytest.raises(NotPermitted):
        await pull(on, actor=citizen)
    with pytest.raises(NotPermitted):
        await commands.push(stage.push(on), citizen, LATER)


async def test_another_persons_device_neither_pushes_nor_pulls(on: Stage) -> None:
    with pytest.raises(ForeignDevice):
        await pushed(on, op("nobody.knows", {}), device_id=on.other_device)
    with pytest.raises(ForeignDevice):
        await pull(on, device_id=on.other_device)
    with pytest.raises(ForeignDevice):
        await pull(on, actor=stage.acting(on.worker.actor, on.other_device))


async def test_an_app_that_is_too_old_is_refused_on_pull_only(on: Stage) -> None:
    with pytest.raises(AppTooOld):
        await pull(on, app_schema=0)
    assert await words(on, op("visit.record", visit_body(on.homes[0])), app_schema=0) == ["applied"]


async def test_a_supervisor_sees_what_is_still_on_a_phone(on: Stage) -> None:
    await pushed(on, op("nobody.knows", {}), pending_after=3)
    (device,) = await commands.devices(on.centre.actor, LATER)
    assert (device.device, device.pending_after, device.last_push_at) == (on.device, 3, LATER)


# Pull


def entities(answer: PullAnswer, bucket: str) -> set[str]:
    return {each.entity for each in answer.buckets[bucket].ops if each.op == "put"}


async def test_a_phone_pulls_its_cells_households_without_anything_personal_and_reads_its_own_writes(on: Stage) -> None:
    answer = await pull(on)
    assert set(answer.buckets) == {
        "reference", f"person:{on.worker.actor.id}", f"squad:{on.team}", f"cell:{stage.CELL}",
    }  # fmt: skip
    assert entities(answer, f"cell:{stage.CELL}") == {str(home) for home in on.homes}
    sent = msgspec.json.encode(answer).decode()
    assert "1380000" not in sent
    assert "contact" not in sent
    assert "elderly_alone" not in sent
    assert await words(on, op("visit.record", visit_body(on.homes[1]))) == ["applied"]
    after = await pull(on, answer)
    assert entities(after, f"cell:{stage.CELL}") == {str(on.homes[1])}
    assert all(not page.ops for page in (await pull(on, after)).buckets.values())


async def test_small_pages_lead_to_the_same_rows_and_the_checksum_fits(on: Stage) -> None:
    held: dict[str, int] = {}
    answer = None
    for _ in range(20):
        answer = await pull(on, answer, limit=1)
        for page in answer.buckets.values():
            held |= {
                f"{each.kind}:{each.entity}": changes.mark(each.kind, each.entity, each.version) for each in page.ops
            }
        if not any(page.has_more for page in answer.buckets.values()):
            break
    assert answer is not None
    assert len(held) == 5
    expected = reduce(xor, (mark for key, mark in held.items() if key.startswith("household:")))
    assert answer.buckets[f"cell:{stage.CELL}"].checksum == feed.checksum(expected)


async def test_a_lost_cell_is_named_and_a_new_one_begins_at_its_beginning(on: Stage) -> None:
    first = await pull(on)
    moved = replace(on.worker.actor, memberships=on.outsider.actor.memberships)
    answer = await pull(on, first, moved)
    assert set(answer.removed_buckets) == {f"cell:{stage.CELL}", f"squad:{on.team}"}
    assert entities(await pull(on, answer), f"cell:{stage.CELL}") == {str(home) for home in on.homes}


async def test_after_a_restore_everything_comes_again_under_a_new_epoch(on: Stage) -> None:
    first = await pull(on)
    await changes.renew_epoch()
    again = await pull(on, first)
    assert again.epoch != first.epoch
    assert again.buckets == first.buckets
