"""Evidence over HTTP: bytes in one piece, and links that work for a while for whoever was given them."""

import tracemalloc
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from app.kernel import clock, db
from app.kernel.ids import new_id
from media import commands
from media.evidence import EvidenceRef
from tests.media import photos
from tests.media.test_commands import declare, ref
from tests.tools.people import Person

CONTENT = photos.jpeg()


async def brought(client: httpx.AsyncClient, officer: Person, content: bytes = CONTENT) -> EvidenceRef:
    one = ref(content)
    await declare(officer, one)
    answer = await client.put(f"/v1/evidence/{one.id}/content", content=content)
    assert answer.json() == {"id": str(one.id), "state": "stored"}
    await commands.check(officer.actor.district, one.id, clock.now())
    return one


def link(officer: Person, one: EvidenceRef, variant: str, ago: float = 0) -> str:
    return commands.signed_url(one.id, variant, clock.now() - timedelta(seconds=ago), officer.actor.district)


async def test_a_form_brings_a_file_too(client: httpx.AsyncClient, officer: Person) -> None:
    one = ref(CONTENT)
    await declare(officer, one)
    answer = await client.post(f"/v1/evidence/{one.id}/content", files={"file": ("夜访.jpg", CONTENT)})
    assert (answer.status_code, answer.json()["state"]) == (200, "stored")


async def test_other_bytes_than_declared_get_a_problem(client: httpx.AsyncClient, officer: Person) -> None:
    one = ref(CONTENT)
    await declare(officer, one)
    answer = await client.put(f"/v1/evidence/{one.id}/content", content=CONTENT[::-1])
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/sha256-mismatch")


async def test_evidence_nobody_declared_and_anothers_look_the_same(
    client: httpx.AsyncClient, officer: Person, colleague: Person
) -> None:
    one = ref(CONTENT)
    await declare(colleague, one)
    for evidence in (one.id, new_id()):
        answer = await client.put(f"/v1/evidence/{evidence}/content", content=CONTENT)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/evidence-not-found")


async def test_an_original_comes_as_an_attachment_and_unchanged(client: httpx.AsyncClient, officer: Person) -> None:
    one = await brought(client, officer)
    answer = await client.get(link(officer, one, "original"), headers={"Authorization": ""})
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{one.id}.jpeg"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_derivatives_are_shown_and_carry_no_metadata(client: httpx.AsyncClient, officer: Person) -> None:
    one = await brought(client, officer, (photos.FOLDER / "jpg__gps__DSCN0010.jpg").read_bytes())
    for variant in ("1280", "320"):
        answer = await client.get(link(officer, one, variant), headers={"Authorization": ""})
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/webp"
        assert answer.headers["Content-Disposition"].startswith("inline")
        assert b"EXIF" not in answer.content
        assert b"NIKON" not in answer.content


async def test_a_link_ends(client: httpx.AsyncClient, officer: Person) -> None:
    one = await brought(client, officer)
    assert (await client.get(link(officer, one, "320", ago=590))).status_code == 200
    assert (await client.get(link(officer, one, "320", ago=610))).status_code == 410


async def test_a_link_that_was_changed_leads_nowhere(client: httpx.AsyncClient, officer: Person) -> None:
    one, other = await brought(client, officer), await brought(client, officer, photos.jpeg(photos.drawn(5)))
    good = link(officer, one, "320")
    head, _, tail = good.partition("expires=")
    changed = {
        "signature": good[:-1] + ("0" if good[-1] != "0" else "1"),
        "expires": f"{head}expires={int(tail[:10]) + 60}{tail[10:]}",
        "variant": good.replace("/320?", "/original?"),
        "evidence": good.replace(str(one.id), str(other.id)),
        "district": good.replace("/330109/", "/330110/"),
    }
    for what, address in changed.items():
        assert (await client.get(address)).status_code == 404, what
    assert (await client.get(good)).status_code == 200


async def test_evidence_that_was_refused_is_only_ever_a_download(client: httpx.AsyncClient, officer: Person) -> None:
    one = await brought(client, officer, b"<html><script>alert(1)</script></html>")
    answer = await client.get(link(officer, one, "original"))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert (await client.get(link(officer, one, "320"))).status_code == 404


async def test_memory_stays_flat_while_a_large_file_goes_up(address: str, officer: Person, root: Path) -> None:
    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield bytes(65_536)

    headers = officer.headers | {"Tus-Resumable": "1.0.0", "Upload-Length": str(60 * 65_536)}
    headers |= {"Content-Type": "application/offset+octet-stream"}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        tracemalloc.start()
        try:
            answer = await client.post("/v1/uploads", content=blocks())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert answer.status_code == 201
    assert peak < 2_500_000  # of a body of 3.9 MB


async def test_links_within_a_transaction_take_its_district(root: Path, officer: Person) -> None:
    async with db.transaction("330110"):
        assert commands.signed_url(new_id(), "320", clock.now()).startswith("/v1/media/330110/")
    with pytest.raises(ValueError, match="no such variant"):
        commands.signed_url(new_id(), "640", clock.now(), "330109")


async def test_pictures_are_not_compressed_again(client: httpx.AsyncClient, officer: Person) -> None:
    one = await brought(client, officer)
    answer = await client.get(link(officer, one, "original"), headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Content-Length"] == str(len(CONTENT))


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\nhello\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
        ("multipart/form-data", b"noise"),
        ("application/json", b"{}"),
        ("text/plain", b"x"),
    ],
)
async def test_a_form_that_is_none_gets_a_problem(
    client: httpx.AsyncClient, officer: Person, content_type: str, body: bytes
) -> None:
    one = ref(CONTENT)
    await declare(officer, one)
    answer = await client.post(f"/v1/evidence/{one.id}/content", headers={"Content-Type": content_type}, content=body)
    assert answer.status_code in (400, 415, 422)
    assert answer.json()["type"].startswith("/problems/")


async def test_uploads_and_evidence_are_in_the_api_document(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert {"post"} <= set(document["paths"]["/v1/uploads"])
    assert {"head", "patch", "delete", "post"} <= set(document["paths"]["/v1/uploads/{upload_id}"])
    assert "multipart/form-data" in str(document["paths"]["/v1/evidence/{evidence_id}/content"]["post"])
