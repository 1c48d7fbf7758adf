"""An event and its subscribers for tests of the worker: each effect leaves one row, so a second one is seen."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from app.kernel import db, event, outbox
from app.kernel.ids import new_id

EFFECTS = (
    "create table if not exists bell_effect (id uuid primary key, event_id uuid not null, name text not null);"
    " grant all on bell_effect to zjw_app"
)


class TowerBellRung(event.Event):
    """An event of the worker's tests."""

    tower: str = "north"


def rung(at: datetime | None = None, tower: str = "north") -> TowerBellRung:
    """A new event."""
    return TowerBellRung(id=new_id(), at=at or datetime.now(UTC), actor=uuid4(), tower=tower)


async def emit(district: str, count: int, at: datetime | None = None) -> list[UUID]:
    """Commit `count` events and return their ids: from here on they are acknowledged."""
    events = [rung(at) for _ in range(count)]
    async with db.transaction(district):
        await outbox.emit(*events)
    return [e.id for e in events]


async def note(happened: TowerBellRung, now: datetime) -> None:
    """A quick subscriber: leaves a row each time it is called."""
    await note_as("quick", happened.id)


async def note_as(name: str, of: UUID) -> None:
    """Leave a row about an event, or what it tells of, in the present transaction."""
    await db.execute("insert into bell_effect (id, event_id, name) values ($1, $2, $3)", uuid4(), of, name)


def slow_note(district: str) -> object:
    """A slow subscriber: opens its own transaction and is idempotent by the event's id, as slow ones must be."""

    async def call(happened: TowerBellRung, now: datetime) -> None:
        async with db.transaction(district):
            await db.execute(
                "insert into bell_effect (id, event_id, name) values ($1, $1, 'slow') on conflict do nothing",
                happened.id,
            )

    return call


async def effects(district: str, name: str, of: Sequence[UUID]) -> dict[UUID, int]:
    """How often each event had its effect."""
    async with db.transaction(district):
        rows = await db.fetch(
            "select e.id, count(b.id) as times from unnest($1::uuid[]) as e(id)"
            " left join bell_effect b on b.event_id = e.id and b.name = $2 group by e.id",
            of,
            name,
        )
    return {row["id"]: row["times"] for row in rows}


async def waiting(district: str) -> int:
    """How many events are not dealt with."""
    async with db.transaction(district):
        return await db.fetchval("select count(*) from outbox")
