"""The tables of sensing, as Piccolo reads and writes them; their DDL is migration 0040."""

from piccolo.columns import JSONB, UUID, BigInt, Boolean, Date, DoublePrecision, Integer, SmallInt, Text, Timestamptz
from piccolo.table import Table


class DeviceRow(Table, tablename="sensing_device"):
    """A sensor, camera, terminal or gateway."""

    id = UUID(primary_key=True, default=None)
    code = Text(unique=True, default=None)
    name = Text(default=None)
    kind = Text(default=None)
    owner = UUID(default=None)
    gateway = UUID(null=True, default=None)
    area = Text(null=True, default=None)
    lon = DoublePrecision(null=True, default=None)
    lat = DoublePrecision(null=True, default=None)
    address = Text(default=None)
    state = Text(default=None)
    maintenance_from = Timestamptz(null=True, default=None)
    maintenance_until = Timestamptz(null=True, default=None)
    registered_at = Timestamptz(default=None)
    last_seen_at = Timestamptz(null=True, default=None)


class KeyRow(Table, tablename="sensing_key"):
    """A key of a device or gateway; only its digest is kept."""

    id = UUID(primary_key=True, default=None)
    device = UUID(default=None)
    digest = Text(unique=True, default=None)
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(null=True, default=None)
    revoked_at = Timestamptz(null=True, default=None)


class ChannelRow(Table, tablename="sensing_channel"):
    """A quantity a device measures, with its counters and dirty mark."""

    id = UUID(primary_key=True, default=None)
    device = UUID(default=None)
    name = Text(default=None)
    unit = Text(default=None)
    low = DoublePrecision(null=True, default=None)
    high = DoublePrecision(null=True, default=None)
    spike = DoublePrecision(null=True, default=None)
    last_seq = BigInt(default=None)
    last_value = DoublePrecision(null=True, default=None)
    last_received_at = Timestamptz(null=True, default=None)
    max_at = Timestamptz(null=True, default=None)
    dirty_since = Timestamptz(null=True, default=None)


class ReadingRow(Table, tablename="reading"):
    """A reading; partitioned by day. The key is (device, channel, at), of which Piccolo can only name one part."""

    device = UUID(primary_key=True, default=None)
    channel = Text(default=None)
    at = Timestamptz(default=None)
    value = DoublePrecision(default=None)
    quality = SmallInt(default=None)
    flag = Text(null=True, default=None)
    seq = BigInt(default=None)
    received_at = Timestamptz(default=None)
    max_before = Timestamptz(null=True, default=None)
    heard_before = Timestamptz(null=True, default=None)


class DayRow(Table, tablename="reading_day"):
    """A day whose partition of readings exists."""

    day = Date(primary_key=True, default=None)
    opened_at = Timestamptz(default=None)


class ConflictRow(Table, tablename="reading_conflict"):
    """Another value for a time that has one."""

    id = UUID(primary_key=True, default=None)
    device = UUID(default=None)
    channel = Text(default=None)
    at = Timestamptz(default=None)
    value = DoublePrecision(default=None)
    quality = SmallInt(default=None)
    received_at = Timestamptz(default=None)


class QuarantineRow(Table, tablename="reading_quarantine"):
    """A reading of a time outside the days that are kept."""

    id = UUID(primary_key=True, default=None)
    device = UUID(default=None)
    channel = Text(default=None)
    at = Timestamptz(default=None)
    value = DoublePrecision(default=None)
    quality = SmallInt(default=None)
    reason = Text(default=None)
    received_at = Timestamptz(default=None)


class RuleRow(Table, tablename="sensing_rule"):
    """A rule under its name, whatever its version."""

    id = UUID(primary_key=True, default=None)
    name = Text(unique=True, default=None)
    retired_at = Timestamptz(null=True, default=None)


class RuleVersionRow(Table, tablename="sensing_rule_version"):
    """A published version of a rule; never changed."""

    id = UUID(primary_key=True, default=None)
    rule = UUID(default=None)
    version = Integer(default=None)
    kind = Text(default=None)
    channel = Text(default=None)
    definition = JSONB(default=None)
    published_at = Timestamptz(default=None)
    published_by = UUID(default=None)


class StateRow(Table, tablename="episode_state"):
    """Where the machine of one (rule, subject) stands."""

    id = UUID(primary_key=True, default=None)
    rule = UUID(default=None)
    version = UUID(default=None)
    channel = UUID(default=None)
    phase = Text(default=None)
    state = JSONB(default=None)
    read_seq = BigInt(default=None)
    event_cursor = Timestamptz(null=True, default=None)
    alert = UUID(null=True, default=None)
    no_data = Boolean(default=None)
    due_at = Timestamptz(null=True, default=None)
    late = BigInt(default=None)
    backfill = BigInt(default=None)
    changed_at = Timestamptz(default=None)


class AlertRow(Table, tablename="alert"):
    """One episode: a hazard, or the silence of a device."""

    id = UUID(primary_key=True, default=None)
    kind = Text(default=None)
    rule = UUID(default=None)
    version = UUID(default=None)
    channel = UUID(default=None)
    device = UUID(default=None)
    number = Integer(default=None)
    phase = Text(default=None)
    fired_at = Timestamptz(default=None)
    closed_at = Timestamptz(null=True, default=None)
    value = DoublePrecision(null=True, default=None)
    peak = DoublePrecision(null=True, default=None)
    flaps = Integer(default=None)
    resumed = Integer(default=None)
    case_id = UUID(null=True, default=None)
    waiting = Text(null=True, default=None)
    raised_at = Timestamptz(default=None)


class TransitionRow(Table, tablename="alert_transition"):
    """A change of phase, for the trace."""

    id = UUID(primary_key=True, default=None)
    rule = UUID(default=None)
    channel = UUID(default=None)
    alert = UUID(null=True, default=None)
    at = Timestamptz(default=None)
    source = Text(default=None)
    target = Text(default=None)
    value = DoublePrecision(default=None)
    evaluated_at = Timestamptz(default=None)
