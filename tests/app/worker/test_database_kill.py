"""kill −9 of the database under traffic: server and worker find it again, and nothing is lost or doubled."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from app.embedded.services import Services, remove
from app.kernel import clock, db
from app.kernel.actor import Role
from migrations import runner
from tests.tasks.cases import stage, town
from tests.tools import bells, faults, people

DISTRICT = stage.DISTRICT


@pytest_asyncio.fixture
async def private(database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    """Database and queue of this test alone, with the made-up town; the test's own queries go there, too."""
    home = tmp_path_factory.mktemp("home")
    services = Services.at(home, durable=True)
    await asyncio.to_thread(services.start)
    pool, db.DB.pool = db.DB.pool, None  # each query connects anew, as what it would keep is killed
    try:
        db.configure(services.postgres.url())
        await runner.add_district(services.postgres.url(), DISTRICT, "District", datetime.now(UTC))
        await town.commit(DISTRICT)
        yield services
    finally:
        db.configure(database)
        db.DB.pool = pool
        await asyncio.to_thread(remove, home)


@pytest.fixture
def environment(private: Services, tmp_path: Path) -> dict[str, str]:
    """Settings of the processes, as an operator would give them."""
    return {
        "ZJW_HOME": str(tmp_path / "home"),
        "DATABASE_URL": private.postgres.url(),
        "REDIS_URL": private.valkey.url(),
        "MEDIA_URL": (tmp_path / "media").as_uri(),
        "ZJW_JWT_KEY": base64.b64encode(people.SIGNING_KEY).decode(),
        "ZJW_CIPHER_KEYS": "test:" + base64.b64encode(people.CIPHER_KEY).decode(),
    }


def _case(number: int) -> faults.Order:
    place = {"lon": town.INSIDE.lon, "lat": town.INSIDE.lat, "datum": town.INSIDE.datum.value}
    return faults.Order(number, "/v1/cases", {"item": "E0504", "title": f"order-{number}", "place": place})


async def _ran_since(name: str, moment: datetime) -> None:
    while True:
        async with db.transaction(DISTRICT):
            if await db.fetchval("select ran_at > $2 and error is null from schedule where name = $1", name, moment):
                return
        await asyncio.sleep(0.1)


async def _answers_503_without_a_database(private: Services, base: str, headers: dict[str, str]) -> None:
    await asyncio.to_thread(private.postgres.stop)
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30) as http:
        answer = await http.get("/v1/cases")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    await asyncio.to_thread(private.postgres.start)


async def test_every_case_is_there_once_and_told_once_though_the_database_is_killed(
    private: Services, environment: dict[str, str], tmp_path: Path
) -> None:
    clerk = await people.sign_in(DISTRICT, Role.DISTRICT_CENTRE, stage.CENTRE)
    async with db.transaction(DISTRICT):
        await db.execute(bells.EFFECTS)
    orders = [_case(n) for n in range(200)]
    log = tmp_path / "log"
    async with (
        faults.phoenix("whole worker", environment, log) as worker,
        faults.phoenix("server", environment, log) as server,
    ):
        born = (worker.pid, server.pid)
        base = f"http://127.0.0.1:{server.port}"
        said = await faults.kill_databases(private.postgres, base, clerk.headers, orders, seed=20261123, kills=3)
        assert said == [(503, 200)] * 3
        back = clock.now()
        await faults.until_done(DISTRICT, 60)  # a delivery cut off is tried again after 10 s, then 20 s
        async with asyncio.timeout(20):
            await _ran_since("sensing.sweep", back)
        await _answers_503_without_a_database(private, base, clerk.headers)
        for pid in born:
            os.kill(pid, 0)  # the same processes as at first: nobody started them again
    async with db.transaction(DISTRICT):
        rows = await db.fetch("select id, title from cases")
    assert sorted(row["title"] for row in rows) == sorted(f"order-{order.number}" for order in orders)
    told = await bells.effects(DISTRICT, "opened", [row["id"] for row in rows])
    assert {case: times for case, times in told.items() if times != 1} == {}
    for order in orders:
        first, again = order.answers
        assert first.status_code == 201, first.text
        assert again.json() == first.json(), "the retry gets the answer of the first"
        assert {refusal.status_code for refusal in order.refusals} <= {503}
    assert any(order.refusals for order in orders), "some were refused while there was no database"
