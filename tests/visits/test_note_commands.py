"""A note from one shift to the next: on the phones of the squad, and gone when its time is over."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from app.kernel import db
from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.kernel.problem import NotPermitted
from tests.tools import people
from tests.visits import stage
from tests.visits.stage import DISTRICT, EVENING, LATER, Stage
from visits import note_commands
from visits.note_commands import NewNote
from visits.problems import NoteIdTaken, SquadNotFound
from visits.sync import commands as sync

WORDS = NewNote(text=" 3幢停电，明晚再去（演示） ", hours=24)


@pytest.fixture
async def on(district: str) -> Stage:
    return await stage.build()


async def on_phones(on: Stage) -> list[Any]:
    rows = await db.fetch("select bucket, body, version from change where kind = 'note' order by id")
    assert {row["bucket"] for row in rows} <= {f"squad:{on.squad}"}
    return rows


async def test_a_note_is_on_the_phones_of_the_squad(on: Stage) -> None:
    note = await note_commands.write(on.squad, WORDS, on.worker.actor, EVENING)
    [put] = await on_phones(on)
    assert put["body"]["text"] == note.text == "3幢停电，明晚再去（演示）"
    assert put["body"]["author"] == str(on.worker.actor.id)
    for reader in (on.other, on.leader, on.centre):
        assert await note_commands.notes(on.squad, reader.actor, EVENING) == [note]


async def test_it_is_gone_everywhere_when_its_time_is_over(on: Stage) -> None:
    await note_commands.write(on.squad, WORDS, on.worker.actor, EVENING)
    kept = await note_commands.write(on.squad, NewNote(text="一周（演示）", hours=168), on.leader.actor, EVENING)
    later = EVENING + timedelta(hours=24)
    assert await note_commands.notes(on.squad, on.leader.actor, later) == [kept]
    assert [await note_commands.expire(DISTRICT, later) for _ in range(2)] == [1, 0]
    *_, removed = await on_phones(on)
    assert (removed["body"], removed["version"]) == (None, 2)
    assert await db.fetchval("select count(*) from shift_note") == 1


async def test_the_same_note_again_is_one_and_its_id_is_nobody_elses(on: Stage) -> None:
    mine = NewNote(text="一次（演示）", id=new_id())
    first = await note_commands.write(on.squad, mine, on.worker.actor, EVENING)
    again = await note_commands.write(on.squad, mine, on.worker.actor, EVENING + timedelta(hours=1))
    assert (again, len(await on_phones(on))) == (first, 1)
    with pytest.raises(NoteIdTaken):
        await note_commands.write(on.squad, mine, on.other.actor, EVENING)


async def test_only_members_of_a_squad_and_those_above_it_read_and_write(on: Stage) -> None:
    with pytest.raises(SquadNotFound):
        await note_commands.write(on.squad, WORDS, on.outsider.actor, EVENING)
    for no_squad in (on.team, new_id()):
        with pytest.raises(SquadNotFound):
            await note_commands.notes(no_squad, on.centre.actor, EVENING)
    department = await people.sign_in(DISTRICT, Role.DEPARTMENT, on.team)
    with pytest.raises(NotPermitted):
        await note_commands.notes(on.squad, department.actor, EVENING)


async def test_a_note_written_without_a_network_comes_with_the_next_push(on: Stage) -> None:
    note = new_id()
    body = {"squad": str(on.squad), "text": "3幢停电（演示）", "hours": 24}
    push = stage.push(on, stage.op("note.write", body, note), stage.op("note.write", body | {"squad": str(on.team)}))
    answer = await sync.push(push, on.worker.actor, LATER)
    assert [msgspec.json.decode(raw)["verdict"] for raw in answer.verdicts] == ["applied", "rejected"]
    [kept] = await note_commands.notes(on.squad, on.leader.actor, LATER)
    assert (kept.id, kept.author) == (note, on.worker.actor.id)
