"""Evidence is accepted before its bytes, meets them whichever comes first, and is looked into once."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from app.kernel import db
from app.kernel.crs import Datum, Place
from app.kernel.ids import new_id
from app.kernel.problem import Invalid
from app.worker import delivery
from media import commands, facts, one_shot, upload_commands
from media.configuration import limits
from media.evidence import EvidenceRef, State
from media.problems import DailyLimitReached, DigestMismatch, EvidenceIdTaken, EvidenceNotFound, FileTooLarge
from media.tus import Creation, Part
from media.verdict import Expected
from tests.media import photos
from tests.media.conftest import NOW
from tests.tools.people import Person

HERE = Place(120.27, 30.17, Datum.WGS84, 10.0)
EXPECTED = Expected(lon=120.27, lat=30.17, limit_m=200)


def ref(content: bytes, **changes: Any) -> EvidenceRef:
    fields: dict[str, Any] = {
        "id": new_id(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "media_type": "image/jpeg",
        "captured_at": NOW,
        "place": HERE,
    }
    return EvidenceRef(**fields | changes)


async def declare(person: Person, *refs: EvidenceRef, owner: UUID | None = None) -> UUID:
    owner = owner or new_id()
    async with db.transaction(person.actor.district):
        await commands.declare(refs, "visit", owner, EXPECTED, person.actor, NOW)
    return owner


async def one_piece(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def upload(person: Person, content: bytes) -> None:
    begun = await upload_commands.begin(person.actor, Creation(len(content), {}, ""), NOW)
    await upload_commands.receive(person.actor, begun, Part(0, None, None), one_piece(content), NOW)


async def bring(person: Person, one: EvidenceRef, content: bytes) -> State:
    return await one_shot.bring(person.actor, one.id, one_piece(content), NOW)


async def state(person: Person, owner: UUID) -> facts.EvidenceView:
    async with db.transaction(person.actor.district):
        return (await facts.of([owner]))[owner][0]


async def events(person: Person) -> list[str]:
    async with db.transaction(person.actor.district):
        return [row["type"] for row in await db.fetch("select type from outbox order by event_id")]


async def test_evidence_is_accepted_before_its_bytes_and_stored_when_they_come(root: Path, officer: Person) -> None:
    content = photos.jpeg()
    owner = await declare(officer, ref(content))
    assert (await state(officer, owner)).state == State.AWAITING
    await upload(officer, content)
    assert (await state(officer, owner)).state == State.STORED
    assert await events(officer) == ["EvidenceStored"]


async def test_bytes_that_came_before_the_report_count_at_once(root: Path, officer: Person) -> None:
    content = photos.jpeg()
    await upload(officer, content)
    owner = await declare(officer, ref(content))
    assert (await state(officer, owner)).state == State.STORED
    assert await events(officer) == ["EvidenceStored"]


async def test_knowing_the_digest_of_anothers_photo_does_not_give_the_photo(
    root: Path, officer: Person, colleague: Person
) -> None:
    content = photos.jpeg()
    await upload(officer, content)
    owner = await declare(colleague, ref(content))
    assert (await state(colleague, owner)).state == State.AWAITING


async def test_a_declaration_that_is_rolled_back_leaves_nothing(root: Path, officer: Person) -> None:
    owner = new_id()
    with pytest.raises(ZeroDivisionError):
        async with db.transaction(officer.actor.district):
            await commands.declare([ref(b"x")], "visit", owner, None, officer.actor, NOW)
            raise ZeroDivisionError
    async with db.transaction(officer.actor.district):
        assert await facts.of([owner]) == {owner: []}


async def test_declaring_the_same_again_changes_nothing_and_something_else_is_refused(
    root: Path, officer: Person
) -> None:
    content = photos.jpeg()
    one = ref(content)
    owner = await declare(officer, one)
    await upload(officer, content)
    await declare(officer, one, owner=owner)
    assert (await state(officer, owner)).state == State.STORED
    assert await events(officer) == ["EvidenceStored"]
    with pytest.raises(EvidenceIdTaken):
        await declare(officer, one, owner=new_id())
    with pytest.raises(EvidenceIdTaken):
        await declare(officer, ref(b"other", id=one.id), owner=owner)


async def test_every_bad_reference_is_named(root: Path, officer: Person) -> None:
    with pytest.raises(Invalid) as caught:
        await declare(officer, ref(b"x", media_type="image/gif"), ref(b"y", size=10**9))
    assert [error.field for error in caught.value.errors] == ["evidence[0].media_type", "evidence[1].size"]


async def test_a_report_and_its_photo_that_arrive_at_the_same_moment_always_meet(root: Path, officer: Person) -> None:
    contents = [photos.jpeg(photos.drawn(n, (64, 48))) for n in range(12)]
    done = await asyncio.gather(
        *(upload(officer, content) for content in contents), *(declare(officer, ref(content)) for content in contents)
    )
    owners = [owner for owner in done if owner is not None]
    assert {(await state(officer, owner)).state for owner in owners} == {State.STORED}
    assert await events(officer) == ["EvidenceStored"] * 12


async def test_good_evidence_is_verified_with_derivatives(root: Path, officer: Person) -> None:
    content = photos.jpeg()
    one = ref(content)
    owner = await declare(officer, one)
    assert await bring(officer, one, content) == State.STORED
    await commands.check(officer.actor.district, one.id, NOW)
    view = await state(officer, owner)
    assert (view.state, view.checked_at) == (State.VERIFIED, NOW)
    assert view.verdict is not None
    assert (view.verdict.outcome, view.verdict.distance_m, view.verdict.limit_m) == ("ok", 0.0, 200.0)
    assert [(d.variant, d.width, d.height) for d in view.derivatives] == [("320", 320, 240), ("1280", 640, 480)]
    assert await events(officer) == ["EvidenceStored", "EvidenceChecked"]


async def test_checking_again_or_twice_at_once_changes_nothing(root: Path, officer: Person) -> None:
    content = photos.jpeg()
    one = ref(content)
    await declare(officer, one)
    await bring(officer, one, content)
    district = officer.actor.district
    await asyncio.gather(*(commands.check(district, one.id, NOW) for _ in range(3)))
    await commands.check(district, one.id, NOW + timedelta(days=1))
    assert await events(officer) == ["EvidenceStored", "EvidenceChecked"]


async def test_a_photo_of_elsewhere_and_long_ago_is_flagged_with_its_reasons(root: Path, officer: Person) -> None:
    content = (photos.FOLDER / "jpg__gps__DSCN0010.jpg").read_bytes()
    one = ref(content)
    owner = await declare(officer, one)
    await bring(officer, one, content)
    await commands.check(officer.actor.district, one.id, NOW)
    view = await state(officer, owner)
    assert view.state == State.FLAGGED
    assert view.verdict is not None
    assert view.verdict.outcome == "contradicted"
    assert {"exif-elsewhere", "other-time"} <= {reason.code for reason in view.verdict.reasons}


BAD = {
    "a page": (b"<html></html>" * 10, "image/jpeg", "wrong-type"),
    "a video named photo": (b"\0\0\0\x20ftypisom" + bytes(100), "image/jpeg", "wrong-type"),
    "a photo cut off": (photos.jpeg()[:5000], "image/jpeg", "truncated"),
}


@pytest.mark.parametrize(("content", "media_type", "code"), BAD.values(), ids=BAD)
async def test_bytes_that_show_nothing_are_refused_with_a_reason(
    root: Path, officer: Person, content: bytes, media_type: str, code: str
) -> None:
    one = ref(content, media_type=media_type)
    owner = await declare(officer, one)
    await bring(officer, one, content)
    await commands.check(officer.actor.district, one.id, NOW)
    view = await state(officer, owner)
    assert view.state == State.REFUSED
    assert view.verdict is not None
    assert [reason.code for reason in view.verdict.reasons] == [code]


async def test_other_bytes_than_declared_are_refused_and_the_right_ones_still_taken(
    root: Path, officer: Person
) -> None:
    content = photos.jpeg()
    one = ref(content)
    owner = await declare(officer, one)
    with pytest.raises(DigestMismatch):
        await bring(officer, one, content[:-1] + b"!")
    with pytest.raises(DigestMismatch):
        await bring(officer, one, content[:-1])
    with pytest.raises(FileTooLarge):
        await bring(officer, one, content + b"!")
    assert (await state(officer, owner)).state == State.AWAITING
    assert not list((root / officer.actor.district / "uploads").iterdir())
    assert await bring(officer, one, content) == State.STORED
    assert await bring(officer, one, content) == State.STORED


async def test_only_who_declared_evidence_can_bring_its_bytes(root: Path, officer: Person, colleague: Person) -> None:
    content = photos.jpeg()
    one = ref(content)
    await declare(officer, one)
    with pytest.raises(EvidenceNotFound):
        await bring(colleague, one, content)


async def test_the_same_picture_for_other_work_is_noticed_even_turned_and_saved_again(
    root: Path, officer: Person, colleague: Person
) -> None:
    district = officer.actor.district
    picture = photos.drawn(3)
    first = ref(photos.jpeg(picture))
    await declare(officer, first)
    await bring(officer, first, photos.jpeg(picture))
    await commands.check(district, first.id, NOW)
    turned = photos.jpeg(picture.transpose(Image.Transpose.ROTATE_90).resize((420, 560)), quality=60)
    other = photos.jpeg(photos.drawn(11))
    for content, reuse in ((turned, (first.id,)), (other, ())):
        one = ref(content)
        owner = await declare(colleague, one)
        await bring(colleague, one, content)
        await commands.check(district, one.id, NOW)
        verdict = (await state(colleague, owner)).verdict
        assert verdict is not None
        assert verdict.reuse == reuse


async def test_the_same_photo_twice_in_one_piece_of_work_is_no_reuse(root: Path, officer: Person) -> None:
    content = photos.jpeg()
    one, two = ref(content), ref(content)
    owner = await declare(officer, one, two)
    await upload(officer, content)
    for each in (one, two):
        await commands.check(officer.actor.district, each.id, NOW)
    assert (await state(officer, owner)).state == State.VERIFIED


async def test_moving_faster_than_anybody_can_is_noticed(root: Path, officer: Person) -> None:
    near, far = photos.jpeg(photos.drawn(1)), photos.jpeg(photos.drawn(2))
    first = ref(near, captured_at=NOW - timedelta(minutes=5), place=Place(120.27, 30.60, Datum.WGS84))
    await declare(officer, first)
    second = ref(far)
    owner = await declare(officer, second)
    await bring(officer, second, far)
    await commands.check(officer.actor.district, second.id, NOW)
    verdict = (await state(officer, owner)).verdict
    assert verdict is not None
    assert verdict.implied_speed_kmh == pytest.approx(572, abs=5)
    assert verdict.outcome == "doubtful"


async def test_the_worker_looks_into_bytes_once_they_are_stored(root: Path, officer: Person) -> None:
    district = officer.actor.district
    content = photos.jpeg()
    one = ref(content)
    owner = await declare(officer, one)
    await bring(officer, one, content)
    async with db.transaction(district):
        waiting = await db.fetchval("select event_id from outbox")
    await delivery.deliver(district, waiting, lambda: NOW)
    assert (await state(officer, owner)).state == State.VERIFIED
    assert await events(officer) == ["EvidenceChecked"]


async def test_evidence_of_another_district_is_not_seen(root: Path, officer: Person) -> None:
    content = photos.jpeg()
    owner = await declare(officer, ref(content))
    async with db.transaction("330110"):
        assert await facts.of([owner]) == {owner: []}


async def test_beginnings_at_once_do_not_pass_the_limit_of_the_day_together(root: Path, officer: Person) -> None:
    size = limits().image_bytes
    fit = limits().person_day_bytes // size
    one = Creation(size, {}, "")
    for _ in range(fit - 1):
        await upload_commands.begin(officer.actor, one, NOW)

    async def connect() -> None:  # else the first is done before the others have a connection
        async with db.transaction(officer.actor.district):
            await db.execute("select pg_sleep(0.2)")

    await asyncio.gather(*(connect() for _ in range(4)))
    begun = await asyncio.gather(
        *(upload_commands.begin(officer.actor, one, NOW) for _ in range(4)), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in begun) == [DailyLimitReached.__name__] * 3 + ["Upload"]
