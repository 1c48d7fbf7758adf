"""What a district works by, made for the demo: score schemes, a questionnaire, sensors with their keys, alert rules."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.demo import difficult
from app.demo.district.places import DISTRICT, Places
from app.kernel.actor import Actor
from grid.organisations import Organisation
from scoring.teams import commands as teams
from tasks.cases import difficult as difficult_items
from tasks.cases import difficult_commands as library
from tasks.sensing import commands as sensing
from tasks.sensing.devices import NewChannel, NewDevice
from visits import commands as visits
from visits.questionnaire import NewQuestionnaire, Question, QuestionKind

WATER_LEVEL = NewChannel(name="level", unit="cm", low=0, high=300, spike=100)
RAIN = NewChannel(name="rain", unit="mm/h", low=0, high=200)
BIKE = NewChannel(name="ebike", unit="count", low=0, high=1)

RULES: tuple[Mapping[str, Any], ...] = (
    {
        # brief: an underpass reports more than 10 cm; below 8 cm it is over, so that ripples open no second case
        "name": "underpass-water",
        "kind": "water_level",
        "channel": "level",
        "item": "S001",
        "on": 10,
        "off": 8,
        "for": 0,
        "clear_for": 300,
        "reopen_window": 3600,
        "severity": "urgent",
        "title": "下穿通道积水超过10厘米",
    },
    {
        "name": "lift-ebike",
        "kind": "lift_camera",
        "channel": "ebike",
        "item": "S002",
        "on": 0.5,
        "off": 0.5,
        "clear_for": 60,
        "reopen_window": 600,
        "severity": "routine",
        "title": "电动自行车进电梯",
    },
)

QUESTIONNAIRE = NewQuestionnaire(
    code="household-visit",
    version=1,
    title="民情双访走访问卷",
    questions=(
        Question(
            code="needs_help",
            kind=QuestionKind.YES_NO,
            text=("家里有没有需要帮忙解决的事？", "Is there anything the household needs help with?"),
            required=True,
        ),
        Question(
            code="fire_safety",
            kind=QuestionKind.YES_NO,
            text=("楼道和门口是否畅通、无电动车充电？", "Are stairs and door free, and no e-bike charging there?"),
        ),
        Question(
            code="remark",
            kind=QuestionKind.TEXT,
            text=("其他情况（不记录个人隐私）", "Anything else (nothing private)"),
        ),
    ),
)


class Site(Struct, frozen=True):
    """Where a made-up sensor stands: its code, name, kind, owner's code and a village whose middle it is put in."""

    code: str
    name: str
    kind: str
    owner: str
    village: str
    channel: NewChannel


SENSORS = (
    Site("WL-001", "示例下穿通道水位1", "water_level", "transport", "330109001014", WATER_LEVEL),
    Site("WL-002", "示例下穿通道水位2", "water_level", "transport", "330109002001", WATER_LEVEL),
    Site("WL-003", "示例下穿通道水位3", "water_level", "transport", "330109004004", WATER_LEVEL),
    Site("RG-001", "示例雨量站1", "rain_gauge", "emergency", "330109001001", RAIN),
    Site("LC-001", "示例电梯摄像1", "lift_camera", "market", "330109002004", BIKE),
    Site("LC-002", "示例电梯摄像2", "lift_camera", "market", "330109001001", BIKE),
)


class Sensor(Struct, frozen=True, kw_only=True):
    """A registered sensor and its key, which is shown only now."""

    id: UUID
    code: str
    key: str


async def load(places: Places, organisations: Sequence[Organisation], centre: Actor, now: datetime) -> list[Sensor]:
    """Load all of it in the caller's transaction, as the district centre."""
    await teams.install_schemes(DISTRICT, now)
    await visits.publish_questionnaire(QUESTIONNAIRE, centre, now)
    for rule in RULES:
        await sensing.publish_rule(rule, centre, now)
    await sensing.open_days(DISTRICT, now)
    written = difficult_items.shipped()
    await library.load([*written, *difficult.generated(difficult.TOTAL - len(written))], now)
    owners = {each.code: each.id for each in organisations}
    return [await _register(site, owners[site.owner], places, centre, now) for site in SENSORS]


async def _register(site: Site, owner: UUID, places: Places, centre: Actor, now: datetime) -> Sensor:
    middle = places.boundaries[site.village].representative_point()
    new = NewDevice(
        code=site.code,
        name=site.name,
        kind=site.kind,
        owner=owner,
        channels=(site.channel,),
        lon=round(middle.x, 6),
        lat=round(middle.y, 6),
        address="示例地址",
    )
    made = await sensing.register_device(new, centre, now)
    return Sensor(id=made.device.id, code=site.code, key=made.key or "")
