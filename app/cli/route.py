"""`zjw route`: where would a case go, and why?"""

import asyncio
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import msgspec
from msgspec import Struct

from app import reach, settings
from app.kernel import clock, db
from app.kernel.crs import Place
from app.settings import Settings
from grid import facts as grid_facts
from grid.organisations import Directory
from tasks.cases import reference, routing
from tasks.cases.model import Severity
from tasks.cases.routing import Decision, RoutingCase
from tasks.cases.rules import RuleError
from tasks.cases.rules_compiled import RuleSet, read_rules

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Described(Struct, frozen=True, kw_only=True):
    """A case as written in a file: a place or a cell, and what the rules look at."""

    item: str
    source: str = "desk"
    severity: Severity | None = None
    place: Place | None = None
    cell: str | None = None
    title: str = ""
    description: str = ""
    attributes: dict[str, Any] = {}
    sender: UUID | None = None
    complained_about: tuple[UUID, ...] = ()
    at: datetime | None = None


@click.command("route")
@click.option("--case", "case_file", type=FILE, required=True, help="The case as JSON: item, source, place, …")
@click.option("--rules", "rules_file", type=FILE, default=None, help="A draft as TOML instead of the published rules.")
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(case_file: Path, rules_file: Path | None, district: str | None, as_json: bool) -> None:
    """Tell to whom a case would be assigned (派单), and which rules were looked at and why."""
    described = _described(case_file)
    chosen_rules = None if rules_file is None else draft(rules_file)
    chosen = settings.load()
    with reach.database(chosen.database_url):
        decision, directory = asyncio.run(
            _route(chosen, district or chosen.district, described, chosen_rules, clock.now())
        )
    click.echo(msgspec.json.encode(_answer(decision, directory)).decode() if as_json else _told(decision, directory))


def _described(file: Path) -> Described:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Described)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file}: not a case 不是事件: {error}") from None


def draft(file: Path) -> RuleSet:
    """Read a draft of rules from a TOML file; ClickException says what is wrong with it."""
    try:
        return read_rules(tomllib.loads(file.read_text(encoding="utf-8")))
    except (RuleError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file}: {error}") from None


async def _route(
    chosen: Settings, district: str, described: Described, rules: RuleSet | None, now: datetime
) -> tuple[Decision, Directory]:
    db.configure(chosen.database_url)
    await db.start(1, 2)
    try:
        async with db.transaction(district):
            have = await reference.present()
            directory = await grid_facts.directory(now)
            cell, reason = described.cell, "none" if described.cell is None else "covered"
            if described.place is not None:
                located = (await grid_facts.locate([described.place.wgs84()], now))[0]
                cell, reason = located.cell, located.reason
    finally:
        await db.stop()
    at = described.at or now
    item = have.catalogue.at(described.item, at)
    case = RoutingCase(
        item=described.item,
        entry=item,
        source=described.source,
        severity=described.severity or (item.severity if item else Severity.ROUTINE),
        area=cell or district,
        place=reason,
        words=f"{described.title}\n{described.description}",
        attributes=described.attributes,
        sender=described.sender,
        complained_about=frozenset(described.complained_about),
    )
    return routing.route(
        case, have.rules if rules is None else rules, directory, at, have.calendar, every=True
    ), directory


def _name(organisation: UUID | None, directory: Directory) -> str | None:
    found = None if organisation is None else directory.get(organisation)
    return None if found is None else found.name


def _answer(decision: Decision, directory: Directory) -> dict[str, Any]:
    names = {"lead_name": _name(decision.lead, directory), "desk_name": _name(decision.desk, directory)}
    others = [_name(each, directory) for each in decision.assistants]
    return msgspec.to_builtins(decision) | names | {"assistant_names": others}


def _told(decision: Decision, directory: Directory) -> str:
    zh, en = decision.reason
    lead = _name(decision.lead, directory)
    first = f"主办 lead: {lead}" if lead else f"交席位 to the desk: {_name(decision.desk, directory)}"
    others = [f"协办 assistant: {_name(each, directory)}" for each in decision.assistants]
    limits = [f"时限 limit: {clock} {limit}" for clock, limit in decision.limits.items()]
    left_out = [f"回避 left out: {why[0]} ({why[1]})" for why in decision.explanation.left_out]
    looks = [
        f"  {'✓' if look.matched else '–'} {look.rule}: {look.why[0]} ({look.why[1]})"
        for look in decision.explanation.looked_at
    ]
    said = [first, *others, *limits, f"原因 reason: {zh} ({en})", *left_out, "规则 rules looked at:", *looks]
    return "\n".join(said)
