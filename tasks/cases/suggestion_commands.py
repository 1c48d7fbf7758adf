"""Suggestions of an item for a free text; the words they stand on are counted by a schedule, not per request."""

import asyncio
from datetime import datetime
from uuid import UUID

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from tasks.cases import catalogue_store, difficult_store, reference, suggestion
from tasks.cases.catalogue import Catalogue
from tasks.cases.suggestion import Example, Model, Suggestion

CASES = 20_000
"""So many of the cases closed last are read."""

_kept: dict[str, tuple[Catalogue, int, UUID | None, Model]] = {}


async def _model(now: datetime) -> Model:
    """Return the model of the items in force and the words last counted, built anew when either changed."""
    district = db.current().district or ""
    have = (await reference.present()).catalogue
    mark, era = await catalogue_store.statistics_mark(), have.era(now)
    kept = _kept.get(district)
    if kept is not None and kept[0] is have and kept[1:3] == (era, mark):
        return kept[3]
    model = Model(have.present(now), await catalogue_store.statistics())
    _kept[district] = (have, era, mark, model)
    return model


async def ready(district: str, now: datetime) -> None:
    """Read catalogue and words of a district before anybody asks for an item."""
    async with db.transaction(district):
        await _model(now)


async def suggest(text: str, actor: Actor, now: datetime) -> list[Suggestion]:
    """Return up to five items in force that fit a text; none where nothing fits well: that is for the desk.

    A citizen gets what citizens may choose.
    """
    scope.require_any(actor, "item.read")
    async with db.transaction(actor.district):
        model = await _model(now)
        found = model.suggest(text, citizen=actor.kind == "citizen")
        have = (await reference.present()).catalogue
    return [each for each in found if have.at(each.item, now) is not None]


async def choose(text: str, actor: Actor, now: datetime) -> str | None:
    """Return the item a text is about where there is no doubt; None: a clerk sorts it."""
    return suggestion.sure(await suggest(text, actor, now))


async def count_words(district: str, now: datetime) -> int:
    """Count the words of closed cases and precedents anew; return how many cases were read."""
    async with db.transaction(district):
        closed = await catalogue_store.closed(CASES)
        precedents = [Example(item, text, True) for item, text in await difficult_store.precedents()]
    words = await asyncio.to_thread(suggestion.learn, [*closed, *precedents])
    async with db.transaction(district):
        await catalogue_store.keep_statistics(new_id(), len(closed), words, now)
    return len(closed)
