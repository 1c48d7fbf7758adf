"""What notices do: hear of events, show an inbox, keep addresses; each one transaction."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import replace

from app.identity import cipher, scope
from app.kernel import db
from app.kernel.actor import Actor, system
from app.kernel.ids import new_id
from app.kernel.problem import invalid
from app.notices import quiet, store, wording
from app.notices.configuration import outlets
from app.notices.problems import NoticeNotFound
from app.notices.store import Address, NoticeView, Out
from app.notices.wording import Channel, Wanted
from grid import facts as grid
from grid.organisations import Directory
from tasks.cases import queries
from tasks.cases.events import CaseMoved, CaseOpened, LegEscalated
from tasks.cases.problems import CaseNotFound
from tasks.channels import commands as channels
from tasks.channels import mini_program
from tasks.channels.mini_program import Endpoint
from visits import callback_commands as after_visits
from visits.events import VisitRecorded

WATCHED = timedelta(days=7)
"""How far back the overview of channels counts."""


class Follow(Struct, frozen=True, forbid_unknown_fields=True):
    """A citizen's consent to subscribe messages about a request; `code` is a fresh one of `wx.login`."""

    case: UUID
    code: Annotated[str, Meta(min_length=1, max_length=128)]


class Phone(Struct, frozen=True, forbid_unknown_fields=True):
    """A mobile number for text messages, of oneself or of a desk one belongs to; null takes it away."""

    phone: Annotated[str, Meta(pattern=r"^1[3-9][0-9]{9}$")] | None
    desk: UUID | None = None


class ChannelView(Struct, frozen=True, kw_only=True):
    """A channel: switched on or not, and its deliveries of the last seven days by state."""

    channel: Channel
    on: bool
    pending: int = 0
    sent: int = 0
    failed: int = 0
    given_up: int = 0


async def on_case(event: CaseOpened | CaseMoved, now: datetime) -> None:
    """Tell whoever an event of a case concerns, in the caller's transaction; the same event again tells nobody."""
    if not wording.matters(event):
        return
    actor = system(db.current().district or "", "notices")
    try:
        case = await queries.case(event.case, actor, now)
    except CaseNotFound:
        return
    centre = (await grid.directory(now)).centre()
    told = isinstance(event, CaseMoved) and wording.arrived(event)
    followers = await queries.followers(event.case) if told else []
    await _make(wording.wanted(event, case, None if centre is None else centre.id, followers), now)


async def on_escalated(event: LegEscalated, now: datetime) -> None:
    """Tell whom an item's ladder names of a turn that is late, in the caller's transaction; once each."""
    actor = system(db.current().district or "", "notices")
    try:
        case = await queries.case(event.case, actor, now)
    except CaseNotFound:
        return
    await _make(wording.escalated(event, case), now)


async def on_visit(event: VisitRecorded, now: datetime) -> None:
    """Tell a household that it was visited and how to comment, in the caller's transaction; again tells nobody."""
    told = await after_visits.to_be_told(event, now)
    if told is not None:
        await _make([wording.visited(told)], now)


async def _make(wanted: Sequence[Wanted], now: datetime) -> None:
    if not wanted:
        return
    directory = await grid.directory(now)
    notices = [(new_id(), replace(each, recipient=_today(each.recipient, directory))) for each in wanted]
    written = await store.add(notices, now)
    fresh = [(notice, each) for notice, each in notices if notice in written]
    if not fresh:
        return
    known = await store.addresses({each.recipient for _, each in fresh}, {each.about for _, each in fresh})
    deliveries = [out for notice, each in fresh for out in _outs(notice, each, known, now)]
    if deliveries:
        await store.add_deliveries(deliveries)
    await store.ring(db.current().district or "")


def _today(recipient: UUID, directory: Directory) -> UUID:
    """Return who reads it now: of a desk that ended its successor, whose work it is."""
    heir = directory.current(recipient)
    return recipient if heir is None else heir.id


def _outs(notice: UUID, wanted: Wanted, known: Sequence[Address], now: datetime) -> list[Out]:
    mine = [each for each in known if each.recipient == wanted.recipient]
    by_channel = {Channel(each.channel): each.id for each in mine if each.about in (wanted.recipient, wanted.about)}
    return [
        Out(
            id=new_id(),
            notice=notice,
            channel=channel,
            address=by_channel.get(channel),
            critical=wanted.critical,
            next_at=quiet.earliest(now, outlets().quiet, wanted.critical),
        )
        for channel in wording.channels(wanted, frozenset(by_channel), outlets().on)
    ]


def inbox_of(actor: Actor) -> frozenset[UUID]:
    """Return whose notices the actor reads: their own and those of the desks they belong to."""
    return scope.require_any(actor, "notice.read").organisations | {actor.id}


async def inbox(actor: Actor, unread: bool, before: UUID | None, limit: int) -> list[NoticeView]:
    """Return up to `limit` notices, unread ones first, newest first, from below the notice `before`.

    `unread` tells whether that notice stood among the unread ones.
    """
    mine = inbox_of(actor)
    async with db.transaction(actor.district):
        rows = await store.page(mine, False, before, limit) if unread else []
        if len(rows) < limit:
            rows += await store.page(mine, True, None if unread else before, limit - len(rows))
    return rows


async def read(notice: UUID, actor: Actor, now: datetime) -> NoticeView:
    """Mark a notice as read, for everybody of its desk; NoticeNotFound when it is not the actor's."""
    async with db.transaction(actor.district):
        found = await store.read(notice, inbox_of(actor), actor.id, now)
    if found is None:
        raise NoticeNotFound
    return found


async def set_phone(phone: Phone, actor: Actor, now: datetime) -> None:
    """Keep, replace or forget the number text messages go to; Invalid for a desk that is not the actor's."""
    mine = inbox_of(actor)
    recipient = phone.desk or actor.id
    if recipient not in mine:
        raise invalid("desk", "不是您所在的单位", "is no desk of yours")
    async with db.transaction(actor.district):
        if phone.phone is None:
            await store.remove_address(recipient, Channel.SMS, recipient)
        else:
            sealed = cipher.seal(phone.phone)
            await store.set_address(new_id(), recipient, Channel.SMS, recipient, sealed, actor.id, now)


async def follow(consent: Follow, actor: Actor, now: datetime) -> None:
    """Send the citizen subscribe messages about one of their requests; CaseNotFound, CodeRefused, Unavailable."""
    scope.require_any(actor, "request.follow")
    await channels.follow(consent.case, actor, 0, now)
    on = outlets()
    openid = await mini_program.openid_of(consent.code, Endpoint(on.sign_in_url, on.app_id, on.app_secret))
    async with db.transaction(actor.district):
        channel, sealed = Channel.SUBSCRIBE_MESSAGE, cipher.seal(openid)
        await store.set_address(new_id(), actor.id, channel, consent.case, sealed, actor.id, now)


async def unfollow(case: UUID, actor: Actor) -> None:
    """Send no more subscribe messages about a request; nothing when there were none."""
    scope.require_any(actor, "request.follow")
    async with db.transaction(actor.district):
        await store.remove_address(actor.id, Channel.SUBSCRIBE_MESSAGE, case)


async def overview(actor: Actor, now: datetime) -> list[ChannelView]:
    """Return every channel with what became of its deliveries."""
    scope.require_any(actor, "notice.watch")
    async with db.transaction(actor.district):
        counts = await store.counts(now - WATCHED)
    by_channel: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for each in counts:
        by_channel[each.channel][each.state] = each.count
    return [ChannelView(channel=each, on=each in outlets().on, **by_channel[each]) for each in Channel]
