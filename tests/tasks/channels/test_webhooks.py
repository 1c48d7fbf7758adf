"""Webhooks over real HTTP: signed, in order, again and again until taken or dead, and nobody waits for anybody else."""

import asyncio
from collections import defaultdict
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from app.identity import keys
from app.kernel import db
from app.worker import delivery
from tasks.channels import stream_commands, webhook_commands, webhook_sending
from tasks.channels.webhook_commands import Replay
from tasks.channels.webhook_sending import Policy
from tasks.channels.webhooks import LIFE, LONGEST_WAIT
from tests.tasks.cases import stage
from tests.tasks.channels import receivers as r
from tests.tasks.channels.receivers import CENTRE, NOW, Receiver
from tests.tools import people

HOUR = timedelta(hours=1)


async def test_the_receiver_of_a_source_gets_its_events_signed_and_without_any_person(
    committed: str, receiver: Receiver
) -> None:
    made = await r.hook(f"{receiver.url}/in?a=1")
    case = uuid4()
    await r.told(r.opened(case), r.moved(case, 2), r.closed(case, 2), r.opened(source="110"))
    assert [await r.send(), await r.send()] == [3, 0]
    assert [each.event["type"] for each in receiver.got] == ["zjw.case.opened", "zjw.case.moved", "zjw.case.closed"]
    first = receiver.got[0]
    assert (first.path, first.headers["content-type"]) == ("/in?a=1", "application/cloudevents+json")
    assert {name: first.event[name] for name in ("specversion", "source", "subject")} == {
        "specversion": "1.0", "source": "/districts/330109/cases", "subject": str(case)
    }  # fmt: skip
    assert first.event["data"]["external_id"] == "E-1"
    signed = keys.request_text("POST", "/in?a=1", first.body)
    stamp = (first.headers["x-timestamp"], first.headers["x-nonce"], signed, first.headers["x-signature"])
    assert keys.signature_fits(made.secret, *stamp)
    assert not keys.signature_fits("another", *stamp)
    assert keys.is_timely(stamp[0], NOW)
    assert keys.is_nonce(stamp[1])
    assert len({each.headers["x-nonce"] for each in receiver.got}) == 3
    everything = b"".join(each.body for each in receiver.got).decode()
    for person in (CENTRE.id, stage.CITIZEN.id, "120.265", "30.185"):
        assert str(person) not in everything


async def test_only_the_types_asked_for_are_sent(committed: str, receiver: Receiver) -> None:
    await r.hook(receiver.url, events=("closed",))
    case = uuid4()
    await r.told(r.opened(case), r.moved(case, 2), r.closed(case, 2))
    await r.send()
    assert [each.event["type"] for each in receiver.got] == ["zjw.case.closed"]


async def test_the_same_event_delivered_twice_by_the_worker_is_one_delivery(committed: str, receiver: Receiver) -> None:
    await r.hook(receiver.url)
    event = r.opened()
    await r.told(event)
    await r.told(event)  # the queue lost its memory
    assert await r.send() == 1


async def test_a_receiver_that_is_down_for_an_hour_gets_everything_then_and_in_order(
    committed: str, receiver: Receiver
) -> None:
    made = await r.hook("http://127.0.0.1:9/")  # nothing listens there
    case = uuid4()
    await r.told(r.opened(case), *(r.moved(case, n) for n in range(2, 6)))
    now, waits = NOW, list[timedelta]()
    while now < NOW + HOUR:
        assert await r.send(now) == 0
        tries, next_try = (await r.rows("attempts", "next_try_at"))[0]
        assert tries == len(waits) + 1
        assert await r.rows("next_try_at") == [(next_try,)] * 5  # nobody looks at those behind it before its turn
        waits.append(next_try - now)
        assert await r.send(next_try - timedelta(milliseconds=1)) == 0  # not a moment earlier
        assert (await r.rows("attempts"))[0] == (tries,)
        now = next_try
    assert 6 <= len(waits) <= 12
    for n, wait in enumerate(waits):  # 10 s, doubling, 20 % more or less
        assert 0.8 * 10 * 2**n <= min(wait, LONGEST_WAIT).total_seconds() <= 1.2 * 10 * 2**n
    assert {row[0] for row in (await r.rows("attempts"))[1:]} == {0}  # later ones were not even tried
    change = webhook_commands.WebhookChange(url=receiver.url)
    await webhook_commands.change(made.webhook.id, change, CENTRE, now)
    assert await r.send(now) == 5
    assert [each.version for each in receiver.got] == [1, 2, 3, 4, 5]


async def test_a_receiver_that_answers_500_is_asked_again_and_the_log_says_so(
    committed: str, receiver: Receiver
) -> None:
    made = await r.hook(receiver.url)
    await r.told(r.opened())
    receiver.said(500)
    await r.send()
    [line] = await webhook_commands.log(made.webhook.id, None, None, 10, CENTRE)
    assert (line.state, line.attempts, line.last_status, line.last_error) == ("waiting", 1, 500, "HTTP 500")
    receiver.said(202)
    assert await r.send(NOW + timedelta(seconds=13)) == 1
    [line] = await webhook_commands.log(made.webhook.id, "delivered", None, 10, CENTRE)
    assert (line.attempts, line.last_status, line.last_error) == (2, 202, None)
    assert receiver.got[0].event["id"] == receiver.got[1].event["id"]  # so that it can tell a repeat
    assert receiver.got[0].headers["x-nonce"] != receiver.got[1].headers["x-nonce"]


async def test_410_ends_the_webhook_and_resuming_brings_it_back(committed: str, receiver: Receiver) -> None:
    made = await r.hook(receiver.url)
    case = uuid4()
    await r.told(r.opened(case), r.moved(case, 2))
    receiver.said(410)
    await r.send()
    seen = await webhook_commands.read(made.webhook.id, CENTRE)
    assert (seen.state, seen.backlog.waiting, seen.backlog.dead) == ("gone", 0, 2)
    await r.told(r.moved(case, 3))  # nobody hears it
    receiver.said(200)
    assert await r.send(NOW + HOUR) == 0
    assert len(receiver.got) == 1
    await webhook_commands.set_state(made.webhook.id, "active", CENTRE, NOW + HOUR)
    assert (await webhook_commands.replay(made.webhook.id, Replay(), CENTRE, NOW + HOUR)).deliveries == 2
    assert await r.send(NOW + HOUR) == 2


async def test_a_redirect_is_not_followed(committed: str, receiver: Receiver) -> None:
    await r.hook(f"{receiver.url}/old")
    await r.told(r.opened())
    receiver.said(307, Location=f"{receiver.url}/new")
    await r.send()
    assert [each.path for each in receiver.got] == ["/old"]
    assert await r.rows("state", "last_status") == [("waiting", 307)]
    assert "redirects are not followed" in (await r.rows("last_error"))[0][0]


async def test_retry_after_keeps_the_whole_webhook_quiet_that_long(committed: str, receiver: Receiver) -> None:
    await r.hook(receiver.url)
    await r.told(r.opened())
    receiver.said(429, Retry_After="600")
    await r.send()
    await r.told(r.opened())  # another case
    receiver.said(200)
    assert await r.send(NOW + timedelta(seconds=599)) == 0
    assert len(receiver.got) == 1
    assert await r.send(NOW + timedelta(seconds=600)) == 2


async def test_a_slow_receiver_is_given_up_on_and_holds_up_no_other(committed: str, receiver: Receiver) -> None:
    webhook_sending.configure(Policy(timeout_seconds=5))
    await r.hook(f"{receiver.url}/slow")
    await r.hook(f"{receiver.url}/quick")
    receiver.hanging.add("/slow")
    await r.told(*(r.opened() for _ in range(40)))
    sending = asyncio.create_task(r.send())
    async with asyncio.timeout(4):  # before the slow one is given up on
        while len(receiver.at("/quick")) < 40:
            await asyncio.sleep(0.01)
    assert len(receiver.at("/slow")) == webhook_sending.AT_ONCE  # and no more than that at a time
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    webhook_sending.configure(Policy(timeout_seconds=0.2))
    before = await r.rows("id")
    assert len(before) == 80
    await r.send()
    errors = {row for row in await r.rows("state", "last_error") if row[0] == "waiting"}
    assert ("waiting", "no answer in time") in errors  # those of the cancelled sender may still be leased to it
    assert {row[1] for row in errors} <= {"no answer in time", None}


async def test_later_events_that_reach_the_worker_first_are_not_sent_first(committed: str, receiver: Receiver) -> None:
    await r.hook(receiver.url)
    case = uuid4()
    events = [r.opened(case), r.moved(case, 2), r.moved(case, 3), r.closed(case, 3)]
    await r.happen(*events)
    await r.relay(events[2])  # a worker was quicker with the third
    await r.send()
    assert [each.version for each in receiver.got] == [1, 2, 3]
    await r.relay(events[3], events[1], events[0])
    await r.send()
    assert [each.event["id"] for each in receiver.got] == [str(each.id) for each in events]


async def test_two_senders_keep_the_order_of_every_case_and_send_nothing_twice(
    committed: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_sending, "WINDOW", 4)  # so that there is enough for both
    await r.hook(receiver.url)
    cases = [uuid4() for _ in range(12)]
    for version in range(1, 7):
        events = [r.opened(case) if version == 1 else r.moved(case, version) for case in cases]
        await r.told(*events)
    failed: set[tuple[str, int]] = set()

    def now_and_then(got: r.Got) -> r.Answer:
        key = (got.case, got.version)
        if UUID(got.case).int % 3 == got.version % 3 and key not in failed:
            failed.add(key)
            return 500, {}
        return 200, {}

    receiver.answer = now_and_then
    now = NOW
    for _ in range(12):
        await asyncio.gather(r.send(now), r.send(now))
        now += timedelta(seconds=30)
    taken: defaultdict[str, list[int]] = defaultdict(list)
    for got in receiver.got:
        taken[got.case].append(got.version)
    assert len(failed) > 10
    assert len(receiver.got) == 12 * 6 + len(failed)  # once each, and once more where it failed
    assert all(versions == sorted(versions) for versions in taken.values())
    assert receiver.most_under_way > 1  # several cases side by side


async def test_who_sends_holds_a_lease_and_a_late_sender_changes_nothing(committed: str, receiver: Receiver) -> None:
    await r.hook(f"{receiver.url}/slow")
    await r.told(r.opened())
    receiver.hanging.add("/slow")
    first = asyncio.create_task(r.send())
    await receiver.came.wait()
    assert await r.send(NOW + webhook_sending.LEASE - timedelta(seconds=1)) == 0
    assert len(receiver.got) == 1
    receiver.hanging.clear()
    later = NOW + webhook_sending.LEASE
    assert await r.send(later) == 1  # the lease is over: somebody else's turn
    receiver.said(500)
    receiver.gate.set()
    await first
    assert await r.rows("state", "attempts", "last_status", "done_at") == [("delivered", 2, 200, later)]


async def test_what_was_under_way_at_a_stop_is_given_back_at_once(committed: str, receiver: Receiver) -> None:
    await r.hook(f"{receiver.url}/slow")
    await r.told(r.opened())
    receiver.hanging.add("/slow")
    stopped = asyncio.create_task(r.send())
    await receiver.came.wait()
    stopped.cancel()
    await asyncio.gather(stopped, return_exceptions=True)
    receiver.hanging.clear()
    assert await r.send() == 1


async def test_after_three_days_it_is_a_dead_letter_and_the_next_of_the_case_has_its_turn(
    committed: str, receiver: Receiver
) -> None:
    made = await r.hook(receiver.url)
    case = uuid4()
    await r.told(r.opened(case))
    receiver.said(500)
    await r.send()
    await r.told(r.moved(case, 2), now=NOW + LIFE - HOUR)
    await r.send(NOW + LIFE)
    assert await r.rows("state") == [("dead",), ("waiting",)]
    receiver.said(200)
    assert await r.send(NOW + LIFE + HOUR) == 1
    seen = await webhook_commands.read(made.webhook.id, CENTRE)
    assert (seen.backlog.waiting, seen.backlog.dead) == (0, 1)
    [dead] = await webhook_commands.log(made.webhook.id, "dead", None, 10, CENTRE)
    revived = await webhook_commands.replay_one(made.webhook.id, dead.id, CENTRE, NOW + LIFE + HOUR)
    assert (revived.deliveries, await r.send(NOW + LIFE + HOUR)) == (1, 1)
    assert receiver.got[-1].version == 1


async def test_a_hundred_tries_are_enough(committed: str, receiver: Receiver) -> None:
    await r.hook(receiver.url)
    await r.told(r.opened())
    receiver.said(500)
    async with db.transaction(stage.DISTRICT):
        await db.execute("update webhook_delivery set attempts = 98")
    await r.send()
    assert await r.rows("state", "attempts") == [("waiting", 99)]
    await r.send(NOW + 2 * HOUR)
    assert await r.rows("state", "attempts") == [("dead", 100)]


async def test_all_since_an_instant_are_sent_again_in_order_though_they_were_taken(
    committed: str, receiver: Receiver
) -> None:
    made = await r.hook(receiver.url)
    case = uuid4()
    await r.told(r.opened(case), r.moved(case, 2, at=NOW + HOUR), r.moved(case, 3, at=NOW + 2 * HOUR))
    await r.send()
    receiver.got.clear()
    wanted = Replay(since=NOW + HOUR, delivered=True)
    assert (await webhook_commands.replay(made.webhook.id, Replay(), CENTRE, NOW)).deliveries == 0
    assert (await webhook_commands.replay(made.webhook.id, wanted, CENTRE, NOW)).deliveries == 2
    await r.told(r.moved(case, 4))
    assert await r.send() == 3
    assert [each.version for each in receiver.got] == [2, 3, 4]


async def test_a_paused_webhook_keeps_what_comes_for_later(committed: str, receiver: Receiver) -> None:
    made = await r.hook(receiver.url)
    await webhook_commands.set_state(made.webhook.id, "paused", CENTRE, NOW)
    await r.told(r.opened())
    assert await r.send() == 0
    await webhook_commands.set_state(made.webhook.id, "active", CENTRE, NOW)
    assert await r.send() == 1


async def test_private_addresses_are_asked_only_where_the_setting_allows_it(committed: str, receiver: Receiver) -> None:
    await r.hook(receiver.url)
    await r.hook(receiver.url.replace("127.0.0.1", "localhost"))  # a name, looked up when it is sent
    await r.told(r.opened())
    webhook_sending.configure(Policy(private_allowed=False))
    assert await r.send() == 0
    assert receiver.got == []
    assert [row[0].rpartition(" is ")[2] for row in await r.rows("last_error")] == ["a private address"] * 2
    webhook_sending.configure(Policy())
    assert await r.send(NOW + HOUR) == 2


async def test_what_is_over_is_kept_for_thirty_days(committed: str, receiver: Receiver) -> None:
    await r.hook(receiver.url)
    await r.told(r.opened())
    await r.send()
    await r.told(r.opened(at=NOW + HOUR), now=NOW + HOUR)  # still waits
    await stream_commands.page(CENTRE, 0, 10, NOW)  # positions are given
    await stream_commands.tidy(stage.DISTRICT, NOW + stream_commands.KEPT)
    assert len(await r.rows("id")) == 2
    await stream_commands.tidy(stage.DISTRICT, NOW + stream_commands.KEPT + timedelta(days=1))
    assert await r.rows("state") == [("waiting",)]
    async with db.transaction(stage.DISTRICT):
        assert await db.fetchval("select count(*) from case_stream") == 1


async def test_a_webhook_whose_secret_nobody_can_open_holds_up_no_other_and_ends_as_dead_letters(
    committed: str, receiver: Receiver
) -> None:
    bad, good = await r.hook(f"{receiver.url}/bad"), await r.hook(f"{receiver.url}/good")
    async with db.transaction(committed):
        await db.execute("update webhook set secret = 'aesgcm:lost:AAAA' where id = $1", bad.webhook.id)
    await r.told(r.opened(), r.opened())
    assert await r.send() == 2
    assert [each.path for each in receiver.got] == ["/good"] * 2
    lines = await webhook_commands.log(bad.webhook.id, None, None, 10, CENTRE)
    assert [(line.state, line.attempts) for line in lines] == [("waiting", 1)] * 2
    assert all((line.last_error or "").startswith("not sent: ") for line in lines)
    await r.send(NOW + LIFE)
    lines = await webhook_commands.log(bad.webhook.id, "dead", None, 10, CENTRE)
    assert len(lines) == 2
    assert len(await webhook_commands.log(good.webhook.id, "delivered", None, 10, CENTRE)) == 2


async def test_the_router_does_not_wait_for_any_receiver(
    committed: str, receiver: Receiver, http: httpx.AsyncClient
) -> None:
    await r.hook(f"{receiver.url}/slow", source="citizen")
    receiver.hanging.add("/slow")
    citizen = await people.sign_in_citizen(committed)
    made: list[str] = []

    async def submit() -> None:
        wish = {"text": "路灯不亮（演示）", "address": "演示路 1 号"}
        answer = await http.post("/v1/citizen/requests", json=wish, headers=citizen.headers)
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])

    await submit()
    async with db.transaction(committed):
        waiting = await db.fetch("select event_id from outbox where type in ('CaseOpened', 'CaseMoved')")
    assert receiver.got == []  # the request itself posts nothing
    for row in waiting:
        await delivery.deliver(committed, row["event_id"], lambda: NOW)
    sending = asyncio.create_task(r.send(NOW))
    await receiver.came.wait()
    async with asyncio.timeout(5):  # half of what a try may take
        await submit()
        text = {"text": "补充：在路口（演示）"}
        added = await http.post(f"/v1/citizen/requests/{made[0]}/add", json=text, headers=citizen.headers)
        assert added.status_code == 200, added.text  # the very case whose event hangs
    assert not sending.done()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
