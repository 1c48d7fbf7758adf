"""Queries on rules, states of the machine and alerts; the caller opens the transaction. The rest: `store`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.identity.scope import Reach
from app.kernel import db
from tasks.sensing import rules
from tasks.sensing.alerts import Alert
from tasks.sensing.evaluation import Progress, Published, Subject
from tasks.sensing.quality import Reading
from tasks.sensing.rules import Rule
from tasks.sensing.store import columns, reach_arguments, read, visible

# --- rules


async def rule_id(name: str, fresh: UUID) -> UUID:
    """Return the id of the rule of a name, entering it under `fresh` when it is new; the row is locked."""
    await db.execute("insert into sensing_rule (id, name) values ($1, $2) on conflict (name) do nothing", fresh, name)
    return await db.fetchval("select id from sensing_rule where name = $1 for update", name)


async def last_version(rule: UUID) -> int:
    """Return the number of a rule's newest version, 0 when it has none."""
    return await db.fetchval("select coalesce(max(version), 0) from sensing_rule_version where rule = $1", rule)


async def add_version(published: Published, by: UUID) -> None:
    """Write a published version; a rule that was retired is in force again."""
    await db.execute(
        "insert into sensing_rule_version (id, rule, version, kind, channel, definition, published_at, published_by)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8)",
        published.id,
        published.rule,
        published.version,
        published.definition.kind,
        published.definition.channel,
        rules.document(published.definition),
        published.published_at,
        by,
    )
    await db.execute(
        "update sensing_rule set retired_at = null where id = $1 and retired_at is not null", published.rule
    )


_VERSION = "v.id, v.rule, v.version, v.definition, v.published_at"
_NEWEST = "v.version = (select max(n.version) from sensing_rule_version n where n.rule = v.rule)"


def _published(rows: Sequence[Any]) -> list[Published]:
    return [
        Published(
            id=row["id"],
            rule=row["rule"],
            version=row["version"],
            definition=msgspec.convert(row["definition"], Rule, strict=False),
            published_at=row["published_at"],
        )
        for row in rows
    ]


async def rules_for(kind: str, channel: str) -> list[Published]:
    """Return the versions in force for the channel of a kind of device."""
    rows = await db.fetch(
        f"select {_VERSION} from sensing_rule_version v join sensing_rule r on r.id = v.rule"
        f" where v.kind = $1 and v.channel = $2 and r.retired_at is null and {_NEWEST} order by v.rule",
        kind,
        channel,
    )
    return _published(rows)


async def versions(ids: Sequence[UUID]) -> dict[UUID, Published]:
    """Return versions by id."""
    rows = await db.fetch(f"select {_VERSION} from sensing_rule_version v where v.id = any($1::uuid[])", list(ids))
    return {version.id: version for version in _published(rows)}


# --- subjects and their state


class Watched(Struct, frozen=True, kw_only=True):
    """A subject with what its device says about it."""

    subject: Subject
    kind: str


async def watched(channel: UUID) -> Watched | None:
    """Return a channel as the subject of rules, as it stands now."""
    row = await db.fetchrow(
        "select c.id as channel, c.device, c.name, c.unit, c.last_seq, c.max_at, c.last_received_at, d.kind"
        " from sensing_channel c join sensing_device d on d.id = c.device where c.id = $1",
        channel,
    )
    if row is None:
        return None
    fields = dict(row)
    return Watched(kind=fields.pop("kind"), subject=msgspec.convert(fields, Subject))


_PROGRESS = columns(Progress)


async def begin_watch(
    states: Sequence[Progress], subject: Subject, published: Sequence[datetime], now: datetime
) -> None:
    """Enter states that are missing; what had arrived before the rule was published counts as read."""
    await db.execute(
        "insert into episode_state (id, rule, version, channel, phase, state, read_seq, no_data,"
        " late, backfill, changed_at)"
        " select s.id, s.rule, s.version, $4, 'OK', s.state, coalesce((select max(r.seq) from reading r"
        " where r.device = $5 and r.channel = $6 and r.received_at < s.since), 0), false, 0, 0, $8"
        " from unnest($1::uuid[], $2::uuid[], $3::uuid[], $7::jsonb[], $9::timestamptz[])"
        " as s(id, rule, version, state, since) on conflict (rule, channel) do nothing",
        [state.id for state in states],
        [state.rule for state in states],
        [state.version for state in states],
        subject.channel,
        subject.device,
        subject.name,
        [msgspec.to_builtins(state.state) for state in states],
        now,
        list(published),
    )


async def watching(channel: UUID) -> set[UUID]:
    """Return the rules that have a state for a channel."""
    rows = await db.fetch("select rule from episode_state where channel = $1", channel)
    return {row["rule"] for row in rows}


async def lock_states(channel: UUID) -> list[Progress]:
    """Lock the states of a channel that nobody else evaluates at the moment, by rule."""
    rows = await db.fetch(
        f"select {_PROGRESS} from episode_state where channel = $1 order by rule for update skip locked", channel
    )
    return read(rows, Progress)


async def unread(subject: Subject, progress: Progress, *, held: bool) -> list[Reading]:
    """Return the readings not fetched yet, up to the subject's newest; with `held` those above the cursor too."""
    rows = await db.fetch(
        f"select {columns(Reading)} from reading where device = $1 and channel = $2 and seq > $3 and seq <= $4",
        subject.device,
        subject.name,
        progress.read_seq,
        subject.last_seq,
    )
    if held and progress.event_cursor is not None:
        rows += await db.fetch(
            f"select {columns(Reading)} from reading where device = $1 and channel = $2 and at > $3 and seq <= $4",
            subject.device,
            subject.name,
            progress.event_cursor,
            progress.read_seq,
        )
    return read(rows, Reading)


async def save(progress: Progress, now: datetime) -> None:
    """Write a locked state."""
    await db.execute(
        "update episode_state set version = $2, phase = $3, state = $4, read_seq = $5, event_cursor = $6, alert = $7,"
        " no_data = $8, due_at = $9, late = $10, backfill = $11, changed_at = $12 where id = $1",
        progress.id,
        progress.version,
        progress.state.phase.value,
        msgspec.to_builtins(progress.state),
        progress.read_seq,
        progress.event_cursor,
        progress.alert,
        progress.no_data,
        progress.due_at,
        progress.late,
        progress.backfill,
        now,
    )


async def clean(subject: Subject) -> bool:
    """Take the dirty mark off, unless more readings came meanwhile (False)."""
    taken = await db.execute(
        "update sensing_channel set dirty_since = null where id = $1 and last_seq <= $2",
        subject.channel,
        subject.last_seq,
    )
    return taken == 1


async def to_look_at(now: datetime, after: UUID | None, limit: int) -> list[UUID]:
    """Return channels that are dirty or due, by id from `after` on."""
    rows = await db.fetch(
        "select id from (select id from sensing_channel where dirty_since is not null"
        " union select channel from episode_state where due_at <= $1) as c(id)"
        " where $2::uuid is null or id > $2 order by id limit $3",
        now,
        after,
        limit,
    )
    return [row["id"] for row in rows]


# --- alerts


async def add_alert(alert: Alert) -> None:
    """Write a new alert."""
    values = msgspec.structs.astuple(alert)
    marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await db.execute(f"insert into alert ({columns(Alert)}) values ({marks})", *values)


async def change_alert(alert: Alert) -> None:
    """Write what may change of an alert."""
    await db.execute(
        "update alert set phase = $2, closed_at = $3, peak = $4, flaps = $5, resumed = $6, case_id = $7, waiting = $8"
        " where id = $1",
        alert.id,
        alert.phase,
        alert.closed_at,
        alert.peak,
        alert.flaps,
        alert.resumed,
        alert.case_id,
        alert.waiting,
    )


async def alert(alert_id: UUID) -> Alert | None:
    """Return an alert."""
    rows = await db.fetch(f"select {columns(Alert)} from alert where id = $1", alert_id)
    return next(iter(read(rows, Alert)), None)


async def open_silence(rule: UUID, channel: UUID) -> Alert | None:
    """Return the silence that has not ended."""
    rows = await db.fetch(
        f"select {columns(Alert)} from alert where rule = $1 and channel = $2 and kind = 'silent'"
        " and phase <> 'CLOSED'",
        rule,
        channel,
    )
    return next(iter(read(rows, Alert)), None)


async def count_silences(rule: UUID, channel: UUID) -> int:
    """Return how many silences there were."""
    return await db.fetchval(
        "select count(*) from alert where rule = $1 and channel = $2 and kind = 'silent'", rule, channel
    )


async def waiting_alerts(after: UUID | None, limit: int) -> list[UUID]:
    """Return alerts whose case is due and not open yet, by id from `after` on."""
    rows = await db.fetch(
        "select id from alert where waiting is not null and ($1::uuid is null or id > $1) order by id limit $2",
        after,
        limit,
    )
    return [row["id"] for row in rows]


async def lock_alert(alert_id: UUID) -> Alert | None:
    """Lock an alert nobody else works on."""
    rows = await db.fetch(f"select {columns(Alert)} from alert where id = $1 for update skip locked", alert_id)
    return next(iter(read(rows, Alert)), None)


class Step(Struct, frozen=True, kw_only=True):
    """A transition as it is kept."""

    id: UUID
    rule: UUID
    channel: UUID
    alert: UUID | None
    at: datetime
    source: str
    target: str
    value: float
    evaluated_at: datetime


async def add_steps(steps: Sequence[Step]) -> None:
    """Write transitions."""
    if steps:
        await db.copy("alert_transition", Step.__struct_fields__, [msgspec.structs.astuple(step) for step in steps])


class EpisodeView(Struct, frozen=True, kw_only=True):
    """An alert as people see it, with the names of rule, device and channel; `unit` is of `value` and `peak`."""

    id: UUID
    kind: str
    rule: str
    rule_version: int
    device: UUID
    device_code: str
    device_name: str
    channel: str
    unit: str
    number: int
    phase: str
    fired_at: datetime
    closed_at: datetime | None
    value: float | None
    peak: float | None
    flaps: int
    resumed: int
    case: UUID | None
    waiting: str | None


async def episodes(
    reach: Reach,
    owners: Sequence[UUID],
    *,
    device: UUID | None,
    is_open: bool | None,
    before: UUID | None,
    limit: int,
) -> list[EpisodeView]:
    """Return alerts within reach, newest first."""
    rows = await db.fetch(
        "select a.id, a.kind, r.name as rule, v.version as rule_version, a.device, d.code as device_code,"
        " d.name as device_name, c.name as channel, c.unit, a.number, a.phase, a.fired_at, a.closed_at, a.value,"
        ' a.peak, a.flaps, a.resumed, a.case_id as "case", a.waiting from alert a'
        " join sensing_device d on d.id = a.device"
        " join sensing_channel c on c.id = a.channel join sensing_rule r on r.id = a.rule"
        f" join sensing_rule_version v on v.id = a.version where {visible('d', 1)}"
        " and ($4::uuid is null or a.device = $4) and ($5::boolean is null or (a.phase <> 'CLOSED') = $5)"
        " and ($6::uuid is null or a.id < $6) order by a.id desc limit $7",
        *reach_arguments(reach, owners),
        device,
        is_open,
        before,
        limit,
    )
    return read(rows, EpisodeView)
