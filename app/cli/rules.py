"""`zjw rules`: check a draft of routing rules, show those in force, try a draft on past cases."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import msgspec

from app import reach, settings
from app.cli.progress import bars
from app.cli.route import draft
from app.kernel import actor, clock, db
from app.kernel.problem import Problem
from app.settings import Settings
from grid.organisations import Directory
from tasks.cases import rules_backtest, rules_commands, rules_files
from tasks.cases.rules_backtest import BackTest
from tasks.cases.rules_commands import RulesView
from tasks.cases.rules_compiled import RuleSet

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
SHOWN = 40
"""How many cases that move are listed before the rest is counted; `--json` has all."""
BAR_FROM = 20_000
"""So many cases take over two seconds: then progress is shown."""


@click.group("rules")
def command() -> None:
    """Routing rules (派单规则). Publishing takes two people and is done in the web client or the API."""


@command.command("check")
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(file: Path, as_json: bool) -> None:
    """Compile a draft and print its rules, most specific first; exit code 1 with every fault otherwise."""
    rules = draft(file)
    ordered = [each.rule for each in rules]
    if as_json:
        click.echo(msgspec.json.encode({"rules": [rule.id for rule in ordered]}))
        return
    click.echo(f"{len(rules)} rules 条规则, most specific first:")
    for each in rules:
        click.echo(f"  {each.rule.id}: {each.said[0]} → {each.rule.lead}")


@command.command("show")
@click.option(
    "--version", type=click.IntRange(0), default=None, help="A version; default: the one in force. 0: shipped."
)
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with author, reviewer and rules.")
def show(version: int | None, district: str | None, as_json: bool) -> None:
    """Print a version of the rules as TOML that can be edited into a draft."""
    chosen = settings.load()
    found = _connected(chosen, _version(version, district or chosen.district))
    click.echo(msgspec.json.encode(found) if as_json else rules_files.toml_of(found.rules))


async def _version(version: int | None, district: str) -> RulesView:
    return await rules_commands.version(version, actor.system(district, "command line"))


@command.command("backtest")
@click.option("--rules", "file", type=FILE, required=True, help="The draft as TOML.")
@click.option("--last", type=click.IntRange(1, 200_000), default=10_000, show_default=True, help="How many cases.")
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: matrix, every case that moves, use of rules.")
def backtest(file: Path, last: int, district: str | None, as_json: bool) -> None:
    """Print where the last cases would go by a draft, beside where they went: a matrix and a list (回测)."""
    rules, chosen = draft(file), settings.load()
    tested, directory = _connected(chosen, _tried(rules, last, district or chosen.district))
    click.echo(msgspec.json.encode(_answer(tested, directory)) if as_json else _told(tested, directory))


async def _tried(rules: RuleSet, last: int, district: str) -> tuple[BackTest, Directory]:
    progress = bars()

    def told(done: int, of: int) -> None:
        if of >= BAR_FROM:
            progress("cases 事件", done, of)

    return await rules_commands.tried(rules, last, district, clock.now(), told)


def _connected(chosen: Settings, work: Any) -> Any:
    """Run a command on the database of the settings."""

    async def run() -> Any:
        db.configure(chosen.database_url)
        await db.start(1, 2)
        try:
            return await work
        finally:
            await db.stop()

    with reach.database(chosen.database_url):
        try:
            return asyncio.run(run())
        except Problem as problem:
            raise click.ClickException(f"{problem.title[1]} {problem.title[0]}") from None


def _name(organisation: UUID | None, directory: Directory) -> str:
    if organisation is None:
        return "席位 desk"
    found = directory.get(organisation)
    return str(organisation) if found is None else found.name


def _answer(tested: BackTest, directory: Directory) -> dict[str, Any]:
    """Return the back-test as builtins, organisations with their names."""
    named = {each for flow in tested.matrix for each in (flow.then, flow.now) if each is not None}
    return msgspec.to_builtins(tested) | {"names": {str(each): _name(each, directory) for each in named}}


def _told(tested: BackTest, directory: Directory) -> str:
    head = f"{tested.cases} cases 事件: {tested.same} same 不变, {tested.moved} moved 改派,"
    head += f" {tested.named} named by their source 来源指定"
    listed = [
        f"  {m.number} {m.item}: {_name(m.then, directory)} [{m.then_rule or '-'}] → {_name(m.now, directory)}"
        f" [{m.now_rule or '-'}] {m.why[0]}"
        for m in tested.list[:SHOWN]
    ]
    if tested.moved > SHOWN:
        listed.append(f"  … and {tested.moved - SHOWN} more; --json lists all 其余见 --json")
    idle = [rule for rule, cases in tested.rules.items() if not cases]
    unused = [f"Rules that decided nothing 未用到的规则: {', '.join(idle)}"] if idle else []
    return "\n".join([head, *_matrix(tested, directory), *(["Moved 改派:"] if listed else []), *listed, *unused])


def _matrix(tested: BackTest, directory: Directory) -> list[str]:
    """Return the matrix then × now by kind of organisation, as lines: one row a kind, its targets after it."""
    rows: dict[str, Counter[str]] = {}
    for flow in tested.matrix:
        row = rows.setdefault(rules_backtest.group_of(flow.then, directory), Counter())
        row[rules_backtest.group_of(flow.now, directory)] += flow.cases
    columns = sorted({now for row in rows.values() for now in row})
    ordered = sorted(rows, key=lambda then: -rows[then].total())
    if not ordered:
        return []
    key = [f"  {n}: {name}" for n, name in enumerate(columns, 1)]
    head = "".join(f"{n:>7}" for n in range(1, len(columns) + 1))
    body = ["".join(f"{rows[then][now] or '·':>7}" for now in columns) + f"  {then}" for then in ordered]
    return ["Then (rows) → now (columns) 当时（行）→ 现在（列）:", head, *body, *key]
