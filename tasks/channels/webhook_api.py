"""Webhooks over HTTP: make, change, pause, test, see what was delivered, send again."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.kernel.actor import Actor
from tasks.channels import webhook_commands as commands
from tasks.channels.webhook_commands import Pinged, Replay, Revived
from tasks.channels.webhooks import Delivery, DeliveryState, MadeWebhook, NewWebhook, WebhookChange, WebhookView

MANAGE: dict[str, Any] = {"action": "webhook.manage"}
TAGS = ["webhooks"]
AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, QueryParameter(ge=1, le=200)]
Word = Annotated[str | None, QueryParameter(pattern="^[^\\x00]{1,64}$")]


def _page(request: AnyRequest, rows: list[Any], limit: int, asked: dict[str, str | None]) -> Response[list[Any]]:
    headers: dict[str, str] = {}
    if len(rows) == limit:
        following = {name: value for name, value in asked.items() if value is not None}
        following |= {"after": str(rows[-1].id), "limit": str(limit)}
        headers["Link"] = f'<{request.url.path}?{urlencode(following)}>; rel="next"'
    return Response(rows, headers=headers)


@post("/webhooks", opt=MANAGE, tags=TAGS)
async def make_webhook(
    data: JSONBody[NewWebhook], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> MadeWebhook:
    """Have the events of a source's cases posted to an address, signed; the secret is shown this once.

    Each event is CloudEvents 1.0 (`application/cloudevents+json`), signed like what machines send here: `X-Signature`
    is the HMAC-SHA-256 over `X-Timestamp LF X-Nonce LF POST LF path?query LF body`. Sent at least once: an event has
    the same `id` every time. The events of one case come in order, those of several cases side by side.
    """
    return await commands.make(data, actor, now)


@get("/webhooks", opt=MANAGE, tags=TAGS)
async def list_webhooks(
    request: AnyRequest,
    actor: NamedDependency[Actor],
    source: Word = None,
    after: FromQuery[UUID | None] = None,
    limit: Limit = 50,
) -> Response[list[WebhookView]]:
    """List webhooks with what waits for each and what is dead, retired ones too."""
    return _page(request, await commands.page(source, after, limit, actor), limit, {"source": source})


@get("/webhooks/{webhook_id:uuid}", opt=MANAGE | {"versioned": True}, tags=TAGS)
async def webhook(webhook_id: FromPath[UUID], actor: NamedDependency[Actor]) -> WebhookView:
    """Show one webhook."""
    return await commands.read(webhook_id, actor)


@patch("/webhooks/{webhook_id:uuid}", opt=MANAGE | {"versioned": True, "version_required": True}, tags=TAGS)
async def change_webhook(
    webhook_id: FromPath[UUID],
    data: JSONBody[WebhookChange],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> WebhookView:
    """Change the address or the types of events; what waits goes to the new address."""
    return await commands.change(webhook_id, data, actor, now)


@post("/webhooks/{webhook_id:uuid}/pause", opt=MANAGE, tags=TAGS, status_code=200)
async def pause_webhook(
    webhook_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> WebhookView:
    """Send nothing until it is resumed; events wait."""
    return await commands.set_state(webhook_id, "paused", actor, now)


@post("/webhooks/{webhook_id:uuid}/resume", opt=MANAGE, tags=TAGS, status_code=200)
async def resume_webhook(
    webhook_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> WebhookView:
    """Go on, also after the receiver said 410; what waits is tried at once, dead letters are replayed by hand."""
    return await commands.set_state(webhook_id, "active", actor, now)


@delete("/webhooks/{webhook_id:uuid}", opt=MANAGE, tags=TAGS)
async def retire_webhook(
    webhook_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> None:
    """End a webhook for good; its log stays."""
    await commands.retire(webhook_id, actor, now)


@post("/webhooks/{webhook_id:uuid}/secret", opt=MANAGE, tags=TAGS, status_code=200)
async def renew_webhook_secret(
    webhook_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> MadeWebhook:
    """Replace the secret, shown this once; the old one signs nothing from now on."""
    return await commands.renew_secret(webhook_id, actor, now)


@post("/webhooks/{webhook_id:uuid}/ping", opt=MANAGE, tags=TAGS, status_code=200)
async def ping_webhook(
    webhook_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Pinged:
    """Post a test event (`zjw.ping`) now, once, and show what the receiver made of it."""
    return await commands.ping(webhook_id, actor, now)


@get("/webhooks/{webhook_id:uuid}/deliveries", opt=MANAGE, tags=TAGS)
async def webhook_deliveries(
    request: AnyRequest,
    webhook_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    wanted: Annotated[DeliveryState | None, QueryParameter(name="state")] = None,
    after: FromQuery[UUID | None] = None,
    limit: Limit = 50,
) -> Response[list[Delivery]]:
    """Show the delivery log, newest first: each event with its tries and what the last one came to."""
    return _page(request, await commands.log(webhook_id, wanted, after, limit, actor), limit, {"state": wanted})


@post("/webhooks/{webhook_id:uuid}/deliveries/{delivery_id:uuid}/replay", opt=MANAGE, tags=TAGS, status_code=200)
async def replay_delivery(
    webhook_id: FromPath[UUID],
    delivery_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Revived:
    """Send one delivery again that is dead or was delivered; later events of its case are not held back for it."""
    return await commands.replay_one(webhook_id, delivery_id, actor, now)


@post("/webhooks/{webhook_id:uuid}/replay", opt=MANAGE, tags=TAGS, status_code=200)
async def replay_webhook(
    webhook_id: FromPath[UUID],
    data: JSONBody[Replay],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Revived:
    """Send dead letters again, all or those of events since an instant; `delivered` sends what was taken again, too."""
    return await commands.replay(webhook_id, data, actor, now)


routes: list[Any] = [
    make_webhook,
    list_webhooks,
    webhook,
    change_webhook,
    pause_webhook,
    resume_webhook,
    retire_webhook,
    renew_webhook_secret,
    ping_webhook,
    webhook_deliveries,
    replay_delivery,
    replay_webhook,
]
