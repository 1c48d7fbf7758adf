"""HTTP: answers kept for retried requests."""

ID = "0004"
DESCRIPTION = "idempotency keys"

STATEMENTS = (
    """create table if not exists idempotency_key (
        actor uuid not null,
        key text not null,
        fingerprint text not null,
        at timestamptz not null,
        status integer,
        headers jsonb,
        body bytea,
        primary key (actor, key)
    )""",
    "create index if not exists idempotency_key_at on idempotency_key (at)",
)
