"""Machines: keys shown once, scopes, expiry, revocation, signatures and nonces; and the log of accesses."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.identity import commands, identification, keys, keystore, scope
from app.identity.keys import NewKey
from app.kernel import db
from app.kernel.actor import Role
from app.kernel.problem import NotSignedIn
from tests.tools import people

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


async def made(district: str, *scopes: str, expires_at: datetime | None = None) -> NewKey:
    return await commands.create_key(district, "12315", list(scopes), NOW, expires_at)


async def test_a_key_identifies_its_machine_with_its_scopes_and_nothing_else(district: str) -> None:
    new = await made(district, "grid.read")
    actor, known, secret = await identification.identify_machine(district, new.key, NOW)
    assert (actor.id, actor.kind, actor.scopes, actor.memberships) == (new.id, "machine", {"grid.read"}, ())
    assert (known.source, secret) == ("12315", new.secret)
    assert scope.reach(actor, "grid.read").everything
    assert scope.reach(actor, "account.manage").nothing


async def test_key_and_secret_are_shown_once_and_stored_hashed_and_sealed(
    district: str, http: httpx.AsyncClient
) -> None:
    administrator = await people.sign_in(district, Role.ADMINISTRATOR)
    body = {"source": "12315", "scopes": ["grid.read"]}
    new = (await http.post("/v1/keys", json=body, headers=administrator.headers)).json()
    listed = await http.get("/v1/keys", headers=administrator.headers)
    assert [one["id"] for one in listed.json()] == [new["id"]]
    assert new["key"] not in listed.text
    assert new["secret"] not in listed.text
    row = await db.fetchrow("select digest, secret from api_key")
    assert row is not None
    assert new["key"] not in row["digest"]
    assert row["digest"].startswith("sha256:")
    assert new["secret"] not in row["secret"]
    assert row["secret"].startswith("aes256gcm.test.")


async def test_expired_revoked_and_unknown_keys_are_refused(district: str) -> None:
    expiring = await made(district, expires_at=NOW + timedelta(hours=1))
    await identification.identify_machine(district, expiring.key, NOW + timedelta(minutes=59))
    revoked = await made(district)
    await commands.revoke_key(district, revoked.id, NOW)
    for key, now in ((expiring.key, NOW + timedelta(hours=1)), (revoked.key, NOW), ("zjwk_no", NOW), ("é", NOW)):
        with pytest.raises(NotSignedIn):
            await identification.identify_machine(district, key, now)


async def test_a_revoked_key_is_401_over_http(district: str, http: httpx.AsyncClient) -> None:
    new = await made(district)
    headers = {"X-Api-Key": new.key}
    assert (await http.get("/v1/me", headers=headers)).json()["kind"] == "machine"
    await commands.revoke_key(district, new.id, NOW)
    assert (await http.get("/v1/me", headers=headers)).status_code == 401


async def test_last_use_is_noted_to_the_minute(district: str) -> None:
    new = await made(district)
    uses = [NOW, NOW + timedelta(seconds=30), NOW + timedelta(seconds=61)]
    seen = []
    for now in uses:
        await identification.identify_machine(district, new.key, now)
        seen.append((await keystore.keys())[0].last_used_at)
    assert seen == [NOW, NOW, uses[2]]


async def test_scopes_are_actions_of_the_matrix(district: str, http: httpx.AsyncClient) -> None:
    administrator = await people.sign_in(district, Role.ADMINISTRATOR)
    body = {"source": "12315", "scopes": ["grid.read", "grid.rule", "everything"]}
    answer = await http.post("/v1/keys", json=body, headers=administrator.headers)
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == ["scopes[1]", "scopes[2]"]


async def test_a_key_of_one_district_is_none_in_another(committed: str) -> None:
    new = await made(committed)
    with pytest.raises(NotSignedIn):
        await identification.identify_machine("330110", new.key, NOW)


async def test_a_nonce_counts_once_per_key_and_is_forgotten_when_its_timestamp_is_too_old_anyway(
    district: str,
) -> None:
    one, other = uuid4(), uuid4()
    assert await commands.use_nonce(one, "n-1", NOW)
    assert not await commands.use_nonce(one, "n-1", NOW)
    assert await commands.use_nonce(other, "n-1", NOW)
    assert await commands.use_nonce(one, "n-2", NOW)
    await commands.tidy(district, NOW + keys.WINDOW)
    assert not await commands.use_nonce(one, "n-1", NOW + keys.WINDOW)
    await commands.tidy(district, NOW + 2 * keys.WINDOW + timedelta(seconds=1))
    assert await db.fetchval("select count(*) from used_nonce") == 0


def test_the_signature_is_the_one_other_languages_compute() -> None:
    # printf '1700000000\nabc\n{"a":1}' | openssl dgst -sha256 -hmac zjws_secret
    expected = "802f13c6d61949d7e6d783793e3af8de74f10d2ed819f12eecacb2f1aa192391"
    signature = keys.sign("zjws_secret", "1700000000", "abc", b'{"a":1}')
    assert signature == expected
    assert keys.signature_fits("zjws_secret", "1700000000", "abc", b'{"a":1}', signature.upper())


@given(
    st.tuples(st.text("0123456789", max_size=10), st.text("abc-", max_size=8), st.binary(max_size=50)),
    st.tuples(st.text("0123456789", max_size=10), st.text("abc-", max_size=8), st.binary(max_size=50)),
)
def test_a_signature_fits_what_was_signed_and_nothing_else(
    one: tuple[str, str, bytes], other: tuple[str, str, bytes]
) -> None:
    assert keys.signature_fits("zjws_secret", *one, keys.sign("zjws_secret", *one))
    assert not keys.signature_fits("zjws_other", *one, keys.sign("zjws_secret", *one))
    assert keys.signature_fits("zjws_secret", *other, keys.sign("zjws_secret", *one)) is (one == other)


@pytest.mark.parametrize(("seconds", "timely"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_a_timestamp_is_timely_for_five_minutes_both_ways(seconds: int, timely: bool) -> None:
    assert keys.is_timely(str(int(NOW.timestamp()) + seconds), NOW) is timely


def test_a_request_is_signed_with_its_method_and_address() -> None:
    # printf '1700000000\nnonce-01\nPOST\n/v1/cases?a=1\n{"a":1}' | openssl dgst -sha256 -hmac zjws_secret
    expected = "a379481cba562eb076ef4e39c2362c4c54900a33cbe7349685c5bc84d952ac7b"
    text = keys.request_text("POST", "/v1/cases?a=1", b'{"a":1}')
    assert keys.sign("zjws_secret", "1700000000", "nonce-01", text) == expected


async def test_the_auditor_reads_who_looked_at_what_and_why_newest_first(
    district: str, http: httpx.AsyncClient
) -> None:
    worker = await people.sign_in(district, Role.GRID_WORKER)
    auditor = await people.sign_in(district, Role.AUDITOR)
    for n in range(3):
        await commands.log_access(worker.actor, "household.unmask", f"household/{n}", "回访", NOW)
    page = await http.get("/v1/access-log?limit=2", headers=auditor.headers)
    assert [line["object"] for line in page.json()] == ["household/2", "household/1"]
    rest = await http.get(f"/v1/access-log?before={page.json()[-1]['id']}", headers=auditor.headers)
    assert [line["object"] for line in rest.json()] == ["household/0"]
    assert rest.json()[0]["actor"] == str(worker.actor.id)
    assert rest.json()[0]["reason"] == "回访"
    refused = await http.get("/v1/access-log", headers=worker.headers)
    assert refused.status_code == 403
