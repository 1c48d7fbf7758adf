"""Notices: the inbox of persons and desks, addresses for messages, and what became of each delivery."""

ID = "0070"
DESCRIPTION = "notices: inbox, addresses, deliveries"

STATEMENTS: tuple[str, ...] = (
    """create table if not exists notice (
        id uuid primary key,
        recipient uuid not null,
        kind text not null check (kind ~ '^[a-z_]+$'),
        about uuid not null,
        step text not null,
        number text not null,
        zh text not null,
        en text not null,
        critical boolean not null,
        made_at timestamptz not null,
        read_at timestamptz,
        read_by uuid,
        unique (recipient, kind, about, step)
    )""",
    "create index if not exists notice_unread on notice (recipient, id) where read_at is null",
    "create index if not exists notice_read on notice (recipient, id) where read_at is not null",
    "create index if not exists notice_recent on notice (recipient, made_at)",
    # `about` is the case a citizen follows, or the recipient itself for a phone
    """create table if not exists notice_address (
        id uuid primary key,
        recipient uuid not null,
        channel text not null check (channel in ('sms', 'subscribe_message')),
        about uuid not null,
        address text not null,
        set_at timestamptz not null,
        set_by uuid not null,
        unique (recipient, channel, about)
    )""",
    """create table if not exists notice_delivery (
        id uuid primary key,
        notice uuid not null references notice (id) on delete cascade,
        channel text not null check (channel in ('sms', 'subscribe_message', 'webhook')),
        address uuid,
        critical boolean not null,
        state text not null check (state in ('pending', 'sent', 'failed', 'given_up')),
        tries integer not null check (tries >= 0),
        next_at timestamptz not null,
        sent_at timestamptz,
        error text,
        unique (notice, channel)
    )""",
    "create index if not exists notice_delivery_due on notice_delivery (channel, next_at)"
    " where state in ('pending', 'failed')",
    "create index if not exists notice_delivery_when on notice_delivery (next_at)",
)
