"""Changes to households made on phones, merged with what others changed meanwhile."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from app.kernel import db
from app.kernel.actor import Actor
from visits import store
from visits.commands import save_household, writable
from visits.households import CareNeed, Consent, Household
from visits.sync.merge import three_way
from visits.sync.verdict import FieldConflict


class HouseholdAmendment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields a phone may change; null: left as it is."""

    residents: Annotated[int, Meta(ge=0, le=99)] | None = None
    consent: Consent | None = None
    care_needs: tuple[CareNeed, ...] | None = None


class Amended(Struct, frozen=True, kw_only=True):
    """What became of a phone's change to a household."""

    household: Household
    merged: bool
    conflicts: tuple[FieldConflict, ...]


async def amend_household(
    household_id: UUID, fields: dict[str, Any], base_version: int | None, actor: Actor, now: datetime
) -> Amended:
    """Merge a phone's change into a household, field by field against the version it started from.

    Fields both sides changed differently keep the server's value and are returned as conflicts.
    """
    wanted = msgspec.convert(fields, HouseholdAmendment)
    named = {name: value for name, value in msgspec.to_builtins(wanted).items() if value is not None}
    if "care_needs" in named:
        named["care_needs"] = sorted(named["care_needs"])
    async with db.transaction(actor.district):
        home = await writable(household_id, actor)
        here, behind = store.merge_fields(home), base_version is not None and base_version != home.version
        base = here if base_version is None else await store.fields_at(household_id, base_version) or {}
        merge = three_way(base, here, named)
        if merge.changed:
            values = msgspec.convert(here | merge.changed, HouseholdAmendment)
            home = replace(
                home,
                residents=values.residents if values.residents is not None else home.residents,
                consent=values.consent or home.consent,
                care_needs=values.care_needs if values.care_needs is not None else home.care_needs,
                version=home.version + 1,
                updated_at=now,
            )
            await save_household(home, actor.id)
    return Amended(household=home, merged=behind, conflicts=merge.conflicts)
