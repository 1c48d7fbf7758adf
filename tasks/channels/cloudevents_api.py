"""CloudEvents over HTTP: structured, in batches, and in headers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, Reference, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import FromQuery, HeaderParameter

from app.kernel.actor import Actor
from app.kernel.problem import language_of
from tasks.channels import cloudevents, cloudevents_commands
from tasks.channels.push import PushAnswer
from tasks.channels.push_api import LARGEST_PUSH, SEND, channel_of

Languages = Annotated[str, HeaderParameter(name="Accept-Language")]


def _text(longest: int, format_: OpenAPIFormat | None = None) -> Schema:
    return Schema(type=OpenAPIType.STRING, min_length=1, max_length=longest, format=format_)


_ATTRIBUTES: dict[str, Reference | Schema] = {
    **{name: _text(longest) for name, longest in cloudevents.LONGEST.items()},
    "specversion": Schema(type=OpenAPIType.STRING, const="1.0"),
    "time": _text(100, OpenAPIFormat.DATE_TIME),
    "data": Schema(type=OpenAPIType.OBJECT, description="The record"),
    "data_base64": Schema(type=OpenAPIType.STRING, description="The record as JSON in Base64, in place of `data`"),
}
_EVENT = Schema(type=OpenAPIType.OBJECT, required=list(cloudevents.REQUIRED), properties=_ATTRIBUTES)


@dataclass
class _Events(Operation):
    """Describes events in the body; the framework wants a dataclass."""

    def __post_init__(self) -> None:
        batch = Schema(type=OpenAPIType.ARRAY, items=_EVENT, max_items=cloudevents.MOST)
        self.request_body = RequestBody(
            content={
                cloudevents.STRUCTURED: OpenAPIMediaType(schema=_EVENT),
                cloudevents.BATCH: OpenAPIMediaType(schema=batch),
            },
            description="One event or a batch; with the attributes in `ce-` headers, the record alone as JSON",
            required=True,
        )


@post(
    "/events",
    opt=SEND,
    tags=["push"],
    status_code=200,
    request_max_body_size=LARGEST_PUSH,
    operation_class=_Events,
)
async def take_events(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    dry_run: FromQuery[bool] = False,
    languages: Languages = "",
) -> PushAnswer:
    """Take CloudEvents 1.0, signed with a source's key: their `data` are records read by that source's field mapping.

    `application/cloudevents+json`, `application/cloudevents-batch+json`, or JSON with the attributes in `ce-` headers
    (which are signed too: see the page for machines). The same `source` and `id` again has no second effect and gets
    the same answer. A bad attribute is named; of a batch, each event has its own verdict.
    """
    headers = {name.lower(): value for name, value in request.headers.items()}
    events, batch = cloudevents.received(headers.get("content-type", ""), headers, await request.body())
    return await cloudevents_commands.take(
        events, batch, actor, channel_of(request), now, dry_run=dry_run, language=language_of(languages)
    )


routes: list[Any] = [take_events]
