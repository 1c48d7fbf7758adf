"""What those who look after webhooks do, each in one transaction; every change is in the access log."""

import secrets
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct, structs

from app.identity import cipher, scope
from app.identity import commands as identity
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import StaleVersion, invalid
from tasks.channels import source_commands, sources, webhook_sending, webhook_store, webhook_target
from tasks.channels.stream_events import CloudEvent
from tasks.channels.webhook_problems import DeliveryNotFound, WebhookNotFound, WebhookRetired
from tasks.channels.webhook_sending import Letter
from tasks.channels.webhooks import (
    Backlog,
    Delivery,
    MadeWebhook,
    NewWebhook,
    State,
    Webhook,
    WebhookChange,
    WebhookView,
)

ACTION = "webhook.manage"


class Replay(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to send again: dead letters, and with `delivered` what was taken too; of events since an instant, or all."""

    since: Annotated[datetime, Meta(tz=True)] | None = None
    delivered: bool = False


class Revived(Struct, frozen=True):
    """How many deliveries are sent again."""

    deliveries: int


class Pinged(Struct, frozen=True, kw_only=True):
    """What a receiver made of a test event: its status, or why there is none."""

    taken: bool
    status: int | None
    error: str | None
    duration_ms: int


async def make(new: NewWebhook, actor: Actor, now: datetime) -> MadeWebhook:
    """Make a webhook; its secret is returned here and never again. Invalid for an address that is not posted to, or

    a source nobody knows (a platform that is configured, or a channel of our own).
    """
    scope.require_any(actor, ACTION)
    _check_url(new.url)
    secret = _new_secret()
    webhook = Webhook(
        id=new_id(),
        source=new.source,
        url=new.url,
        events=tuple(dict.fromkeys(new.events)),
        state="active",
        retired=False,
        hold_until=None,
        version=1,
        created_at=now,
        created_by=actor.id,
        changed_at=now,
        changed_by=actor.id,
    )
    async with db.transaction(actor.district):
        if new.source not in sources.RESERVED and await source_commands.known(new.source) is None:
            raise invalid("source", f"没有来源 {new.source}", f"there is no source {new.source}")
        await webhook_store.add(webhook, cipher.seal(secret))
        await _log(actor, "make", webhook.id, now)
    return MadeWebhook(webhook=webhook, secret=secret)


def _new_secret() -> str:
    return f"zjww_{secrets.token_urlsafe(32)}"


def _check_url(url: str) -> None:
    fault = webhook_target.fault_of(url, webhook_sending.policy().private_allowed)
    if fault is not None:
        raise invalid("url", f"不能作为接收地址：{fault}", f"cannot be posted to: {fault}")


async def _log(actor: Actor, what: str, webhook: UUID, now: datetime) -> None:
    await identity.log_access(actor, f"webhook.{what}", f"webhook:{webhook}", None, now)


async def _held(webhook_id: UUID) -> Webhook:
    """Lock a webhook that may be changed; WebhookNotFound, WebhookRetired."""
    found = await webhook_store.get(webhook_id, lock=True)
    if found is None:
        raise WebhookNotFound
    if found.retired:
        raise WebhookRetired
    return found


def _viewed(webhook: Webhook, backlog: Backlog) -> WebhookView:
    return WebhookView(**structs.asdict(webhook), backlog=backlog)


async def _view(webhook: Webhook) -> WebhookView:
    return _viewed(webhook, (await webhook_store.backlogs([webhook.id]))[webhook.id])


async def read(webhook_id: UUID, actor: Actor) -> WebhookView:
    """Return a webhook and its backlog; WebhookNotFound."""
    scope.require_any(actor, ACTION)
    async with db.transaction(actor.district):
        found = await webhook_store.get(webhook_id)
        if found is None:
            raise WebhookNotFound
        return await _view(found)


async def page(source: str | None, after: UUID | None, limit: int, actor: Actor) -> list[WebhookView]:
    """Return up to `limit` webhooks by id, retired ones too."""
    scope.require_any(actor, ACTION)
    async with db.transaction(actor.district):
        found = await webhook_store.page(source, after, limit)
        backlogs = await webhook_store.backlogs([each.id for each in found])
    return [_viewed(each, backlogs[each.id]) for each in found]


async def change(webhook_id: UUID, wanted: WebhookChange, actor: Actor, now: datetime) -> WebhookView:
    """Change address or types of events; what waits goes to the new address."""
    scope.require_any(actor, ACTION)
    if wanted.url is not None:
        _check_url(wanted.url)
    async with db.transaction(actor.district):
        found = await _held(webhook_id)
        if wanted.version is not None and wanted.version != found.version:
            raise StaleVersion(version=found.version)
        url, events = wanted.url or found.url, wanted.events or found.events
        fresh = structs.replace(found, url=url, events=tuple(dict.fromkeys(events)))
        return await _saved(fresh, "change", actor, now)


async def _saved(webhook: Webhook, what: str, actor: Actor, now: datetime) -> WebhookView:
    fresh = structs.replace(webhook, version=webhook.version + 1, changed_at=now, changed_by=actor.id)
    await webhook_store.save(fresh)
    await _log(actor, what, fresh.id, now)
    return await _view(fresh)


async def set_state(webhook_id: UUID, state: State, actor: Actor, now: datetime) -> WebhookView:
    """Pause a webhook (events wait) or let it go on, also after the receiver said 410: what waits is tried at once."""
    scope.require_any(actor, ACTION)
    async with db.transaction(actor.district):
        found = await _held(webhook_id)
        if state == "active":
            await webhook_store.hurry(webhook_id, now)
        what = "resume" if state == "active" else "pause"
        return await _saved(structs.replace(found, state=state, hold_until=None), what, actor, now)


async def retire(webhook_id: UUID, actor: Actor, now: datetime) -> None:
    """End a webhook for good; what waits is dead, its log stays."""
    scope.require_any(actor, ACTION)
    async with db.transaction(actor.district):
        found = await _held(webhook_id)
        await webhook_store.end(webhook_id, "gone: retired", now)
        await _saved(structs.replace(found, state="gone", retired=True), "retire", actor, now)


async def renew_secret(webhook_id: UUID, actor: Actor, now: datetime) -> MadeWebhook:
    """Replace the secret; the old one signs nothing from now on."""
    scope.require_any(actor, ACTION)
    secret = _new_secret()
    async with db.transaction(actor.district):
        found = await _held(webhook_id)
        await webhook_store.set_secret(webhook_id, cipher.seal(secret))
        fresh = await _saved(found, "renew_secret", actor, now)
    values = {name: getattr(fresh, name) for name in Webhook.__struct_fields__}
    return MadeWebhook(webhook=Webhook(**values), secret=secret)


async def ping(webhook_id: UUID, actor: Actor, now: datetime) -> Pinged:
    """Post a test event now, once, whatever state the webhook is in, and return what the receiver made of it."""
    scope.require_any(actor, ACTION)
    async with db.transaction(actor.district):
        found = await _held(webhook_id)
        secret = cipher.open_(await webhook_store.secret(webhook_id))
    event = CloudEvent(
        specversion="1.0",
        id=new_id(),
        source=f"/districts/{actor.district}/webhooks",
        type="zjw.ping",
        subject=str(webhook_id),
        time=now,
        sequence=f"{0:012d}",
        datacontenttype="application/json",
        data={"source": found.source},
    )
    letter = Letter(url=found.url, secret=secret, webhook=webhook_id, nonce=str(event.id), event=event)
    async with webhook_sending.client() as http:
        answer = await webhook_sending.post(letter, http, now)
    taken = answer.status is not None and 200 <= answer.status < 300
    return Pinged(taken=taken, status=answer.status, error=answer.error, duration_ms=answer.duration_ms)


async def log(webhook_id: UUID, state: str | None, before: UUID | None, limit: int, actor: Actor) -> list[Delivery]:
    """Return up to `limit` deliveries of a webhook, newest first, from below one; WebhookNotFound."""
    scope.require_any(actor, ACTION)
    async with db.transaction(actor.district):
        if await webhook_store.get(webhook_id) is None:
            raise WebhookNotFound
        return await webhook_store.log(webhook_id, state, before, limit)


async def replay_one(webhook_id: UUID, delivery: UUID, actor: Actor, now: datetime) -> Revived:
    """Send one delivery that is over again; DeliveryNotFound when there is none or it waits."""
    scope.require_any(actor, ACTION)
    async with db.transaction(actor.district):
        await _held(webhook_id)
        if not await webhook_store.revive(webhook_id, delivery, now):
            raise DeliveryNotFound
        await _log(actor, "replay", webhook_id, now)
    return Revived(1)


async def replay(webhook_id: UUID, wanted: Replay, actor: Actor, now: datetime) -> Revived:
    """Send all dead letters of a webhook again, or those of events since an instant; in order within each case."""
    scope.require_any(actor, ACTION)
    states = ("dead", "delivered") if wanted.delivered else ("dead",)
    async with db.transaction(actor.district):
        await _held(webhook_id)
        count = await webhook_store.revive_all(webhook_id, states, wanted.since, now)
        await _log(actor, "replay", webhook_id, now)
    return Revived(count)


async def backlog(district: str) -> Backlog:
    """Return what lies with all webhooks of a district."""
    async with db.transaction(district):
        return await webhook_store.total()
