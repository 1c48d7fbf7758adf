"""A database that cannot be used is said in one sentence with what to do."""

import asyncpg
import pytest

from app import reach
from app.embedded.services import Services
from app.trouble import Trouble


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://a:hush@127.0.0.1:9/x", r"postgresql://a:…@127.0.0.1:9/x does not answer .*: start it"),
        ("postgresql://a@/x?host=/nowhere", r"does not answer \(No such file or directory\): start it"),
        ("postgresql://a@no-such-host.invalid/x", r"does not answer .*: start it"),
    ],
)
async def test_a_server_that_is_not_there(url: str, sentence: str) -> None:
    with pytest.raises(Trouble, match=sentence) as trouble, reach.database(url):
        await asyncpg.connect(url)
    assert "hush" not in trouble.value.message


async def test_a_database_that_is_not_there(services: Services) -> None:
    url = services.postgres.url("nowhere")
    with pytest.raises(Trouble, match=r"There is no database at .*: create it with `createdb`"), reach.database(url):
        await asyncpg.connect(url)


async def test_errors_of_statements_pass_through(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    with pytest.raises(asyncpg.UndefinedTableError), reach.database(database_url):
        await connection.execute("select * from nothing")
    await connection.close()
