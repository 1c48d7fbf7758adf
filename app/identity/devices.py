"""Phones registered to a person: active, retired (its push goes to quarantine for 30 days) or stolen (told to wipe)."""

from enum import StrEnum
from uuid import UUID

from msgspec import Struct


class DeviceState(StrEnum):
    """What a device may still do."""

    ACTIVE = "active"
    RETIRED = "retired"
    STOLEN = "stolen"


class Device(Struct, frozen=True, kw_only=True):
    """One phone of one person."""

    id: UUID
    account: UUID
    name: str
    state: DeviceState
