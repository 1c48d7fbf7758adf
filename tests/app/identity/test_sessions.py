"""Tokens and sessions: rotation, reuse, logout, phones, forgery, expiry."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from app.identity import commands, identification, tokens
from app.identity.commands import Tokens
from app.identity.devices import DeviceState
from app.identity.problems import DeviceNotFound, DeviceStolen, RefreshReused, SessionNotFound, TokenExpired
from app.kernel import db
from app.kernel.actor import Actor, Role
from app.kernel.ids import new_id
from tests.tools import people

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PASSWORD = "Kun-Peng 9000 li"


async def sign_in(district: str, username: str = "zhang.san", device: UUID | None = None) -> Tokens:
    async with db.transaction(district):
        if await db.fetchval("select 1 from account where username = $1", username) is None:
            await commands.create_account(district, username, "张三", PASSWORD, NOW, must_change=False)
    return await commands.login(district, username, PASSWORD, device, NOW)


async def actor_of(answer: Tokens, now: datetime = NOW) -> Actor:
    return (await identification.identify(identification.read_token(answer.access_token, now), now)).actor


async def test_a_refresh_token_is_exchanged_once_for_fresh_tokens_of_the_same_session(district: str) -> None:
    first = await sign_in(district)
    second = await commands.refresh(district, first.refresh_token, NOW + timedelta(minutes=10))
    third = await commands.refresh(district, second.refresh_token, NOW + timedelta(minutes=20))
    later = NOW + timedelta(minutes=21)
    assert (await actor_of(third, later)).session == (await actor_of(first)).session
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3


async def test_a_refresh_token_that_comes_twice_ends_the_whole_session(district: str) -> None:
    other = await sign_in(district)
    first = await sign_in(district)
    second = await commands.refresh(district, first.refresh_token, NOW)
    with pytest.raises(RefreshReused):
        await commands.refresh(district, first.refresh_token, NOW)
    with pytest.raises(TokenExpired):
        await actor_of(second)
    with pytest.raises(TokenExpired):
        await commands.refresh(district, second.refresh_token, NOW)
    assert (await actor_of(other)).kind == "staff", "other sessions go on"


async def test_of_two_refreshes_at_the_same_moment_one_is_taken_for_a_thief(committed: str) -> None:
    first = await sign_in(committed)
    results = await asyncio.gather(
        *(commands.refresh(committed, first.refresh_token, NOW) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(r, Tokens) for r in results) == 1
    assert all(isinstance(r, Tokens | RefreshReused | TokenExpired) for r in results)


async def test_expired_and_unknown_refresh_tokens_are_refused(district: str) -> None:
    first = await sign_in(district)
    for token, now in ((first.refresh_token, NOW + tokens.REFRESH_LIFE), ("zjwr_nothing", NOW), ("", NOW)):
        with pytest.raises(TokenExpired):
            await commands.refresh(district, token, now)


async def test_refresh_tokens_are_stored_hashed(district: str) -> None:
    first = await sign_in(district)
    stored = [row["digest"] for row in await db.fetch("select digest from refresh_token")]
    assert stored == [tokens.digest(first.refresh_token)]
    assert stored[0].startswith("sha256:")


async def test_my_sessions_are_listed_and_one_or_all_can_be_ended(district: str) -> None:
    answers = [await sign_in(district) for _ in range(3)]
    stranger = await sign_in(district, "li.si")
    actors = [await actor_of(answer) for answer in answers]
    assert {s.id for s in await commands.sessions(actors[0])} == {a.session for a in actors}
    assert actors[1].session is not None
    await commands.logout(actors[0], actors[1].session, NOW)
    with pytest.raises(TokenExpired):
        await actor_of(answers[1])
    with pytest.raises(SessionNotFound):
        await commands.logout(await actor_of(stranger), actors[0].session or uuid4(), NOW)
    assert await commands.logout_everywhere(actors[0], NOW) == 2
    for answer in answers:
        with pytest.raises(TokenExpired):
            await actor_of(answer)
        with pytest.raises(TokenExpired):
            await commands.refresh(district, answer.refresh_token, NOW)
    assert (await actor_of(stranger)).kind == "staff"


async def test_logout_and_logout_everywhere_over_http(district: str, http: httpx.AsyncClient) -> None:
    person = await people.sign_in(district, Role.STATION)
    assert len((await http.get("/v1/auth/sessions", headers=person.headers)).json()) == 1
    assert (await http.post("/v1/auth/logout", headers=person.headers)).status_code == 204
    refused = await http.get("/v1/me", headers=person.headers)
    assert (refused.status_code, refused.json()["type"]) == (401, "/problems/token-expired")
    assert refused.headers["www-authenticate"] == "Bearer"


# --- access tokens ---------------------------------------------------------------------------------------------------


def claims(**more: object) -> tokens.Claims:
    values = {"subject": uuid4(), "session": uuid4(), "district": "330109", "kind": "staff"}
    return tokens.Claims(**(values | {"expires": int(NOW.timestamp()) + 900} | more))


KEY = people.SIGNING_KEY


def test_an_access_token_says_what_was_put_into_it_until_it_expires() -> None:
    written = claims()
    token = tokens.issue(written, KEY)
    assert tokens.read(token, KEY, NOW) == written
    assert tokens.read(token, KEY, NOW + timedelta(seconds=899)) == written
    with pytest.raises(tokens.BadToken):
        tokens.read(token, KEY, NOW + timedelta(seconds=900))


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def forgeries() -> dict[str, str]:
    token = tokens.issue(claims(), KEY)
    header, body, signature = token.split(".")
    content = json.loads(base64.urlsafe_b64decode(body + "=="))
    content["sub"] = uuid4().hex
    none = base64url(json.dumps({"alg": "none"}).encode())
    return {
        "another key": tokens.issue(claims(), b"another key of at least 32 bytes!"),
        "changed body": f"{header}.{base64url(json.dumps(content).encode())}.{signature}",
        "no algorithm": f"{none}.{body}.",
        "another algorithm": jwt.encode({"alg": "HS512"}, content, OctKey.import_key(KEY), algorithms=["HS512"]),
        "cut off": token[:-2],
        "no signature": f"{header}.{body}.",
        "not a token": "abc",
        "empty parts": "..",
        "not ascii": "é.é.é",
        "missing claims": jwt.encode({"alg": "HS256"}, {"exp": 9999999999}, OctKey.import_key(KEY)),
        "wrong types": jwt.encode(
            {"alg": "HS256"},
            {"sub": 5, "sid": None, "dst": [], "knd": "staff", "exp": "soon"},
            OctKey.import_key(KEY),
        ),
    }


@pytest.mark.parametrize("kind", list(forgeries()))
def test_a_forged_token_is_refused(kind: str) -> None:
    with pytest.raises(tokens.BadToken):
        tokens.read(forgeries()[kind], KEY, NOW)


async def test_a_forged_token_is_401_over_http_and_never_anything_else(district: str, http: httpx.AsyncClient) -> None:
    for kind, token in forgeries().items():
        answer = await http.get("/v1/me", headers={"Authorization": f"Bearer {token}".encode()})
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/token-expired"), kind


async def test_a_token_of_a_session_that_never_was_is_refused(district: str) -> None:
    with pytest.raises(TokenExpired):
        await identification.identify(claims(), NOW)


async def test_a_token_whose_subject_is_not_the_sessions_is_refused(district: str) -> None:
    actor = await actor_of(await sign_in(district))
    with pytest.raises(TokenExpired):
        await identification.identify(claims(session=actor.session), NOW + timedelta(seconds=5))


def test_a_short_signing_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        commands.configure(b"short")


# --- phones ----------------------------------------------------------------------------------------------------------


async def test_a_phone_is_registered_by_the_first_sign_in_and_named_later(district: str) -> None:
    device = new_id()
    actor = await actor_of(await sign_in(district, device=device))
    assert actor.device == device
    registered = await commands.register_device(actor, device, "华为 Mate（网格三组）", NOW)
    assert (registered.account, registered.name, registered.state) == (
        actor.id,
        "华为 Mate（网格三组）",
        DeviceState.ACTIVE,
    )
    assert await commands.register_device(actor, device, "华为 Mate（网格三组）", NOW) == registered


async def test_the_same_phone_signing_in_many_times_at_once_is_one_phone(committed: str) -> None:
    await sign_in(committed)
    device = new_id()
    answers = await asyncio.gather(*(sign_in(committed, device=device) for _ in range(5)))
    assert len(answers) == 5
    async with db.transaction(committed):
        assert await db.fetchval("select count(*) from device") == 1


async def test_another_persons_phone_looks_like_no_phone(district: str) -> None:
    device = new_id()
    await sign_in(district, device=device)
    with pytest.raises(DeviceNotFound):
        await sign_in(district, "li.si", device)
    other = await actor_of(await sign_in(district, "li.si"))
    with pytest.raises(DeviceNotFound):
        await commands.register_device(other, device, "meine", NOW)


async def test_a_stolen_phone_is_told_to_wipe_wherever_it_comes_back(district: str, http: httpx.AsyncClient) -> None:
    device = new_id()
    person = await people.sign_in(district, Role.GRID_WORKER)
    await commands.register_device(person.actor, device, "手机", NOW)
    person_on_phone = await sign_in(district, "wang.wu", None)
    thief = await sign_in(district, "zhang.san", new_id())
    stolen = (await actor_of(thief)).device
    assert stolen is not None
    administrator = await people.sign_in(district, Role.ADMINISTRATOR)
    changed = await http.post(f"/v1/devices/{stolen}/state", json={"state": "stolen"}, headers=administrator.headers)
    assert (changed.status_code, changed.json()["state"]) == (200, "stolen")
    with pytest.raises(DeviceStolen):
        await actor_of(thief)
    refreshed = await http.post("/v1/auth/refresh", json={"refresh_token": thief.refresh_token})
    again = await http.post(
        "/v1/auth/login", json={"username": "zhang.san", "password": PASSWORD, "device_id": str(stolen)}
    )
    for answer in (refreshed, again):
        assert answer.status_code == 401
        assert answer.json()["type"] == "/problems/device-stolen"
        assert answer.json()["wipe"] is True
    assert (await actor_of(person_on_phone)).kind == "staff"


async def test_a_retired_phone_still_identifies_itself(district: str) -> None:
    device = new_id()
    answer = await sign_in(district, device=device)
    await commands.set_device_state(district, device, DeviceState.RETIRED, NOW)
    assert (await actor_of(answer)).device == device


async def test_no_such_phone_is_404(district: str) -> None:
    with pytest.raises(DeviceNotFound):
        await commands.set_device_state(district, uuid4(), DeviceState.STOLEN, NOW)


# --- citizens --------------------------------------------------------------------------------------------------------


async def test_a_citizen_is_made_at_first_sight_and_known_again(district: str) -> None:
    first, second = [await commands.login_citizen(district, "openid-of-somebody", NOW) for _ in range(2)]
    one, two = await actor_of(first), await actor_of(second)
    assert (one.kind, one.id, one.memberships) == ("citizen", two.id, ())
    assert await db.fetchval("select openid_hash from citizen") == tokens.digest("openid-of-somebody")


async def test_an_erased_citizen_is_signed_out(district: str) -> None:
    answer = await commands.login_citizen(district, "openid-of-somebody", NOW)
    await db.execute("update citizen set erased_at = $1", NOW)
    with pytest.raises(TokenExpired):
        await actor_of(answer)
