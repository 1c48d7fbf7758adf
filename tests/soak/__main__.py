"""Long series of kill −9 against worker, queue and server: `python -m tests.soak --minutes 30`.

Each round takes the next seed and prints it; a round that fails prints what was lost or doubled and ends the series.
"""

import argparse
import asyncio
import base64
import tempfile
import time
from pathlib import Path

from app.embedded.services import Services
from app.embedded.valkey import Valkey
from app.identity import cipher
from app.identity import commands as identity
from app.kernel import db
from app.kernel.actor import Role
from tests.tools import bells, databases, faults, people

DISTRICT = "330109"


async def workers(environment: dict[str, str], queue: Valkey, log: Path, seed: int) -> str:
    """Kill worker and queue a hundred times; every acknowledged event has exactly one effect."""
    acknowledged = await faults.kill_workers(DISTRICT, environment, queue, log, seed=seed, kills=100)
    for name in ("quick", "slow"):
        wrong = {e: n for e, n in (await bells.effects(DISTRICT, name, acknowledged)).items() if n != 1}
        assert not wrong, f"seed {seed}: {name} effects that are not one: {wrong}"
    return f"{len(acknowledged)} events"


async def servers(environment: dict[str, str], log: Path, seed: int) -> str:
    """Kill the server thirty times under eight clients; every POST has one effect and one answer."""
    person = await people.sign_in(DISTRICT, Role.ADMINISTRATOR)
    orders = [faults.Order(n, "/v1/keys", {"source": f"{seed}-{n}", "scopes": ["grid.read"]}) for n in range(2000)]
    await faults.kill_servers(environment, person.headers, log, orders, seed=seed, kills=30)
    rows = await faults.rows_by_source(DISTRICT)
    for order in orders:
        first, again = order.answers
        assert again.json() == first.json(), f"seed {seed}: order {order.number}: {first.text} then {again.text}"
        assert rows[f"{seed}-{order.number}"] == [first.json()["id"]], f"seed {seed}: order {order.number}"
    return f"{len(orders)} orders sent {sum(order.sent for order in orders)} times"


async def series(home: Path, url: str, queue: Valkey, seed: int, minutes: float) -> None:
    """Alternate both kinds of rounds until the time is over."""
    environment = {
        "ZJW_HOME": str(home),
        "ZJW_LOG_LEVEL": "warning",
        "DATABASE_URL": url,
        "REDIS_URL": queue.url(),
        "MEDIA_URL": (home / "media").as_uri(),
        "ZJW_JWT_KEY": base64.b64encode(people.SIGNING_KEY).decode(),
        "ZJW_CIPHER_KEYS": "test:" + base64.b64encode(people.CIPHER_KEY).decode(),
    }
    db.configure(url)
    cipher.configure("test", {"test": people.CIPHER_KEY})
    identity.configure(people.SIGNING_KEY)
    await db.start(1, 12)
    async with db.transaction(DISTRICT):
        await db.execute(bells.EFFECTS)
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        print(f"seed {seed}: workers …", flush=True)  # noqa: T201
        print(f"  {await workers(environment, queue, home / 'worker.log', seed)}: one effect each", flush=True)  # noqa: T201
        print(f"seed {seed}: servers …", flush=True)  # noqa: T201
        print(f"  {await servers(environment, home / 'server.log', seed)}: one effect each", flush=True)  # noqa: T201
        seed += 1
    await db.stop()


def main() -> None:
    """Run with services of its own, which are removed afterwards."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zjw-soak-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # PostgreSQL runs as its own user below it
        services = Services.at(home, durable=False)
        queue = Valkey.at(home / "killed", durable=False)
        services.start()
        queue.start()
        try:
            with databases.clone(services, (DISTRICT,)) as url:
                asyncio.run(series(home, url, queue, options.seed, options.minutes))
        finally:
            queue.stop()
            services.stop()


main()
