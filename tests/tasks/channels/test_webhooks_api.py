"""Webhooks over HTTP: made, changed, tried out, seen, retired; secrets shown once, every act in the access log."""

from datetime import timedelta

import httpx
import pytest

from app import wiring
from app.identity import cipher, keys
from app.kernel import db
from app.kernel.actor import Role
from tasks.channels import privacy_commands, webhook_sending
from tasks.channels.webhook_sending import Policy
from tests.tasks.channels import receivers as r
from tests.tasks.channels.receivers import NOW, Receiver
from tests.tools import people

UNKNOWN = "00000000-0000-7000-8000-000000000000"


async def made(district: str, http: httpx.AsyncClient, url: str) -> tuple[dict[str, str], str, str]:
    """Headers of the centre, the webhook's address, its secret."""
    centre = (await people.sign_in(district, Role.DISTRICT_CENTRE)).headers
    answer = await http.post("/v1/webhooks", json={"source": r.SOURCE, "url": url}, headers=centre)
    assert answer.status_code == 201, answer.text
    return centre, f"/v1/webhooks/{answer.json()['webhook']['id']}", answer.json()["secret"]


async def test_the_secret_is_shown_once_and_kept_sealed(committed: str, http: httpx.AsyncClient) -> None:
    centre, path, secret = await made(committed, http, "http://127.0.0.1:9/in")
    for address in (path, "/v1/webhooks", f"{path}/deliveries"):
        assert secret not in (await http.get(address, headers=centre)).text
    async with db.transaction(committed):
        sealed = await db.fetchval("select secret from webhook")
        acts = [row[0] for row in await db.fetch("select action from access_log where object like 'webhook:%'")]
    assert secret not in sealed
    assert cipher.open_(sealed) == secret
    assert acts == ["webhook.make"]
    fresh = (await http.post(f"{path}/secret", headers=centre)).json()["secret"]
    assert fresh != secret
    async with db.transaction(committed):
        assert cipher.open_(await db.fetchval("select secret from webhook")) == fresh


async def test_a_change_of_the_key_seals_secrets_anew(committed: str, http: httpx.AsyncClient) -> None:
    _, _, secret = await made(committed, http, "http://127.0.0.1:9/in")
    cipher.configure("next", {"next": bytes(range(32)), "test": people.CIPHER_KEY})
    try:
        assert await privacy_commands.stale(committed) == 1
        assert await privacy_commands.reseal(committed, 10) == 1
        assert await privacy_commands.stale(committed) == 0
        async with db.transaction(committed):
            assert cipher.open_(await db.fetchval("select secret from webhook")) == secret
    finally:
        cipher.configure("test", {"test": people.CIPHER_KEY})


async def test_a_change_names_the_version_it_saw(committed: str, http: httpx.AsyncClient) -> None:
    centre, path, _ = await made(committed, http, "http://127.0.0.1:9/in")
    assert (await http.patch(path, json={"events": ["closed"]}, headers=centre)).status_code == 428
    first = await http.patch(path, json={"events": ["closed"]}, headers=centre | {"If-Match": '"1"'})
    assert (first.status_code, first.json()["events"], first.json()["version"]) == (200, ["closed"], 2)
    assert (await http.patch(path, json={"events": ["moved"], "version": 1}, headers=centre)).status_code == 409
    assert (await http.get(path, headers=centre)).headers["etag"].startswith('"2-')


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"source": r.SOURCE, "url": "ftp://example.org/"}, "url"),
        ({"source": r.SOURCE, "url": "http://user:pw@example.org/"}, "url"),
        ({"source": r.SOURCE, "url": "http://169.254.169.254/"}, "url"),
        ({"source": "nobody", "url": "http://127.0.0.1/"}, "source"),
        ({"source": "12 345", "url": "http://127.0.0.1/"}, "source"),
        ({"source": r.SOURCE, "url": "http://127.0.0.1/", "events": []}, "events"),
        ({"source": r.SOURCE, "url": "http://127.0.0.1/", "events": ["deleted"]}, "events"),
    ],
)
async def test_what_cannot_be_posted_to_is_refused(
    district: str, http: httpx.AsyncClient, body: dict[str, object], field: str
) -> None:
    centre = (await people.sign_in(district, Role.DISTRICT_CENTRE)).headers
    answer = await http.post("/v1/webhooks", json=body, headers=centre)
    assert answer.status_code == 422, answer.text
    assert [error["field"].partition("[")[0] for error in answer.json()["errors"]] == [field]


async def test_private_addresses_are_refused_where_the_setting_says_so(district: str, http: httpx.AsyncClient) -> None:
    webhook_sending.configure(Policy(private_allowed=False))
    centre = (await people.sign_in(district, Role.DISTRICT_CENTRE)).headers
    body = {"source": r.SOURCE, "url": "http://127.0.0.1/"}
    assert (await http.post("/v1/webhooks", json=body, headers=centre)).status_code == 422


async def test_a_ping_shows_what_the_receiver_makes_of_it(
    committed: str, http: httpx.AsyncClient, receiver: Receiver
) -> None:
    centre, path, secret = await made(committed, http, f"{receiver.url}/in")
    answer = (await http.post(f"{path}/ping", headers=centre)).json()
    assert (answer["taken"], answer["status"]) == (True, 200)
    [got] = receiver.got
    assert got.event["type"] == "zjw.ping"
    signed = keys.request_text("POST", "/in", got.body)
    stamp = (got.headers["x-timestamp"], got.headers["x-nonce"], signed, got.headers["x-signature"])
    assert keys.signature_fits(secret, *stamp)
    receiver.said(500)
    assert (await http.post(f"{path}/ping", headers=centre)).json()["taken"] is False
    assert await r.rows("id") == []


async def test_the_log_is_paged_and_filtered_and_dead_letters_are_sent_again(
    committed: str, http: httpx.AsyncClient, receiver: Receiver
) -> None:
    centre, path, _ = await made(committed, http, receiver.url)
    await r.told(*(r.opened() for _ in range(3)))
    await r.send()
    await r.told(r.opened())
    receiver.said(410)
    await r.send()
    found, address = list[str](), f"{path}/deliveries?limit=3"
    while address:
        page = await http.get(address, headers=centre)
        found += [each["id"] for each in page.json()]
        address = page.links.get("next", {}).get("url", "")
    assert len(found) == len(set(found)) == 4
    [dead] = (await http.get(f"{path}/deliveries?state=dead", headers=centre)).json()
    assert (dead["last_status"], dead["attempts"], dead["type"]) == (410, 1, "opened")
    assert (await http.get(path, headers=centre)).json()["backlog"]["dead"] == 1
    assert (await http.post(f"{path}/resume", headers=centre)).json()["state"] == "active"
    one = await http.post(f"{path}/deliveries/{dead['id']}/replay", headers=centre)
    assert (one.status_code, one.json()) == (200, {"deliveries": 1})
    assert (await http.post(f"{path}/deliveries/{dead['id']}/replay", headers=centre)).status_code == 404
    assert (await http.post(f"{path}/deliveries/{UNKNOWN}/replay", headers=centre)).status_code == 404


async def test_a_retired_webhook_hears_nothing_and_keeps_its_log(
    committed: str, http: httpx.AsyncClient, receiver: Receiver
) -> None:
    centre, path, _ = await made(committed, http, receiver.url)
    await r.told(r.opened())
    assert (await http.delete(path, headers=centre)).status_code == 204
    await r.told(r.opened())
    assert await r.send() == 0
    seen = (await http.get(path, headers=centre)).json()
    assert (seen["state"], seen["retired"], seen["backlog"]["dead"]) == ("gone", True, 1)
    for change in ("resume", "pause", "secret", "ping", "replay"):
        answer = await http.post(f"{path}/{change}", json={} if change == "replay" else None, headers=centre)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/webhook-retired"), change


async def test_unknown_ones_are_not_found(district: str, http: httpx.AsyncClient) -> None:
    centre = (await people.sign_in(district, Role.DISTRICT_CENTRE)).headers
    for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/deliveries"), ("POST", "/pause"), ("POST", "/ping")):
        answer = await http.request(method, f"/v1/webhooks/{UNKNOWN}{rest}", headers=centre)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/webhook-not-found"), rest


async def test_what_waits_and_what_is_dead_is_among_the_figures(
    committed: str, http: httpx.AsyncClient, receiver: Receiver
) -> None:
    await r.hook(receiver.url)
    await r.told(r.opened(), r.opened())
    text = (await http.get("/metrics")).text
    assert "zjw_webhook_waiting 2.0" in text
    assert "zjw_webhook_dead 0.0" in text
    at = NOW + timedelta(minutes=5)
    assert (await wiring.figures(at))["zjw_webhook_oldest_waiting_seconds"][1] == 300
