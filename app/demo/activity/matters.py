"""What comes in: an item, a source, a reporter, a place at somebody's door and a few words, all made up; pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from random import Random
from uuid import UUID

from msgspec import Struct

from app.demo.activity.cast import Cast
from app.demo.district.places import DISTRICT
from app.kernel.actor import Actor, system
from app.kernel.crs import Datum, Place
from grid.organisations import Force, Kind
from tasks.cases.catalogue import Item
from tasks.cases.model import Severity
from tasks.cases.report import Report, Reporter
from visits.households import ImportRow

PLATFORM = "minhuwoying"
"""The unified citizen-voice platform 民呼我为: the source of most, and of the first case of every batch."""

SOURCES: Mapping[str, int] = {
    PLATFORM: 42,
    "citizen": 14,
    "field": 20,
    "110": 12,
    "12315": 6,
    "police-post": 4,
    "fire-post": 2,
}
FAVOURITES: Mapping[str, int] = {"urban": 5, "public_service": 2, "dispute": 3}
"""How often an item of a domain occurs, to one of any other domain."""
LEFT_OUT = frozenset({"V001", "V002", "C001", "R001", "SOS", "S001", "S002", "S003", "S004"})
"""Items that their own packages open: visits, campaigns, warnings, sensors; and calls for help."""
WORDS = (
    "居民反映{place}附近{item}，希望尽快处理。",
    "{place}一带出现{item}，影响出行。",
    "{place}：{item}，请安排人员到场查看。",
)
NO_PLACE = 0.02


class Matter(Struct, frozen=True):
    """A report, who brings it and the item it is about."""

    report: Report
    actor: Actor
    item: Item


class Matters:
    """A generator of reports over the households' doors."""

    def __init__(self, items: Sequence[Item], homes: Sequence[ImportRow], cast: Cast) -> None:
        self._items = [item for item in items if item.code not in LEFT_OUT]
        self._weights = [FAVOURITES.get(item.domain, 1) * _shortness(item) for item in self._items]
        self._homes = homes
        self._cast = cast
        self._machine = {name: system(DISTRICT, name) for name in SOURCES}

    def one(self, random: Random, case: UUID, at: datetime, marker: str | None = None) -> Matter:
        """Make one up; a marker makes it the platform's, under that external id."""
        (item,) = random.choices(self._items, self._weights)
        (source,) = random.choices(list(SOURCES), list(SOURCES.values()))
        source = PLATFORM if marker is not None else source
        home = random.choice(self._homes)
        placed = marker is not None or random.random() >= NO_PLACE
        reporter, actor = self._reporter(random, source, home)
        external = marker or (f"{source}-{case.hex[-12:]}" if source not in ("citizen", "field") else None)
        report = Report(
            id=case,
            source=source,
            external_id=external,
            item=item.code,
            title=item.name,
            description=random.choice(WORDS).format(place=home.address.partition("号")[0] + "号", item=item.name),
            reporter=reporter,
            place=Place(home.lon, home.lat, Datum.WGS84) if placed else None,
            address=home.address,
            severity=Severity.URGENT if random.random() < 0.03 else None,
            occurred_at=at,
        )
        return Matter(report, actor, item)

    def _reporter(self, random: Random, source: str, home: ImportRow) -> tuple[Reporter, Actor]:
        if source == "citizen":
            person = UUID(int=random.getrandbits(64) | 0x7 << 76 | 0b10 << 62 | 0x018D << 112)
            return Reporter(kind="citizen", id=person), Actor(id=person, kind="citizen", district=DISTRICT)
        if source == "field":
            team = self._cast.pick(random, Kind.TEAM, home.area[:9], random.choice(list(Force)))
            people = [] if team is None else self._cast.of(team.id)
            if people:
                worker = random.choice(people)
                return Reporter(kind="worker", id=worker.id), worker
        return Reporter(kind="resident"), self._machine[source]


def _shortness(item: Item) -> float:
    """Return how common an item is: what is quickly dealt with happens more often."""
    handle = item.clocks(Severity.ROUTINE).handle or "5 work_day"
    amount, unit = handle.split()
    days = int(amount) if unit == "work_day" else 0.5
    return 4 / (1 + days)
