"""Sensing: devices and their keys, readings by day, rules, the state of every alert, and the alerts themselves."""

ID = "0040"
DESCRIPTION = "devices, readings by day, rules, episodes"

STATEMENTS = (
    """create table if not exists sensing_device (
        id uuid primary key,
        code text not null unique,
        name text not null,
        kind text not null,
        owner uuid not null,
        gateway uuid references sensing_device (id),
        area text,
        lon double precision check (lon between -180 and 180),
        lat double precision check (lat between -90 and 90),
        address text not null,
        state text not null check (state in ('active', 'retired')),
        maintenance_from timestamptz,
        maintenance_until timestamptz,
        registered_at timestamptz not null,
        last_seen_at timestamptz
    )""",
    "create index if not exists sensing_device_gateway on sensing_device (gateway) where gateway is not null",
    "create index if not exists sensing_device_kind on sensing_device (kind, id)",
    """create table if not exists sensing_key (
        id uuid primary key,
        device uuid not null references sensing_device (id),
        digest text not null unique,
        created_at timestamptz not null,
        expires_at timestamptz,
        revoked_at timestamptz
    )""",
    "create index if not exists sensing_key_device on sensing_key (device)",
    # The counters of a channel are its dirty mark too: written under its lock, in the transaction of its readings.
    """create table if not exists sensing_channel (
        id uuid primary key,
        device uuid not null references sensing_device (id),
        name text not null,
        unit text not null,
        low double precision,
        high double precision,
        spike double precision,
        last_seq bigint not null,
        last_value double precision,
        last_received_at timestamptz,
        max_at timestamptz,
        dirty_since timestamptz,
        unique (device, name)
    )""",
    "create index if not exists sensing_channel_dirty on sensing_channel (dirty_since) where dirty_since is not null",
    """create table if not exists reading (
        device uuid not null,
        channel text not null,
        at timestamptz not null,
        value double precision not null,
        quality smallint not null check (quality in (1, 2, 3, 4, 9)),
        flag text check (flag in ('clock_future')),
        seq bigint not null,
        received_at timestamptz not null,
        max_before timestamptz,
        heard_before timestamptz,
        primary key (device, channel, at)
    ) partition by range (at)""",
    "create index if not exists reading_seq on reading (device, channel, seq)",
    "create index if not exists reading_at on reading using brin (at)",
    """create table if not exists reading_day (
        day date primary key,
        opened_at timestamptz not null
    )""",
    """create table if not exists reading_conflict (
        id uuid primary key,
        device uuid not null,
        channel text not null,
        at timestamptz not null,
        value double precision not null,
        quality smallint not null,
        received_at timestamptz not null,
        unique (device, channel, at, value)
    )""",
    """create table if not exists reading_quarantine (
        id uuid primary key,
        device uuid not null,
        channel text not null,
        at timestamptz not null,
        value double precision not null,
        quality smallint not null,
        reason text not null check (reason in ('before-retention', 'far-future', 'day-not-open')),
        received_at timestamptz not null,
        unique (device, channel, at, value)
    )""",
    """create table if not exists sensing_rule (
        id uuid primary key,
        name text not null unique,
        retired_at timestamptz
    )""",
    """create table if not exists sensing_rule_version (
        id uuid primary key,
        rule uuid not null references sensing_rule (id),
        version integer not null,
        kind text not null,
        channel text not null,
        definition jsonb not null,
        published_at timestamptz not null,
        published_by uuid not null,
        unique (rule, version)
    )""",
    "create index if not exists sensing_rule_version_subject on sensing_rule_version (kind, channel)",
    """create or replace function refuse_change_of_sensing_rule() returns trigger language plpgsql as $$
    begin
        raise exception 'a published rule version is never changed' using errcode = 'restrict_violation';
    end $$""",
    """create or replace trigger sensing_rule_version_immutable before update or delete on sensing_rule_version
        for each row execute function refuse_change_of_sensing_rule()""",
    """create table if not exists episode_state (
        id uuid primary key,
        rule uuid not null references sensing_rule (id),
        version uuid not null references sensing_rule_version (id),
        channel uuid not null references sensing_channel (id),
        phase text not null check (phase in ('OK', 'PENDING', 'FIRING', 'CLEARING', 'CLOSED')),
        state jsonb not null,
        read_seq bigint not null,
        event_cursor timestamptz,
        alert uuid,
        no_data boolean not null,
        due_at timestamptz,
        late bigint not null,
        backfill bigint not null,
        changed_at timestamptz not null,
        unique (rule, channel)
    )""",
    "create index if not exists episode_state_channel on episode_state (channel)",
    "create index if not exists episode_state_due on episode_state (due_at) where due_at is not null",
    """create table if not exists alert (
        id uuid primary key,
        kind text not null check (kind in ('hazard', 'silent')),
        rule uuid not null references sensing_rule (id),
        version uuid not null references sensing_rule_version (id),
        channel uuid not null references sensing_channel (id),
        device uuid not null references sensing_device (id),
        number integer not null,
        phase text not null check (phase in ('FIRING', 'CLEARING', 'CLOSED')),
        fired_at timestamptz not null,
        closed_at timestamptz,
        value double precision,
        peak double precision,
        flaps integer not null,
        resumed integer not null,
        case_id uuid,
        waiting text,
        raised_at timestamptz not null,
        unique (rule, channel, kind, number)
    )""",
    "create index if not exists alert_device on alert (device, id)",
    "create index if not exists alert_open on alert (id) where phase <> 'CLOSED'",
    "create index if not exists alert_waiting on alert (id) where waiting is not null",
    """create table if not exists alert_transition (
        id uuid primary key,
        rule uuid not null,
        channel uuid not null,
        alert uuid,
        at timestamptz not null,
        source text not null,
        target text not null,
        value double precision not null,
        evaluated_at timestamptz not null,
        unique (rule, channel, at)
    )""",
)
