"""What sensing tells others."""

from datetime import datetime
from uuid import UUID

from app.kernel.event import Event


class ReadingsRecorded(Event, frozen=True, kw_only=True):
    """Readings were stored on these channels: the doorbell of the evaluation, by channel id in rising order."""

    channels: tuple[UUID, ...]


class AlertRaised(Event, frozen=True, kw_only=True):
    """An episode began or went on (`resumed`); `case` is what it opened, None while suppressed."""

    alert: UUID
    device: UUID
    rule: UUID
    case: UUID | None
    resumed: bool
    fired_at: datetime


class AlertCleared(Event, frozen=True, kw_only=True):
    """An episode is over as far as the signal goes."""

    alert: UUID
    device: UUID
    rule: UUID
    case: UUID | None
    closed_at: datetime


class DeviceSilent(Event, frozen=True, kw_only=True):
    """A device has not been heard of for longer than its rule allows; its owner should look."""

    alert: UUID
    device: UUID
    owner: UUID


class DeviceHeard(Event, frozen=True, kw_only=True):
    """A silent device is heard again."""

    alert: UUID
    device: UUID
    owner: UUID
