"""An alert (预警): one episode of a rule on a channel, and the report it makes to the router; pure."""

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel.crs import Datum, Place
from tasks.cases.model import Severity, Signal
from tasks.cases.report import Report, Reporter
from tasks.sensing.devices import Device
from tasks.sensing.episodes import Phase, Transition
from tasks.sensing.evaluation import Progress, Published, Subject, Told, instant
from tasks.sensing.rules import Rule

SOURCE = "sensing"
"""The source of every case an alert opens."""
MAINTENANCE = "maintenance"


class Alert(Struct, frozen=True, kw_only=True):
    """One episode of a rule on a channel (or the silence of a device), with the case it opened.

    `waiting`: why a case that is due is not open yet (`maintenance`, or the type of the problem).
    """

    id: UUID
    kind: str
    rule: UUID
    version: UUID
    channel: UUID
    device: UUID
    number: int
    phase: str
    fired_at: datetime
    closed_at: datetime | None = None
    value: float | None = None
    peak: float | None = None
    flaps: int = 0
    resumed: int = 0
    case_id: UUID | None = None
    waiting: str | None = None
    raised_at: datetime


def key(alert: Alert) -> str:
    """Return the key of the alert's case, unique among its source: an episode opens one each time it begins or goes on.

    It goes on in the case it has; only where people merged, withdrew or archived that one does the key open another.
    """
    return f"alert:{alert.id}" + (f":{alert.resumed}" if alert.resumed else "")


def begins(transition: Transition) -> bool:
    """Say whether a transition begins a new episode."""
    into = transition.target is Phase.FIRING and transition.source is not Phase.CLEARING
    return into and not transition.resumed


def begin(told: Told, subject: Subject, version: Published, alert_id: UUID, now: datetime) -> Alert:
    """Return the alert of a new episode."""
    transition = told.transition
    return Alert(
        id=alert_id,
        kind="hazard",
        rule=version.rule,
        version=told.version,
        channel=subject.channel,
        device=subject.device,
        number=transition.episode or 0,
        phase=transition.target.value,
        fired_at=instant(transition.at),
        value=transition.value,
        peak=transition.value,
        raised_at=now,
    )


def move(alert: Alert, told: Told) -> Alert:
    """Return the alert after a transition of its episode."""
    transition = told.transition
    return msgspec.structs.replace(
        alert,
        phase=transition.target.value,
        closed_at=instant(transition.at) if transition.target is Phase.CLOSED else None,
        flaps=transition.flaps,
        resumed=alert.resumed + transition.resumed,
    )


def silence(progress: Progress, device: UUID, number: int, alert_id: UUID, now: datetime) -> Alert:
    """Return the alert of a device that has gone silent."""
    return Alert(
        id=alert_id,
        kind="silent",
        rule=progress.rule,
        version=progress.version,
        channel=progress.channel,
        device=device,
        number=number,
        phase=Phase.FIRING.value,
        fired_at=now,
        raised_at=now,
    )


def report(alert: Alert, device: Device, rule: Rule, subject: Subject) -> Report:
    """Return the report that opens the case of an alert: what was measured, where, and by whose device."""
    value = f"{alert.value:g}" if alert.value is not None else "?"
    limit = f"{rule.on:g} {subject.unit}"
    place = (
        None if device.lon is None or device.lat is None else Place(lon=device.lon, lat=device.lat, datum=Datum.WGS84)
    )
    return Report(
        source=SOURCE,
        external_id=key(alert),
        item=rule.item or "",
        title=(rule.title or f"{device.name}：{subject.name} 超限")[:200],
        description=f"{device.name}（{device.code}）{subject.name} {value} {subject.unit}，超过 {limit}。"
        f" {subject.name} {value} {subject.unit} is above {limit}.",
        reporter=Reporter(kind="machine", id=device.id),
        place=place,
        address=device.address,
        severity=Severity(rule.severity),
        occurred_at=alert.fired_at,
        sender=device.owner,
        signal=Signal.FIRING,
    )
