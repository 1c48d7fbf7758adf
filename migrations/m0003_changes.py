"""Kernel: the change feed that phones pull, and its head."""

ID = "0003"
DESCRIPTION = "change feed"

STATEMENTS = (
    """create table if not exists feed_head (
        id smallint primary key check (id = 1),
        epoch uuid not null,
        position bigint not null check (position >= 0)
    )""",
    """create table if not exists change (
        id uuid primary key,
        bucket text not null,
        kind text not null,
        entity text not null,
        version integer not null,
        body jsonb,
        mark bigint not null,
        position bigint
    )""",
    "create index if not exists change_unplaced on change (id) where position is null",
    "create index if not exists change_bucket_position on change (bucket, position)",
    "create unique index if not exists change_position on change (position)",
    "create index if not exists change_key on change (bucket, kind, entity)",
)
