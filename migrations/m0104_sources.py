"""Channels: platforms that push, their mappings in versions, what they pushed, their events, and files imported."""

ID = "0104"
DESCRIPTION = "sources with mappings, pushed records, CloudEvents taken, bulk imports"

STATEMENTS = (
    """
    create table if not exists source (
        id uuid primary key,
        code text not null unique,
        name text not null,
        organisation uuid,
        sandbox boolean not null,
        version integer not null,
        mapping jsonb not null,
        changed_at timestamptz not null,
        changed_by uuid not null
    )
    """,
    """
    create table if not exists source_version (
        id uuid primary key,
        source text not null,
        version integer not null,
        name text not null,
        mapping jsonb not null,
        author uuid not null,
        at timestamptz not null,
        unique (source, version)
    )
    """,
    """
    create table if not exists push_record (
        id uuid primary key,
        source text not null,
        external_id text not null,
        case_id uuid not null,
        number text not null,
        digests jsonb not null,
        at timestamptz not null,
        changed_at timestamptz not null,
        unique (source, external_id)
    )
    """,
    """
    create table if not exists push_event (
        id uuid primary key,
        channel text not null,
        source text not null,
        event_id text not null,
        digest text not null,
        answer jsonb not null,
        at timestamptz not null,
        unique (channel, source, event_id)
    )
    """,
    """
    create table if not exists case_import (
        id uuid primary key,
        source text not null,
        file text not null,
        digest text not null,
        mapping jsonb not null,
        actor jsonb not null,
        author uuid not null,
        area text not null,
        dry_run boolean not null,
        state text not null check (state in ('queued', 'running', 'done')),
        total integer not null,
        stored integer not null,
        updated integer not null,
        unchanged integer not null,
        refused integer not null,
        created_at timestamptz not null,
        finished_at timestamptz
    )
    """,
    "create index if not exists case_import_created on case_import (created_at desc, id)",
    """
    create table if not exists case_import_row (
        id uuid primary key,
        import_id uuid not null references case_import (id) on delete cascade,
        row integer not null,
        sealed text not null,
        unique (import_id, row)
    )
    """,
    """
    create table if not exists case_import_fault (
        id uuid primary key,
        import_id uuid not null references case_import (id) on delete cascade,
        row integer not null,
        field text not null,
        zh text not null,
        en text not null
    )
    """,
    "create index if not exists case_import_fault_row on case_import_fault (import_id, row, id)",
)
