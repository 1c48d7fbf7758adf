"""Case events for others: the stream in the order of commits, webhooks of sources, and what became of each delivery."""

ID = "0106"
DESCRIPTION = "webhooks out and the stream of case events"

STATEMENTS: tuple[str, ...] = (
    # what a subscriber asks of the outbox: the undone events of one case (app/kernel/outbox.py, `undone`)
    "create index if not exists outbox_case on outbox ((body ->> 'case')) where body ? 'case'",
    # `position` is given after the commit, under the lock of the head: a reader cannot pass a slow transaction
    """create table if not exists case_stream (
        event_id uuid primary key,
        position bigint unique,
        case_id uuid not null,
        step bigint not null check (step >= 0),
        at timestamptz not null,
        type text not null check (type in ('opened', 'moved', 'closed')),
        source text not null,
        body jsonb not null
    )""",
    "create index if not exists case_stream_new on case_stream (step, at, event_id) where position is null",
    "create index if not exists case_stream_source on case_stream (source, position)",
    "create index if not exists case_stream_at on case_stream (at)",
    # `kept_from`: events up to this position may have been deleted
    """create table if not exists case_stream_head (
        id integer primary key check (id = 1),
        position bigint not null,
        kept_from bigint not null
    )""",
    """create table if not exists webhook (
        id uuid primary key,
        source text not null,
        url text not null check (url ~ '^https?://'),
        secret text not null,
        events text[] not null check (cardinality(events) > 0 and events <@ array['opened', 'moved', 'closed']),
        state text not null check (state in ('active', 'paused', 'gone')),
        retired boolean not null,
        hold_until timestamptz,
        version integer not null check (version > 0),
        created_at timestamptz not null,
        created_by uuid not null,
        changed_at timestamptz not null,
        changed_by uuid
    )""",
    "create index if not exists webhook_source on webhook (source)",
    """create table if not exists webhook_delivery (
        id uuid primary key,
        webhook uuid not null references webhook (id),
        event_id uuid not null references case_stream (event_id),
        case_id uuid not null,
        step bigint not null,
        state text not null check (state in ('waiting', 'delivered', 'dead')),
        attempts integer not null check (attempts >= 0),
        queued_at timestamptz not null,
        next_try_at timestamptz not null,
        lease uuid,
        leased_until timestamptz,
        done_at timestamptz,
        last_status integer,
        last_error text,
        duration_ms integer,
        unique (webhook, event_id)
    )""",
    "create index if not exists webhook_delivery_due on webhook_delivery (webhook, next_try_at)"
    " where state = 'waiting'",
    "create index if not exists webhook_delivery_order on webhook_delivery (webhook, case_id, step, event_id)"
    " where state = 'waiting'",
    "create index if not exists webhook_delivery_log on webhook_delivery (webhook, id)",
    "create index if not exists webhook_delivery_dead on webhook_delivery (webhook, id) where state = 'dead'",
    "create index if not exists webhook_delivery_done on webhook_delivery (done_at) where state <> 'waiting'",
    "create index if not exists webhook_delivery_event on webhook_delivery (event_id)",
)
