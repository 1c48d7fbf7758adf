"""Sign-in by the identity provider, against a real one on this machine, through the real routes."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from joserfc.jwk import ECKey

from app.identity import commands, oidc, sso_commands
from app.kernel import clock, db
from app.kernel.actor import Role
from app.kernel.ids import new_id
from tests.tools import people
from tests.tools.oidc_provider import CLIENT, OidcProvider, new_key
from tests.tools.people import Person

PASSWORD = "a first password"


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[OidcProvider]:
    running = OidcProvider()
    await running.start()
    sso_commands.configure(
        oidc.Client(
            issuer=running.issuer,
            client_id=CLIENT[0],
            client_secret=CLIENT[1],
            redirect_uri="http://test/v1/auth/oidc/callback",
        )
    )
    yield running
    sso_commands.configure(None)
    await running.stop()


@pytest_asyncio.fixture
async def administrator(district: str) -> Person:
    return await people.sign_in(district, Role.ADMINISTRATOR)


async def linked(http: httpx.AsyncClient, administrator: Person, subject: str = "gov-0001") -> str:
    """A new account linked to somebody at the provider; its id."""
    body = {"username": f"t{new_id().hex}", "name": "测试", "password": PASSWORD}
    made = await http.post("/v1/accounts", json=body, headers=administrator.headers)
    answer = await link(http, administrator, made.json()["id"], subject)
    assert answer.status_code == 204, answer.text
    return made.json()["id"]


async def link(http: httpx.AsyncClient, who: Person, account: str, subject: str | None) -> httpx.Response:
    return await http.post(f"/v1/accounts/{account}/sso", json={"subject": subject}, headers=who.headers)


async def way_back(http: httpx.AsyncClient) -> str:
    """Begin, pass the provider, and return the address it sends the browser back to."""
    begun = await http.get("/v1/auth/oidc/start")
    assert begun.status_code == 302, begun.text
    async with httpx.AsyncClient() as browser:
        return (await browser.get(begun.headers["location"])).headers["location"]


async def sign_in(http: httpx.AsyncClient) -> httpx.Response:
    return await http.get(await way_back(http))


def refused(answer: httpx.Response, kind: str, reason: str | None = None) -> bool:
    found: dict[str, Any] = answer.json()
    return (answer.status_code, found["type"], found.get("reason")) == (401, f"/problems/{kind}", reason)


async def test_somebody_with_a_linked_account_signs_in(
    http: httpx.AsyncClient, administrator: Person, provider: OidcProvider
) -> None:
    account = await linked(http, administrator)
    answer = await sign_in(http)
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    assert set(tokens) == {"access_token", "refresh_token", "expires_in", "token_type", "must_change_password"}
    me = await http.get("/v1/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert (me.status_code, me.json()["id"], me.json()["kind"]) == (200, account, "staff")
    refreshed = await http.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code == 200


async def test_the_cookie_of_a_sign_in_is_kept_from_scripts_and_other_sites(
    district: str, http: httpx.AsyncClient, provider: OidcProvider
) -> None:
    begun = await http.get("/v1/auth/oidc/start")
    cookie = begun.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/v1/auth/oidc" in cookie
    assert "max-age=600" in cookie
    assert "secure" not in cookie  # the test's way back is plain http
    # nothing of the cookie is told to the provider, nothing of the verifier to anybody
    query = parse_qs(urlsplit(begun.headers["location"]).query)
    assert http.cookies["zjw_oidc"] not in str(query)
    assert "code_verifier" not in query


async def test_nobody_gets_an_account_by_signing_in(
    district: str, http: httpx.AsyncClient, provider: OidcProvider
) -> None:
    before = await db.fetchval("select count(*) from account")
    assert refused(await sign_in(http), "sso-unknown-account")
    assert await db.fetchval("select count(*) from account") == before


async def test_a_closed_account_is_like_none(
    http: httpx.AsyncClient, administrator: Person, provider: OidcProvider
) -> None:
    account = await linked(http, administrator)
    await http.post(f"/v1/accounts/{account}/disable", headers=administrator.headers)
    assert refused(await sign_in(http), "sso-unknown-account")


async def test_a_state_works_once(http: httpx.AsyncClient, administrator: Person, provider: OidcProvider) -> None:
    await linked(http, administrator)
    back = await way_back(http)
    assert (await http.get(back)).status_code == 200
    assert refused(await http.get(back), "sso-state-refused")


@pytest.mark.parametrize("state", ["", "330109", "330109.guessed", "999999.guessed", "x\x00y"])
async def test_a_state_that_is_not_ours_is_refused(
    district: str, http: httpx.AsyncClient, provider: OidcProvider, state: str
) -> None:
    await http.get("/v1/auth/oidc/start")
    answer = await http.get("/v1/auth/oidc/callback", params={"state": state, "code": "x"})
    assert answer.status_code in (401, 422), answer.text
    if answer.status_code == 401:
        assert refused(answer, "sso-state-refused")


async def test_another_browser_cannot_finish_what_one_began(
    http: httpx.AsyncClient, administrator: Person, provider: OidcProvider
) -> None:
    await linked(http, administrator)
    back = await way_back(http)
    http.cookies.clear()
    assert refused(await http.get(back), "sso-state-refused")


async def test_a_sign_in_expires_after_ten_minutes(
    http: httpx.AsyncClient, administrator: Person, provider: OidcProvider
) -> None:
    await linked(http, administrator)
    now = clock.now()
    for minutes, fits in ((9, True), (10, False)):
        query = parse_qs(urlsplit(await way_back(http)).query)
        await db.execute("update oidc_login set expires_at = $1", now + oidc.LOGIN_LIFE)
        # the provider's token is of now: a leeway of its own is not what is tested
        provider.claims = {"exp": int(now.timestamp()) + 3600}
        finish = sso_commands.finish(
            query["state"][0], query["code"][0], http.cookies["zjw_oidc"], now + timedelta(minutes=minutes)
        )
        if fits:
            assert (await finish).access_token
        else:
            with pytest.raises(sso_commands.SsoStateRefused):
                await finish


async def test_sign_ins_nobody_finished_are_forgotten(
    district: str, http: httpx.AsyncClient, provider: OidcProvider
) -> None:
    await http.get("/v1/auth/oidc/start")
    await commands.tidy(district, clock.now())
    assert await db.fetchval("select count(*) from oidc_login") == 1
    await commands.tidy(district, clock.now() + oidc.LOGIN_LIFE)
    assert await db.fetchval("select count(*) from oidc_login") == 0


@pytest.mark.parametrize(
    "claims", [{"nonce": "another"}, {"aud": "another"}, {"iss": "https://id.example.org"}, {"exp": 1}]
)
async def test_a_token_for_somebody_or_something_else_is_refused(
    http: httpx.AsyncClient, administrator: Person, provider: OidcProvider, claims: dict[str, Any]
) -> None:
    await linked(http, administrator)
    provider.claims = claims
    assert refused(await sign_in(http), "sso-refused", "id_token")
    provider.claims = {}
    assert (await sign_in(http)).status_code == 200


async def test_a_forged_signature_is_refused(
    http: httpx.AsyncClient, administrator: Person, provider: OidcProvider
) -> None:
    await linked(http, administrator)
    provider.signing = new_key("first")  # the name of the real key, but not the key
    assert refused(await sign_in(http), "sso-refused", "id_token")


async def test_a_key_the_provider_does_not_publish_is_refused_after_one_look(
    http: httpx.AsyncClient, administrator: Person, provider: OidcProvider
) -> None:
    await linked(http, administrator)
    provider.signing = new_key("never published")
    assert refused(await sign_in(http), "sso-refused", "id_token")
    assert provider.asked == ["discovery", "jwks", "jwks"]


async def test_keys_are_kept_until_the_provider_changes_them(
    http: httpx.AsyncClient, administrator: Person, provider: OidcProvider
) -> None:
    await linked(http, administrator)
    for _ in range(2):
        assert (await sign_in(http)).status_code == 200
    assert provider.asked == ["discovery", "jwks"]
    provider.rotate()
    assert (await sign_in(http)).status_code == 200
    provider.rotate(ECKey.generate_key("P-256", {"kid": "curve"}), "ES256")
    assert (await sign_in(http)).status_code == 200
    assert provider.asked == ["discovery", "jwks", "jwks", "jwks"]


async def test_a_code_of_somebody_else_is_refused(
    http: httpx.AsyncClient, administrator: Person, provider: OidcProvider
) -> None:
    await linked(http, administrator)
    foreign = parse_qs(urlsplit(await way_back(http)).query)["code"][0]
    mine = parse_qs(urlsplit(await way_back(http)).query)["state"][0]
    answer = await http.get("/v1/auth/oidc/callback", params={"state": mine, "code": foreign})
    assert refused(answer, "sso-refused", "code")  # PKCE: the code belongs to another verifier


async def test_who_declines_at_the_provider_is_not_signed_in(
    district: str, http: httpx.AsyncClient, provider: OidcProvider
) -> None:
    state = parse_qs(urlsplit(await way_back(http)).query)["state"][0]
    answer = await http.get("/v1/auth/oidc/callback", params={"state": state, "error": "access_denied"})
    assert refused(answer, "sso-refused", "declined")


async def test_a_provider_that_is_down_is_said(
    http: httpx.AsyncClient, administrator: Person, provider: OidcProvider
) -> None:
    await linked(http, administrator)
    back = await way_back(http)
    await provider.stop()
    answer = await http.get(back)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    sso_commands.configure(
        oidc.Client(issuer=provider.issuer, client_id="zongjing", client_secret="", redirect_uri="http://test/")
    )
    assert (await http.get("/v1/auth/oidc/start")).status_code == 503


async def test_a_provider_of_another_name_is_not_believed(
    district: str, http: httpx.AsyncClient, provider: OidcProvider
) -> None:
    provider.issuer += "/other"
    assert (await http.get("/v1/auth/oidc/start")).status_code == 503


async def test_without_a_provider_the_doors_are_not_there(district: str, http: httpx.AsyncClient) -> None:
    for path in ("/v1/auth/oidc/start", "/v1/auth/oidc/callback?state=330109.x&code=x"):
        answer = await http.get(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/sso-off")


# --- linking ---------------------------------------------------------------------------------------------------------


async def test_a_person_at_the_provider_has_one_account(http: httpx.AsyncClient, administrator: Person) -> None:
    first = await linked(http, administrator, "gov-1")
    second = await linked(http, administrator, "gov-2")
    taken = await link(http, administrator, second, "gov-1")
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/sso-subject-taken")
    assert (await link(http, administrator, first, "gov-1")).status_code == 204
    assert (await link(http, administrator, first, None)).status_code == 204
    assert (await link(http, administrator, second, "gov-1")).status_code == 204
    assert (await link(http, administrator, str(new_id()), "gov-3")).status_code == 404
    assert (await link(http, administrator, first, "")).status_code == 422


async def test_who_linked_an_account_stands_in_the_access_log(http: httpx.AsyncClient, administrator: Person) -> None:
    account = await linked(http, administrator)
    sql = "select actor, action, reason from access_log where object = $1 and action <> 'account.make'"
    row = await db.fetchrow(sql, f"account:{account}")
    assert row is not None
    assert tuple(row) == (administrator.actor.id, "account.manage", "sso")


async def test_a_change_of_the_link_ends_the_sessions(
    http: httpx.AsyncClient, administrator: Person, provider: OidcProvider
) -> None:
    account = await linked(http, administrator)
    headers = {"Authorization": f"Bearer {(await sign_in(http)).json()['access_token']}"}
    assert (await http.get("/v1/me", headers=headers)).status_code == 200
    await link(http, administrator, account, None)
    assert (await http.get("/v1/me", headers=headers)).status_code == 401
    assert refused(await sign_in(http), "sso-unknown-account")


async def test_a_first_password_ends_with_the_link_but_a_chosen_one_stays(
    district: str, http: httpx.AsyncClient, administrator: Person
) -> None:
    for must_change, status in ((True, 401), (False, 200)):
        name = f"t{new_id().hex}"
        made = await commands.create_account(district, name, "测试", PASSWORD, clock.now(), must_change=must_change)
        await link(http, administrator, str(made.id), name)
        login = await http.post("/v1/auth/login", json={"username": name, "password": PASSWORD})
        assert login.status_code == status
