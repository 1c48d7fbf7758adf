"""No value of a query or path parameter, however odd, makes the server fail: each is used or refused."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest_asyncio
from litestar import Litestar

from app.identity.matrix import ACTIONS
from app.kernel.actor import Role
from tests.tools import people
from tests.tools.operations import Operation, all_operations

ODD = (
    "-1",
    "0",
    "99999999999999999999999999",  # wider than any integer of the database
    "1e400",
    "NaN",
    "nan,nan,nan,nan",
    "a\x00b",  # PostgreSQL keeps no U+0000
    "\udc80",  # no UTF-8
    "2026-11-23T08:00:00",  # no zone
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59+00:00",
    "x" * 5000,
    "%",
    "\\",
)
NOBODY = "00000000-0000-7000-8000-000000000000"


def role_for(operation: Operation) -> str | None:
    """Somebody the operation is for; None when only machines and devices are."""
    row = ACTIONS.get(operation.opt.get("action", ""))
    first = [Role.DISTRICT_CENTRE, Role.TOWN_CENTRE, Role.ADMINISTRATOR, Role.AUDITOR]
    return next((str(role) for role in [*first, *Role, "citizen"] if row is None or row[role] != "-"), None)


def asked(operation: Operation, described: dict[str, Any], name: str, value: str) -> str:
    """The operation's address with one odd parameter; the others fit."""
    path, query = operation.path, dict(operation.query)
    for parameter in described["parameters"]:
        if parameter["in"] == "path":
            chosen = value if parameter["name"] == name else NOBODY
            path = path.replace("{" + parameter["name"] + "}", quote(chosen, safe="", errors="surrogateescape"))
        elif parameter["name"] == name:
            query[name] = value
    return path + "?" + "&".join(f"{key}={quote(v, errors='surrogateescape')}" for key, v in query.items())


@pytest_asyncio.fixture
async def described(app: Litestar, http: httpx.AsyncClient) -> list[tuple[Operation, dict[str, Any]]]:
    """Every operation with parameters in its address, and what the OpenAPI document says of it."""
    document = (await http.get("/openapi.json")).json()
    paths = document["paths"]
    both = [(one, paths.get(one.path, {}).get(one.method.lower(), {})) for one in all_operations(app, document)]
    return [(one, told) for one, told in both if told.get("parameters")]


async def test_no_odd_parameter_makes_the_server_fail(
    district: str, http: httpx.AsyncClient, described: list[tuple[Operation, dict[str, Any]]]
) -> None:
    signed_in: dict[str, people.Person] = {}
    wrong: list[str] = []
    for operation, told in described:
        role = role_for(operation)
        if role is None:
            continue
        if role not in signed_in or role == "citizen":  # citizens may not ask often
            citizen = role == "citizen"
            signed_in[role] = await (
                people.sign_in_citizen(district) if citizen else people.sign_in(district, Role(role))
            )
        names = [p["name"] for p in told["parameters"] if p["in"] != "header" and p["schema"].get("format") != "uuid"]
        for name in names:
            for value in ODD:
                url = asked(operation, told, name, value)
                answer = await http.request(operation.method, url, json=operation.body, headers=signed_in[role].headers)
                if answer.status_code >= 500:
                    wrong.append(f"{operation} {name}={value[:30]!r}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)
