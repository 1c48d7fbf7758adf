"""A table of the tests' own in two districts."""

from datetime import UTC, datetime
from typing import Any

from piccolo.columns import JSONB, UUID, Integer, Text, Timestamptz
from piccolo.table import Table

from app.kernel import db

HERE, NEXT = "330109", "330110"
NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)

PROBE = """
    create table probe (
        id integer primary key,
        parent integer references probe deferrable initially deferred,
        word text,
        at timestamptz,
        body jsonb,
        place geometry(Point, 4326),
        key uuid
    );
    grant all on probe to zjw_app
"""


class ProbeRow(Table, tablename="probe"):
    id = Integer(primary_key=True)
    word = Text(null=True, default=None)
    at = Timestamptz(null=True, default=None)
    body = JSONB(null=True, default=None)
    key = UUID(null=True, default=None)


def add(id_: int, parent: int | None = None) -> Any:
    return db.execute("insert into probe (id, parent) values ($1, $2)", id_, parent)


async def ids(district: str = HERE) -> list[int]:
    async with db.transaction(district):
        return [row["id"] for row in await db.fetch("select id from probe order by id")]


def assert_nothing_leaked() -> None:
    pool: Any = db.DB.pool
    assert pool.get_idle_size() == pool.get_size()
    assert db.DB.running.get() is None
