"""After a rotation nothing needs the old key; stopped half way it goes on where it was."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from app import answers, rekeying, wiring
from app.identity import cipher
from app.identity import commands as identity
from app.identity.identification import identify_machine
from app.kernel import clock, db
from app.trouble import Trouble
from tasks.cases import intake, queries
from tasks.cases.intake import Report, Reporter
from tests.tasks.cases import stage as cases_stage
from tests.tools import people
from tests.visits import stage
from visits import commands as visits
from visits.commands import Unmask

NEW = bytes(range(32, 64))
EACH = {"answers": 1, "identity": 2, "cases": 2, "visits": 4}
BOTH = {"2027": NEW, "test": people.CIPHER_KEY}


@pytest.fixture(autouse=True)
def keys() -> Iterator[None]:
    cipher.configure("test", {"test": people.CIPHER_KEY})
    yield
    cipher.configure("test", {"test": people.CIPHER_KEY})


async def tokens_of_all() -> list[str]:
    """Every sealed text of the district."""
    sql = (
        "select contact from household where contact is not null union all select secret from api_key union all"
        " select contact from citizen where contact is not null union all select name from case_contact where name is"
        " not null union all select phone from case_contact where phone is not null"
    )
    return [row[0] for row in await db.fetch(sql)]


@pytest.mark.parametrize("algorithm", cipher.ALGORITHMS)
async def test_after_a_rotation_everything_opens_without_the_old_key(district: str, algorithm: str) -> None:
    on = await stage.build()
    machine = await identity.create_key(district, "12315", [], clock.now())
    wang = await people.sign_in_citizen(district)
    await db.execute("update citizen set contact = $1 where id = $2", cipher.seal("演示联系方式"), wang.actor.id)
    report = Report(source="citizen", item="G001", description="演示诉求", reporter=Reporter(id=wang.actor.id))
    reporter = Reporter(id=wang.actor.id, name="张某", phone="13800001234")
    case = await intake.open(replace(report, reporter=reporter), wang.actor, stage.MORNING)
    nameless = Reporter(id=wang.actor.id, phone="13800005678")
    await intake.open(replace(report, reporter=nameless), wang.actor, stage.MORNING)

    await answers.claim(wang.actor.id, "a key", "print", clock.now())
    await answers.keep(wang.actor.id, "a key", 200, [], "演示回答".encode())
    await answers.claim(wang.actor.id, "not answered yet", "print", clock.now())

    cipher.configure("2027", BOTH, algorithm)
    assert await rekeying.stale([district]) == 4 + 2 + 2 + 1
    done = await rekeying.rotate([district], batch=3)
    assert {name: rows for name, rows in done[district].items() if rows} == EACH
    assert await rekeying.rotate([district]) == {district: dict.fromkeys(wiring.SEALED, 0)}

    cipher.configure("2027", {"2027": NEW}, algorithm)
    assert all(token.startswith(f"{algorithm}.2027.") for token in await tokens_of_all())
    assert len(await tokens_of_all()) == 4 + 1 + 1 + 3
    assert (await identify_machine(district, machine.key, clock.now()))[2] == machine.secret
    kept = await answers.kept(wang.actor.id, "a key")
    assert kept is not None
    assert kept.body.decode() == "演示回答"
    shown = await visits.unmask(on.homes[0], Unmask(reason="约定夜访时间"), on.worker.actor, stage.MORNING)
    assert shown.contact == "13800000000"
    clerk = cases_stage.CENTRE_CLERK
    seen = await queries.contact(case.id, "电话回访", clerk, stage.MORNING)
    assert (seen.name, seen.phone) == ("张某", "13800001234")


async def test_a_rotation_that_was_stopped_goes_on(district: str) -> None:
    for n in range(5):
        await identity.create_key(district, f"machine {n}", [], clock.now())
    cipher.configure("2027", BOTH)
    assert await wiring.SEALED["identity"].reseal(district, 2) == 2
    assert await wiring.SEALED["identity"].stale(district) == 3
    seen: list[tuple[str, int, int]] = []

    def told(what: str, done: int, of: int) -> None:
        seen.append((what, done, of))

    await rekeying.rotate([district], told, batch=2)
    assert seen == [(f"{district} identity", 2, 3), (f"{district} identity", 3, 3)]
    assert await rekeying.stale([district]) == 0


async def test_what_changes_during_a_rotation_is_not_put_back(committed: str) -> None:
    wang = await people.sign_in_citizen(committed)
    sql = "update citizen set contact = $1 where id = $2"
    async with db.transaction(committed):
        await db.execute(sql, cipher.seal("旧联系方式"), wang.actor.id)
    writing, commit = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        async with db.transaction(committed):
            await db.execute(sql, cipher.seal("新联系方式"), wang.actor.id)
            writing.set()
            await commit.wait()

    changing = asyncio.create_task(change())
    await writing.wait()
    cipher.configure("2027", BOTH)
    rotating = asyncio.create_task(rekeying.rotate([committed]))
    async with db.transaction(committed):
        while not await db.fetchval("select count(*) from pg_locks where not granted"):
            await asyncio.sleep(0.01)
    commit.set()
    await asyncio.gather(changing, rotating)
    async with db.transaction(committed):
        token = await db.fetchval("select contact from citizen where id = $1", wang.actor.id)
    assert token.startswith(cipher.prefix())
    assert cipher.open_(token) == "新联系方式"


async def test_a_key_that_is_missing_is_named_and_nothing_is_lost(district: str) -> None:
    await identity.create_key(district, "12315", [], clock.now())
    before = await tokens_of_all()
    cipher.configure("2027", {"2027": NEW})
    with pytest.raises(Trouble, match=r"under key 'test', which is not configured.* Put that key back"):
        await rekeying.rotate([district])
    assert await tokens_of_all() == before


def test_no_package_seals_without_taking_part_in_the_rotation() -> None:
    root = Path(__file__).parent.parent.parent
    tops = ("app", "grid", "media", "scoring", "tasks", "visits")
    files = [path for top in tops for path in root.glob(f"{top}/**/*.py")]
    sealing = [path for path in files if "cipher.seal(" in path.read_text()]
    names = {path.stem if path.parent.name == "app" else path.parent.name for path in sealing}
    assert names == set(wiring.SEALED)
