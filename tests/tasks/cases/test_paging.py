"""Pages of lists: page by page, whoever asks for whatever gets what reading every case one by one would give."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from grid import facts as grid_facts
from tasks.cases import intake, listing, paging, queries, standing, store
from tasks.cases import orders as o
from tasks.cases.listing import Filter
from tasks.cases.model import Case
from tasks.cases.views import CaseRowView
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, play, report

READERS = (
    "centre",
    "town",
    "manager",
    "station",
    "other town",
    "transport",
    "market",
    "citizen",
    "stranger",
    "officer",
)
OPEN = ("received", "accepted", "assigned", "handling", "disputed", "suspended", "handled", "calling_back")
ASKED: dict[str, tuple[Filter, Callable[[Case], bool]]] = {
    "everything": (Filter(), lambda c: True),
    "open": (
        Filter(state=("accepted", "assigned", "handling")),
        lambda c: c.state in ("accepted", "assigned", "handling"),
    ),
    "of one state": (Filter(state=("handling",)), lambda c: c.state == "handling"),
    "waiting": (Filter(state=("accepted", "disputed")), lambda c: c.state in ("accepted", "disputed")),
    "open and over": (Filter(state=("assigned", "withdrawn")), lambda c: c.state in ("assigned", "withdrawn")),
    "withdrawn": (Filter(state=("withdrawn",)), lambda c: c.state == "withdrawn"),
    "over": (Filter(state=("withdrawn", "closed")), lambda c: c.state in ("withdrawn", "closed")),
    "overdue": (Filter(overdue=True), lambda c: c.due_at is not None and c.due_at < LATER),
    "not overdue": (Filter(overdue=False), lambda c: c.due_at is None or c.due_at >= LATER),
    "open, overdue": (
        Filter(state=OPEN, overdue=True),
        lambda c: c.state in OPEN and c.due_at is not None and c.due_at < LATER,
    ),
    "open, not overdue": (
        Filter(state=OPEN, overdue=False),
        lambda c: c.state in OPEN and (c.due_at is None or c.due_at >= LATER),
    ),
    "open, common words, here": (
        Filter(state=OPEN, text="音乐", box=(120.2, 30.1, 120.3, 30.2)),
        lambda c: c.state in OPEN and c.lon is not None,
    ),
    "open, rare words": (Filter(state=OPEN, text="第5件"), lambda c: c.state in OPEN and c.title == "第5件"),
    "elsewhere": (Filter(box=(10.2, 30.1, 10.3, 30.2)), lambda c: False),
    "item": (Filter(item="H008", severity="routine"), lambda c: c.item == "H008" and c.severity == "routine"),
    "other item": (Filter(item="E0504"), lambda c: c.item == "E0504"),
    "source": (Filter(source="citizen", state=OPEN), lambda c: c.state in OPEN),
    "no such source": (Filter(source="sos"), lambda c: c.source == "sos"),
    "its number": (Filter(text="XS20261123-"), lambda c: True),
    "its cell": (Filter(area=stage.CELL), lambda c: c.area.startswith(stage.CELL)),
    "children": (Filter(parent=stage.CENTRE), lambda c: False),
    "common words": (Filter(text="音乐"), lambda c: True),
    "rare words": (Filter(text="第7件"), lambda c: c.title == "第7件"),
    "no such words": (Filter(text="鳄鱼"), lambda c: False),
    "here": (Filter(box=(120.2, 30.1, 120.3, 30.2)), lambda c: c.lon is not None),
    "words of the newest, here": (  # common where one case tells
        Filter(text="第12件", box=(120.2, 30.1, 120.3, 30.2)),
        lambda c: c.title == "第12件" and c.lon is not None,
    ),
    "its town": (Filter(area=stage.TOWN), lambda c: c.area.startswith(stage.TOWN)),
    "since": (Filter(since=NOW + timedelta(minutes=9)), lambda c: c.received_at >= NOW + timedelta(minutes=9)),
    "until": (Filter(until=NOW + timedelta(minutes=4)), lambda c: c.received_at < NOW + timedelta(minutes=4)),
}
LATER = NOW + timedelta(days=2)


async def _many() -> list[Case]:
    """Thirteen cases, some withdrawn, returned to the desk, or taken from the town to a department."""
    found: list[Case] = []
    for n in range(13):
        words = report(title=f"第{n}件")
        opened = await intake.open(words, stage.CITIZEN, NOW + timedelta(minutes=n))
        if n % 4 == 1:
            await play(opened, (stage.CITIZEN, o.Withdraw()))
        if n % 4 == 2:
            await play(
                opened, (stage.CENTRE_CLERK, o.Recall(reason="派错")), (stage.CENTRE_CLERK, o.Assign(to=stage.MARKET))
            )
        if n % 4 == 3:
            await play(opened, (stage.TOWN_CLERK, o.Return(reason="不归镇里")))
        if n == 4:
            await play(opened, (stage.TOWN_CLERK, o.Sign()))
        found += await store.cases([opened.id])
    return found


async def _pages(asked: Filter, reader: Actor, *, newest: bool, size: int) -> list[CaseRowView]:
    rows: list[CaseRowView] = []
    after: str | None = None
    while True:
        page = await queries.cases(asked, reader, LATER, size, after, newest=newest)
        rows += page
        if len(page) < size:
            return rows
        after = queries.cursor_after(page[-1], newest=newest)


async def _mine(cases: list[Case], reader: Actor) -> list[Case]:
    directory = await grid_facts.directory(NOW)
    return [
        case
        for case in cases
        if scope.may(reader, "case.read", standing.ownership(case, await store.legs(case.id), directory))
    ]


@pytest.mark.parametrize("rare", [0, 5_000])
@pytest.mark.parametrize("newest", [False, True])
async def test_pages_hold_what_reading_every_case_would_give_in_order(
    place: str, newest: bool, rare: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(paging, "GATHERED", rare)
    monkeypatch.setattr(paging, "TURNS", rare)
    monkeypatch.setattr(paging, "RARE", rare)  # both ways of looking for words and places
    monkeypatch.setattr(paging, "NEWEST", 1 if rare else 1_000)
    monkeypatch.setattr(listing, "FEW", 12 if rare else 0)  # organisations one by one, or all at once
    cases = await _many()
    cases = await store.cases([case.id for case in cases])
    for name in READERS:
        reader = stage.EVERYBODY[name]
        mine = await _mine(cases, reader)
        for what, (asked, fits) in ASKED.items():
            expected = [case for case in mine if fits(case)]
            by_age = sorted(expected, key=lambda c: (c.received_at, c.id), reverse=True)
            dated = sorted((c for c in by_age if c.due_at is not None), key=lambda c: (c.due_at or NOW, c.id))
            in_order = by_age if newest else [*dated, *(c for c in by_age if c.due_at is None)]
            got = await _pages(asked, reader, newest=newest, size=3)
            assert [row.title for row in got] == [case.title for case in in_order], (name, what)


@pytest.mark.parametrize("newest", [False, True])
async def test_a_list_is_cut_to_who_has_it_in_hand(place: str, newest: bool):
    taken, other = [await intake.open(report(), stage.CITIZEN, NOW + timedelta(minutes=n)) for n in range(2)]
    await play(other, (stage.TOWN_CLERK, o.Sign()))
    await play(taken, (stage.TOWN_CLERK, o.Sign()), (stage.TOWN_CLERK, o.SetHandler(person=stage.MANAGER.id)))
    for asked, found in (
        (Filter(handler=stage.MANAGER.id), {taken.id}),
        (Filter(handler=stage.MANAGER.id, state=OPEN), {taken.id}),
        (Filter(handler=stage.CITIZEN.id), set[UUID]()),
        (Filter(organisation=stage.TOWN_CENTRE), {taken.id, other.id}),
        (Filter(organisation=stage.TRANSPORT, state=OPEN), set[UUID]()),
    ):
        rows = await _pages(asked, stage.TOWN_CLERK, newest=newest, size=1)
        assert {row.id for row in rows} == found, asked


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("asked", [Filter(), Filter(state=OPEN), Filter(text="音乐")])
async def test_while_rows_change_what_stays_is_on_one_page_and_on_no_other(place: str, newest: bool, asked: Filter):
    """New cases come in, some seen and unseen ones are withdrawn: all others are met once, in order, to the last."""
    cases = [await intake.open(report(title=f"第{n}件"), stage.CITIZEN, NOW + timedelta(minutes=n)) for n in range(14)]
    order = list(reversed(cases)) if newest else cases
    gone = [order[n] for n in (1, 13, 4, 9)]
    waiting, met = list(gone), list[UUID]()
    after: str | None = None
    while page := await queries.cases(asked, stage.CENTRE_CLERK, LATER, 3, after, newest=newest):
        met += [row.id for row in page]
        after = queries.cursor_after(page[-1], newest=newest)
        if waiting:
            await play(waiting.pop(0), (stage.CITIZEN, o.Withdraw()))
            await intake.open(report(title="新来的"), stage.CITIZEN, LATER + timedelta(minutes=len(met)))
    stays = [case.id for case in order if case not in gone]
    assert [case for case in met if case in stays] == stays


async def test_a_case_is_ordered_by_the_nearest_due_of_what_is_still_to_be_handled(place: str):
    case = await intake.open(report(), stage.CITIZEN, NOW)
    legs = await store.legs(case.id)
    assert case.due_at == min(leg.handle_due for leg in legs if leg.handle_due is not None)
    assert {(leg.received_at, leg.town) for leg in legs} == {(case.received_at, case.town)}
    await play(case, (stage.CITIZEN, o.Withdraw()))
    assert (await store.cases([case.id]))[0].due_at is None


async def test_letters_before_digits_are_a_number_only_when_they_are_one(place: str):
    case = await intake.open(report(description="PM10 超标"), stage.CITIZEN, NOW)
    for text in ("PM10", "pm10", case.number, case.number[:10], case.number.lower()):
        assert [row.id for row in await queries.cases(Filter(text=text), stage.CENTRE_CLERK, NOW, 9)] == [case.id], text


async def test_words_that_were_erased_are_not_found(place: str):
    case = await intake.open(report(title="", description="楼下夜里放音乐"), stage.CITIZEN, NOW)
    assert await queries.cases(Filter(text="放音乐"), stage.CENTRE_CLERK, NOW, 9)
    await db.execute("update cases set title = '', description = '' where id = $1", case.id)
    assert not await queries.cases(Filter(text="放音乐"), stage.CENTRE_CLERK, NOW, 9)
