"""Webhooks: what they are, when a delivery is tried again, when it is over; pure.

A receiver gets the events of a case in order: a later one waits until the earlier one was delivered or is dead. Each
is sent at least once; the receiver tells a repeat by the event's id.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from tasks.channels.stream_events import Entry

State = Literal["active", "paused", "gone"]
DeliveryState = Literal["waiting", "delivered", "dead"]
Kind = Literal["opened", "moved", "closed"]

FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
JITTER = 0.2
"""Share by which a wait is made longer or shorter, so that what failed together does not come back together."""
LONGEST_HOLD = timedelta(hours=24)
"""Most that a receiver's Retry-After is followed."""
TRIES = 100
LIFE = timedelta(hours=72)
"""A delivery that failed and is as old as this, or was tried `TRIES` times, is dead."""

Url = Annotated[str, Meta(pattern=r"^https?://[!-~]+$", max_length=2000)]
Source = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.:-]{0,63}$")]
Kinds = Annotated[tuple[Kind, ...], Meta(min_length=1, max_length=3)]
ALL_KINDS: tuple[Kind, ...] = ("opened", "moved", "closed")


class NewWebhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the events of a source's cases are to be posted; `events` are opened, moved, closed."""

    source: Source
    url: Url
    events: Kinds = ALL_KINDS


class WebhookChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different; what is left out stays."""

    url: Url | None = None
    events: Kinds | None = None
    version: int | None = None


class Webhook(Struct, frozen=True, kw_only=True):
    """A webhook; `gone` when the receiver said so (410) or it was retired; `hold_until`: it asked to be left alone."""

    id: UUID
    source: str
    url: str
    events: tuple[Kind, ...]
    state: State
    retired: bool
    hold_until: datetime | None
    version: int
    created_at: datetime
    created_by: UUID
    changed_at: datetime
    changed_by: UUID | None


class MadeWebhook(Struct, frozen=True, kw_only=True):
    """A webhook with the secret that signs what is posted to it, shown this once."""

    webhook: Webhook
    secret: str


class Backlog(Struct, frozen=True, kw_only=True):
    """What lies with a webhook; `oldest_waiting` since when its oldest waiting event waits."""

    waiting: int = 0
    dead: int = 0
    oldest_waiting: datetime | None = None


class WebhookView(Webhook, frozen=True, kw_only=True):
    """A webhook and its backlog."""

    backlog: Backlog


class Delivery(Struct, frozen=True, kw_only=True):
    """A line of the delivery log; status, error and milliseconds of the last try."""

    id: UUID
    event_id: UUID
    case_id: UUID
    type: str
    step: int
    state: DeliveryState
    attempts: int
    queued_at: datetime
    next_try_at: datetime
    done_at: datetime | None
    last_status: int | None
    last_error: str | None
    duration_ms: int | None


class Claimed(Struct, frozen=True, kw_only=True):
    """A delivery that one sender holds until its lease ends."""

    id: UUID
    lease: UUID
    attempts: int
    queued_at: datetime
    url: str
    secret: str
    entry: Entry


class Answer(Struct, frozen=True, kw_only=True):
    """What came of a try: the receiver's status, or in words why there is none."""

    status: int | None = None
    error: str | None = None
    retry_after: str | None = None
    duration_ms: int


class Settled(Struct, frozen=True, kw_only=True):
    """What becomes of a claimed delivery, and of the whole webhook: held until an instant, or gone."""

    id: UUID
    lease: UUID
    state: DeliveryState
    next_try_at: datetime
    done_at: datetime | None
    last_status: int | None
    last_error: str | None
    duration_ms: int
    hold_until: datetime | None = None
    gone: bool = False


def back_off(attempts: int, dice: float) -> timedelta:
    """Return the wait after the `attempts`-th failure: 10 s, doubling, at most an hour, ± 20 % by `dice` in [0, 1)."""
    plain = min(FIRST_WAIT * 2 ** min(attempts - 1, 20), LONGEST_WAIT)
    return plain * (1 - JITTER + 2 * JITTER * dice)


def judge(claimed: Claimed, answer: Answer, now: datetime, dice: float) -> Settled:
    """Say what becomes of a delivery: 2xx delivered, 410 the end of the webhook, else again later or never."""
    status = answer.status
    delivered = status is not None and 200 <= status < 300
    gone = status == 410
    hold = _asked_wait(answer, now) if status in (429, 503) else None
    next_try = max(now + back_off(claimed.attempts, dice), hold or now)
    over = claimed.attempts >= TRIES or now - claimed.queued_at >= LIFE
    state: DeliveryState = "delivered" if delivered else "dead" if gone or over else "waiting"
    return Settled(
        id=claimed.id,
        lease=claimed.lease,
        state=state,
        next_try_at=next_try if state == "waiting" else now,
        done_at=None if state == "waiting" else now,
        last_status=status,
        last_error=None if delivered else answer.error or f"HTTP {status}",
        duration_ms=answer.duration_ms,
        hold_until=hold,
        gone=gone,
    )


def _asked_wait(answer: Answer, now: datetime) -> datetime | None:
    """Return until when the receiver asks to be left alone (RFC 9110, 10.2.3), at most a day; None if it does not."""
    text = (answer.retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return now + min(timedelta(seconds=min(int(text[:9]), 10**6)), LONGEST_HOLD)
    try:
        asked = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    asked = asked if asked.tzinfo is not None else asked.replace(tzinfo=UTC)
    return min(asked, now + LONGEST_HOLD) if asked > now else None
