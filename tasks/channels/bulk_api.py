"""Files of cases over HTTP: brought, followed, their bad rows listed."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, HeaderParameter, MultipartBody, QueryParameter
from msgspec import Struct

from app.kernel.actor import Actor
from app.kernel.problem import invalid, language_of
from tasks.channels import bulk, bulk_commands, sheet, sources
from tasks.channels.bulk import FaultView, Import
from tasks.channels.bulk_commands import ImportWish

IMPORT: dict[str, Any] = {"action": "case.import"}
TAGS = ["imports"]
LARGEST = sheet.LARGEST_FILE + 64 * 1024  # with what the form adds
Limit = Annotated[int, QueryParameter(ge=1, le=1000)]
RowNumber = Annotated[int, QueryParameter(ge=0, le=2_000_000_000)]
Languages = Annotated[str, HeaderParameter(name="Accept-Language")]


class ImportForm(Struct):
    """A CSV or XLSX; `source` (else our template), `columns` as JSON {field: heading}, `dry_run` true or false."""

    file: UploadFile
    source: str = sources.IMPORT
    columns: str = ""
    dry_run: str = "false"


@post("/imports", opt=IMPORT | {"streams": True}, tags=TAGS, status_code=202, request_max_body_size=LARGEST)
async def begin_import(
    data: MultipartBody[ImportForm], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Import:
    """Bring a CSV or XLSX of cases, up to 50,000 rows; they are opened in the background, in chunks.

    Columns of the template: 编号 事项 标题 描述 地址 紧急程度 发生时间 经度 纬度 姓名 电话 (or external_id, item,
    title, description, address, severity, occurred_at, lon, lat, name, phone). Rows with an id of their own (or,
    without one, the same row of the same file) open one case however often the file comes. A town centre's rows lie
    in its town.
    `dry_run` lists the bad rows and opens nothing.
    """
    if data.dry_run.lower() not in ("true", "false", "1", "0", ""):
        raise invalid("dry_run", "应为 true 或 false", "is true or false")
    wish = ImportWish(
        file=data.file.filename or "",
        content=await data.file.read(),
        source=data.source or sources.IMPORT,
        columns=bulk.read_columns(data.columns),
        dry_run=data.dry_run.lower() in ("true", "1"),
    )
    return await bulk_commands.begin(wish, actor, now)


@get("/imports", opt=IMPORT, tags=TAGS)
async def imports(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    before: FromQuery[UUID | None] = None,
    limit: Limit = 50,
) -> Response[list[Import]]:
    """List imports, newest first; `Link: rel=next` when there may be more."""
    rows = await bulk_commands.list_all(actor, before, limit)
    more = {"before": str(rows[-1].id), "limit": str(limit)} if len(rows) == limit else None
    return Response(rows, headers=_next(request, more))


@get("/imports/{import_id:uuid}", opt=IMPORT, tags=TAGS)
async def show_import(import_id: FromPath[UUID], actor: NamedDependency[Actor]) -> Import:
    """Show how far an import is, and how many rows were stored, updated, unchanged and refused."""
    return await bulk_commands.read(import_id, actor)


@get("/imports/{import_id:uuid}/faults", opt=IMPORT, tags=TAGS)
async def import_faults(
    request: Request[Any, Any, Any],
    import_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    after: RowNumber = 0,
    limit: Limit = 200,
    languages: Languages = "",
) -> Response[list[FaultView]]:
    """List the bad rows of an import (row, column, why), in the order of the file; `limit` counts rows."""
    found = await bulk_commands.faults(import_id, after, limit, actor, language_of(languages))
    full = len({each.row for each in found}) == limit
    return Response(found, headers=_next(request, {"after": str(found[-1].row), "limit": str(limit)} if full else None))


def _next(request: Request[Any, Any, Any], more: dict[str, str] | None) -> dict[str, str]:
    if more is None:
        return {}
    following = dict(request.query_params.items()) | more
    return {"Link": f'<{request.url.path}?{urlencode(following)}>; rel="next"'}


routes: list[Any] = [begin_import, imports, show_import, import_faults]
