"""Pull and push over HTTP, in JSON or MessagePack as the phone sends; and what people see of sync."""

from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from app.kernel.actor import Actor
from app.kernel.problem import Unreadable
from visits.sync import commands
from visits.sync.feed import Pull, PullAnswer
from visits.sync.store import DeviceStanding, Unsettled
from visits.sync.verdict import Push, Verdict

MESSAGEPACK = "application/x-msgpack"
BODY_LIMIT = 8 * 1024 * 1024
FORMATS = ("application/json", MESSAGEPACK)
SYNC: dict[str, Any] = {"action": "sync.use", "takes": FORMATS, "answers": FORMATS}
WATCH: dict[str, Any] = {"action": "sync.watch"}


class Pushed(Struct, frozen=True, kw_only=True):
    """One verdict per op, in the order sent."""

    verdicts: tuple[Verdict, ...]
    server_time: datetime


class SyncRequest(Request[Any, Any, Any]):
    """A request whose body is MessagePack when its content type says so, else JSON."""

    async def json(self) -> Any:
        """Return the body as plain values; Unreadable when it is not what it claims to be."""
        body = await self.body()
        try:
            return msgspec.msgpack.decode(body) if _is_packed(self, "content-type") else msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable(("无法解析", str(error) or type(error).__name__)) from error


def _is_packed(request: Request[Any, Any, Any], header: str) -> bool:
    return "msgpack" in request.headers.get(header, "").lower()


def _encoded(request: Request[Any, Any, Any], content: bytes) -> Response[Any]:
    """The answer, given as JSON, in the format of the question."""
    if _is_packed(request, "accept") or _is_packed(request, "content-type"):
        return Response(msgspec.msgpack.encode(msgspec.json.decode(content)), media_type=MESSAGEPACK)
    return Response(content, media_type="application/json")


@post(
    "/sync/pull", opt=SYNC, tags=["sync"], status_code=200, request_class=SyncRequest, request_max_body_size=BODY_LIMIT
)
async def pull(
    request: Request[Any, Any, Any],
    data: JSONBody[Pull],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[PullAnswer]:
    """Fetch what changed since the cursors of each bucket the person may see.

    A new bucket starts at cursor 0. Buckets in `removed_buckets` are to be dropped, except for rows with unsent work.
    When `epoch` differs from the phone's, all buckets come from the beginning. The body may be MessagePack
    (`Content-Type: application/x-msgpack`), and then so is the answer.
    """
    return cast("Response[PullAnswer]", _encoded(request, msgspec.json.encode(await commands.pull(data, actor, now))))


@post(
    "/sync/push", opt=SYNC, tags=["sync"], status_code=200, request_class=SyncRequest, request_max_body_size=BODY_LIMIT
)
async def push(
    request: Request[Any, Any, Any],
    data: JSONBody[Push],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[Pushed]:
    """Hand over what was done on the phone; every op gets one verdict, in the order sent.

    The same op again, at once or a month later, has one effect and gets the same verdict byte for byte.
    """
    return cast("Response[Pushed]", _encoded(request, msgspec.json.encode(await commands.push(data, actor, now))))


@get("/sync/unsettled", opt=WATCH, tags=["sync"])
async def unsettled(
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    before: FromQuery[UUID | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> list[Unsettled]:
    """List ops somebody has to look at: held, in quarantine, in conflict or rejected; newest first."""
    return await commands.unsettled(actor, before, limit, now)


@get("/sync/devices", opt=WATCH, tags=["sync"])
async def devices(actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> list[DeviceStanding]:
    """List per device when it last pushed and what was still on it."""
    return await commands.devices(actor, now)


routes: list[Any] = [pull, push, unsettled, devices]
