"""Bytes that are to go when their rows have gone, and digests of pushed records under a key."""

ID = "0117"
DESCRIPTION = "erasure of evidence, sealed digests of pushed records"

STATEMENTS: tuple[str, ...] = (
    # a person who had all erased, a content nobody may refer to any more, an upload broken off
    """create table if not exists media_erasure (
        id uuid primary key,
        kind text not null check (kind in ('person', 'content', 'part')),
        name text not null,
        asked_at timestamptz not null,
        unique (kind, name)
    )""",
    "create index if not exists evidence_retain on evidence (retain_until) where retain_until is not null",
    "create index if not exists upload_content on upload (sha256) where outcome = 'completed'",
    # null: written before digests were sealed, or by the previous version while this one is rolled out
    "alter table push_record add column if not exists sealed text",
)
