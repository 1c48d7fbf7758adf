"""The one place where packages are put together: routes, event → subscribers, schedules, settings."""

import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from app import answers, handover, retention
from app.identity import api as identity_api
from app.identity import cipher, sso_api, sso_commands
from app.identity import commands as identity
from app.identity import privacy_commands as identity_privacy
from app.identity.oidc import Client
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.clock import Clock
from app.kernel.event import Event
from app.notices import api as notices_api
from app.notices import commands as notices
from app.notices import configuration as notices_configuration
from app.notices import delivering as notices_delivering
from app.notices import privacy_commands as notices_privacy
from app.notices import quiet
from app.settings import Settings
from app.trouble import Trouble
from grid import api as grid_api
from grid.events import CellsEnded
from media import api as media_api
from media import commands as media
from media import configuration as media_configuration
from media import erasure_commands, tus_api, upload_commands
from media.events import EvidenceStored
from scoring.teams import api as scoring_api
from scoring.teams import commands as scoring
from scoring.teams import period_commands as scoring_periods
from tasks.cases import api as cases_api
from tasks.cases import (
    calendar_api,
    catalogue_api,
    claim_commands,
    difficult_api,
    difficult_commands,
    duplicates_api,
    hashing,
    reading_api,
    rules_api,
    suggestion_commands,
    sweeping,
    trail,
)
from tasks.cases import privacy_commands as cases_privacy
from tasks.cases.events import CaseClosed, CaseMoved, CaseOpened, LegEscalated
from tasks.channels import api as channels_api
from tasks.channels import (
    bulk_api,
    bulk_commands,
    cloudevents_api,
    open311_api,
    push_api,
    stream_api,
    stream_commands,
    webhook_api,
    webhook_commands,
    webhook_sending,
)
from tasks.channels import commands as channels
from tasks.channels import privacy_commands as channels_privacy
from tasks.channels.events import CitizenErased, ImportQueued
from tasks.channels.mini_program import Endpoint
from tasks.sensing import api as sensing_api
from tasks.sensing import commands as sensing
from tasks.sensing import watch_commands as sensing_watch
from tasks.sensing.events import ReadingsRecorded
from visits import api as visits_api
from visits import callback_commands, note_commands, rehousing_commands, round_commands
from visits import privacy_commands as visits_privacy
from visits.events import VisitRecorded

ROUTES: list[Any] = [
    *identity_api.routes,
    *sso_api.routes,
    *grid_api.routes,
    *cases_api.routes,
    *calendar_api.routes,
    *catalogue_api.routes,
    *difficult_api.routes,
    *duplicates_api.routes,
    *reading_api.routes,
    *rules_api.routes,
    *channels_api.routes,
    *push_api.routes,
    *cloudevents_api.routes,
    *bulk_api.routes,
    *webhook_api.routes,
    *stream_api.routes,
    *media_api.routes,
    *sensing_api.routes,
    *visits_api.routes,
    *scoring_api.routes,
    *handover.routes,
    *notices_api.routes,
]
"""Handlers mounted below /v1."""

ROOT_ROUTES: list[Any] = [*open311_api.routes]
"""Handlers with an address of their own (Open311, SensorThings, signed media)."""

AROUND = (tus_api.Spoken,)
"""Around the framework and its own refusals: what a protocol asks of every answer."""

Subscriber = Callable[[Any, datetime], Awaitable[None]]
"""Called with the event and the instant, inside a transaction of the event's district, at least once per event."""


class Slow(Struct, frozen=True):
    """A subscriber that takes its time: called outside a transaction, it opens its own."""

    call: Subscriber


SUBSCRIBERS: dict[type[Event], dict[str, Subscriber | Slow]] = {
    EvidenceStored: {"media.check": Slow(media.check_stored)},
    ReadingsRecorded: {"sensing.evaluate": sensing_watch.on_readings},
    CaseOpened: {"notices.tell": notices.on_case, "stream.keep": stream_commands.on_case},
    CaseMoved: {"notices.tell": notices.on_case, "stream.keep": stream_commands.on_case},
    LegEscalated: {"notices.tell": notices.on_escalated},
    CaseClosed: {"stream.keep": stream_commands.on_case},
    CitizenErased: {"notices.erase": notices_privacy.on_erased},
    CellsEnded: {"visits.rehouse": rehousing_commands.on_cells_ended},
    VisitRecorded: {"visits.call_back": callback_commands.on_visit, "notices.tell_household": notices.on_visit},
    ImportQueued: {"channels.import": Slow(bulk_commands.on_queued)},
}
"""Event → name of the subscriber → what it does. Names are kept with the event: do not reuse one for other work."""

Job = Callable[[str, datetime], Awaitable[object]]
"""Called with the district and the instant; idempotent, opens its own transactions."""

AHEAD: dict[str, Job] = {"difficult items": difficult_commands.ready, "suggestions": suggestion_commands.ready}
"""What a process of the server reads of every district when it starts."""

SCHEDULES: dict[str, tuple[timedelta, Job]] = {
    "identity.tidy": (timedelta(hours=1), identity.tidy),
    "answers.tidy": (timedelta(hours=1), answers.tidy),
    "media.sweep": (timedelta(minutes=10), upload_commands.sweep),
    "media.erase": (timedelta(minutes=10), erasure_commands.run),
    "cases.claims": (timedelta(hours=1), claim_commands.tidy),
    "cases.sweep": (timedelta(minutes=1), sweeping.sweep),
    "cases.calendar": (timedelta(minutes=5), sweeping.recompute),
    "cases.daily_root": (timedelta(hours=1), trail.seal_day),
    "cases.count_words": (timedelta(hours=1), suggestion_commands.count_words),
    "sensing.sweep": (timedelta(seconds=2), sensing_watch.sweep),
    "scoring.live": (timedelta(seconds=30), scoring.recompute_dirty),
    "scoring.compare": (timedelta(days=1), scoring_periods.check_live),
    "visits.day": (timedelta(hours=1), round_commands.renew_day),
    "visits.notes": (timedelta(hours=1), note_commands.expire),
    "retention": (timedelta(days=1), retention.run),
    "stream.tidy": (timedelta(hours=1), stream_commands.tidy),
    "sensing.days": (timedelta(hours=6), sensing.open_days),
}
"""Name → how often and what; each runs once per district however many workers there are."""


class SealedData(Struct, frozen=True):
    """What one package keeps sealed: how much of it an older key sealed, and a batch of it sealed anew."""

    stale: Callable[[str], Awaitable[int]]
    reseal: Callable[[str, int], Awaitable[int]]


SEALED: dict[str, SealedData] = {
    "answers": SealedData(answers.stale, answers.reseal),
    "identity": SealedData(identity_privacy.stale, identity_privacy.reseal),
    "cases": SealedData(cases_privacy.stale, cases_privacy.reseal),
    "visits": SealedData(visits_privacy.stale, visits_privacy.reseal),
    "notices": SealedData(notices_privacy.stale, notices_privacy.reseal),
    "channels": SealedData(channels_privacy.stale, channels_privacy.reseal),
}
"""Every package with sealed fields; `zjw keys rotate` goes through all of them."""


LOOPS: tuple[Callable[[Clock], Awaitable[None]], ...] = (notices_delivering.run, webhook_sending.run)
"""What every worker does all the time beside its jobs; cancelled when it stops."""


async def figures(now: datetime) -> dict[str, tuple[str, float]]:
    """Return what the database knows of how things go: name of the gauge → what it means and its value, all districts.

    A deployment has few districts; each asks its partial indexes.
    """
    lying = [await webhook_commands.backlog(district) for district in await db.districts()]
    oldest = [(now - each.oldest_waiting).total_seconds() for each in lying if each.oldest_waiting is not None]
    return {
        "zjw_webhook_waiting": ("Events that wait to be sent to webhooks.", sum(each.waiting for each in lying)),
        "zjw_webhook_dead": ("Dead letters of webhooks.", sum(each.dead for each in lying)),
        "zjw_webhook_oldest_waiting_seconds": ("Age of the oldest event that waits.", max(oldest, default=0.0)),
    }


async def device_of(district: str, key: str, now: datetime) -> Actor | None:
    """Return the actor of a sensor's or gateway's key, or None for a key nobody holds."""
    return await sensing.authenticate(district, key, now)


def configure(settings: Settings) -> None:
    """Hand the packages the settings they need; call once in each process before anything else."""
    try:
        cipher.configure(*settings.cipher_key_table(), settings.cipher)
        hashing.configure(settings.trace_hash)
    except ValueError as error:
        raise Trouble(f"{error}.") from error
    identity.configure(settings.jwt_key_bytes())
    sso_commands.configure(_sso_client(settings))
    retention.configure(
        retention.Periods(
            access_log_months=settings.access_log_months,
            contact_months=settings.contact_months,
            reading_days=settings.reading_days,
        )
    )
    link_key = hmac.digest(settings.jwt_key_bytes(), b"media links", "sha256")
    media_configuration.configure(
        settings.media_url,
        link_key,
        media_configuration.limits_of(
            settings.image_mib, settings.image_megapixels, settings.video_mib, settings.upload_day_mib
        ),
    )
    channels.configure(Endpoint(settings.mini_program_url, settings.mini_program_app_id, settings.mini_program_secret))
    webhook_sending.configure(webhook_sending.Policy(private_allowed=settings.webhooks_private))
    notices_configuration.configure(
        notices_configuration.Outlets(
            sms_url=settings.sms_url,
            sms_secret=settings.sms_secret,
            subscribe_url=settings.subscribe_message_url,
            template=settings.subscribe_message_template,
            app_id=settings.mini_program_app_id,
            app_secret=settings.mini_program_secret,
            sign_in_url=settings.mini_program_url,
            webhook_url=settings.webhook_url,
            webhook_secret=settings.webhook_secret,
            quiet=quiet.parse(settings.quiet_hours),
        )
    )


def _sso_client(settings: Settings) -> Client | None:
    if not settings.oidc_issuer:
        return None
    if not settings.oidc_client_id:
        raise Trouble("ZJW_OIDC_ISSUER is set but ZJW_OIDC_CLIENT_ID is not: the provider's operator gives you one.")
    return Client(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        redirect_uri=f"{settings.base_url.rstrip('/')}/v1/auth/oidc/callback",
    )
