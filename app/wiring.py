"""The one place where packages are put together: routes, event → subscribers, schedules, settings."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from app.identity import api as identity_api
from app.identity import cipher
from app.identity import commands as identity
from app.kernel.actor import Actor
from app.kernel.event import Event
from app.settings import Settings
from tasks.cases import api as cases_api
from tasks.cases import sweeping
from tasks.channels import api as channels_api
from tasks.channels import commands as channels
from tasks.channels.mini_program import Endpoint

ROUTES: list[Any] = [*identity_api.routes, *cases_api.routes, *channels_api.routes]
"""Handlers mounted below /v1."""

ROOT_ROUTES: list[Any] = []
"""Handlers with an address of their own (Open311, SensorThings, signed media)."""

Subscriber = Callable[[Any, datetime], Awaitable[None]]
"""Called with the event and the instant, inside a transaction of the event's district, at least once per event."""


class Slow(Struct, frozen=True):
    """A subscriber that takes its time: called outside a transaction, it opens its own."""

    call: Subscriber


SUBSCRIBERS: dict[type[Event], dict[str, Subscriber | Slow]] = {}
"""Event → name of the subscriber → what it does. Names are kept with the event: do not reuse one for other work."""

Job = Callable[[str, datetime], Awaitable[object]]
"""Called with the district and the instant; idempotent, opens its own transactions."""

SCHEDULES: dict[str, tuple[timedelta, Job]] = {
    "identity.tidy": (timedelta(hours=1), identity.tidy),
    "cases.sweep": (timedelta(minutes=1), sweeping.sweep),
}
"""Name → how often and what; each runs once per district however many workers there are."""


async def device_of(district: str, key: str, now: datetime) -> Actor | None:
    """Return the actor of a sensor's or gateway's key, or None for a key nobody holds."""
    return None


def configure(settings: Settings) -> None:
    """Hand the packages the settings they need; call once in each process before anything else."""
    cipher.configure(*settings.cipher_key_table())
    identity.configure(settings.jwt_key_bytes())
    channels.configure(Endpoint(settings.mini_program_url, settings.mini_program_app_id, settings.mini_program_secret))
