"""Files of households over HTTP: decode, call, encode."""

from datetime import datetime
from typing import Any

from litestar import post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import MultipartBody
from msgspec import Struct

from app.kernel.actor import Actor
from app.kernel.crs import Datum
from app.kernel.problem import invalid
from tasks.channels import sheet
from visits import household_import_commands
from visits.household_import_commands import FileReport

LARGEST = sheet.LARGEST_FILE + 64 * 1024  # with what the form adds
IMPORT: dict[str, Any] = {"action": "household.write", "streams": True}


class HouseholdForm(Struct):
    """A CSV or XLSX; `datum` of points whose row names none; `dry_run` true or false."""

    file: UploadFile
    datum: str = Datum.WGS84.value
    dry_run: str = "false"


@post("/households/import", opt=IMPORT, tags=["households"], status_code=200, request_max_body_size=LARGEST)
async def import_households(
    data: MultipartBody[HouseholdForm], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> FileReport:
    """Register the households of a CSV or XLSX, up to 50,000 rows; every bad row is listed, the good ones are taken.

    Columns: 地址 村社代码 经度 纬度 坐标系 精度 人数 联系电话 同意联系 服务需求 (or address, village, lon, lat, datum,
    accuracy_m, residents, contact, consent, care_needs), no others. An address that is known is a bad row: the same
    file again takes nothing. `dry_run` lists the bad rows and registers nothing.
    """
    if data.dry_run.lower() not in ("true", "false", "1", "0", ""):
        raise invalid("dry_run", "应为 true 或 false", "is true or false")
    if data.datum not in set(Datum):
        raise invalid("datum", "应为 wgs84、cgcs2000、gcj02 或 bd09", "is wgs84, cgcs2000, gcj02 or bd09")
    table = sheet.read(await data.file.read())
    dry_run = data.dry_run.lower() in ("true", "1")
    return await household_import_commands.import_file(table, Datum(data.datum), actor, now, dry_run=dry_run)


routes: list[Any] = [import_households]
