"""Lists of 100 of a million cases by each filter of a desk, for each kind of reader, beside the page by its ids."""

import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from app.identity.scope import Reach
from app.kernel import db
from bench import cases as single
from bench import million
from bench.figure import Figure
from bench.load import call, load, request
from bench.million import now_ms
from bench.platform import DISTRICT, Context, Platform
from grid import facts as grid_facts
from tasks.cases import paging
from tasks.cases.listing import Filter

LIMIT, REPEATS = 100, 5
BAR_MS, BAR_HTTP_MS = 50, 100
OPEN = ("received", "accepted", "assigned", "handling", "disputed", "suspended", "handled", "calling_back")
DAY = timedelta(days=1)
ROLES = ("district_centre", "town_centre", "station", "department")


def filters(now: datetime) -> dict[str, Filter]:
    """Return what desks ask for, common and rare."""
    return {
        "none": Filter(),
        "open": Filter(state=OPEN),
        "handling": Filter(state=("handling",)),
        "suspended": Filter(state=("suspended",)),
        "closed": Filter(state=("closed",)),
        "rejected": Filter(state=("rejected",)),
        "item": Filter(item="E0504"),
        "item, open": Filter(item="E0504", state=OPEN),
        "source": Filter(source="visit"),
        "no such source": Filter(source="sos"),
        "source, handling": Filter(source="fire-post", state=("handling",)),
        "town": Filter(area="330109005"),
        "village": Filter(area="330109002001"),
        "overdue": Filter(overdue=True),
        "not overdue": Filter(overdue=False, state=OPEN),
        "rare text": Filter(text=million.RARE_WORD),
        "common text": Filter(text="积水"),
        "no such text": Filter(text="鳄鱼出没"),
        "number": Filter(text="XS20261101-"),
        "small box": Filter(box=(120.25, 30.15, 120.26, 30.16)),
        "box": Filter(box=(120.2, 30.1, 120.3, 30.2)),
        "last day": Filter(since=now - DAY),
        "long ago": Filter(until=now - 200 * DAY),
        "critical": Filter(severity="critical"),
    }


async def run(context: Context) -> list[Figure]:
    """Milliseconds: the slowest filter of each reader in the database, then over HTTP; medians of five."""
    async with context.platform(demo=True, worker=False, name="million") as platform:
        assert platform.demo is not None
        count = await million.fill(platform.database_url)
        db.configure(platform.database_url)
        await db.start(1, 2)
        try:
            times, floor = await _in_database()
        finally:
            await db.stop()
        over_http = await _over_http(platform)
    return [
        *_slowest(times, f"list of {LIMIT} of {count:,}, database", BAR_MS, floor, "the page by its ids"),
        *_slowest(over_http, f"list of {LIMIT} of {count:,}, HTTP", BAR_HTTP_MS, None, ""),
    ]


def _slowest(times: dict[tuple[str, str], float], what: str, bar: int, floor: float | None, name: str) -> list[Figure]:
    """One figure a reader, and how many of all lie above the bar."""
    found: list[Figure] = []
    for reader in dict.fromkeys(each for each, _ in times):
        worst = max((key for key in times if key[0] == reader), key=lambda key: times[key])
        said = f"{what}: {reader}, slowest ({worst[1]})"
        found.append(Figure(name=said, value=times[worst], unit="ms", floor=floor, floor_name=name))
    slow = [f"{reader}: {name}" for (reader, name), value in times.items() if value > bar]
    names = "; ".join(slow)
    said = f"{what}: of {len(times)} lists, above {bar} ms"
    return [*found, Figure(name=said, value=len(slow), unit="", floor_name=names)]


async def _readers() -> dict[str, Reach]:
    """One of each kind: of departments and teams that with most legs."""
    most = (
        "select l.organisation from case_leg l join organisation o on o.id = l.organisation where o.kind = $1"
        " group by 1 order by count(*) desc limit 1"
    )
    nobody = UUID(int=1)

    def of(*organisations: UUID, areas: tuple[str, ...] = ()) -> Reach:
        return Reach(areas=areas, organisations=frozenset(organisations), person=nobody)

    town = await db.fetchrow("select id, area from organisation where kind = 'town_centre' and area like '%002'")
    station = await db.fetchrow("select id, area from organisation where kind = 'station' and area like '330109002%'")
    assert town is not None
    assert station is not None
    return {
        "district centre": Reach(everything=True),
        "town": of(town["id"], areas=(town["area"],)),
        "station": of(station["id"], areas=(station["area"],)),
        "department": of(await db.fetchval(most, "department")),
        "team": of(await db.fetchval(most, "team")),
    }


async def _in_database() -> tuple[dict[tuple[str, str], float], float]:
    now = datetime.now(UTC)
    times: dict[tuple[str, str], float] = {}
    async with db.transaction(DISTRICT):
        readers, directory = await _readers(), await grid_facts.directory(now)
        for reader, reach in readers.items():
            for name, asked in filters(now).items():
                for by_due in (True, False):
                    query = paging.Query(asked, reach, directory, now, LIMIT, by_due)
                    key = (reader, name if by_due else f"{name}, newest first")
                    times[key] = await _median(query)
        ids = [row["id"] for row in await db.fetch(f"select id from cases order by received_at desc limit {LIMIT}")]
        bare: list[float] = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            await db.fetch(f"select {paging.COLUMNS} from cases c where c.id = any($1::uuid[])", ids)
            bare.append(now_ms(began))
    return times, median(bare)


async def _median(query: paging.Query) -> float:
    taken: list[float] = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        await paging.page(query)
        taken.append(now_ms(began))
    return median(taken)


async def _over_http(platform: Platform) -> dict[tuple[str, str], float]:
    """The same over HTTP, signed in as one of each role the demo has, overdue first."""
    assert platform.demo is not None
    times: dict[tuple[str, str], float] = {}
    for role in ROLES:
        account = next(each for each in platform.demo.accounts if each.role == role)
        headers = await single._signed_in(platform.port, account.username)
        for name, asked in filters(datetime.now(UTC)).items():
            path = f"/v1/cases?{urlencode(_query(asked))}"
            await call(platform.port, request("GET", path, None, headers))
            outcome = await load(platform.port, 1, [request("GET", path, None, headers)] * REPEATS)
            times[role, name] = outcome.percentile(0.5)
    return times


def _query(asked: Filter) -> dict[str, Any]:
    said = {name: value for name, value in msgspec.to_builtins(asked).items() if value not in (None, [], ())}
    for name in ("state", "box"):
        if name in said:
            said[name] = ",".join(map(str, said[name]))
    if "overdue" in said:
        said["overdue"] = str(said["overdue"]).lower()
    return said | {"limit": LIMIT}
