"""What others may read of sensing: devices, readings and episodes, each within the reader's reach."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.identity import scope
from app.identity.scope import Ownership, Reach
from app.kernel import db
from app.kernel.actor import Actor
from grid import facts as grid
from tasks.sensing import alert_store, store
from tasks.sensing.alert_store import EpisodeView
from tasks.sensing.devices import Channel, Device
from tasks.sensing.problems import DeviceNotFound
from tasks.sensing.store import ReadingView

__all__ = ["DeviceView", "EpisodeView", "ReadingView", "devices", "episodes", "readings"]


class DeviceView(Struct, frozen=True, kw_only=True):
    """A device with its channels."""

    device: Device
    channels: tuple[Channel, ...]


async def _reach(actor: Actor, now: datetime) -> tuple[Reach, list[UUID]]:
    """Return the actor's reach and its organisations with all below them."""
    reach = scope.require_any(actor, "sensing.read")
    directory = await grid.directory(now)
    return reach, sorted({below for each in reach.organisations for below in directory.below(each)})


async def devices(actor: Actor, kind: str | None, after: UUID | None, limit: int, now: datetime) -> list[DeviceView]:
    """Return devices within reach by id."""
    async with db.transaction(actor.district):
        found = await store.devices(*await _reach(actor, now), kind, after, limit)
        channels = await store.channels_of([each.id for each in found])
    by_device: dict[UUID, list[Channel]] = {}
    for channel in channels:
        by_device.setdefault(channel.device, []).append(channel)
    return [DeviceView(device=each, channels=tuple(by_device.get(each.id, ()))) for each in found]


async def readings(
    device_id: UUID,
    channel: str,
    actor: Actor,
    since: datetime | None,
    before: datetime | None,
    limit: int,
    now: datetime,
) -> list[ReadingView]:
    """Return readings of a channel in [since, before), newest first; DeviceNotFound when it is not the actor's."""
    async with db.transaction(actor.district):
        device = await store.device(device_id)
        directory = await grid.directory(now)
        owned = (
            Ownership()
            if device is None
            else Ownership(area=device.area, organisations=directory.ancestors(device.owner))
        )
        scope.require(actor, "sensing.read", owned, DeviceNotFound())
        return await store.readings(device_id, channel, since, before, limit)


async def episodes(
    actor: Actor, device: UUID | None, is_open: bool | None, before: UUID | None, limit: int, now: datetime
) -> list[EpisodeView]:
    """Return episodes of devices within reach, newest first."""
    async with db.transaction(actor.district):
        reach, owners = await _reach(actor, now)
        return await alert_store.episodes(reach, owners, device=device, is_open=is_open, before=before, limit=limit)
