"""Notes between shifts (交接班): written by a member of a squad, on all its phones until their time is over."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from app.identity import scope
from app.identity.scope import Ownership
from app.kernel import changes, db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from grid import facts as grid_facts
from grid.organisations import Kind
from visits import buckets, note_store, store
from visits.note_store import Note
from visits.problems import NoteIdTaken, SquadNotFound

BATCH = 500


class NewNote(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the next shift should know; `id` makes a repeated request one note. It is gone after `hours`."""

    text: Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"\S")]
    hours: Annotated[int, Meta(ge=1, le=168)] = 72
    id: UUID | None = None


async def write(squad: UUID, new: NewNote, actor: Actor, now: datetime) -> Note:
    """Leave a note to the squad's next shift; SquadNotFound when it is not the actor's, NoteIdTaken."""
    async with db.transaction(actor.district):
        await _require(squad, actor, "note.write", now)
        note = Note(
            id=new.id or new_id(),
            squad=squad,
            author=actor.id,
            text=new.text.strip(),
            written_at=now,
            expires_at=now + timedelta(hours=new.hours),
        )
        if not await note_store.add(note):
            known = await note_store.find(note.id)
            if known is None or (known.squad, known.author, known.text) != (squad, actor.id, note.text):
                raise NoteIdTaken
            return known
        await changes.append(buckets.squad(squad), "note", note.id, 1, _body(note))
    return note


async def notes(squad: UUID, actor: Actor, now: datetime) -> list[Note]:
    """Return the notes of a squad that still count, newest first; SquadNotFound when it is not the actor's."""
    async with db.transaction(actor.district):
        await _require(squad, actor, "note.read", now)
        return await note_store.of_squad(squad, now)


async def expire(district: str, now: datetime) -> int:
    """Delete notes whose time is over, on phones too; return how many."""
    dropped = 0
    while True:
        async with db.transaction(district):
            gone = await note_store.drop_expired(now, BATCH)
            await changes.append_many([(buckets.squad(squad), "note", note, 2, None) for note, squad in gone])
        dropped += len(gone)
        if len(gone) < BATCH:
            return dropped


async def _require(squad: UUID, actor: Actor, action: str, now: datetime) -> None:
    """A squad is its members' and those's who walk for it, and of whoever is above its area."""
    found = (await grid_facts.directory(now)).get(squad)
    mine = squad in await store.squads_with_turns(actor.id) or actor.id in {
        each.id for each in await grid_facts.members(squad, now)
    }
    owner = Ownership(
        area=None if found is None else found.area,
        organisations=frozenset({squad}),
        persons=frozenset({actor.id} if mine else ()),
    )
    scope.require(actor, action, owner, SquadNotFound())
    if found is None or found.kind is not Kind.SQUAD or not found.alive(now):
        raise SquadNotFound


def _body(note: Note) -> dict[str, object]:
    return {
        "author": str(note.author),
        "text": note.text,
        "written_at": note.written_at.isoformat(),
        "expires_at": note.expires_at.isoformat(),
    }
