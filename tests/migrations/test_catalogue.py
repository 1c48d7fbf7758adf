"""The tables as Python sees them are those of the migrated database: names, types, which may be null."""

import importlib
import inspect
from pathlib import Path

import pytest
from piccolo.table import Table

from app.kernel import db

ROOT = Path(__file__).parent.parent.parent
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in ("app", "grid", "media", "scoring", "tasks", "visits")
    for path in sorted(ROOT.glob(f"{package}/**/tables.py"))
]
TABLES = [
    table
    for module in map(importlib.import_module, MODULES)
    for _, table in inspect.getmembers(module, inspect.isclass)
    if issubclass(table, Table) and table.__module__ == module.__name__
]
SPELLINGS = {"timestamptz": "timestamp with time zone", "time": "time without time zone"}


def _type(column_type: str) -> str:
    name = column_type.lower().replace(", ", ",")
    array = name.endswith("[]")
    plain = SPELLINGS.get(name.removesuffix("[]"), name.removesuffix("[]"))
    return plain + "[]" * array


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.tablename)
async def test_columns_types_and_nulls_agree(district: str, table: type[Table]) -> None:
    rows = await db.fetch(
        """
        select attname, format_type(atttypid, atttypmod) as type, not attnotnull as nullable from pg_attribute
        where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
        """,
        f"d{district}.{table._meta.tablename}",
    )
    there = {row["attname"]: (row["type"].lower(), row["nullable"]) for row in rows}
    here = {
        column._meta.db_column_name: (_type(column.column_type), column._meta.null) for column in table._meta.columns
    }
    assert here == there


def test_no_two_classes_share_a_table() -> None:
    names = [table._meta.tablename for table in TABLES]
    assert sorted(names) == sorted(set(names))


async def test_every_table_has_a_primary_key_and_no_sequence_behind_it(district: str) -> None:
    without = await db.fetch(
        """
        select c.relname from pg_class c where c.relnamespace = to_regnamespace($1) and c.relkind in ('r', 'p')
        and not exists (select 1 from pg_constraint k where k.conrelid = c.oid and k.contype = 'p')
        """,
        f"d{district}",
    )
    assert [row["relname"] for row in without] == []
    sequences = await db.fetch(
        "select relname from pg_class where relnamespace = to_regnamespace($1) and relkind = 'S'", f"d{district}"
    )
    assert [row["relname"] for row in sequences] == []


async def test_no_column_makes_up_an_id_or_a_time(district: str) -> None:
    defaults = await db.fetch(
        """
        select table_name || '.' || column_name as place, column_default from information_schema.columns
        where table_schema = $1 and column_default ~ '[(]'
        """,
        f"d{district}",
    )
    assert [(row["place"], row["column_default"]) for row in defaults] == []


async def test_districts_have_no_types_of_their_own(district: str) -> None:
    types = await db.fetch(
        """
        select typname from pg_type t where typnamespace = to_regnamespace($1) and typtype in ('e', 'd')
        """,
        f"d{district}",
    )
    assert [row["typname"] for row in types] == []


_TABLES = """
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition
"""


async def test_every_table_has_a_primary_key(district: str) -> None:
    keyed = "exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)"
    assert await db.fetch(f"select c.relname {_TABLES} and not {keyed}", f"d{district}") == []


async def test_a_district_has_no_sequences_no_types_of_its_own_and_no_materialised_views(district: str) -> None:
    odd = """
    select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relkind in ('S', 'm')
    union all
    select t.typname from pg_type t join pg_namespace n on n.oid = t.typnamespace
    where n.nspname = $1 and t.typtype in ('e', 'd')
    """
    assert await db.fetch(odd, f"d{district}") == []


async def test_ids_and_times_come_as_parameters_never_as_defaults(district: str) -> None:
    made_up = """
    select c.relname, pg_get_expr(d.adbin, d.adrelid) as default
    from pg_attrdef d join pg_class c on c.oid = d.adrelid join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and pg_get_expr(d.adbin, d.adrelid) ~ '(now|random|timestamp|nextval|CURRENT)'
    """
    assert await db.fetch(made_up, f"d{district}") == []


PLAIN = {"migration", "outbox", "change", "feed_head", "fact", "schedule", "idempotency_key", "case_root_head"}
"""Tables written with plain SQL, which have no classes: of the runner, the kernel and the top floor, ends of chains."""


async def test_every_table_of_a_district_has_its_class(district: str) -> None:
    made = await db.fetch(
        "select relname from pg_class where relnamespace = to_regnamespace($1) and relkind in ('r', 'p')"
        " and not relispartition and relname !~ '_[0-9]{8}$'",
        f"d{district}",
    )
    assert {row["relname"] for row in made} - PLAIN <= {table._meta.tablename for table in TABLES}
