"""Made-up facts and schemes for the tests of evaluation."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import settings
from hypothesis import strategies as st

from app.kernel import db
from app.kernel import fact as kernel
from app.kernel.actor import Actor, Membership, Role
from scoring.teams import commands, fact, period, period_commands, scheme
from scoring.teams.computing import Computed
from scoring.teams.fact import Fact
from scoring.teams.store import PeriodState
from scoring.teams.versions import SchemeVersion

DATA = Path(__file__).parents[1] / "data"
EXAMPLE = (DATA / "scheme.toml").read_text()
invariant = settings(max_examples=30, deadline=None)
"""How hard an invariant is tried: enough to find a broken one, and the machine's mood does not matter."""

OCTOBER = period.parse("2026-10")
START = datetime(2026, 9, 30, 16, tzinfo=UTC)
"""00:00 of 1 October in Shanghai."""


def example_scheme() -> scheme.Scheme:
    return scheme.read(EXAMPLE)


def example_facts() -> list[Fact]:
    return fact.from_csv((DATA / "facts.csv").read_text())


def at(hours: float) -> datetime:
    """The instant so many hours into the October of Shanghai."""
    return START + timedelta(hours=hours)


def made(kind: str, fact_id: str, team: str = "team-01", **values: Any) -> Fact:
    """A fact of the grid force that occurred, was due and was recorded on 2 October, unless told otherwise."""
    usual: dict[str, Any] = {"force": "grid", "occurred_at": at(30), "due_at": at(40), "recorded_at": at(50)}
    return Fact(**{"fact_id": fact_id, "kind": kind, "team": team, **usual, **values})


@st.composite
def facts(draw: st.DrawFn, most: int = 25) -> list[Fact]:
    """Facts of three kinds and three teams around October; ids are unique, times lie inside and outside the month."""
    result: list[Fact] = []
    for number in range(draw(st.integers(0, most))):
        occurred = draw(st.integers(-100, 800))
        due = occurred + draw(st.integers(1, 100))
        done = draw(st.none() | st.integers(occurred, due + 50))
        kind = draw(st.sampled_from(("case", "survey", "supervision")))
        result.append(
            Fact(
                fact_id=f"f{number:03}",
                kind=kind,
                force=draw(st.sampled_from(("grid", "grid", "grid", "police"))),
                town=draw(st.sampled_from(("330109001", "330109002"))),
                team=draw(st.sampled_from(("team-01", "team-02", "team-03"))),
                person=draw(st.sampled_from(("p1", "p2"))),
                occurred_at=at(occurred),
                due_at=None if kind == "survey" else at(due),
                done_at=None if done is None else at(done),
                attributes=draw(_attributes(kind)),
                recorded_at=at(occurred + 1),
            )
        )
    return result


def _attributes(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    truth = st.booleans() | st.none()
    if kind == "case":
        return st.fixed_dictionaries({"reworks": st.integers(0, 2)}, optional={"deferred": truth})
    if kind == "survey":
        return st.fixed_dictionaries({"answered": truth, "satisfied": truth})
    return st.fixed_dictionaries({}, optional={"case": st.sampled_from(("c1", "c2", "c3"))})


async def store_facts(own: list[Fact]) -> None:
    """Write facts into the relation, through the kernel's one door."""
    await kernel.append([kernel.Fact(**msgspec.structs.asdict(fact)) for fact in own])


def staff(role: Role, area: str = "330109", organisation: UUID | None = None, number: int = 1) -> Actor:
    """A made-up member of staff; `number` tells people apart."""
    membership = Membership(role, organisation, area)
    return Actor(id=UUID(int=number), kind="staff", district="330109", memberships=(membership,))


CENTRE = staff(Role.DISTRICT_CENTRE, number=901)
COLLEAGUE = staff(Role.DISTRICT_CENTRE, number=902)


async def published(document: str = EXAMPLE, now: datetime = START) -> SchemeVersion:
    """Publish a scheme by two hands of the district centre."""
    draft = await commands.draft_scheme(document, CENTRE, now)
    await commands.review_scheme(draft.id, COLLEAGUE, now)
    return await commands.publish_scheme(draft.id, COLLEAGUE, now)


NOVEMBER = datetime(2026, 11, 14, tzinfo=UTC)
"""After every fact of the example was recorded."""


async def outbox(kind: str) -> list[dict[str, object]]:
    rows = await db.fetch("select body from outbox where type = $1 order by written_at, event_id", kind)
    return [row["body"] for row in rows]


async def computed(now: datetime = NOVEMBER) -> Computed:
    (result,) = await commands.recompute("2026-10", None, CENTRE, now)
    return result


async def frozen(now: datetime = NOVEMBER) -> PeriodState:
    await published()
    await store_facts(example_facts())
    await computed(now)
    return await period_commands.freeze_period("2026-10", CENTRE, now)
