"""Messages over real HTTP: taken, refused, receivers that are away, slow or broken; once each, never at night."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from app.identity import cipher, keys
from app.kernel import db
from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.notices import adapters, commands, configuration, delivering, store
from app.notices.commands import Phone
from app.notices.configuration import Outlets
from app.notices.quiet import parse
from app.notices.wording import Channel
from tasks.cases.model import Severity
from tests.app.notices import cases
from tests.app.notices.cases import NOW, opened, tell
from tests.app.notices.conftest import Receiver
from tests.tasks.cases import stage
from tests.tools import people

PHONE = "13800005678"


def outlets(url: str, **changes: Any) -> Outlets:
    """Everything goes to one receiver."""
    every = Outlets(
        sms_url=url,
        sms_secret="sms secret",
        subscribe_url=url,
        template="T1",
        app_id="app",
        app_secret="app secret",
        webhook_url=f"{url}/hook",
        webhook_secret="hook secret",
    )
    return replace(every, **changes)


async def deliver(now: datetime = NOW, channel: Channel = Channel.WEBHOOK) -> int:
    return await delivering.deliver_due(stage.DISTRICT, channel, now)


async def states() -> list[tuple[str, str, int]]:
    return [(each["channel"], each["state"], each["tries"]) for each in await cases.deliveries()]


async def test_the_webhook_gets_a_signed_notice_once(real_place: str, receiver: Receiver) -> None:
    configuration.configure(outlets(receiver.url))
    case = await opened()
    await tell()
    assert [await deliver(), await deliver(NOW + timedelta(days=1))] == [1, 0]
    [(path, headers, body)] = receiver.got
    said = json.loads(body)
    assert (path, said["number"], said["kind"]) == ("/hook", case.number, "assigned")
    assert said["text"] == {"zh": "已指派甲镇社会治理中心（演示），请签收", "en": said["text"]["en"]}
    signed = (headers["x-timestamp"], headers["x-nonce"], body, headers["x-signature"])
    assert keys.signature_fits("hook secret", *signed)
    assert not keys.signature_fits("another secret", *signed)
    assert await states() == [("webhook", "sent", 1)]


async def test_a_critical_notice_goes_to_the_desks_phone(real_place: str, receiver: Receiver) -> None:
    configuration.configure(outlets(receiver.url))
    clerk = (await people.sign_in(real_place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN)).actor
    await commands.set_phone(Phone(PHONE, desk=stage.TOWN_CENTRE), clerk, NOW)
    await opened()
    await tell()
    assert await deliver(channel=Channel.SMS) == 0
    case = await opened(severity=Severity.CRITICAL)
    await tell()
    assert await deliver(channel=Channel.SMS) == 1
    [(path, headers, body)] = receiver.got
    assert (path, headers["authorization"]) == ("/messages", "Bearer sms secret")
    assert json.loads(body)["to"] == PHONE
    assert json.loads(body)["text"] == f"事件{case.number}：已指派甲镇社会治理中心（演示），请签收"


async def test_a_citizen_who_follows_gets_a_subscribe_message_with_one_token_for_all(
    real_place: str, receiver: Receiver
) -> None:
    configuration.configure(outlets(receiver.url))
    for _ in range(2):
        case = await opened()
        await _follow(case.id, "openid-1")
        await cases.finish(case)
    await tell()
    assert await deliver(channel=Channel.SUBSCRIBE_MESSAGE) == 2
    paths = [path for path, _, _ in receiver.got]
    assert sorted(set(paths)) == ["/cgi-bin/message/subscribe/send", "/cgi-bin/stable_token"]
    sent = json.loads(receiver.got[-1][2])
    assert (sent["touser"], sent["template_id"]) == ("openid-1", "T1")
    assert sent["data"]["thing2"]["value"] == "已办理，请评价"


async def _follow(case: Any, openid: str) -> None:
    async with db.transaction(stage.DISTRICT):
        await db.execute(
            "insert into notice_address (id, recipient, channel, about, address, set_at, set_by)"
            " values ($1, $2, 'subscribe_message', $3, $4, $5, $2)",
            new_id(),
            stage.CITIZEN.id,
            case,
            cipher.seal(openid),
            NOW,
        )


@pytest.mark.parametrize(
    ("status", "answer", "state"),
    [
        (500, {}, "failed"),
        (429, {}, "failed"),
        (400, {}, "given_up"),
    ],
)
async def test_what_a_receiver_refuses_is_tried_again_unless_it_is_of_no_use(
    real_place: str, receiver: Receiver, status: int, answer: dict[str, Any], state: str
) -> None:
    configuration.configure(outlets(receiver.url))
    receiver.status, receiver.answer = status, answer
    await opened()
    await tell()
    assert await deliver() == 0
    [delivery] = await cases.deliveries()
    assert (delivery["state"], delivery["error"]) == (state, f"HTTP {status}")
    receiver.status = 200
    assert await deliver(NOW + timedelta(seconds=29)) == 0
    assert await deliver(NOW + timedelta(seconds=30)) == (state == "failed")


@pytest.mark.parametrize(("code", "state"), [(43101, "given_up"), (-1, "failed"), (42001, "failed")])
async def test_the_platforms_own_errors_are_told_apart(
    real_place: str, receiver: Receiver, code: int, state: str
) -> None:
    configuration.configure(outlets(receiver.url))
    receiver.answer = {"errcode": code}
    case = await opened()
    await _follow(case.id, "openid-1")
    await cases.finish(case)
    await tell()
    await deliver(channel=Channel.SUBSCRIBE_MESSAGE)
    assert ("subscribe_message", state, 1) in await states()
    assert bool(adapters._tokens) == (code != 42001)


async def test_a_receiver_that_stays_away_is_given_up_after_eight_tries_and_that_is_seen(
    real_place: str, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    configuration.configure(outlets("http://127.0.0.1:9"))
    clerk = (await people.sign_in(real_place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN)).actor
    await commands.set_phone(Phone(PHONE, desk=stage.TOWN_CENTRE), clerk, NOW)
    await opened(severity=Severity.CRITICAL)
    await tell()
    at = NOW
    for _ in range(delivering.TRIES):
        assert await deliver(at, Channel.SMS) == 0
        at += delivering.LONGEST
    assert ("sms", "given_up", 8) in await states()
    configuration.configure(outlets(receiver.url))
    assert await deliver(at, Channel.SMS) == 0
    centre = await people.sign_in(real_place, Role.DISTRICT_CENTRE, stage.CENTRE)
    seen = {str(each.channel): each.given_up for each in await commands.overview(centre.actor, NOW)}
    assert seen["sms"] == 1
    assert PHONE not in caplog.text


async def test_a_receiver_that_hangs_holds_no_transaction_and_only_its_own_messages(
    real_place: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters, "TIMEOUT_SECONDS", 0.3)
    configuration.configure(outlets(receiver.url))
    await opened()
    await tell()
    receiver.gate.clear()
    hanging = asyncio.create_task(deliver())
    while not receiver.got:
        await asyncio.sleep(0.01)
    async with db.transaction(stage.DISTRICT):
        idle = (
            "select count(*) from pg_stat_activity where state like 'idle in transaction%' and pid <> pg_backend_pid()"
        )
        assert await db.fetchval(idle + " and datname = current_database()") == 0
    assert await deliver() == 0  # leased: nobody sends it a second time meanwhile
    assert await hanging == 0
    assert (len(receiver.got), await states()) == (1, [("webhook", "failed", 1)])


async def test_two_workers_share_the_work_and_send_each_message_once(real_place: str, receiver: Receiver) -> None:
    configuration.configure(outlets(receiver.url))
    for _ in range(12):
        await opened()
    await tell()
    assert sum(await asyncio.gather(*(deliver() for _ in range(3)))) == 12
    assert len({headers["idempotency-key"] for _, headers, _ in receiver.got}) == len(receiver.got) == 12


async def test_a_worker_takes_what_another_has_not_taken_without_waiting_for_it(real_place: str) -> None:
    configuration.configure(outlets("http://127.0.0.1:9"))
    for _ in range(5):
        await opened()
    await tell()
    taken, released = asyncio.Event(), asyncio.Event()

    async def claim(limit: int) -> set[Any]:
        return {each.id for each in await store.claim(Channel.WEBHOOK, NOW, NOW + delivering.LEASE, False, limit)}

    async def first() -> set[Any]:
        async with db.transaction(stage.DISTRICT):
            mine = await claim(3)
            taken.set()
            await released.wait()
        return mine

    holding = asyncio.create_task(first())
    await taken.wait()
    async with asyncio.timeout(10), db.transaction(stage.DISTRICT):
        others = await claim(5)
    released.set()
    assert (len(await holding), len(others), len(await holding & others)) == (3, 2, 0)


async def test_a_worker_that_was_killed_while_sending_leaves_its_messages_to_others(
    real_place: str, receiver: Receiver
) -> None:
    configuration.configure(outlets(receiver.url))
    await opened()
    await tell()
    receiver.gate.clear()
    killed = asyncio.create_task(deliver())
    while not receiver.got:
        await asyncio.sleep(0.01)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    receiver.gate.set()
    assert await deliver(NOW + delivering.LEASE - timedelta(seconds=1)) == 0
    assert await deliver(NOW + delivering.LEASE) == 1
    assert len({headers["idempotency-key"] for _, headers, _ in receiver.got}) == 1  # the receiver can tell


async def test_a_retry_that_falls_into_quiet_hours_waits_for_the_morning(real_place: str, receiver: Receiver) -> None:
    configuration.configure(outlets(receiver.url, quiet=parse("22:00-07:00")))
    receiver.status = 500
    late = NOW + timedelta(hours=11, minutes=59, seconds=45)  # 21:59:45 in Hangzhou
    await opened()
    await tell(late)
    await deliver(late)
    assert [each["next_at"] for each in await cases.deliveries()] == [NOW + timedelta(hours=21)]
    receiver.status = 200
    assert await deliver(late + timedelta(hours=9)) == 0
    assert await deliver(NOW + timedelta(hours=21)) == 1


async def test_what_was_due_before_quiet_hours_does_not_go_out_in_them(real_place: str, receiver: Receiver) -> None:
    configuration.configure(outlets(receiver.url, quiet=parse("22:00-07:00")))
    await opened()
    await opened(severity=Severity.CRITICAL)
    await tell(NOW + timedelta(hours=11, minutes=59))
    assert await deliver(NOW + timedelta(hours=12)) == 1  # the critical one
    assert await deliver(NOW + timedelta(hours=21)) == 1


async def test_a_channel_that_is_off_makes_no_deliveries(real_place: str, receiver: Receiver) -> None:
    await opened()
    await tell()
    assert await cases.deliveries() == []
    assert len(await cases.notices()) == 1
