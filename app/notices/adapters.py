"""The clients of the receivers: text messages, subscribe messages of the mini-program, a signed webhook.

Every message carries the delivery's id, so that a receiver can tell a repeat; no address is in any error.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
from msgspec import Struct

from app.identity import keys
from app.notices.configuration import Outlets
from app.notices.wording import Channel, Kind

TIMEOUT_SECONDS = 5.0
_AGAIN = frozenset({408, 425, 429})
"""Refusals that say "later"."""
_NEVER = frozenset({40003, 43101, 43107})
"""Subscribe messages: bad openid, no consent, consent taken back."""
_STALE_TOKEN = frozenset({40001, 40014, 42001})
_THING = 20
"""Most signs of a template's `thing` field."""


class Message(Struct, frozen=True, kw_only=True):
    """A notice on its way; `id` is the delivery's, `address` a phone number or openid."""

    id: UUID
    notice: UUID
    channel: str
    tries: int
    recipient: UUID
    address: str | None
    kind: str
    case: UUID
    number: str
    zh: str
    en: str
    critical: bool
    made_at: datetime


class Later(Exception):
    """The receiver is away or busy: to be tried again."""


class Never(Exception):
    """The receiver will not take this, however often it is tried."""


class _Token(Struct, frozen=True):
    access_token: str = ""
    expires_in: int = 0
    errcode: int = 0


class _Said(Struct, frozen=True):
    errcode: int = 0


_tokens: dict[tuple[str, str], tuple[datetime, str]] = {}
"""(address, app id) → until when and what the mini-program's access token is."""


async def send(message: Message, outlets: Outlets, client: httpx.AsyncClient, now: datetime) -> None:
    """Hand one message over; Later when it should be tried again, Never when that is of no use."""
    try:
        await _SENDERS[Channel(message.channel)](message, outlets, client, now)
    except httpx.HTTPError as error:
        raise Later(type(error).__name__) from error
    except msgspec.DecodeError as error:
        raise Later("unreadable answer") from error


async def _sms(message: Message, outlets: Outlets, client: httpx.AsyncClient, _: datetime) -> None:
    """`POST {url}/messages` with `{id, to, text}` under a bearer secret: what gateways of providers sit behind."""
    response = await client.post(
        outlets.sms_url.rstrip("/") + "/messages",
        json={"id": str(message.id), "to": _address(message), "text": _text(message)},
        headers={"Authorization": f"Bearer {outlets.sms_secret}", "Idempotency-Key": str(message.id)},
    )
    _check(response)


async def _webhook(message: Message, outlets: Outlets, client: httpx.AsyncClient, now: datetime) -> None:
    """POST the notice as JSON, signed with the webhook's secret: HMAC-SHA-256 over timestamp, nonce, body."""
    body = msgspec.json.encode(
        {
            "id": message.notice,
            "kind": message.kind,
            "recipient": message.recipient,
            "case": message.case,
            "number": message.number,
            "text": {"zh": message.zh, "en": message.en},
            "critical": message.critical,
            "made_at": message.made_at,
        }
    )
    timestamp, nonce = str(int(now.timestamp())), f"{message.id}-{message.tries}"
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": str(message.id),
        "X-Timestamp": timestamp,
        "X-Nonce": nonce,
        "X-Signature": keys.sign(outlets.webhook_secret, timestamp, nonce, body),
    }
    _check(await client.post(outlets.webhook_url, content=body, headers=headers))


async def _subscribe_message(message: Message, outlets: Outlets, client: httpx.AsyncClient, now: datetime) -> None:
    """Send by the mini-program's platform. Source: WeChat open platform, "subscribeMessage.send"."""
    token = await _access_token(outlets, client, now)
    content: dict[str, Any] = {
        "touser": _address(message),
        "template_id": outlets.template,
        "page": f"pages/request?id={message.case}",
        "lang": "zh_CN",
        "data": {"character_string1": {"value": message.number}, "thing2": {"value": message.zh[:_THING]}},
    }
    url = outlets.subscribe_url.rstrip("/") + "/cgi-bin/message/subscribe/send"
    response = await client.post(url, params={"access_token": token}, json=content)
    _check(response)
    code = msgspec.json.decode(response.content, type=_Said).errcode
    if code in _STALE_TOKEN:
        _tokens.pop((outlets.subscribe_url, outlets.app_id), None)
    if code in _NEVER:
        raise Never(f"errcode {code}")
    if code:
        raise Later(f"errcode {code}")


async def _access_token(outlets: Outlets, client: httpx.AsyncClient, now: datetime) -> str:
    """Return the mini-program's token, asked for again five minutes before it ends ("getStableAccessToken")."""
    key = (outlets.subscribe_url, outlets.app_id)
    until, token = _tokens.get(key, (now, ""))
    if until > now:
        return token
    url = outlets.subscribe_url.rstrip("/") + "/cgi-bin/stable_token"
    asked = {"grant_type": "client_credential", "appid": outlets.app_id, "secret": outlets.app_secret}
    response = await client.post(url, json=asked)
    _check(response)
    answer = msgspec.json.decode(response.content, type=_Token)
    if not answer.access_token:
        raise Later(f"no access token, errcode {answer.errcode}")
    _tokens[key] = now + timedelta(seconds=answer.expires_in - 300), answer.access_token
    return answer.access_token


def _text(message: Message) -> str:
    """A text message; word of a visit is about no case and says its own number."""
    return message.zh if message.kind == Kind.VISITED else f"事件{message.number}：{message.zh}"


def _address(message: Message) -> str:
    if message.address is None:
        raise Never("the address was taken away")
    return message.address


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    refused = response.is_client_error and response.status_code not in _AGAIN
    raise (Never if refused else Later)(f"HTTP {response.status_code}")


_SENDERS: dict[Channel, Callable[[Message, Outlets, httpx.AsyncClient, datetime], Awaitable[None]]] = {
    Channel.SMS: _sms,
    Channel.SUBSCRIBE_MESSAGE: _subscribe_message,
    Channel.WEBHOOK: _webhook,
}
