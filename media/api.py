"""Evidence over HTTP: its bytes in one piece, and the signed links that show it."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post, put
from litestar.datastructures import ETag, UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, MultipartBody
from litestar.response import File
from msgspec import Meta, Struct

from app.kernel.actor import Actor
from media import commands, one_shot, sniff, tus_api
from media.evidence import State
from media.tus_api import BEGINS, body_of

_BLOCK = 256 * 1024
_MULTIPART_LIMIT = 31 * 1024 * 1024  # the largest picture with what multipart adds


class EvidenceState(Struct, frozen=True):
    """Where a piece of evidence stands."""

    id: UUID
    state: State


class OneFile(Struct):
    """The file of a form, in the field `file`."""

    file: UploadFile


@put("/evidence/{evidence_id:uuid}/content", opt=BEGINS, tags=["evidence"], request_max_body_size=None)
async def put_content(
    evidence_id: FromPath[UUID],
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> EvidenceState:
    """Bring the bytes of evidence you declared, whole, as the body. They must have the declared size and SHA-256."""
    return EvidenceState(evidence_id, await one_shot.bring(actor, evidence_id, body_of(request), now))


@post(
    "/evidence/{evidence_id:uuid}/content",
    opt=BEGINS,
    tags=["evidence"],
    status_code=200,
    request_max_body_size=_MULTIPART_LIMIT,
)
async def post_content(
    evidence_id: FromPath[UUID],
    data: MultipartBody[OneFile],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> EvidenceState:
    """Bring the bytes of evidence you declared as a form file (mini-programs can send nothing else)."""
    return EvidenceState(evidence_id, await one_shot.bring(actor, evidence_id, _blocks(data.file), now))


async def _blocks(file: UploadFile) -> AsyncIterator[bytes]:
    while block := await file.read(_BLOCK):
        yield block


@get(
    "/media/{of_district:str}/{evidence_id:uuid}/{variant:str}",
    opt={"public": True, "uncompressed": True, "answers": tuple(sorted(sniff.IMAGES | sniff.VIDEOS))},
    tags=["evidence"],
)
async def show(
    of_district: FromPath[Annotated[str, Meta(pattern="^[0-9]{6}$")]],
    evidence_id: FromPath[UUID],
    variant: FromPath[str],
    expires: FromQuery[int],
    signature: FromQuery[str],
    now: NamedDependency[datetime],
) -> Response[Any]:
    """Show evidence by a short-lived signed link, as its owner's pages hand out. Originals come as attachments."""
    served = await commands.open_link(of_district, evidence_id, variant, expires, signature, now)
    return File(
        served.path,
        media_type=served.media_type,
        filename=served.attachment,
        content_disposition_type="attachment" if served.attachment else "inline",
        etag=ETag(value=served.sha256),
        headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=600"},
    )


routes: list[Any] = [*tus_api.routes, put_content, post_content, show]
