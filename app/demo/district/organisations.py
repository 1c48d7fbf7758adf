"""Organisations of the demo: one district centre, departments, 22 town centres, 585 stations, forces, teams, squads.

The kinds and numbers follow the public description of the district; every unit is made up and labelled so.
"""

from random import Random
from uuid import UUID

from app.demo.district import FOUNDED, MADE_UP, SEED
from app.demo.district.identifiers import Identifiers
from app.demo.district.places import DISTRICT, Places
from grid.organisations import Force, Kind, Organisation

DEPARTMENTS = (
    ("transport", "交通运输局"),
    ("housing", "住房和城乡建设局"),
    ("water", "水利局"),
    ("urban-management", "综合行政执法局"),
    ("market", "市场监督管理局"),
    ("health", "卫生健康局"),
    ("civil-affairs", "民政局"),
    ("emergency", "应急管理局"),
    ("traffic-police", "交警大队"),
    ("police", "公安分局"),
    ("fire", "消防救援大队"),
    ("environment", "生态环境局"),
    ("education", "教育局"),
    ("labour", "人力资源和社会保障局"),
    ("culture", "文化和旅游局"),
    ("petitions", "信访局"),
    ("justice", "司法局"),
    ("planning", "规划和自然资源分局"),
    ("power", "供电公司"),
    ("waterworks", "水务集团"),
    ("medical-insurance", "医疗保障局"),
    ("data", "数据资源局"),
)
"""Code and name; the catalogue of items names its handlers so."""

FORCES = {Force.ENFORCEMENT: "综合执法队", Force.POLICE: "派出所", Force.GRID: "网格管理中心"}
TEAM_NAMES = {Force.ENFORCEMENT: "执法组", Force.POLICE: "警务组", Force.GRID: "网格组"}
TEAMS = 10
SQUADS = 3


class _Founder:
    """Collects organisations, parents first."""

    def __init__(self, seed: int) -> None:
        self._ids = Identifiers(Random(seed + 1), FOUNDED)
        self.founded: list[Organisation] = []

    def found(
        self, kind: Kind, code: str, name: str, area: str, parent: UUID | None, force: Force | None = None
    ) -> UUID:
        organisation = Organisation(
            id=self._ids.next(),
            kind=kind,
            code=code,
            name=name,
            area=area,
            parent=parent,
            force=force,
            started_at=FOUNDED,
            source=MADE_UP,
        )
        self.founded.append(organisation)
        return organisation.id


def build(places: Places, seed: int = SEED) -> list[Organisation]:
    """Found them all, parents before children."""
    founder = _Founder(seed)
    centre = founder.found(Kind.CENTRE, "centre", "萧山区社会治理中心", DISTRICT, None)
    for code, name in DEPARTMENTS:
        founder.found(Kind.DEPARTMENT, code, name, DISTRICT, centre)
    town_centres = {town.code: _town(founder, town.code, town.name, centre) for town in places.towns}
    for village in places.villages:
        # Villages of the statistical quasi-towns have no town centre above them.
        parent = town_centres.get(village.code[:9], centre)
        founder.found(Kind.STATION, f"station-{village.code}", f"{village.name}站", village.code, parent)
    return founder.founded


def _town(founder: _Founder, town: str, name: str, centre: UUID) -> UUID:
    town_centre = founder.found(Kind.TOWN_CENTRE, f"town-{town}", f"{name}社会治理中心", town, centre)
    for force, suffix in FORCES.items():
        unit = founder.found(Kind.FORCE_UNIT, f"{force}-{town}", f"{name}{suffix}", town, town_centre, force)
        for number in range(1, TEAMS + 1):
            team = f"{name}{TEAM_NAMES[force]}{number:02d}"
            founder.found(Kind.TEAM, f"{force}-{town}-{number:02d}", team, town, unit, force)
    for number in range(1, SQUADS + 1):
        founder.found(Kind.SQUAD, f"squad-{town}-{number}", f"{name}网格走亲小分队{number}", town, town_centre)
    return town_centre
