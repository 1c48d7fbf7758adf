"""Evidence that was erased leaves no bytes; what others brought or the law holds stays; killed, it goes on."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from app.kernel import db
from app.kernel.ids import new_id
from app.worker import delivery
from media import commands, erasure_commands, storage, upload_commands
from media.evidence import EvidenceRef, State
from media.tus import Creation
from tests.media.conftest import NOW
from tests.media.photos import drawn, jpeg
from tests.media.test_commands import bring, declare, ref, state, upload
from tests.tools.databases import as_owner
from tests.tools.people import Person

LATER = NOW + timedelta(hours=1)
TWO_DAYS = NOW + timedelta(days=2)


def files(root: Path, district: str) -> set[str]:
    """The digests of all that is kept."""
    return {path.name for path in (root / district / "files").glob("*/*/*")}


async def brought(person: Person, content: bytes) -> EvidenceRef:
    """A piece of evidence with its bytes, looked into."""
    one = ref(content)
    await declare(person, one)
    await bring(person, one, content)
    await commands.check(person.actor.district, one.id, NOW)
    return one


async def erase(person: Person) -> erasure_commands.Gone:
    async with db.transaction(person.actor.district):
        return await erasure_commands.erase_person(person.actor.id, NOW)


async def count(district: str, table: str) -> int:
    async with db.transaction(district):
        return await db.fetchval(f"select count(*) from {table}")


async def test_bytes_and_derivatives_of_a_person_go_and_that_is_noted(root: Path, officer: Person) -> None:
    one = await brought(officer, jpeg())
    district = officer.actor.district
    assert len(files(root, district)) == 3  # with two derivatives
    assert await erase(officer) == erasure_commands.Gone(pieces=1, held=0)
    assert len(files(root, district)) == 3
    assert await erasure_commands.run(district, LATER) == 1
    assert files(root, district) == set()
    assert [await count(district, table) for table in ("evidence", "upload", "media_file", "derivative")] == [0] * 4
    assert await erasure_commands.run(district, LATER) == 0
    async with db.transaction(district):
        noted = await db.fetch("select object from access_log where action = 'file.erase'")
    assert [row[0] for row in noted] == [f"file:{one.sha256}"]
    await erasure_commands.run(district, TWO_DAYS)
    assert await count(district, "media_erasure") == 0


async def test_what_somebody_else_brought_too_stays(root: Path, officer: Person, colleague: Person) -> None:
    content = jpeg()
    await brought(officer, content)
    await brought(colleague, content)
    kept = files(root, officer.actor.district)
    await erase(officer)
    await erasure_commands.run(officer.actor.district, LATER)
    assert files(root, officer.actor.district) == kept
    assert await count(officer.actor.district, "evidence") == 1
    await erase(colleague)
    await erasure_commands.run(officer.actor.district, LATER)
    assert files(root, officer.actor.district) == set()


async def test_a_derivative_that_another_picture_shares_stays(root: Path, officer: Person, colleague: Person) -> None:
    first, second = jpeg(), jpeg()[:-2] + b"\xff\xfe\x00\x03x\xff\xd9"  # the same picture, with a comment
    await brought(officer, first)
    theirs = await brought(colleague, second)
    district = officer.actor.district
    async with db.transaction(district):
        shared = {row[0] for row in await db.fetch("select sha256 from derivative group by 1 having count(*) = 2")}
    assert shared
    await erase(officer)
    await erasure_commands.run(district, LATER)
    assert files(root, district) == shared | {theirs.sha256}


async def test_what_is_under_legal_hold_stays_until_it_is_lifted(root: Path, officer: Person) -> None:
    held, free = jpeg(drawn(1)), jpeg(drawn(2))
    for content in (held, free):
        await brought(officer, content)
    district = officer.actor.district
    async with db.transaction(district):
        await db.execute("update evidence set legal_hold = true where sha256 = $1", ref(held).sha256)
    assert await erase(officer) == erasure_commands.Gone(pieces=1, held=1)
    await erasure_commands.run(district, TWO_DAYS)
    assert ref(held).sha256 in files(root, district)
    assert ref(free).sha256 not in files(root, district)
    async with db.transaction(district):
        await db.execute("update evidence set legal_hold = false")
    await erasure_commands.run(district, TWO_DAYS)
    assert files(root, district) == set()


async def test_killed_after_the_bytes_and_before_the_commit_the_next_run_ends_it(root: Path, officer: Person) -> None:
    await brought(officer, jpeg())
    await erase(officer)
    district = officer.actor.district
    async with db.transaction(district):  # the last thing before the commit
        await as_owner(
            "create function media_erasure_dies() returns trigger language plpgsql as"
            " $$ begin raise exception 'killed'; end $$"
        )
        await as_owner(
            "create trigger dies before delete on media_erasure for each row when (old.kind = 'content')"
            " execute function media_erasure_dies()"
        )
    try:
        with pytest.raises(Exception, match="killed"):
            await erasure_commands.run(district, LATER)
        assert (files(root, district), await count(district, "media_file")) == (set(), 1)
    finally:
        async with db.transaction(district):
            await as_owner("drop trigger dies on media_erasure")
            await as_owner("drop function media_erasure_dies")
    assert await erasure_commands.run(district, LATER) == 1
    assert (files(root, district), await count(district, "media_file")) == (set(), 0)


async def test_an_upload_on_its_way_is_broken_off_and_its_part_removed(root: Path, officer: Person) -> None:
    content = jpeg()
    begun = await upload_commands.begin(officer.actor, Creation(len(content), {}, ""), NOW)
    path = storage.partial(root, officer.actor.district, str(begun.id))
    assert path.exists()
    await erase(officer)
    await erasure_commands.run(officer.actor.district, LATER)
    assert not path.exists()
    assert await count(officer.actor.district, "upload") == 0


async def test_bytes_brought_while_the_same_are_erased_are_there_or_were_never_taken(
    root: Path, officer: Person, colleague: Person
) -> None:
    district = officer.actor.district
    for seed in range(8):
        content = jpeg(drawn(seed))
        await brought(officer, content)
        await erase(officer)
        await declare(colleague, ref(content))
        await asyncio.gather(upload(colleague, content), erasure_commands.run(district, LATER))
        assert ref(content).sha256 in files(root, district)


async def test_evidence_goes_when_its_time_is_over(root: Path, officer: Person) -> None:
    old, held, fresh = (jpeg(drawn(seed)) for seed in (1, 2, 3))
    district = officer.actor.district
    for content, until in ((old, NOW), (held, NOW), (fresh, TWO_DAYS + timedelta(days=1))):
        async with db.transaction(district):
            await commands.declare([ref(content)], "case", new_id(), None, officer.actor, NOW, retain_until=until)
        await upload(officer, content)
    async with db.transaction(district):
        await db.execute("update evidence set legal_hold = true where sha256 = $1", ref(held).sha256)
    assert await erasure_commands.erase_due(district, TWO_DAYS) == 1
    assert await erasure_commands.erase_due(district, TWO_DAYS) == 0
    await erasure_commands.run(district, TWO_DAYS)
    assert files(root, district) >= {ref(held).sha256, ref(fresh).sha256}
    assert ref(old).sha256 not in files(root, district)
    async with db.transaction(district):
        assert await db.fetchval("select object from access_log where action = 'evidence.erase'") == "evidence:1"


async def test_looking_into_evidence_erased_meanwhile_is_no_failure(root: Path, officer: Person) -> None:
    content = jpeg()
    owner = await declare(officer, ref(content))
    await upload(officer, content)
    assert (await state(officer, owner)).state is State.STORED
    district = officer.actor.district
    async with db.transaction(district):
        waiting = await db.fetchval("select event_id from outbox where type = 'EvidenceStored'")
    await erase(officer)
    await delivery.deliver(district, waiting, lambda: LATER)
    assert await count(district, "outbox where type = 'EvidenceStored'") == 0
