"""From the credentials of a request to its actor, checked against the database at most every two seconds."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.identity import cipher, keystore, store, tokens
from app.identity.devices import DeviceState
from app.identity.keys import ApiKey
from app.identity.problems import DeviceStolen, TokenExpired
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.problem import NotSignedIn

_signing_key = b""

CACHE_SECONDS = 2.0
"""How long another process may go on with what it knows of a session (ADR 0004)."""
_CACHE_SIZE = 20_000
_known: dict[UUID, tuple[float, "Identified"]] = {}


class Identified(Struct, frozen=True, kw_only=True):
    """A request's actor; until a first password is replaced it may do nothing else."""

    actor: Actor
    must_change: bool = False


def configure(signing_key: bytes) -> None:
    """Set the key that signs access tokens (at least 32 bytes)."""
    global _signing_key
    if len(signing_key) < 32:
        raise ValueError("the signing key of access tokens has at least 32 bytes")
    _signing_key = signing_key


def issue(claims: tokens.Claims) -> str:
    """Return an access token of the claims."""
    return tokens.issue(claims, _signing_key)


def read_token(token: str, now: datetime) -> tokens.Claims:
    """Return the claims of an access token; TokenExpired when it is not valid at `now`."""
    try:
        return tokens.read(token, _signing_key, now)
    except tokens.BadToken as error:
        raise TokenExpired from error


def forget_all() -> None:
    """Drop what this process knows of sessions: rights have changed."""
    _known.clear()


async def identify(claims: tokens.Claims, now: datetime) -> Identified:
    """Return the actor of an access token; NotSignedIn when its session, account or device may no longer act."""
    cached = _known.get(claims.session)
    if cached is not None and cached[0] > now.timestamp():
        return cached[1]
    async with db.transaction(claims.district):
        state = await store.session_state(claims.session, now)
    if state is not None and state.device_state is DeviceState.STOLEN:
        raise DeviceStolen(wipe=True)
    if state is None or state.revoked_at is not None or state.disabled or state.subject != claims.subject:
        raise TokenExpired
    identified = Identified(
        actor=Actor(
            id=state.subject,
            kind=claims.kind,
            district=claims.district,
            memberships=state.memberships,
            device=state.device,
            session=claims.session,
        ),
        must_change=state.must_change,
    )
    if len(_known) >= _CACHE_SIZE:
        forget_all()
    _known[claims.session] = (now.timestamp() + CACHE_SECONDS, identified)
    return identified


async def identify_machine(district: str, key: str, now: datetime) -> tuple[Actor, ApiKey, str]:
    """Return the actor of a machine's key, the key's data and its signing secret; NotSignedIn for a bad key."""
    async with db.transaction(district):
        found = await keystore.key_of(tokens.digest(key))
        if found is None or found[0].revoked_at is not None:
            raise NotSignedIn
        known, sealed = found
        if known.expires_at is not None and known.expires_at <= now:
            raise NotSignedIn
        if known.last_used_at is None or (now - known.last_used_at).total_seconds() > 60:
            await keystore.touch_key(known.id, now)
    actor = Actor(id=known.id, kind="machine", district=district, scopes=frozenset(known.scopes))
    return actor, known, cipher.open_(sealed)
