"""Every route as everybody: what the rights matrix says is what the server does. Grows by itself with the routes."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from app.identity import commands as identity
from app.identity.matrix import ACTIONS, FOR_DEVICES, NOT_FOR_MACHINES
from app.kernel import clock, db
from app.kernel.actor import Actor, Role
from app.kernel.ids import new_id
from app.server.signatures import KINDS
from tests.tools import people
from tests.tools.operations import Operation, all_operations
from tests.tools.signing import Signed

DECLARATIONS = ("action", "public", "signed_in")
ABSENT_OR_REFUSED = (403, 404)


@pytest_asyncio.fixture
async def operations(app: Litestar, http: httpx.AsyncClient) -> list[Operation]:
    return all_operations(app, (await http.get("/openapi.json")).json())


async def call(
    http: httpx.AsyncClient, operation: Operation, headers: dict[str, str], auth: httpx.Auth | None = None
) -> httpx.Response:
    return await http.request(
        operation.method, operation.url, params=operation.query, json=operation.body, headers=headers, auth=auth
    )


async def test_every_route_says_exactly_once_who_may_use_it(operations: list[Operation]) -> None:
    assert len(operations) > 100
    for operation in operations:
        said = [name for name in DECLARATIONS if operation.opt.get(name)]
        assert len(said) == 1, f"{operation} declares {said}"
        if said == ["action"]:
            assert operation.opt["action"] in ACTIONS, f"{operation}: {operation.opt['action']} is not in the matrix"


def test_every_action_of_the_matrix_is_asked_for_somewhere() -> None:
    packages = ("app", "grid", "media", "scoring", "tasks", "visits")
    files = [f for package in packages for f in Path(package).rglob("*.py") if f.name != "matrix.py"]
    sources = "\n".join(file.read_text() for file in files)
    assert {action for action in ACTIONS if f'"{action}"' not in sources} == set()


def crashed(operation: Operation, status: int) -> bool:
    """Whether the fault is ours; the platform of the mini-program is away in tests, and that is said with 503."""
    return status >= 500 and (operation.path, status) != ("/v1/citizen/login", 503)


async def test_a_stranger_gets_401_everywhere_but_at_the_public_doors(
    district: str, http: httpx.AsyncClient, operations: list[Operation]
) -> None:
    wrong = []
    for operation in operations:
        status = (await call(http, operation, {})).status_code
        if crashed(operation, status) if operation.opt.get("public") else status != 401:
            wrong.append(f"{operation}: {status}")
    assert not wrong, "\n".join(wrong)


PUBLIC = {
    "/v1/auth/login", "/v1/auth/refresh", "/v1/auth/oidc/start", "/v1/auth/oidc/callback",
    "/v1/citizen/login", "/v1/media/{of_district}/{evidence_id}/{variant}",
    "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/openapi.json", "/docs/{path}",
    "/docs/assets/{file_path}",
    *(f"/open311/v2/{resource}{suffix}" for suffix in ("", ".json", ".xml") for resource in (
        "discovery", "services", "requests", "requests/{service_request_id}/updates",
        "requests/{service_request_id}/comments",
    )),
    "/open311/v2/services/{service_code}", "/open311/v2/requests/{service_request_id}", "/open311/v2/tokens/{token_id}",
}  # fmt: skip


async def test_the_public_doors_are_these_and_no_others(operations: list[Operation]) -> None:
    assert {operation.path for operation in operations if operation.opt.get("public")} == PUBLIC


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer x.y.z"}, {"X-Api-Key": "x"}, {"X-Device-Key": "x"}])
async def test_bad_credentials_are_no_better_than_none(
    district: str, http: httpx.AsyncClient, operations: list[Operation], headers: dict[str, str]
) -> None:
    closed = [operation for operation in operations if not operation.opt.get("public")]
    wrong = [f"{o}: {s}" for o in closed if (s := (await call(http, o, headers)).status_code) != 401]
    assert not wrong, "\n".join(wrong)


async def add_area(code: str) -> None:
    """A district or a town."""
    await db.execute(
        "insert into area (code, level, name, parent, kind, valid_from, source)"
        " values ($1, $2, $1, $3, '', '2020-01-01T00:00Z', 'test') on conflict (code) do nothing",
        code,
        "district" if len(code) == 6 else "town",
        None if len(code) == 6 else code[:6],
    )


class Everybody:
    """Signs in afresh where the operation may end the session; citizens always, they may ask little."""

    def __init__(self, district: str, who: str, http: httpx.AsyncClient) -> None:
        self.district = district
        self.who = who
        self._http = http
        self._person: people.Person | None = None
        self.auth: httpx.Auth | None = None
        """What signs the requests, of machines."""

    async def headers(self, operation: Operation) -> dict[str, str]:
        if self._person is None or self.who == "citizen" or operation.path.startswith("/v1/auth"):
            self._person = await self._sign_in()
        return self._person.headers

    async def _sign_in(self) -> people.Person:
        if self.who == "citizen":
            return await people.sign_in_citizen(self.district)
        if self.who == "device":
            return people.Person(Actor(id=new_id(), kind="device", district=self.district), await self._device())
        if self.who.startswith("machine"):
            scopes = sorted(ACTIONS) if self.who == "machine with all scopes" else []
            key = await identity.create_key(self.district, "12315", scopes, clock.now())
            self.auth = Signed(key)
            actor = Actor(id=key.id, kind="machine", district=self.district, scopes=frozenset(scopes))
            return people.Person(actor, {"X-Api-Key": key.key})
        if self.who == "nobody":
            person = await people.sign_in(self.district, Role.STATION)
            await db.execute("delete from membership where account = $1", person.actor.id)
            return person
        return await people.sign_in(self.district, Role(self.who), new_id(), "330109001")

    async def _device(self) -> dict[str, str]:
        """Headers of a sensor's key, registered over HTTP."""
        await add_area(self.district)
        centre = (await people.sign_in(self.district, Role.DISTRICT_CENTRE, new_id())).headers
        name = new_id().hex
        unit = {"kind": "department", "name": f"演示单位 {name}", "code": name[-12:], "area": self.district}
        owner = await self._http.post("/v1/organisations", json=unit, headers=centre)
        assert owner.status_code == 201, owner.text
        sensor = {"code": name, "name": "演示水位计", "kind": "water_level", "owner": owner.json()["id"]}
        made = await self._http.post("/v1/sensing/devices", json=sensor | {"area": self.district}, headers=centre)
        assert made.status_code == 201, made.text
        return {"X-Device-Key": made.json()["key"]}

    def cell(self, action: str) -> str:
        """What the matrix gives, or the scopes of the key."""
        if self.who == "device":
            return "all" if action in FOR_DEVICES else "-"
        if self.who == "machine with all scopes":
            return "-" if action in NOT_FOR_MACHINES else "all"
        return ACTIONS[action].get(self.who, "-")


FORBIDDEN = ("/problems/not-permitted", "/problems/not-signed-in", *(f"/problems/{k.type}" for k in KINDS.values()))


def verdict(operation: Operation, cell: str, answer: httpx.Response) -> str | None:
    """What is wrong with an answer, if anything."""
    status = answer.status_code
    if operation.opt.get("action") and cell == "-":
        fits = status in ABSENT_OR_REFUSED
    else:
        told = answer.headers.get("Content-Type") == "application/problem+json"  # Open311 has refusals of its own
        kind = answer.json().get("type") if told and status in (401, 403) else None
        fits = not crashed(operation, status) and kind not in FORBIDDEN
    return None if fits else f"{operation} (matrix: {cell}): {status} {answer.text[:200]}"


WHO = [*Role, "citizen", "machine", "machine with all scopes", "device", "nobody"]


@pytest.mark.parametrize("who", [str(who) for who in WHO])
async def test_what_the_matrix_says_is_what_the_server_does(
    district: str, http: httpx.AsyncClient, operations: list[Operation], who: str
) -> None:
    somebody = Everybody(district, who, http)
    wrong: list[str] = []
    for operation in operations:
        action = operation.opt.get("action")
        cell = somebody.cell(action) if action else "all"
        headers = await somebody.headers(operation)
        answer = await call(http, operation, headers, somebody.auth)
        if found := verdict(operation, cell, answer):
            wrong.append(found)
    assert not wrong, "\n".join(wrong)


async def test_an_answer_of_403_comes_before_anything_else_is_looked_at(
    district: str, http: httpx.AsyncClient, operations: list[Operation]
) -> None:
    nobody = Everybody(district, "nobody", http)
    for operation in operations:
        if operation.opt.get("action") and operation.method in ("POST", "PUT", "PATCH"):
            answer = await http.request(
                operation.method,
                operation.url,
                content=b"{broken",
                headers=await nobody.headers(operation) | {"Content-Type": "application/json"},
            )
            assert answer.status_code == 403, f"{operation}: {answer.status_code}"


# --- own and foreign -------------------------------------------------------------------------------------------------


async def test_somebody_elses_session_looks_like_none(district: str, http: httpx.AsyncClient) -> None:
    mine, theirs = [await people.sign_in(district, Role.STATION, new_id(), "330109001") for _ in range(2)]
    foreign = await http.delete(f"/v1/auth/sessions/{theirs.actor.session}", headers=mine.headers)
    absent = await http.delete(f"/v1/auth/sessions/{new_id()}", headers=mine.headers)
    assert (foreign.status_code, absent.status_code) == (404, 404)
    assert same(foreign) == same(absent)
    assert (await http.get("/v1/me", headers=theirs.headers)).status_code == 200


def same(answer: httpx.Response) -> dict[str, Any]:
    """The answer without what names the request."""
    return {k: v for k, v in answer.json().items() if k not in ("instance", "request_id")}


@pytest.mark.parametrize(
    ("area", "path", "status"),
    [
        ("330109001", "/v1/areas/330109001", 200),
        ("330109001", "/v1/areas/330109002", 404),
        ("330109001", "/v1/areas/330109", 404),
        ("330109", "/v1/areas/330109002", 200),
    ],
)
async def test_an_area_of_another_town_looks_like_none(
    district: str, http: httpx.AsyncClient, area: str, path: str, status: int
) -> None:
    for code in ("330109", "330109001", "330109002"):
        await add_area(code)
    person = await people.sign_in(district, Role.STATION, new_id(), area)
    answer = await http.get(path, headers=person.headers)
    assert answer.status_code == status, answer.text
    if status == 404:
        absent = await http.get("/v1/areas/330109999", headers=person.headers)
        assert same(answer) == same(absent)


async def test_a_token_of_one_district_reaches_nothing_of_another(committed: str, http: httpx.AsyncClient) -> None:
    here = await people.sign_in(committed, Role.ADMINISTRATOR)
    there = await people.sign_in("330110", Role.ADMINISTRATOR)
    body = {"source": "12315", "scopes": []}
    made = (await http.post("/v1/keys", json=body, headers=there.headers)).json()
    for headers in (here.headers, here.headers | {"X-District": "330110"}):
        assert (await http.get("/v1/keys", headers=headers)).json() == []
        assert (await http.delete(f"/v1/keys/{made['id']}", headers=headers)).status_code == 404
    assert len((await http.get("/v1/keys", headers=there.headers)).json()) == 1
