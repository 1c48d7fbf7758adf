"""`zjw handover`: everything open of somebody who leaves goes to somebody else."""

import asyncio
from uuid import UUID

import click
import msgspec

from app import handover, reach, settings, wiring
from app.handover import HandedOver, Handover
from app.identity import handover_commands as identity
from app.kernel import clock, db
from app.kernel.actor import system
from app.kernel.problem import Invalid, Problem
from app.settings import Settings


@click.command("handover")
@click.option("--from", "leaver", required=True, help="Username or id of who leaves 离岗人员.")
@click.option("--to", "heir", required=True, help="Username or id of who takes over 接手人员.")
@click.option("--reason", default="离岗交接 handover", help="Why; it stands in the access log.")
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(leaver: str, heir: str, reason: str, district: str | None, as_json: bool) -> None:
    """Hand over the work of a leaver (离岗交接): open cases, visits, shifts; roles, sessions and phones end.

    All of it or nothing. Exit code 1: no such person, or the other one cannot take over.
    """
    chosen = settings.load()
    with reach.database(chosen.database_url):
        try:
            done = asyncio.run(_hand_over(chosen, district or chosen.district, leaver, heir, reason))
        except Invalid as refused:
            raise click.ClickException("; ".join(f"{e.field}: {' '.join(e.message)}" for e in refused.errors)) from None
        except Problem as refused:
            raise click.ClickException(f"{' '.join(refused.title)} {refused.facts or ''}".strip()) from None
    click.echo(msgspec.json.encode(done).decode() if as_json else _told(done))


async def _hand_over(chosen: Settings, district: str, leaver: str, heir: str, reason: str) -> HandedOver:
    wiring.configure(chosen)
    db.configure(chosen.database_url)
    await db.start(1, 2)
    try:
        order = Handover(to=await _account(district, heir), reason=reason)
        return await handover.hand_over(
            await _account(district, leaver), order, system(district, "command line"), clock.now()
        )
    finally:
        await db.stop()


async def _account(district: str, named: str) -> UUID:
    try:
        return UUID(named)
    except ValueError:
        return await identity.account_of(district, named)


def _told(done: HandedOver) -> str:
    lines = [
        f"事件 cases: {done.cases}",
        f"走访 visits: {done.visits.reassigned}",
        f"值班 shifts: {done.shifts}",
        f"结束 ended: {done.ended.memberships} roles, {done.ended.sessions} sessions, {done.ended.devices} phones",
    ]
    if done.visits.unplanned:
        lines.append(f"待重新安排 to be planned anew by the squad leader: {done.visits.unplanned} visits")
    if done.visits.unsent:
        lines.append(f"手机未上传 still on the leaver's phone: {done.visits.unsent} records")
    return "\n".join(lines)
