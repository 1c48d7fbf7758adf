"""Open311: what a stranger reads and what a key sends, each in one transaction."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct, structs

from app.identity import identification, scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.crs import Datum, Place
from app.kernel.ids import new_id
from app.kernel.problem import FieldError, Invalid, NotPermitted, NotSignedIn, Problem, Text
from grid import facts as grid_facts
from media import facts as media_facts
from media import one_shot
from tasks.cases import commands as cases
from tasks.cases import intake, published
from tasks.cases.catalogue import Item
from tasks.cases.orders import Add
from tasks.cases.publication import Asked, PublishedCase, is_public
from tasks.cases.report import Report, Reporter
from tasks.channels import citizen, open311, open311_form, open311_store
from tasks.channels.open311 import Comment, Definition, Receipt, Refused, Service, ServiceRequest, Token, Update
from tasks.channels.open311_attributes import values_of
from tasks.channels.open311_form import Submission, Wanted

TWIN = timedelta(minutes=10)
"""The same content of the same key within this time is one request: a second tap, a retry."""
MOST_PER_MINUTE = 300
"""Requests a key may send; its address is limited like every stranger's on top of this."""

NOT_FOUND: Text = ("没有这个诉求", "service_request_id was not found")
NO_SERVICE: Text = ("没有这个事项", "service_code was not found")
NO_JURISDICTION: Text = ("没有这个辖区", "jurisdiction_id was not found")
NO_TOKEN: Text = ("没有这个令牌", "token was not found")
NO_KEY: Text = ("缺少 api_key 或 api_key 无效", "api_key is missing or invalid")
TOO_MANY: Text = ("请求过于频繁", "too many requests: come back in a minute")
NOTICE: Text = ("已收到，工作人员查看后公开内容", "received; its words are public once a clerk has looked")

LONGEST_COMMENT = 4_000
"""Characters of a comment, as of every text added to a case."""


class Page(Struct, frozen=True):
    """Requests, and whether more follow."""

    requests: list[ServiceRequest]
    more: bool


async def jurisdiction(asked: str, default: str) -> str:
    """Return the district meant by `jurisdiction_id`, its code; Refused (404) for one that is not here."""
    if asked in ("", default):
        return default
    if asked not in await db.districts():
        raise Refused(404, NO_JURISDICTION)
    return asked


async def services(district: str, now: datetime) -> list[Service]:
    """Return what a stranger may ask for."""
    async with db.transaction(district):
        return [open311.service(item) for item in await published.items(now)]


async def definition(district: str, code: str, now: datetime) -> Definition:
    """Return what a service asks for; Refused (404)."""
    async with db.transaction(district):
        return open311.definition(await _item(code, now))


async def _item(code: str, now: datetime) -> Item:
    found = next((each for each in await published.items(now) if each.code == code), None)
    if found is None:
        raise Refused(404, NO_SERVICE)
    return found


async def requests(district: str, wanted: Wanted, language: int, now: datetime) -> Page:
    """Return a page of public requests; Refused (404) for an unknown service, or when none of the ids is known."""
    async with db.transaction(district):
        items = {item.code: item for item in await published.items(now)}
        unknown = [code for code in wanted.services or () if code not in items]
        if unknown:
            raise Refused(
                404, *((f"{NO_SERVICE[0]}：{code[:40]}", f"{NO_SERVICE[1]}: {code[:40]}") for code in unknown)
            )
        found = await published.cases(_asked(wanted, items), wanted.page_size + 1, (wanted.page - 1) * wanted.page_size)
        if wanted.numbers is not None and not found and wanted.page == 1:
            raise Refused(404, NOT_FOUND)
        page = found[: wanted.page_size]
        return Page(await _shown(page, items, language, now), len(found) > wanted.page_size)


def _asked(wanted: Wanted, items: Mapping[str, Item]) -> Asked:
    return Asked(
        items=tuple(code for code in wanted.services or items if is_public(items[code])),
        numbers=wanted.numbers,
        open=wanted.open,
        since=wanted.since,
        until=wanted.until,
        updated_after=wanted.updated_after,
        updated_before=wanted.updated_before,
        box=wanted.box,
    )


async def _shown(
    found: Sequence[PublishedCase], items: Mapping[str, Item], language: int, now: datetime
) -> list[ServiceRequest]:
    ours = await open311_store.ours([case.id for case in found])
    directory = await grid_facts.directory(now)
    shown: list[ServiceRequest] = []
    for case in found:
        lead = None if case.lead is None else directory.get(case.lead)
        agency = None if lead is None else lead.name
        shown.append(open311.request(case, items[case.item], agency, case.id in ours, language))
    return shown


async def _one(number: str, now: datetime) -> tuple[PublishedCase, Item]:
    """Return a public case by its number, in the caller's transaction; Refused (404)."""
    items = {item.code: item for item in await published.items(now) if is_public(item)}
    found = [] if "\x00" in number else await published.cases(Asked(items=tuple(items), numbers=(number,)), 1)
    if not found:
        raise Refused(404, NOT_FOUND)
    return found[0], items[found[0].item]


async def request(district: str, number: str, language: int, now: datetime) -> ServiceRequest:
    """Return one public request; Refused (404)."""
    async with db.transaction(district):
        case, item = await _one(number, now)
        return (await _shown([case], {item.code: item}, language, now))[0]


async def token(district: str, text: str) -> Token:
    """Return the request behind a token, the id of a case that came through Open311; Refused (404)."""
    try:
        case_id = UUID(text)
    except ValueError as error:
        raise Refused(404, NO_TOKEN) from error
    async with db.transaction(district):
        if case_id not in await open311_store.ours([case_id]):
            raise Refused(404, NO_TOKEN)
        number = (await published.numbers_of([case_id]))[case_id]
    return Token(service_request_id=number, token=str(case_id))


async def updates(district: str, number: str, language: int, now: datetime) -> list[Update]:
    """Return the public steps of a request; Refused (404)."""
    async with db.transaction(district):
        case, _ = await _one(number, now)
        steps = await published.steps(case.id, [*citizen.STEPS])
        directory = await grid_facts.directory(now)
        units = {step.organisation for step in steps if step.organisation is not None}
        names = {unit: found.name for unit in units if (found := directory.get(unit)) is not None}
        return open311.updates(number, steps, names, language)


async def comments(district: str, number: str, now: datetime) -> list[Comment]:
    """Return what the sender of a request added, as far as it is public; Refused (404)."""
    async with db.transaction(district):
        case, _ = await _one(number, now)
        public = case.looked_at is not None and bool(await open311_store.ours([case.id]))
        return open311.comments(number, await published.added(case.id) if public else [])


async def holder(district: str, api_key: str, now: datetime) -> Actor:
    """Return the machine of a key that may send requests; Refused (403)."""
    try:
        actor, _, _ = await identification.identify_machine(district, api_key, now)
        scope.require_any(actor, "open311.submit")
    except (NotSignedIn, NotPermitted) as error:
        raise Refused(403, NO_KEY) from error
    return actor


async def submit(sent: Submission, picture: bytes, actor: Actor, language: int, now: datetime) -> Receipt:
    """Open a case of a request, or answer its twin, and keep its picture; Refused with every reason (400, 404, 429)."""
    case_id, number = await _opened(sent, actor, now)
    if sent.media is not None:
        await _keep(case_id, sent.media.sha256, picture, actor, now)
    return Receipt(service_request_id=number, service_notice=NOTICE[language], account_id=None)


async def _keep(case_id: UUID, sha256: str, picture: bytes, actor: Actor, now: datetime) -> None:
    """Bring the bytes of a picture; the request stands even if they are refused, and may be sent again."""

    async def content() -> AsyncIterator[bytes]:
        yield picture

    async with db.transaction(actor.district):
        known = (await media_facts.of([case_id]))[case_id]
    for evidence in known:
        if evidence.sha256 == sha256 and evidence.uploader == actor.id:
            await one_shot.bring(actor, evidence.id, content(), now)


async def _opened(sent: Submission, actor: Actor, now: datetime) -> tuple[UUID, str]:
    async with db.transaction(actor.district):
        if await open311_store.sent_since(actor.id, now - timedelta(minutes=1)) >= MOST_PER_MINUTE:
            raise Refused(429, TOO_MANY)
        item = await _item(sent.service_code, now)
        fresh = new_id()
        twin = await open311_store.claim(actor.id, open311_form.digest(sent), fresh, now, now - TWIN)
        if twin is None:
            try:
                number = (await intake.open(_report(sent, item, fresh, actor), actor, now)).number
            except Invalid as error:
                raise Refused(400, *map(_reason, error.errors)) from error
        else:
            number = (await published.numbers_of([twin]))[twin]
    return twin or fresh, number


def _report(sent: Submission, item: Item, case_id: UUID, actor: Actor) -> Report:
    place = None
    if sent.lat is not None and sent.long is not None:
        place = Place(lon=sent.long, lat=sent.lat, datum=Datum.WGS84)
    return Report(
        id=case_id,
        source=open311.SOURCE,
        item=item.code,
        title="" if sent.description else item.name,
        description=open311.with_media(sent.description, sent.media_url),
        reporter=Reporter(kind="machine", id=actor.id, name=sent.name or None, phone=sent.contact or None),
        place=place,
        address=sent.address,
        attributes=values_of(item.attribute_schema, sent.attributes),
        evidence=() if sent.media is None else (sent.media,),
    )


_NAMES = {"place.lon": "long", "place.lat": "lat", "address": "address_string", "item": "service_code"}


def _reason(fault: FieldError) -> Text:
    """Return a bad field by the name the form has for it."""
    field = "media" if fault.field.startswith("evidence") else _NAMES.get(fault.field, fault.field)
    if field.startswith("attributes."):
        field = f"attribute[{field.removeprefix('attributes.').partition('.')[0]}]"
    return f"{field}：{fault.message[0]}", f"{field}: {fault.message[1]}"


async def comment(number: str, text: str, actor: Actor, now: datetime) -> Comment:
    """Add to a request that this key sent; Refused (404 for any other, 400 when it takes no more).

    The same words again within ten minutes, also at the same moment, are the one comment: a client that got no answer.
    """
    if not text.strip():
        raise Refused(400, ("description：缺少必填项", "description: is required"))
    if len(text) > LONGEST_COMMENT:
        zh, en = f"不能超过 {LONGEST_COMMENT} 字", f"at most {LONGEST_COMMENT} characters"
        raise Refused(400, (f"description：{zh}", f"description: {en}"))
    async with db.transaction(actor.district):
        found = None if "\x00" in number else await published.id_of(number)
        if found is None or not await open311_store.sent_by(actor.id, found):
            raise Refused(404, NOT_FOUND)
        await published.hold(found)
        if (said := await published.said_since(found, actor.id, text, now - TWIN)) is not None:
            return _comment(number, said.seq, said.at, text)
        # the key is the reporter of this one case, and reads no other
        speaker = structs.replace(actor, scopes=frozenset({"case.read"}))
        try:
            view = await cases.carry_out(found, Add(text=text), speaker, now)
        except Problem as error:
            reasons = map(_reason, error.errors) if isinstance(error, Invalid) else [error.detail or error.title]
            raise Refused(400, *reasons) from error
        seq = await published.last_step(view.id)
    return _comment(number, seq, now, text)


def _comment(number: str, seq: int, at: datetime, text: str) -> Comment:
    return Comment(comment_id=f"{number}-{seq}", service_request_id=number, datetime=open311.w3(at), description=text)
