"""A database or queue that does not answer is said in one sentence, with what to do."""

from collections.abc import Generator
from contextlib import contextmanager

import asyncpg

from app.settings import without_password
from app.trouble import Trouble

CONNECT_SECONDS = 10


@contextmanager
def database(url: str) -> Generator[None]:
    """Turns failures to connect inside the block into Trouble; errors of statements pass through."""
    shown = without_password(url)
    try:
        yield
    except asyncpg.InvalidCatalogNameError:
        raise Trouble(f"There is no database at {shown}: create it with `createdb`, or correct DATABASE_URL.") from None
    except asyncpg.InvalidAuthorizationSpecificationError:
        raise Trouble(f"The database at {shown} refuses user or password: correct DATABASE_URL.") from None
    except asyncpg.InsufficientPrivilegeError as error:
        raise Trouble(
            f"The database user may not do this ({error}): let DATABASE_OWNER_URL name the owner of the database,"
            " a superuser run `create extension postgis` once, and `zjw migrate` give zjw_app its rights."
        ) from None
    except asyncpg.FeatureNotSupportedError as error:
        if "postgis" not in str(error):
            raise
        raise Trouble(
            f"The database server at {shown} has no PostGIS: run `apt-get install postgresql-15-postgis-3` there."
        ) from None
    except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError) as error:
        raise Trouble(
            f"The database at {shown} does not answer ({_reason(error)}):"
            " start it (`make demo` starts the private one), or correct DATABASE_URL."
        ) from None


async def check(database_url: str) -> None:
    """Connects once. Raises Trouble if the database cannot be used."""
    with database(database_url):
        connection = await asyncpg.connect(database_url, timeout=CONNECT_SECONDS)
        await connection.close()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
