"""Open311 GeoReport v2 (http://wiki.open311.org/GeoReport_v2): what its resources say of items and cases; pure."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.kernel.clock import SHANGHAI
from app.kernel.problem import Text
from tasks.cases import publication
from tasks.cases.catalogue import Item
from tasks.cases.model import ENDED, State
from tasks.cases.publication import PublishedCase, PublishedStep, PublishedWords
from tasks.channels import citizen
from tasks.channels.open311_attributes import Attribute, attributes

SOURCE = "open311"
TEXT_LIMIT = 4000
"""Characters of a description, as the specification allows."""
MEDIA = "\n图片 (media): "
"""Before the address of a picture at the end of a description, where staff find it."""


class Refused(Exception):
    """A refusal as the specification has them: an HTTP status and every reason."""

    def __init__(self, status: int, *reasons: Text) -> None:
        super().__init__(reasons[0][1] if reasons else str(status))
        self.status = status
        self.reasons = reasons


class ErrorView(Struct, frozen=True):
    """One reason of a refusal; `code` is the HTTP status."""

    code: int
    description: str


class Service(Struct, frozen=True, kw_only=True):
    """A service (事项) a stranger may ask for."""

    service_code: str
    service_name: str
    description: str
    metadata: bool
    type: str
    keywords: str
    group: str


class Definition(Struct, frozen=True, kw_only=True):
    """What a service asks for beside place and words."""

    service_code: str
    attributes: tuple[Attribute, ...]


class ServiceRequest(Struct, frozen=True, kw_only=True):
    """A request (事件) as anybody may read it; null is what is not known or withheld."""

    service_request_id: str
    status: str
    status_notes: str
    service_name: str
    service_code: str
    description: str | None
    agency_responsible: str | None
    service_notice: str | None
    requested_datetime: str
    updated_datetime: str
    expected_datetime: str | None
    address: str | None
    address_id: str | None
    zipcode: str | None
    lat: float | None
    long: float | None
    media_url: str | None


class Receipt(Struct, frozen=True, kw_only=True):
    """The answer to a request that was sent."""

    service_request_id: str
    service_notice: str
    account_id: str | None


class Token(Struct, frozen=True, kw_only=True):
    """The request behind a token."""

    service_request_id: str
    token: str


class Update(Struct, frozen=True, kw_only=True):
    """A step of a request in plain words (extension)."""

    update_id: str
    service_request_id: str
    status: str
    updated_datetime: str
    description: str
    agency_responsible: str | None


class Comment(Struct, frozen=True, kw_only=True):
    """What the sender of a request added to it (extension)."""

    comment_id: str
    service_request_id: str
    datetime: str
    description: str


def w3(at: datetime) -> str:
    """Return a moment in the W3C profile of ISO 8601, with the offset of the place."""
    return at.astimezone(SHANGHAI).isoformat(timespec="seconds")


def service(item: Item) -> Service:
    """Return an item as a service; its request is made at once (`realtime`)."""
    return Service(
        service_code=item.code,
        service_name=item.name,
        description=" / ".join(part for part in (*item.category, item.closing) if part),
        metadata=bool(attributes(item.attribute_schema)),
        type="realtime",
        keywords=", ".join(item.aliases),
        group=item.category[0],
    )


def definition(item: Item) -> Definition:
    """Return what a service asks for."""
    return Definition(service_code=item.code, attributes=attributes(item.attribute_schema))


def status(state: State) -> str:
    """Return `open` or `closed`."""
    return "closed" if state in ENDED else "open"


def with_media(description: str, media_url: str | None) -> str:
    """Return a description with the address of a picture after it."""
    return description + MEDIA + media_url if media_url else description


def request(case: PublishedCase, item: Item, agency: str | None, ours: bool, language: int) -> ServiceRequest:
    """Return a case as anybody may read it.

    Words, picture, address and the exact place are shown when it was sent through Open311 (`ours`: its senders know
    that this is public) and a clerk has looked at it; else the place is rounded to 100 m and there are no words.
    """
    shown = ours and case.looked_at is not None
    description, _, media_url = case.description.rpartition(MEDIA) if MEDIA in case.description else (
        case.description, "", "")  # fmt: skip
    return ServiceRequest(
        service_request_id=case.number,
        status=status(case.state),
        status_notes=citizen.STATES[case.state][language],
        service_name=item.name,
        service_code=case.item,
        description=description or None if shown else None,
        agency_responsible=agency,
        service_notice=None,
        requested_datetime=w3(case.received_at),
        updated_datetime=w3(case.updated_at),
        expected_datetime=None if case.due_at is None or case.state in ENDED else w3(case.due_at),
        address=case.address or None if shown else None,
        address_id=None,
        zipcode=None,
        lat=_rounded(case.lat, shown),
        long=_rounded(case.lon, shown),
        media_url=media_url or None if shown else None,
    )


def _rounded(degrees: float | None, exact: bool) -> float | None:
    return degrees if exact or degrees is None else publication.rounded(degrees)


_ENDING = {"rejected", "closed", "closed_unrated", "withdrawn"}


def updates(number: str, steps: Sequence[PublishedStep], names: dict[UUID, str], language: int) -> list[Update]:
    """Return the public steps of a request, oldest first."""
    return [
        Update(
            update_id=f"{number}-{step.seq}",
            service_request_id=number,
            status="closed" if step.type in _ENDING else "open",
            updated_datetime=w3(step.at),
            description=citizen.STEPS[step.type][language],
            agency_responsible=None if step.organisation is None else names.get(step.organisation),
        )
        for step in steps
    ]


def comments(number: str, words: Sequence[PublishedWords]) -> list[Comment]:
    """Return what the sender added, oldest first."""
    return [
        Comment(
            comment_id=f"{number}-{each.seq}",
            service_request_id=number,
            datetime=w3(each.at),
            description=each.text,
        )
        for each in words
    ]
