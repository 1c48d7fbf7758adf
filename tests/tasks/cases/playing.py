"""Plays a scenario (`scenarios/*.toml`) on the real database: who does what when, and what must be so after it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from app.kernel import db
from app.kernel.clock import SHANGHAI
from app.kernel.crs import Place
from app.kernel.ids import new_id
from app.kernel.problem import Problem
from app.notices import commands as notices
from grid import commands as grid
from grid.commands import EndOrganisation
from tasks.cases import commands, difficult_commands, intake, store, sweeping
from tasks.cases import orders as o
from tasks.cases.catalogue import Limits, versioned
from tasks.cases.events import CaseMoved, CaseOpened, LegEscalated
from tasks.cases.intake import Report, Reporter, Solved
from tasks.cases.model import Case, Leg, Severity, Signal
from tests.tasks.cases import stage, town

SQUAD_LEADER = stage.staff(78, stage.Role.SQUAD_LEADER, stage.SQUAD, stage.VILLAGE)
PEOPLE = {
    **stage.EVERYBODY, "squad leader": SQUAD_LEADER, "enforcement": stage.OFFICER,
    **{f"citizen {n}": stage.person(n) for n in range(1, 6)},
}  # fmt: skip
DESKS = {
    "centre": stage.CENTRE, "town": stage.TOWN_CENTRE, "station": stage.STATION, "squad": stage.SQUAD,
    "transport": stage.TRANSPORT, "market": stage.MARKET, "enforcement": stage.ENFORCEMENT, "police": stage.POLICE,
    "team": stage.TEAM, "other town": stage.OTHER_TOWN,
}  # fmt: skip
NAMES = {actor.id: name for name, actor in reversed(PEOPLE.items())} | {id_: name for name, id_ in DESKS.items()}
ORDERS: dict[str, type[o.Order]] = {o.name_of(each): each for each in (*o.CASE_ORDERS, *o.LEG_ORDERS)}
EVENTS: dict[str, Any] = {each.__name__: each for each in (CaseOpened, CaseMoved, LegEscalated)}
_ONE = frozenset({"to", "lead", "organisation"})
_MANY = frozenset({"assistants", "complained_about"})


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a scenario. What is left out is not looked at; times are those of the wall clock in Hangzhou."""

    who: str = "system"
    does: str
    of: str = "the case"
    at: str | None = None
    """A minute after the line before, if left out."""
    with_: dict[str, Any] = msgspec.field(default_factory=dict[str, Any], name="with")
    state: str | None = None
    legs: list[str] | None = None
    """Every leg in order: who, kind, state."""
    due: dict[str, str] = {}
    """`total`, `verify`, `call back`, or `town handle`: of the newest leg of that organisation."""
    counts: dict[str, Any] = {}
    told: list[str] | None = None
    """Everybody who gets a notice because of this line, and its kind."""
    refused: str | None = None
    possible: list[str] = []
    impossible: list[str] = []
    parts: list[str] = []
    """How the scenario calls the cases that this line opens below `of`."""
    finds: str | None = None


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A story of a clerk's day, with the sentence of the rules it shows."""

    title: str
    rule: str
    item: dict[str, Any] = {}
    """What the item 店外经营 (E0504) says otherwise here."""
    step: list[Step]


def read(path: Path) -> Scenario:
    """Return a scenario; a misspelt word in it is refused."""
    return msgspec.toml.decode(path.read_bytes(), type=Scenario)


def moment(text: str) -> datetime:
    """Return `2026-11-23 10:00` as of Hangzhou."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def _clock(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


class Play:
    """A scenario being played, in the present transaction."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.cases: dict[str, UUID] = {}
        self.item = "E0504"
        self.now = stage.NOW
        self.heard: set[UUID] = set()
        self.notices: set[UUID] = set()

    async def run(self) -> list[UUID]:
        """Play every line; return the cases. AssertionError names the line that came out otherwise."""
        if self.scenario.item:
            await self._own_item(dict(self.scenario.item))
        for number, step in enumerate(self.scenario.step, 1):
            self.now = self.now + timedelta(minutes=1) if step.at is None else moment(step.at)
            line = f"line {number}: {step.who} {step.does}"
            await self._do(step, line)
            await self._check(step, line)
        return list(self.cases.values())

    async def _own_item(self, said: dict[str, Any]) -> None:
        if "limits" in said:
            said["limits"] = {Severity.ROUTINE: Limits(**said["limits"])}
        plain = replace(stage.CATALOGUE.version("E0504", 1), code="T001", **said)
        self.item = "T001"
        await store.add_items([versioned(plain, 1, plain.effective_from)], new_id(), self.now, [new_id()])

    # ---- doing

    async def _do(self, step: Step, line: str) -> None:
        refusal: Problem | None = None
        try:
            await self._give(step, line)
        except Problem as problem:
            refusal = problem
        why = None if refusal is None else refusal.type
        assert step.refused == why, f"{line}: refused as {why} ({refusal})"
        allowed = {each["command"] for each in refusal.facts.get("allowed", ())} if refusal else set[str]()
        assert allowed >= set(step.possible), f"{line}: only {sorted(allowed)} is possible"
        assert allowed.isdisjoint(step.impossible), f"{line}: {sorted(allowed)} is possible"

    async def _give(self, step: Step, line: str) -> None:
        actor = PEOPLE[step.who]
        match step.does:
            case "report":
                self.cases[step.of] = (await intake.open(self._report(step), actor, self.now)).id
            case "sweep":
                await sweeping.sweep(stage.DISTRICT, self.now)
            case "be on duty":
                await self._on_duty(step)
            case "end":
                heir = DESKS[step.with_["successor"]]
                await grid.end_organisation(DESKS[step.who], EndOrganisation(successor=heir), stage.SYSTEM, self.now)
            case "look up":
                found = await difficult_commands.search(step.with_["text"], actor)
                titles = [each.entry.entry.title for each in found]
                assert titles[:1] == ([step.finds] if step.finds else []), f"{line}: {titles}"
            case _:
                await commands.give(self.cases[step.of], await self._order(step), actor, self.now)
        if step.parts:
            sql = "select id from cases where parent = $1 or origin = $1 order by id"
            rows = await db.fetch(sql, self.cases[step.of])
            self.cases |= dict(zip(step.parts, [row["id"] for row in rows], strict=True))

    def _report(self, step: Step) -> Report:
        said = self._named(step.with_)
        actor = PEOPLE[step.who]
        kind = said.pop("reporter", "citizen")
        solved = said.pop("solved", None)
        if solved is not None:
            solved["person"] = PEOPLE[solved["person"]].id
            solved = Solved(**self._named(solved))
        place: Place | None = town.INSIDE if said.pop("place", "inside") == "inside" else None
        signal = Signal(said.pop("signal", "none"))
        plain: dict[str, Any] = {"source": "citizen", "item": self.item, "description": "店外摆摊占道", "place": place}
        reporter = Reporter(kind=kind, id=actor.id if kind in ("citizen", "worker") else None)
        return Report(**plain | said, reporter=reporter, signal=signal, solved=solved)

    async def _order(self, step: Step) -> o.Order:
        said = self._named(step.with_)
        for key in ("into", "case"):
            if key in said:
                said[key] = self.cases[said[key]]
        for key in ("until", "due"):
            if key in said:
                said[key] = moment(said[key])
        if "person" in said:
            said["person"] = PEOPLE[said["person"]].id
        if "leg" in said:
            said["leg"] = (await self._leg(step.of, said["leg"])).id
        if "evidence" in said:
            said["evidence"] = tuple(stage.photo() for _ in range(said["evidence"]))
        builtin = msgspec.to_builtins(said, builtin_types=(datetime,))
        return msgspec.convert(builtin, ORDERS[step.does])

    def _named(self, said: dict[str, Any]) -> dict[str, Any]:
        one = {key: DESKS[value] for key, value in said.items() if key in _ONE}
        many = {key: tuple(DESKS[each] for each in value) for key, value in said.items() if key in _MANY}
        return said | one | many

    async def _on_duty(self, step: Step) -> None:
        person, desk = PEOPLE[step.who].id, DESKS[step.with_["for"]]
        await db.execute(
            "insert into person (id, organisation, name, started_at) values ($1, $2, '演示·值班', $3)",
            person, desk, self.now,
        )  # fmt: skip
        await db.execute(
            "insert into duty_shift (id, person, organisation, area, starts_at, ends_at)"
            " values ($1, $2, $3, $4, $5, $6)",
            new_id(), person, desk, stage.CELL, self.now - timedelta(hours=1), self.now + timedelta(hours=8),
        )  # fmt: skip

    # ---- looking

    async def _case(self, name: str) -> Case:
        return (await store.cases([self.cases[name]]))[0]

    async def _leg(self, case: str, organisation: str) -> Leg:
        legs = await store.legs(self.cases[case])
        return [leg for leg in legs if leg.organisation == DESKS[organisation]][-1]

    async def _check(self, step: Step, line: str) -> None:
        told = await self._tell()
        assert step.told is None or told == sorted(step.told), f"{line}: told {told}"
        if step.of not in self.cases:
            return
        case = await self._case(step.of)
        assert step.state in (None, case.state.value), f"{line}: the case is {case.state}"
        legs = [f"{NAMES[each.organisation]} {each.kind} {each.state}" for each in await store.legs(case.id)]
        assert step.legs in (None, legs), f"{line}: {legs}"
        counted = {name: getattr(case, name) for name in step.counts}
        assert counted == step.counts, f"{line}: {counted}"
        dues = {name: _clock(await self._due(step.of, case, name)) for name in step.due}
        assert dues == step.due, f"{line}: {dues}"

    async def _due(self, name: str, case: Case, clock: str) -> datetime | None:
        own = {"total": case.total_due, "verify": case.verify_due, "call back": case.call_back_due}
        if clock in own:
            return own[clock]
        organisation, _, which = clock.partition(" ")
        leg = await self._leg(name, organisation)
        due = {"sign": leg.sign_due, "arrive": leg.arrive_due, "handle": leg.handle_due, "reply": leg.reply_due}
        return due[which]

    async def _tell(self) -> list[str]:
        """Hand on what the line left in the outbox, as the worker does; return who was told what."""
        for row in await db.fetch("select event_id as id, type, body from outbox order by event_id"):
            if row["id"] in self.heard or row["type"] not in EVENTS:
                continue
            self.heard.add(row["id"])
            event: CaseOpened | CaseMoved | LegEscalated = msgspec.convert(row["body"], EVENTS[row["type"]])
            if isinstance(event, LegEscalated):
                await notices.on_escalated(event, self.now)
            else:
                await notices.on_case(event, self.now)
        rows = await db.fetch("select id, recipient, kind from notice")
        fresh = [row for row in rows if row["id"] not in self.notices]
        self.notices |= {row["id"] for row in fresh}
        return sorted(f"{NAMES[row['recipient']]}: {row['kind']}" for row in fresh)
