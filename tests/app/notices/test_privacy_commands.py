"""Who had their data erased has no notices and no addresses left; nobody else loses any."""

from uuid import UUID

from app import wiring
from app.identity import cipher
from app.kernel import clock, db
from app.kernel.ids import new_id
from app.notices import store
from app.notices.store import Channel
from tasks.channels.events import CitizenErased

NOW = clock.now()
WANG, LI = new_id(), new_id()


async def told(who: UUID) -> None:
    """A notice that waits for an address."""
    notice, address = new_id(), new_id()
    sealed = cipher.seal("an openid")
    await store.set_address(address, who, Channel.SUBSCRIBE_MESSAGE, new_id(), sealed, who, NOW)
    await db.execute(
        "insert into notice (id, recipient, kind, about, step, number, zh, en, critical, made_at)"
        " values ($1, $2, 'closed', $3, 'x', 'XS1', '办结', 'closed', false, $4)",
        notice,
        who,
        new_id(),
        NOW,
    )
    await db.execute(
        "insert into notice_delivery (id, notice, channel, address, critical, state, tries, next_at)"
        " values ($1, $2, 'subscribe_message', $3, false, 'pending', 0, $4)",
        new_id(),
        notice,
        address,
        NOW,
    )


async def test_an_erased_citizen_has_neither_notices_nor_addresses_left(district: str) -> None:
    async with db.transaction(district):
        await told(WANG)
        await told(LI)
        subscriber = wiring.SUBSCRIBERS[CitizenErased]["notices.erase"]
        assert not isinstance(subscriber, wiring.Slow)
        for _ in range(2):
            await subscriber(CitizenErased(id=new_id(), at=NOW, actor=WANG, citizen=WANG), NOW)
        for table in ("notice", "notice_address"):
            assert [row[0] for row in await db.fetch(f"select recipient from {table}")] == [LI]
        assert await db.fetchval("select count(*) from notice_delivery") == 1
