"""Signing in: passwords, lock-out, first password, closed accounts; what a stranger may learn."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from app.identity import accounts, commands, identification
from app.identity.accounts import Account
from app.identity.problems import AccountLocked, TokenExpired, WrongCredentials
from app.kernel import db
from app.kernel.actor import Membership, Role
from app.kernel.problem import Invalid
from tests.tools import people

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PASSWORD = "Kun-Peng 9000 li"


@pytest_asyncio.fixture
async def account(district: str) -> Account:
    return await commands.create_account(district, "Zhang.San", "张三", PASSWORD, NOW, must_change=False)


async def sign_in(district: str, username: str = "zhang.san", password: str = PASSWORD, now: datetime = NOW) -> None:
    await commands.login(district, username, password, None, now)


async def test_the_right_password_opens_a_session_with_the_memberships_of_the_account(
    district: str, account: Account
) -> None:
    organisation = uuid4()
    membership = Membership(Role.TOWN_CENTRE, organisation, "330109001")
    await commands.add_membership(district, account.id, membership, NOW)
    answer = await commands.login(district, " ZHANG.SAN ", PASSWORD, None, NOW)
    identified = await identification.identify(identification.read_token(answer.access_token, NOW), NOW)
    actor = identified.actor
    assert (actor.id, actor.kind, actor.district) == (account.id, "staff", district)
    assert actor.memberships == (membership,)
    assert (answer.token_type, answer.expires_in, answer.must_change_password) == ("Bearer", 900, False)


async def test_an_unknown_username_is_refused_in_the_same_words_and_locked_out_the_same(
    district: str, account: Account
) -> None:
    for n in range(1, 8):
        refusals = []
        for username in ("zhang.san", "nobody.here"):
            with pytest.raises((WrongCredentials, AccountLocked)) as refused:
                await sign_in(district, username, "wrong")
            refusals.append((refused.value.document(1), refused.value.headers))
        assert refusals[0] == refusals[1], f"wrong password number {n}"


async def test_an_unknown_username_takes_the_same_hashing(district: str, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    matches = commands._matches

    def count(password_hash: str, password: str) -> bool:
        checked.append(password_hash)
        return matches(password_hash, password)

    monkeypatch.setattr(commands, "_matches", count)
    with pytest.raises(WrongCredentials):
        await sign_in(district, "nobody.here")
    [made_up] = checked
    real = PasswordHasher().hash("x")
    assert made_up.split("$")[1:4] == real.split("$")[1:4], "same algorithm and cost"


async def test_five_wrong_passwords_lock_for_half_a_minute_then_twice_as_long(district: str, account: Account) -> None:
    now, waits = NOW, []
    for n in range(8):
        with pytest.raises((WrongCredentials, AccountLocked)) as refused:
            await sign_in(district, password="wrong", now=now)
        waits.append(int(refused.value.headers.get("Retry-After", 0)))
        assert refused.value.status == (401 if n < 4 else 429)
        now += timedelta(seconds=waits[-1])
    assert waits == [0, 0, 0, 0, 30, 60, 120, 240]


async def test_while_locked_even_the_right_password_waits_and_afterwards_it_clears_the_count(
    district: str, account: Account
) -> None:
    for _ in range(5):
        with pytest.raises((WrongCredentials, AccountLocked)):
            await sign_in(district, password="wrong")
    with pytest.raises(AccountLocked) as refused:
        await sign_in(district, now=NOW + timedelta(seconds=10))
    assert refused.value.headers == {"Retry-After": "20"}
    await sign_in(district, now=NOW + timedelta(seconds=30))
    with pytest.raises(WrongCredentials):
        await sign_in(district, password="wrong", now=NOW + timedelta(seconds=31))


@pytest.mark.parametrize(("failures", "seconds"), [(4, None), (5, 30), (6, 60), (11, 1920), (12, 3600), (60, 3600)])
def test_the_wait_doubles_up_to_an_hour(failures: int, seconds: int | None) -> None:
    until = accounts.locked_until(failures, NOW)
    assert until == (None if seconds is None else NOW + timedelta(seconds=seconds))


async def test_a_right_guess_among_many_at_once_does_not_come_through(
    committed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await commands.create_account(committed, "zhang.san", "张三", PASSWORD, NOW, must_change=False)
    wrong_ones_counted = threading.Event()
    matches = commands._matches

    def last(password_hash: str, password: str) -> bool:
        if password == PASSWORD:
            wrong_ones_counted.wait(10)
        return matches(password_hash, password)

    monkeypatch.setattr(commands, "_matches", last)
    right = asyncio.create_task(commands.login(committed, "zhang.san", PASSWORD, None, NOW))
    await asyncio.gather(*(sign_in(committed, password="wrong") for _ in range(5)), return_exceptions=True)
    wrong_ones_counted.set()
    with pytest.raises(AccountLocked):
        await right


async def test_yesterdays_wrong_passwords_are_forgotten(district: str, account: Account) -> None:
    for _ in range(4):
        with pytest.raises(WrongCredentials):
            await sign_in(district, password="wrong")
    tomorrow = NOW + timedelta(days=1, seconds=1)
    await commands.tidy(district, tomorrow)
    with pytest.raises(WrongCredentials):
        await sign_in(district, password="wrong", now=tomorrow)


async def test_a_closed_account_cannot_sign_in_and_its_open_sessions_end(district: str, account: Account) -> None:
    answer = await commands.login(district, "zhang.san", PASSWORD, None, NOW)
    await commands.disable_account(district, account.id, NOW)
    with pytest.raises(WrongCredentials):
        await sign_in(district)
    with pytest.raises(TokenExpired):
        await identification.identify(identification.read_token(answer.access_token, NOW), NOW)
    with pytest.raises(TokenExpired):
        await commands.refresh(district, answer.refresh_token, NOW)


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("short", "10 to 128"),
        ("a" * 129, "10 to 128"),
        ("aaaabbbbcccc", "5 different"),
        ("my-ZHANG.san-password", "username"),
    ],
)
async def test_a_weak_password_is_refused_with_the_reason(district: str, password: str, fault: str) -> None:
    with pytest.raises(Invalid, match=fault):
        await commands.create_account(district, "zhang.san", "张三", password, NOW)


async def test_the_first_password_must_be_changed_before_anything_else(district: str, http: httpx.AsyncClient) -> None:
    await commands.create_account(district, "li.si", "李四", PASSWORD, datetime.now(UTC))
    answer = (await http.post("/v1/auth/login", json={"username": "li.si", "password": PASSWORD})).json()
    assert answer["must_change_password"] is True
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    for path in ("/v1/me", "/v1/auth/sessions"):
        refused = await http.get(path, headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/password-change-required")
    change = {"old_password": PASSWORD, "new_password": "Another 1 for me"}
    assert (await http.post("/v1/auth/password", json=change, headers=headers)).status_code == 204
    assert (await http.get("/v1/me", headers=headers)).status_code == 200


async def test_changing_the_password_ends_the_other_sessions_and_keeps_this_one(
    district: str, account: Account
) -> None:
    here, there = [await commands.login(district, "zhang.san", PASSWORD, None, NOW) for _ in range(2)]
    actor = (await identification.identify(identification.read_token(here.access_token, NOW), NOW)).actor
    await commands.change_password(actor, PASSWORD, "Another 1 for me", NOW)
    await identification.identify(identification.read_token(here.access_token, NOW), NOW)
    with pytest.raises(TokenExpired):
        await identification.identify(identification.read_token(there.access_token, NOW), NOW)
    with pytest.raises(TokenExpired):
        await commands.refresh(district, there.refresh_token, NOW)
    with pytest.raises(WrongCredentials):
        await sign_in(district)


async def test_guessing_the_old_password_locks_like_guessing_at_sign_in(district: str, account: Account) -> None:
    here = await commands.login(district, "zhang.san", PASSWORD, None, NOW)
    actor = (await identification.identify(identification.read_token(here.access_token, NOW), NOW)).actor
    kinds = []
    for _ in range(6):
        with pytest.raises((WrongCredentials, AccountLocked)) as refused:
            await commands.change_password(actor, "wrong", "Another 1 for me", NOW)
        kinds.append(refused.value.status)
    assert kinds == [401, 401, 401, 401, 429, 429]


@pytest.mark.parametrize("new", [PASSWORD, "short", "zhang.san 12345"])
async def test_a_new_password_is_strong_and_new(district: str, account: Account, new: str) -> None:
    here = await commands.login(district, "zhang.san", PASSWORD, None, NOW)
    actor = (await identification.identify(identification.read_token(here.access_token, NOW), NOW)).actor
    with pytest.raises(Invalid, match="new_password"):
        await commands.change_password(actor, PASSWORD, new, NOW)


async def test_a_username_belongs_to_one_account(district: str, account: Account, http: httpx.AsyncClient) -> None:
    administrator = await people.sign_in(district, Role.ADMINISTRATOR)
    body = {"username": "ZHANG.san", "name": "另一个", "password": PASSWORD}
    answer = await http.post("/v1/accounts", json=body, headers=administrator.headers)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/username-taken")


async def test_a_role_that_ended_gives_no_rights_any_more(district: str, account: Account) -> None:
    membership = await commands.add_membership(
        district, account.id, Membership(Role.STATION, None, "330109001"), NOW - timedelta(days=1)
    )
    answer = await commands.login(district, "zhang.san", PASSWORD, None, NOW)
    claims = identification.read_token(answer.access_token, NOW)
    assert (await identification.identify(claims, NOW)).actor.roles == {Role.STATION}
    await commands.end_membership(district, account.id, membership, NOW)
    assert (await identification.identify(claims, NOW)).actor.roles == frozenset()


async def test_the_same_account_of_another_district_is_another_account(committed: str) -> None:
    await commands.create_account(committed, "zhang.san", "张三", PASSWORD, NOW, must_change=False)
    with pytest.raises(WrongCredentials):
        await sign_in("330110")


async def test_passwords_are_stored_as_argon2id_only(district: str, account: Account) -> None:
    stored = await db.fetchval("select password_hash from account where id = $1", account.id)
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
    assert isinstance(account.id, UUID)
