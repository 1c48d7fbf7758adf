"""Text that PostgreSQL cannot hold is the sender's fault, and said so."""

import httpx
import pytest

from app.kernel.actor import Role
from tests.tools import people


@pytest.mark.parametrize("text", ["a\u0000b", "\u0000"])
async def test_a_nul_character_is_refused_wherever_it_comes(district: str, http: httpx.AsyncClient, text: str) -> None:
    headers = (await people.sign_in(district, Role.ADMINISTRATOR)).headers
    answers = [
        await http.get("/v1/accounts", params={"after": text}, headers=headers),
        await http.post("/v1/keys", json={"source": text, "scopes": []}, headers=headers),
        await http.post(
            "/v1/devices", json={"id": "01a209f4-9277-7bc9-8292-cc8fcd4ce300", "name": text}, headers=headers
        ),
    ]
    assert [(a.status_code, a.json()["type"]) for a in answers] == [(422, "/problems/invalid")] * 3
