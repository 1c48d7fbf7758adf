"""The demo's past rounds: each town knocks on doors by day and by night and hears what people ask for."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from uuid import UUID

from msgspec import Struct

from app.demo import reference
from app.demo.activity import states
from app.demo.activity.cast import Cast
from app.demo.activity.volume import Volume, days_of, marker
from app.demo.district.identifiers import Identifiers
from app.kernel.actor import Actor
from app.kernel.clock import SHANGHAI
from app.kernel.crs import Datum, Place
from grid.organisations import Kind, Organisation
from tasks.cases.catalogue import Catalogue
from tasks.cases.replay import History
from tasks.cases.report import Report, Reporter, Solved
from visits.history_commands import PastTurn, PastVisit
from visits.households import ImportRow
from visits.rounds import HOURS, Half, Round, RoundState, Target
from visits.visit import Outcome

OUTCOMES = (Outcome.MET, Outcome.ABSENT, Outcome.REFUSED, Outcome.MOVED)
ASKED = 0.22
"""Of those met, who asks for something (brief.md: 223,000 visits, more than 50,000 requests solved)."""
SOLVED = 0.75
WEEK = 7
DEMANDS = (
    "楼道路灯不亮",
    "小区门口停车困难",
    "雨天单元门前积水",
    "想咨询医保缴费手续",
    "垃圾分类点异味较大",
    "电动车充电位不够",
)


class Field(Struct, frozen=True, kw_only=True):
    """A town's week of visits: its rounds, every turn in them and the cases that were raised."""

    name: str
    rounds: list[Round]
    turns: list[PastTurn]
    histories: list[History]


class Walks:
    """Makes the visits of a town's week."""

    def __init__(self, kind: str, volume: Volume, anchor: datetime, cast: Cast, catalogue: Catalogue) -> None:
        self._kind, self._volume, self._anchor = kind, volume, anchor
        self._cast, self._catalogue = cast, catalogue

    def weeks(self) -> list[list[date]]:
        """Return the days of the volume in weeks, oldest first; the last may be short."""
        days = [day for day, _ in days_of(self._volume, self._anchor)]
        return [days[start : start + WEEK] for start in range(0, len(days), WEEK)]

    def names(self, towns: Sequence[Organisation]) -> list[tuple[str, Organisation, list[date], int]]:
        """Return each town's weeks: name of the batch, town centre, days, seed."""
        return [
            (marker(self._kind, self._anchor, f"visits-{town.area}-{week[0]:%Y%m%d}"), town, week, number)
            for town in towns
            for number, week in enumerate(self.weeks())
        ]

    def field(self, name: str, town: Organisation, week: list[date], homes: Sequence[ImportRow], seed: int) -> Field:
        """Make up one round by day and one by night; every home has at most one turn in each."""
        random = Random(seed)
        ids = Identifiers(Random(seed + 1), datetime.combine(week[0], time(), SHANGHAI) - timedelta(days=1))
        squads = self._cast.directory.all(Kind.SQUAD, town.area)
        wanted = self._volume.visits * len(week) / (self._volume.days * 22)
        field = Field(name=name, rounds=[], turns=[], histories=[])
        met = 0.62 + 0.28 * self._cast.skill(town.id)
        for half in Half:
            round_ = self._round(ids.next(), half, town, squads, week)
            field.rounds.append(round_)
            turns = round(wanted * (0.55 if half is Half.DAY else 0.45) / 0.87)
            for home in random.sample(list(homes), min(turns, len(homes))):
                squad = random.choice(squads)
                self._turn(random, field, ids, round_, home, squad, met)
        return field

    def _round(
        self, identifier: UUID, half: Half, town: Organisation, squads: Sequence[Organisation], week: list[date]
    ) -> Round:
        return Round(
            id=identifier,
            name=f"{town.name.removesuffix('社会治理中心')}{week[0]:%m月%d日}{'日' if half is Half.DAY else '夜'}访",
            kind=half,
            starts_on=week[0],
            ends_on=week[-1],
            hours_from=HOURS[half][0],
            hours_to=HOURS[half][1],
            target=Target(area=town.area),
            squads=tuple(squad.id for squad in squads),
            questionnaire=reference.QUESTIONNAIRE.code,
            questionnaire_version=reference.QUESTIONNAIRE.version,
            quota=0,
            per_evening=12,
            state=RoundState.CLOSED,
            version=3,
            created_by=self._cast.of(town.id)[0].id,
            created_at=datetime.combine(week[0], time(8), SHANGHAI) - timedelta(days=1),
        )

    def _turn(
        self,
        random: Random,
        field: Field,
        ids: Identifiers,
        round_: Round,
        home: ImportRow,
        squad: Organisation,
        met: float,
    ) -> None:
        worker = random.choice(self._cast.of(squad.id))
        day = random.choice(_days(round_))
        began = datetime.combine(day, round_.hours_from, SHANGHAI)
        room = datetime.combine(day, round_.hours_to, SHANGHAI) - began - timedelta(minutes=30)
        at = (began + room * random.random()).astimezone(UTC)
        visit: PastVisit | None = None
        if at < self._anchor - timedelta(minutes=40) and random.random() < 0.9:
            rest = 1 - met
            (outcome,) = random.choices(OUTCOMES, (met, rest * 0.8, rest * 0.17, rest * 0.03))
            visit = self._visit(random, field, ids, home, worker, squad, at, outcome)
        field.turns.append(
            PastTurn(
                round_id=round_.id,
                household_id=home.id,
                person=worker.id,
                squad=squad.id,
                planned_on=day,
                half=round_.kind,
                visit=visit,
            )
        )

    def _visit(
        self,
        random: Random,
        field: Field,
        ids: Identifiers,
        home: ImportRow,
        worker: Actor,
        squad: Organisation,
        at: datetime,
        outcome: Outcome,
    ) -> PastVisit:
        ended = at + timedelta(minutes=random.randint(4, 25) if outcome is Outcome.MET else 2)
        cases, solved = list[UUID](), 0
        if outcome is Outcome.MET and random.random() < ASKED:
            case = ids.next()
            solved = int(random.random() < SOLVED)
            field.histories.append(self._demand(random, case, home, worker, squad, ended, bool(solved)))
            cases.append(case)
        return PastVisit(
            id=ids.next(), outcome=outcome, started_at=at, ended_at=ended, cases=tuple(cases), solved=solved
        )

    def _demand(
        self,
        random: Random,
        case: UUID,
        home: ImportRow,
        worker: Actor,
        squad: Organisation,
        at: datetime,
        solved: bool,
    ) -> History:
        code = "V002" if solved else "V001"
        item = self._catalogue.at(code, at)
        if item is None:
            raise LookupError(f"no item {code}")
        text = random.choice(DEMANDS)
        report = Report(
            id=case,
            source="visit",
            item=code,
            title=text,
            description=f"走访时居民提出：{text}。",
            reporter=Reporter(kind="worker", id=worker.id),
            place=Place(home.lon, home.lat, Datum.WGS84),
            address=home.address,
            occurred_at=at,
            solved=None
            if not solved
            else Solved(
                organisation=squad.id, result="当场解决。", person=worker.id, verified_by_system=random.random() < 0.9
            ),
        )
        script = states.course(random, item, self._cast, self._anchor)
        return History(report=report, actor=worker, at=at, script=script)


def _days(round_: Round) -> list[date]:
    return [round_.starts_on + timedelta(days=n) for n in range((round_.ends_on - round_.starts_on).days + 1)]


def by_town(homes: Sequence[ImportRow]) -> dict[str, list[ImportRow]]:
    """Return the homes of each town, in order."""
    found: dict[str, list[ImportRow]] = {}
    for home in homes:
        found.setdefault(home.area[:9], []).append(home)
    return found
