"""`zjw score`: try a scheme on a spreadsheet, compute the scores of a period, verify a run."""

import asyncio
import json
from collections.abc import Awaitable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
import msgspec

from app import reach, settings
from app.kernel import actor, clock, db
from app.kernel.problem import FieldError, Invalid, Problem
from app.settings import Settings
from scoring.teams import commands, engine, fact, period, period_commands, scheme
from scoring.teams.engine import Evaluation, Score

T = TypeVar("T")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
SHOWN = 40
"""How many bad cells are printed before the rest is counted."""


class Refused(click.ClickException):
    """What was handed in cannot be used: every bad field is listed. Exit code 1."""


@click.group("score")
def command() -> None:
    """Scores of teams, force units, towns and departments (考评)."""


@command.command("evaluate")
@click.option("--scheme", "scheme_file", type=FILE, required=True, help="Scheme as TOML.")
@click.option("--facts", "facts_file", type=FILE, required=True, help="Facts as CSV, columns as the relation `fact`.")
@click.option("--period", "period_code", required=True, help="2026-10, 2026-Q4 or 2026.")
@click.option("--watermark", default=None, help="Count what was known at this instant (ISO 8601 with offset).")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def evaluate(scheme_file: Path, facts_file: Path, period_code: str, watermark: str | None, as_json: bool) -> None:
    """Score a spreadsheet of facts by a scheme; needs no database."""
    rules = _read(scheme_file, scheme.read)
    named = _period(period_code, rules.length)
    known_at = None if watermark is None else _moment(watermark)
    evaluation = engine.evaluate(_read(facts_file, fact.from_csv), rules, named, watermark=known_at)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(evaluation), ensure_ascii=False, indent=1))
    else:
        click.echo(_told(evaluation))


def _read(file: Path, reader: Any) -> Any:
    try:
        return reader(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise Refused(f"{file} is not UTF-8 text 不是 UTF-8 文本") from None
    except Invalid as refusal:
        raise Refused(_listed(str(file), refusal.errors)) from None


def _listed(what: str, errors: tuple[FieldError, ...]) -> str:
    lines = [f"  {e.field}: {e.message[1]} {e.message[0]}" for e in errors[:SHOWN]]
    if len(errors) > SHOWN:
        lines.append(f"  … and {len(errors) - SHOWN} more")
    return "\n".join([f"{what} cannot be used 有误:", *lines])


def _period(code: str, length: str) -> period.Period:
    try:
        named = period.parse(code)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--period") from None
    if named.length != length:
        raise click.BadParameter(f"the scheme scores a {length}, {code} is a {named.length}", param_hint="--period")
    return named


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter("expected an ISO 8601 time with its offset", param_hint="--watermark")
    return moment


def _told(evaluation: Evaluation) -> str:
    """Return the scores as a table; pages show 2 places."""
    lines = [f"{evaluation.scheme}  {evaluation.period}"]
    for score in evaluation.subjects:
        total = "no data 无数据" if score.total is None else f"{score.total:.2f}"
        lines.append(f"{score.rank or '-':>4}  {score.subject}  {total}  {score.grade or ''}".rstrip())
        lines += [f"        {part}" for part in _lines(score)]
    return "\n".join(lines)


def _lines(score: Score) -> list[str]:
    lines: list[str] = []
    for i in score.indicators:
        worth = "" if i.points is None else f" → {i.points:.2f} of {i.weight:.2f}"
        lines.append(f"{i.code}: {i.numerator}/{i.denominator}{worth}")
    lines += [f"{p.code}: {p.count} → {p.points:.2f}" for p in score.point_rules if p.count]
    return lines + [f"{a.reference}: {a.points:.2f}" for a in score.adjustments]


@command.command("recompute")
@click.option("--period", "period_code", required=True, help="2026-10, 2026-Q4 or 2026.")
@click.option("--scheme", "scheme_code", default=None, help="Code of one scheme; default: all in force.")
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def recompute(period_code: str, scheme_code: str | None, district: str | None, as_json: bool) -> None:
    """Compute the scores of a period from its facts and store them."""
    chosen = settings.load()
    by = actor.system(district or chosen.district, "command line")
    done = _connected(chosen, commands.recompute(period_code, scheme_code, by, clock.now()))
    if as_json:
        click.echo(msgspec.json.encode(done))
        return
    for computed in done:
        click.echo(
            f"{computed.scheme} {computed.period}: {computed.scored} scored, {len(computed.moved)} moved,"
            f" run {computed.run}"
        )


@command.command("verify")
@click.option("--run", "run_id", type=click.UUID, required=True, help="Id of the run.")
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def verify(run_id: UUID, district: str | None, as_json: bool) -> None:
    """Compute a run again from what it names; exit code 1 when it does not come out to the byte."""
    chosen = settings.load()
    found = _connected(chosen, period_commands.verify(run_id, district or chosen.district))
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        click.echo("sound 一致" if found.sound else "\n".join(["not sound 不一致:", *found.findings]))
    if not found.sound:
        raise SystemExit(1)


def _connected(chosen: Settings, work: Awaitable[T]) -> T:
    """Run a command on the database of the settings."""

    async def run() -> T:
        db.configure(chosen.database_url)
        await db.start(1, 2)
        try:
            return await work
        finally:
            await db.stop()

    with reach.database(chosen.database_url):
        try:
            return asyncio.run(run())
        except Invalid as refusal:
            raise Refused(_listed("The input", refusal.errors)) from None
        except Problem as problem:
            raise Refused(f"{(problem.detail or problem.title)[1]} {(problem.detail or problem.title)[0]}") from None
