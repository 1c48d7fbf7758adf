"""The tables of field work as Python sees them are those of the database."""

import inspect

import pytest
from piccolo.table import Table

from app.kernel import db
from migrations import m0050_visits
from visits import tables

TABLES = [
    each for _, each in inspect.getmembers(tables, inspect.isclass) if issubclass(each, Table) and each is not Table
]
TYPES = {
    "TIMESTAMPTZ": "timestamp with time zone",
    "TIME": "time without time zone",
    "TEXT[]": "ARRAY",
    "UUID[]": "ARRAY",
}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.tablename)
async def test_columns_types_and_nulls_agree(district: str, table: type[Table]) -> None:
    rows = await db.fetch(
        "select column_name, data_type, is_nullable from information_schema.columns"
        " where table_schema = $1 and table_name = $2",
        f"d{district}",
        table._meta.tablename,
    )
    there = {row["column_name"]: (row["data_type"], row["is_nullable"] == "YES") for row in rows}
    here = {
        column._meta.db_column_name: (TYPES.get(column.column_type, column.column_type.lower()), column._meta.null)
        for column in table._meta.columns
    }
    assert here == there


def test_every_table_of_the_migration_has_its_class() -> None:
    made = {
        statement.split("create table if not exists ")[1].split()[0]
        for statement in m0050_visits.STATEMENTS
        if statement.startswith("create table")
    }
    assert made == {table._meta.tablename for table in TABLES}
