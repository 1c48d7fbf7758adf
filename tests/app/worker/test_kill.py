"""kill −9 of worker, queue and server at random points: nothing acknowledged is lost, nothing happens twice."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded.valkey import Valkey
from app.kernel import db
from app.kernel.actor import Role
from tests.tools import bells, faults, people
from tests.tools.databases import as_owner


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Valkey]:
    """A queue server of this test alone, which may be killed."""
    queue = Valkey.at(tmp_path / "queue", durable=False)
    queue.start()
    yield queue
    queue.stop()


@pytest.fixture
def environment(database_url: str, queue: Valkey, tmp_path: Path) -> dict[str, str]:
    """Settings of the processes, as an operator would give them."""
    return {
        "ZJW_HOME": str(tmp_path / "home"),
        "DATABASE_URL": database_url,
        "REDIS_URL": queue.url(),
        "MEDIA_URL": (tmp_path / "media").as_uri(),
        "ZJW_JWT_KEY": base64.b64encode(people.SIGNING_KEY).decode(),
        "ZJW_CIPHER_KEYS": "test:" + base64.b64encode(people.CIPHER_KEY).decode(),
    }


async def test_every_acknowledged_event_has_one_effect_though_worker_and_queue_are_killed(
    committed: str, environment: dict[str, str], queue: Valkey, tmp_path: Path
) -> None:
    async with db.transaction(committed):
        await as_owner(bells.EFFECTS)
    try:
        log = tmp_path / "worker.log"
        acknowledged = await faults.kill_workers(committed, environment, queue, log, seed=20261123, kills=10)
        for name in ("quick", "slow"):
            times = await bells.effects(committed, name, acknowledged)
            assert {e: n for e, n in times.items() if n != 1} == {}, name
        assert len(acknowledged) > 100
        assert '"error"' not in log.read_text() or "subscriber" not in log.read_text()
    finally:
        async with db.transaction(committed):
            await as_owner("drop table bell_effect")


async def test_every_post_has_one_effect_and_one_answer_though_the_server_is_killed(
    committed: str, environment: dict[str, str], tmp_path: Path
) -> None:
    person = await people.sign_in(committed, Role.ADMINISTRATOR)
    orders = [faults.Order(n, "/v1/keys", {"source": f"order-{n}", "scopes": ["grid.read"]}) for n in range(400)]
    await faults.kill_servers(environment, person.headers, tmp_path / "server.log", orders, seed=7, kills=6)
    rows = await faults.rows_by_source(committed)
    for order in orders:
        first, again = order.answers
        assert first.status_code == 201, first.text
        assert again.json() == first.json(), "the retry gets the answer of the first"
        assert rows[f"order-{order.number}"] == [first.json()["id"]]
    assert sum(order.sent for order in orders) > 2 * len(orders), "some were cut off and sent again"
