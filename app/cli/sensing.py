"""`zjw sensing`: try a draft rule on a sheet of readings before it watches anything."""

import sys
from pathlib import Path

import click
import msgspec

from app.kernel.problem import Invalid, Problem
from tasks.sensing import rules, series


@click.group("sensing")
def command() -> None:
    """Rules on readings (感知预警)."""


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig") if str(path) != "-" else sys.stdin.read()
    except UnicodeDecodeError:
        raise click.ClickException(f"{path} is not UTF-8 text 不是 UTF-8 文本") from None


def _refusal(path: Path, problem: Problem) -> click.ClickException:
    if isinstance(problem, Invalid):
        listed = "".join(f"\n  {error.field}: {error.message[1]} {error.message[0]}" for error in problem.errors)
        return click.ClickException(f"{path} is not valid 内容有误:{listed}")
    return click.ClickException(f"{path}: {problem}")


_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


@command.command("simulate")
@click.option("--rule", "rule_path", type=_FILE, required=True, help="Rule in TOML or JSON; durations in seconds.")
@click.option("--series", "series_path", type=_FILE, required=True, help="CSV `at,value`; at = seconds or ISO 8601.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list of transitions.")
def simulate(rule_path: Path, series_path: Path, as_json: bool) -> None:
    """Show every transition a series of readings makes under a draft rule, by the very machine that runs live."""
    at_fault = rule_path
    try:
        rule = rules.loads(_text(rule_path))
        at_fault = series_path
        steps = series.simulate(rule, series.read(_text(series_path)))
    except Problem as problem:
        raise _refusal(at_fault, problem) from None
    if as_json:
        click.echo(msgspec.json.encode(steps).decode())
        return
    for step in steps:
        episode = "" if step.episode is None else f"episode {step.episode}"
        click.echo(f"{step.at:28}{step.source:>9} → {step.target:9}{step.value:>12g}  {episode}")
    click.echo(f"{len(steps)} transitions 次状态变化")
