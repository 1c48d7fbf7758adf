"""Sensing over HTTP: readings in with a device's key; devices, readings and episodes for those who may see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from app.kernel.actor import Actor
from app.kernel.problem import FieldError, Invalid, NotPermitted, Text
from tasks.sensing import commands, devices, facts
from tasks.sensing.alert_store import EpisodeView
from tasks.sensing.commands import MOST, Registered
from tasks.sensing.devices import Device, Incoming, NewDevice
from tasks.sensing.facts import DeviceView
from tasks.sensing.store import ReadingView

# Litestar drops a `Meta` inside of `FromQuery`: limits of queries are stated by `QueryParameter`.
Page = Annotated[int, QueryParameter(ge=1, le=200)]
PAGE = 50
Instant = Annotated[datetime, Meta(tz=True)]
Word = Annotated[str, QueryParameter(pattern="^[^\\x00]{1,200}$")]
WordOrNone = Annotated[str | None, QueryParameter(pattern="^[^\\x00]{1,200}$")]


class Readings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A batch. Each record: `device` (code or id), `channel`, `at` (ISO 8601 with offset), `value`, `quality`
    (1, 2, 3, 4 or 9; may be left out).
    """

    readings: list[dict[str, Any]]


class Verdict(Struct, frozen=True, kw_only=True):
    """What became of one record: `stored`, `duplicate`, `conflict` (both kept) or `refused`; `why` in two languages."""

    index: int
    verdict: devices.Verdict
    flag: str | None = None
    why: str | None = None
    why_en: str | None = None


class Verdicts(Struct, frozen=True, kw_only=True):
    """One verdict per record, in the order of the batch, and how many of each."""

    verdicts: list[Verdict]
    counts: dict[str, int]


class Maintenance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A maintenance window [from, until); both null clears it."""

    begins: Instant | None = None
    until: Instant | None = None


class DeviceKey(Struct, frozen=True, kw_only=True):
    """A device's key, shown this once."""

    key: str


def _why(errors: Sequence[FieldError]) -> Text:
    return (
        "；".join(f"{error.field}：{error.message[0]}" for error in errors),
        "; ".join(f"{error.field}: {error.message[1]}" for error in errors),
    )


@post(
    "/readings",
    status_code=200,
    tags=["sensing"],
    opt={"action": "sensing.record"},
    request_max_body_size=2_000_000,
)
async def record_readings(
    data: JSONBody[Readings], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Verdicts:
    """感知读数：以设备或网关密钥提交。

    Takes up to 1,000 readings with the key of the device or of its gateway, and answers once they are committed, with a
    verdict per record. Delivering again changes nothing.
    """
    if actor.device is None or "sensing.record" not in actor.scopes:
        raise NotPermitted(action="sensing.record")
    if len(data.readings) > MOST:
        raise Invalid([FieldError("readings", (f"一次至多 {MOST} 条", f"at most {MOST} at a time"))])
    read = [devices.read_record(record) for record in data.readings]
    answers = await commands.record([r if isinstance(r, Incoming) else _why(r) for r in read], actor, now)
    counts: dict[str, int] = {}
    for answer in answers:
        counts[answer.verdict] = counts.get(answer.verdict, 0) + 1
    verdicts = [
        Verdict(
            index=answer.index,
            verdict=answer.verdict,
            flag=answer.flag,
            why=None if answer.why is None else answer.why[0],
            why_en=None if answer.why is None else answer.why[1],
        )
        for answer in answers
    ]
    return Verdicts(verdicts=verdicts, counts=counts)


@get("/sensing/devices", tags=["sensing"], opt={"action": "sensing.read"})
async def list_devices(
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    kind: WordOrNone = None,
    after: FromQuery[UUID | None] = None,
    limit: Page = PAGE,
) -> Response[list[DeviceView]]:
    """感知设备清单：本单位的与辖区内的；下一页见 Link。

    Devices of the actor's organisations and areas with their channels, by id; `Link: rel=next` when there are more.
    """
    found = await facts.devices(actor, kind, after, limit, now)
    query = {"kind": kind, "limit": str(limit)}
    return _page(found, limit, "/v1/sensing/devices", query | {"after": str(found[-1].device.id) if found else None})


@post("/sensing/devices", tags=["sensing"], opt={"action": "sensing.manage"})
async def register_device(
    data: JSONBody[NewDevice], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Registered:
    """登记设备及其通道；密钥只显示一次。"""
    return await commands.register_device(data, actor, now)


@post("/sensing/devices/{device_id:uuid}/key", tags=["sensing"], opt={"action": "sensing.manage"})
async def rotate_key(
    device_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> DeviceKey:
    """更换设备密钥：旧密钥立即失效。"""
    return DeviceKey(key=await commands.rotate_key(device_id, actor, now))


@put("/sensing/devices/{device_id:uuid}/maintenance", tags=["sensing"], opt={"action": "sensing.manage"})
async def set_maintenance(
    device_id: FromPath[UUID],
    data: JSONBody[Maintenance],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Device:
    """设置维护时段：期间的预警不开事件；两端皆空为取消。"""
    return await commands.set_maintenance(device_id, data.begins, data.until, actor, now)


@get("/sensing/readings", tags=["sensing"], opt={"action": "sensing.read"})
async def list_readings(
    device: FromQuery[UUID],
    channel: Word,
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    since: FromQuery[datetime | None] = None,
    before: FromQuery[datetime | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> Response[list[ReadingView]]:
    """一个通道的读数，新的在前。

    Readings of a channel in [since, before), newest first; `Link: rel=next` when there are more.
    """
    naive = [name for name, at in (("since", since), ("before", before)) if at is not None and at.tzinfo is None]
    if naive:
        raise Invalid([FieldError(name, ("时间须带时区", "a time needs an offset")) for name in naive])
    found = await facts.readings(device, channel, actor, since, before, limit, now)
    query = {
        "device": str(device),
        "channel": channel,
        "since": None if since is None else since.isoformat(),
        "limit": str(limit),
    }
    return _page(found, limit, "/v1/sensing/readings", query | {"before": found[-1].at.isoformat() if found else None})


@get("/sensing/episodes", tags=["sensing"], opt={"action": "sensing.read"})
async def list_episodes(
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    device: FromQuery[UUID | None] = None,
    is_open: FromQuery[bool | None] = None,
    before: FromQuery[UUID | None] = None,
    limit: Page = PAGE,
) -> Response[list[EpisodeView]]:
    """预警清单：何时触发、何时解除、对应的事件；新的在前。

    Episodes of devices within reach with the case each opened, newest first; `Link: rel=next` when there are more.
    """
    found = await facts.episodes(actor, device, is_open, before, limit, now)
    query = {
        "device": None if device is None else str(device),
        "is_open": None if is_open is None else str(is_open).lower(),
        "limit": str(limit),
    }
    return _page(found, limit, "/v1/sensing/episodes", query | {"before": str(found[-1].id) if found else None})


def _page(found: list[Any], limit: int, path: str, query: dict[str, str | None]) -> Response[Any]:
    """Return a page; full, it names the next one."""
    following = urlencode({name: value for name, value in query.items() if value is not None})
    headers = {"Link": f'<{path}?{following}>; rel="next"'} if len(found) == limit else {}
    return Response(found, headers=headers)


routes: list[Any] = [
    record_readings,
    list_devices,
    register_device,
    rotate_key,
    set_maintenance,
    list_readings,
    list_episodes,
]
