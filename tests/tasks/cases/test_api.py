"""The routes of commands: each asks for the version its caller saw."""

from typing import Any

import pytest

from tasks.cases import api
from tasks.cases import orders as o


@pytest.mark.parametrize("order", api.COMMANDS, ids=o.name_of)
def test_every_command_over_http_carries_the_version_it_saw(order: type[o.Order]):
    path = f"/cases/{{case_id:uuid}}/{o.name_of(order)}"
    found: list[Any] = [route for route in api.routes if path in route.paths]
    assert [(route.opt["versioned"], route.opt["version_required"]) for route in found] == [(True, True)]
