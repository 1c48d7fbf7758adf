"""Notes between shifts over HTTP: decode, call, encode."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.kernel.actor import Actor
from visits import note_commands
from visits.note_commands import NewNote
from visits.note_store import Note


@post("/squads/{squad_id:uuid}/notes", opt={"action": "note.write"}, tags=["visits"])
async def write_note(
    squad_id: FromPath[UUID],
    data: JSONBody[NewNote],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Note:
    """Leave a note to the squad's next shift; its phones show it until its time is over."""
    return await note_commands.write(squad_id, data, actor, now)


@get("/squads/{squad_id:uuid}/notes", opt={"action": "note.read"}, tags=["visits"])
async def notes(squad_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> list[Note]:
    """List the notes to the squad's next shift that still count, newest first."""
    return await note_commands.notes(squad_id, actor, now)


routes: list[Any] = [write_note, notes]
