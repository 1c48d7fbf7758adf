"""Evaluation: readings become episodes, and an episode opens one case, in one transaction (specification §2).

The worker may die between any two statements: nothing is kept outside the transaction, and `sweep` finds what is left.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel import db, outbox
from app.kernel.actor import Actor, system
from app.kernel.ids import new_id
from app.kernel.problem import Problem
from tasks.cases import commands as cases
from tasks.cases import intake
from tasks.cases.model import Signal
from tasks.cases.orders import Order, Reopen
from tasks.cases.orders import Signal as SignalOrder
from tasks.cases.problems import TransitionRefused
from tasks.sensing import alert_store, alerts, evaluation, store
from tasks.sensing.alert_store import Step, Watched
from tasks.sensing.alerts import Alert
from tasks.sensing.devices import Device
from tasks.sensing.episodes import Phase, State
from tasks.sensing.evaluation import Outcome, Progress, Published, Subject, Told
from tasks.sensing.events import AlertCleared, AlertRaised, DeviceHeard, DeviceSilent, ReadingsRecorded

SWEEP_AT_ONCE = 200
"""Subjects or alerts one query of the sweep takes."""


class Evaluated(Struct, frozen=True, kw_only=True):
    """What one evaluation did. `whole` is False when a part was left to whoever holds it, or more came meanwhile."""

    transitions: int
    whole: bool


async def on_readings(event: ReadingsRecorded, now: datetime) -> None:
    """Answer the doorbell: evaluate the channels that have news, in the event's transaction."""
    district = db.current().district or ""
    for channel in sorted(event.channels):  # the order in which `record` locks them
        await evaluate(channel, system(district, "sensing"), now)


async def evaluate(channel: UUID, actor: Actor, now: datetime) -> Evaluated:
    """Evaluate what is unread of a channel under every rule in force; a state somebody else holds is left to them."""
    async with db.transaction(actor.district):
        watched = await alert_store.watched(channel)
        if watched is None:
            return Evaluated(transitions=0, whole=True)
        current = await _current(watched, now)
        locked = await alert_store.lock_states(channel)
        old = await alert_store.versions(sorted({progress.version for progress in locked}))
        transitions = 0
        for progress in locked:
            in_force = current.get(progress.rule, old[progress.version])
            transitions += await _advance(progress, watched.subject, old[progress.version], in_force, actor, now)
        mine = {progress.rule for progress in locked} >= current.keys()
        whole = mine and await alert_store.clean(watched.subject)
    return Evaluated(transitions=transitions, whole=whole)


async def _current(watched: Watched, now: datetime) -> dict[UUID, Published]:
    """Return the rules in force for a channel, entering states for those that have none yet."""
    subject = watched.subject
    current = {each.rule: each for each in await alert_store.rules_for(watched.kind, subject.name)}
    fresh = [current[rule] for rule in current.keys() - await alert_store.watching(subject.channel)]
    if fresh:
        states = [
            Progress(id=new_id(), rule=each.rule, version=each.id, channel=subject.channel, state=State(), read_seq=0)
            for each in fresh
        ]
        await alert_store.begin_watch(states, subject, [each.published_at for each in fresh], now)
    return current


async def _advance(
    progress: Progress, subject: Subject, old: Published, current: Published, actor: Actor, now: datetime
) -> int:
    """Advance one (rule, subject): state, cursors, alerts, cases and trace; return how many transitions there were."""
    held = max(old.definition.allowed_lateness, current.definition.allowed_lateness) > 0
    readings = await alert_store.unread(subject, progress, held=held)
    outcome = evaluation.evaluate(progress, subject, readings, old, current, now)
    if outcome.progress == progress:
        return 0
    device = await store.device(subject.device) if outcome.told or outcome.silence is not None else None
    alert = progress.alert
    if device is not None:
        alert = await _tell(outcome, subject, device, {old.id: old, current.id: current}, actor, now)
        await _tell_silence(outcome, device, actor, now)
    await alert_store.save(msgspec.structs.replace(outcome.progress, alert=alert), now)
    return len(outcome.told)


async def _tell(
    outcome: Outcome,
    subject: Subject,
    device: Device,
    versions: dict[UUID, Published],
    actor: Actor,
    now: datetime,
) -> UUID | None:
    """Carry transitions to alerts, cases and trace in their order; return the alert the state now belongs to."""
    current = None if outcome.progress.alert is None else await alert_store.alert(outcome.progress.alert)
    steps: list[Step] = []
    for told in outcome.told:
        if told.transition.episode is not None:
            current = await _move(told, current, subject, device, versions[told.version], actor, now)
        steps.append(_step(told, outcome.progress, current, now))
    if current is not None and current.peak != outcome.progress.state.peak:
        await alert_store.change_alert(msgspec.structs.replace(current, peak=outcome.progress.state.peak))
    await alert_store.add_steps(steps)
    return None if current is None else current.id


def _step(told: Told, progress: Progress, alert: Alert | None, now: datetime) -> Step:
    transition = told.transition
    return Step(
        id=new_id(),
        rule=progress.rule,
        channel=progress.channel,
        alert=alert.id if alert is not None and transition.episode is not None else None,
        at=evaluation.instant(transition.at),
        source=transition.source.value,
        target=transition.target.value,
        value=transition.value,
        evaluated_at=now,
    )


async def _move(
    told: Told,
    current: Alert | None,
    subject: Subject,
    device: Device,
    version: Published,
    actor: Actor,
    now: datetime,
) -> Alert:
    """Carry one transition of an episode to its alert: begin, go on after a close, clear, or just change phase."""
    if alerts.begins(told.transition) or current is None:
        fresh = alerts.begin(told, subject, version, new_id(), now)
        await alert_store.add_alert(fresh)
        return await _raise(fresh, device, version, subject, actor, now)
    moved = alerts.move(current, told)
    await alert_store.change_alert(moved)
    if told.transition.resumed:
        return await _raise(moved, device, version, subject, actor, now)
    if told.transition.target is Phase.CLOSED:
        await _clear(moved, device, actor, now)
    return moved


async def _raise(
    alert: Alert, device: Device, version: Published, subject: Subject, actor: Actor, now: datetime
) -> Alert:
    """Open the case of an alert (or tell the one it has), unless the device is under maintenance."""
    resumed = alert.case_id is not None
    if alert.case_id is None or not await _fires_again(alert.case_id, actor, now):
        alert = await _open(msgspec.structs.replace(alert, case_id=None), device, version, subject, actor, now)
    await outbox.emit(
        AlertRaised(
            id=new_id(),
            at=now,
            actor=actor.id,
            alert=alert.id,
            device=alert.device,
            rule=alert.rule,
            case=alert.case_id,
            resumed=resumed,
            fired_at=alert.fired_at,
        )
    )
    return alert


async def _open(
    alert: Alert, device: Device, version: Published, subject: Subject, actor: Actor, now: datetime
) -> Alert:
    """Open the case; if it cannot be opened the alert waits with the reason, and the sweep tries again."""
    if device.maintained(alert.fired_at):
        opened = msgspec.structs.replace(alert, waiting=alerts.MAINTENANCE)
    else:
        try:
            async with db.transaction(actor.district):
                case = await intake.open(alerts.report(alert, device, version.definition, subject), actor, now)
            opened = msgspec.structs.replace(alert, case_id=case.id, waiting=None)
        except Problem as problem:
            opened = msgspec.structs.replace(alert, waiting=problem.type)
    await alert_store.change_alert(opened)
    return opened


async def _order(case: UUID, order: Order, actor: Actor, now: datetime) -> bool:
    """Give a command to a case; False when the case does not take it any more (it was closed or merged by people)."""
    try:
        async with db.transaction(actor.district):
            await cases.carry_out(case, order, actor, now)
    except TransitionRefused:
        return False
    return True


async def _fires_again(case: UUID, actor: Actor, now: datetime) -> bool:
    """Tell the case of an episode that goes on; a closed one is reopened first. False when it takes neither any more.

    A case that people merged, withdrew, rejected or archived cannot carry what happens after it: a new one must.
    """
    firing = SignalOrder(signal=Signal.FIRING)
    if await _order(case, firing, actor, now):
        return True
    reopened = await _order(case, Reopen(reason="预警信号再次触发 The signal fires again"), actor, now)
    return reopened and await _order(case, firing, actor, now)


async def _clear(alert: Alert, device: Device, actor: Actor, now: datetime) -> None:
    """Tell the case that its signal is clear; what was only suppressed is over without one."""
    if alert.case_id is not None:
        await _order(alert.case_id, SignalOrder(signal=Signal.CLEAR), actor, now)
    elif alert.waiting == alerts.MAINTENANCE:
        await alert_store.change_alert(msgspec.structs.replace(alert, waiting=None))
    await outbox.emit(
        AlertCleared(
            id=new_id(),
            at=now,
            actor=actor.id,
            alert=alert.id,
            device=device.id,
            rule=alert.rule,
            case=alert.case_id,
            closed_at=alert.closed_at or now,
        )
    )


async def _tell_silence(outcome: Outcome, device: Device, actor: Actor, now: datetime) -> None:
    """Begin or end the alert of a silent device, for its owner; it opens no case."""
    progress = outcome.progress
    if outcome.silence is True:
        number = await alert_store.count_silences(progress.rule, progress.channel) + 1
        alert = alerts.silence(progress, device.id, number, new_id(), now)
        await alert_store.add_alert(alert)
        await outbox.emit(
            DeviceSilent(id=new_id(), at=now, actor=actor.id, alert=alert.id, device=device.id, owner=device.owner)
        )
    elif outcome.silence is False:
        open_one = await alert_store.open_silence(progress.rule, progress.channel)
        if open_one is not None:
            ended = msgspec.structs.replace(open_one, phase=Phase.CLOSED.value, closed_at=now)
            await alert_store.change_alert(ended)
            await outbox.emit(
                DeviceHeard(id=new_id(), at=now, actor=actor.id, alert=ended.id, device=device.id, owner=device.owner)
            )


# --- what the doorbell missed


async def sweep(district: str, now: datetime) -> int:
    """Evaluate every dirty or due channel and open every case that waits; return how much was done. A schedule.

    Safe to run twice and on several workers at once: each subject is one transaction, taken with SKIP LOCKED. A subject
    that fails keeps no other waiting; an ExceptionGroup tells of all that failed, at the end.
    """
    actor = system(district, "sensing")
    faults: list[Exception] = []
    done = await _every(district, partial(alert_store.to_look_at, now), partial(_look_at, actor, now), faults)
    done += await _every(district, alert_store.waiting_alerts, partial(_open_waiting, actor, now), faults)
    if faults:
        raise ExceptionGroup("sensing: subjects that could not be evaluated", faults)
    return done


async def _every(
    district: str,
    page: Callable[[UUID | None, int], Awaitable[list[UUID]]],
    deal_with: Callable[[UUID], Awaitable[bool]],
    faults: list[Exception],
) -> int:
    """Deal with each of what the pages name, and return how many were dealt with; what fails is added to `faults`."""
    done = 0
    after: UUID | None = None
    while True:
        async with db.transaction(district):
            found = await page(after, SWEEP_AT_ONCE)
        for each in found:
            try:
                done += await deal_with(each)
            except Exception as fault:
                faults.append(fault)
        if len(found) < SWEEP_AT_ONCE:
            return done
        after = found[-1]


async def _look_at(actor: Actor, now: datetime, channel: UUID) -> bool:
    await evaluate(channel, actor, now)
    return True


async def _open_waiting(actor: Actor, now: datetime, alert_id: UUID) -> bool:
    async with db.transaction(actor.district):
        return await _try_again(alert_id, actor, now)


async def _try_again(alert_id: UUID, actor: Actor, now: datetime) -> bool:
    """Open the case of a waiting alert if it may be opened by now."""
    alert = await alert_store.lock_alert(alert_id)
    if alert is None or alert.waiting is None:
        return False
    device = await store.device(alert.device)
    watched = await alert_store.watched(alert.channel)
    if device is None or watched is None or device.maintained(now):
        return False
    version = (await alert_store.versions([alert.version]))[alert.version]
    lifted = msgspec.structs.replace(device, maintenance_from=None, maintenance_until=None)
    opened = await _open(alert, lifted, version, watched.subject, actor, now)
    if opened.case_id is not None and opened.phase == Phase.CLOSED.value:
        await _order(opened.case_id, SignalOrder(signal=Signal.CLEAR), actor, now)
    return opened.case_id is not None
