"""Whoever manages accounts gains no rights by it, and each thing they do is there for the auditor to read."""

from uuid import uuid4

import httpx
import pytest

from app.kernel.actor import Role
from tests.tools import people

PASSWORD = "seven brave otters"


async def test_everything_done_to_accounts_keys_and_phones_is_in_the_access_log(
    district: str, http: httpx.AsyncClient
) -> None:
    boss = (await people.sign_in(district, Role.ADMINISTRATOR)).headers
    auditor = (await people.sign_in(district, Role.AUDITOR)).headers
    worker = (await people.sign_in(district, Role.GRID_WORKER)).headers
    phone = str(uuid4())
    await http.post("/v1/devices", json={"id": phone}, headers=worker)
    new = {"username": "chen.wei", "name": "陈伟（演示）", "password": PASSWORD}
    account = (await http.post("/v1/accounts", json=new, headers=boss)).json()["id"]
    role = {"role": "grid_worker", "organisation": None, "area": "330109001"}
    membership = (await http.post(f"/v1/accounts/{account}/memberships", json=role, headers=boss)).json()["id"]
    key = (await http.post("/v1/keys", json={"source": "12315", "scopes": ["case.read"]}, headers=boss)).json()["id"]
    done = [
        await http.post(f"/v1/devices/{phone}/state", json={"state": "stolen"}, headers=boss),
        await http.delete(f"/v1/keys/{key}", headers=boss),
        await http.delete(f"/v1/accounts/{account}/memberships/{membership}", headers=boss),
        await http.post(f"/v1/accounts/{account}/disable", headers=boss),
    ]
    assert [answer.is_success for answer in done] == [True] * 4
    lines = (await http.get("/v1/access-log", headers=auditor)).json()
    assert {(line["action"], line["object"], line["reason"]) for line in lines} == {
        ("account.make", f"account:{account}", None),
        ("account.give_role", f"account:{account}", "grid_worker 330109001"),
        ("key.make", f"key:{key}", "case.read"),
        ("device.change", f"device:{phone}", "stolen"),
        ("key.end", f"key:{key}", None),
        ("account.end_role", f"account:{account}", f"membership {membership}"),
        ("account.close", f"account:{account}", None),
    }


async def test_nobody_gives_a_role_to_themselves(district: str, http: httpx.AsyncClient) -> None:
    boss = await people.sign_in(district, Role.ADMINISTRATOR)
    role = {"role": "district_centre", "organisation": None, "area": district}
    path = f"/v1/accounts/{boss.actor.id}/memberships"
    assert (await http.post(path, json=role, headers=boss.headers)).status_code == 403
    assert len((await http.get("/v1/me", headers=boss.headers)).json()["memberships"]) == 1


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/devices", {"id": str(uuid4()), "name": "x" * 101}, "name"),
        ("/v1/accounts", {"username": "chen.wei", "name": "陈" * 101, "password": PASSWORD}, "name"),
        ("/v1/keys", {"source": "x" * 101, "scopes": []}, "source"),
        ("/v1/keys", {"source": "12315", "scopes": [], "expires_at": "2027-01-01T00:00:00"}, "expires_at"),
        ("/v1/keys", {"source": "12315", "scopes": [], "expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
    ],
)
async def test_what_is_too_long_or_no_time_is_refused_by_its_field(
    district: str, http: httpx.AsyncClient, path: str, body: dict[str, object], field: str
) -> None:
    boss = (await people.sign_in(district, Role.ADMINISTRATOR)).headers
    answer = await http.post(path, json=body, headers=boss)
    assert (answer.status_code, [e["field"] for e in answer.json()["errors"]]) == (422, [field])


@pytest.mark.parametrize(("path", "role"), [("accounts", Role.ADMINISTRATOR), ("access-log", Role.AUDITOR)])
async def test_a_list_goes_on_over_its_pages(district: str, http: httpx.AsyncClient, path: str, role: Role) -> None:
    boss = (await people.sign_in(district, Role.ADMINISTRATOR)).headers
    for n in range(3):
        new = {"username": f"chen.wei.{n}", "name": "陈伟（演示）", "password": PASSWORD}
        await http.post("/v1/accounts", json=new, headers=boss)
    reader = (await people.sign_in(district, role)).headers
    whole = (await http.get(f"/v1/{path}", headers=reader)).json()
    assert len(whole) >= 3
    rows: list[object] = []
    following: str | None = f"/v1/{path}?limit=2"
    while following:
        answer = await http.get(following, headers=reader)
        rows += answer.json()
        following = answer.links["next"]["url"] if "next" in answer.links else None
    assert rows == whole
