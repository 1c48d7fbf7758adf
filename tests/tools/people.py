"""Signed-in people for tests, made without the slow hashing of a real sign-in."""

from uuid import UUID

import msgspec

from app.identity import store, tokens
from app.identity.accounts import Account
from app.kernel import clock, db
from app.kernel.actor import Actor, Membership, Role
from app.kernel.ids import new_id

SIGNING_KEY = b"a signing key for tests, 32 bytes"
CIPHER_KEY = bytes(range(32))


class Person(msgspec.Struct, frozen=True):
    """Somebody signed in: as an actor for commands, as headers for HTTP."""

    actor: Actor
    headers: dict[str, str]


async def sign_in(
    district: str, role: Role, organisation: UUID | None = None, area: str | None = None, *, device: UUID | None = None
) -> Person:
    """Make an account with one membership and a session; area defaults to the whole district."""
    now = clock.now()
    account = Account(id=new_id(), username=f"t{new_id().hex}", name="测试")
    membership = Membership(role, organisation, area or district)
    session = new_id()
    async with db.transaction(district):
        await store.add_account(account, "no password", now)
        await store.add_membership(new_id(), account.id, membership, now)
        await store.add_session(session, account.id, "staff", device, now)
    return _person(district, account.id, session, (membership,), device)


async def sign_in_citizen(district: str) -> Person:
    """Make a citizen with a session."""
    now = clock.now()
    session = new_id()
    async with db.transaction(district):
        subject = await store.citizen(new_id().hex, new_id(), now)
        await store.add_session(session, subject, "citizen", None, now)
    return _person(district, subject, session, None, None)


def _person(
    district: str, subject: UUID, session: UUID, memberships: tuple[Membership, ...] | None, device: UUID | None
) -> Person:
    kind = "citizen" if memberships is None else "staff"
    claims = tokens.Claims(
        subject=subject,
        session=session,
        district=district,
        kind=kind,
        expires=int(clock.now().timestamp()) + 900,
    )
    actor = Actor(
        id=subject, kind=kind, district=district, memberships=memberships or (), session=session, device=device
    )
    return Person(actor, {"Authorization": f"Bearer {tokens.issue(claims, SIGNING_KEY)}"})
