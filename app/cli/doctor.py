"""`zjw doctor`: how everything is, and what to do about it."""

import asyncio

import click

from app import doctor, settings
from app.kernel import clock

SIGNS = {"ok": "✓", "warning": "!", "bad": "✗"}


@click.command("doctor")
def command() -> None:
    """Check database, extensions, migrations, queue, storage, clock, holidays, keys and disk. Exit code 1 if ill."""
    findings = asyncio.run(doctor.examine(settings.load(), clock.now()))
    for finding in findings:
        remedy = f"\n    → {finding.remedy}" if finding.remedy else ""
        click.echo(f"{SIGNS[finding.state]} {finding.part:<11} {finding.text}{remedy}")
    if any(finding.state == "bad" for finding in findings):
        raise SystemExit(1)
