"""Call-backs (回访) of visited households: who is asked by chance, and who may be asked or told at all; pure."""

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import replace

from app.kernel.problem import FieldError
from visits.households import Consent, Household, Rules
from visits.visit import Outcome

TRIES = 3
"""So often nobody answers before a call-back is given up."""
FRESH = timedelta(days=3)
"""What a phone reports later than this is no longer news to the household."""


class CallBackState(StrEnum):
    """Life of a call-back."""

    WAITING = "waiting"
    REACHED = "reached"
    UNREACHED = "unreached"


class CallBack(Struct, frozen=True, kw_only=True):
    """A household to be asked about a visit, and what it said; the contact is shown singly, with a reason."""

    id: UUID
    visit_id: UUID
    household_id: UUID
    area: str
    state: CallBackState
    tries: int
    satisfied: bool | None
    words: str
    called_by: UUID | None
    called_at: datetime | None
    made_at: datetime


class Told(Struct, frozen=True, kw_only=True):
    """Word of a visit to a household; whom it goes to is asked when it is sent."""

    household: UUID
    visit: UUID
    started_at: datetime
    code: str
    """What the household names when it comments on the visit."""


class Call(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of a call: whether somebody answered, and if so, whether they are satisfied with the visit."""

    reached: bool
    satisfied: bool | None = None
    words: Annotated[str, Meta(max_length=1000)] = ""


def sampled(event: UUID, one_of: int) -> bool:
    """Whether a visit is one of the sample: by chance, the same whenever it is asked, and no phone can choose it.

    `event` is the id the server gave to the recording; the visit's own is made by the phone.
    """
    return one_of > 0 and int.from_bytes(sha256(event.bytes).digest()[:8]) % one_of == 0


def may_be_called(household: Household) -> bool:
    """Whether the household said it may be called, and still lives there."""
    there = household.contact is not None and household.moved_out_at is None
    return there and household.consent is Consent.GIVEN


def is_told(household: Household, outcome: str, started_at: datetime, rules: Rules, now: datetime) -> bool:
    """Whether the household gets word of a visit: it was met lately, may be called, and the district does so."""
    return rules.tell and outcome == Outcome.MET and now - started_at < FRESH and may_be_called(household)


def check(call: Call) -> list[FieldError]:
    """Return what is wrong with the word of a call."""
    if call.reached == (call.satisfied is not None):
        return []
    return [FieldError("satisfied", ("接通时必填，未接通时不填", "is said if somebody was reached, else not"))]


def after(call_back: CallBack, call: Call, by: UUID, now: datetime) -> CallBack:
    """Return a call-back after a call; nobody answering too often ends it."""
    tries = call_back.tries + 1
    state = CallBackState.REACHED if call.reached else CallBackState.WAITING
    if not call.reached and tries >= TRIES:
        state = CallBackState.UNREACHED
    return replace(
        call_back,
        state=state,
        tries=tries,
        satisfied=call.satisfied,
        words=call.words.strip() or call_back.words,
        called_by=by,
        called_at=now,
    )
