"""Kernel: events on their way, and the facts scoring reads."""

ID = "0001"
DESCRIPTION = "outbox and facts"

STATEMENTS = (
    """create table if not exists outbox (
        event_id uuid primary key,
        type text not null,
        body jsonb not null,
        written_at timestamptz not null,
        next_at timestamptz not null,
        rung_at timestamptz,
        tries integer not null default 0,
        done text[] not null default '{}',
        error text,
        dead_at timestamptz
    )""",
    "create index if not exists outbox_next on outbox (next_at) where dead_at is null",
    """create table if not exists fact (
        fact_id text not null,
        version integer not null check (version > 0),
        kind text not null,
        force text check (force in ('enforcement', 'police', 'grid')),
        town text,
        force_unit text,
        department text,
        team text,
        person text,
        item text,
        occurred_at timestamptz not null,
        due_at timestamptz,
        done_at timestamptz,
        attributes jsonb not null,
        recorded_at timestamptz not null,
        superseded_at timestamptz,
        primary key (fact_id, version)
    )""",
    "create index if not exists fact_kind_occurred on fact (kind, force, occurred_at)",
    "create index if not exists fact_kind_due on fact (kind, force, due_at)",
    "create index if not exists fact_kind_done on fact (kind, force, done_at)",
    "create index if not exists fact_recorded on fact (recorded_at)",
)
