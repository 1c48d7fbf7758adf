"""Dead letters: seen, replayed, and only by administrators."""

from datetime import UTC, datetime
from uuid import UUID

import httpx

from app.kernel import db, outbox
from app.kernel.actor import Role
from app.kernel.ids import new_id
from tests.tools import bells, people

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


async def buried(district: str) -> UUID:
    happened = bells.rung(NOW)
    async with db.transaction(district):
        await outbox.emit(happened)
        for _ in range(outbox.TRIES):
            pending = await outbox.lock(happened.id)
            assert pending is not None
            await outbox.postpone(pending, [], "score: LookupError: no scheme", NOW)
    return happened.id


async def test_an_administrator_sees_dead_letters_and_brings_one_back(district: str, http: httpx.AsyncClient) -> None:
    event_id = await buried(district)
    headers = (await people.sign_in(district, Role.ADMINISTRATOR)).headers
    [letter] = (await http.get("/v1/dead-letters", headers=headers)).json()
    assert (letter["event_id"], letter["type"], letter["tries"]) == (str(event_id), "TowerBellRung", outbox.TRIES)
    assert letter["error"] == "score: LookupError: no scheme"
    replay = f"/v1/dead-letters/{event_id}/replay"
    assert (await http.post(replay, headers=headers)).status_code == 204
    assert (await http.get("/v1/dead-letters", headers=headers)).json() == []
    again = await http.post(replay, headers=headers)
    assert (again.status_code, again.json()["type"]) == (404, "/problems/dead-letter-not-found")
    assert await outbox.lock(event_id) is not None


async def test_pages_are_limited_and_wrong_limits_named(district: str, http: httpx.AsyncClient) -> None:
    for _ in range(3):
        await buried(district)
    headers = (await people.sign_in(district, Role.ADMINISTRATOR)).headers
    assert len((await http.get("/v1/dead-letters?limit=2", headers=headers)).json()) == 2
    for limit in ("0", "501", "x"):
        refused = await http.get(f"/v1/dead-letters?limit={limit}", headers=headers)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "limit")


async def test_each_page_links_to_the_next_though_all_died_at_once(district: str, http: httpx.AsyncClient) -> None:
    made = sorted([str(await buried(district)) for _ in range(5)])
    headers = (await people.sign_in(district, Role.ADMINISTRATOR)).headers
    seen: list[str] = []
    target: str | None = "/v1/dead-letters?limit=2"
    pages = 0
    while target is not None:
        answer = await http.get(target, headers=headers)
        seen += [letter["event_id"] for letter in answer.json()]
        target = answer.links["next"]["url"] if "Link" in answer.headers else None
        pages += 1
    assert (seen, pages) == (made, 3)
    for nonsense in ("x", "20261123T080000.000000Z", f"Z{new_id()}", "20261123T080000.000000Zx"):
        refused = await http.get(f"/v1/dead-letters?after={nonsense}", headers=headers)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "after")


async def test_nobody_else_may(district: str, http: httpx.AsyncClient) -> None:
    headers = (await people.sign_in(district, Role.DISTRICT_CENTRE)).headers
    assert (await http.get("/v1/dead-letters", headers=headers)).status_code == 403
    assert (await http.post(f"/v1/dead-letters/{new_id()}/replay", headers=headers)).status_code == 403
