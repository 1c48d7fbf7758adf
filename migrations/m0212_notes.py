"""Notes of a squad from one shift to the next, and the district's own rules of visiting."""

ID = "0212"
DESCRIPTION = "visits: notes between shifts, rules of visiting"

STATEMENTS = (
    """create table if not exists shift_note (
        id uuid primary key,
        squad uuid not null references organisation (id),
        author uuid not null,
        text text not null check (text <> ''),
        written_at timestamptz not null,
        expires_at timestamptz not null check (expires_at > written_at)
    )""",
    "create index if not exists shift_note_squad on shift_note (squad, id)",
    "create index if not exists shift_note_expires on shift_note (expires_at)",
    """create table if not exists visit_rules (
        id uuid primary key,
        version integer not null unique check (version > 0),
        document jsonb not null,
        author uuid not null,
        published_at timestamptz not null
    )""",
)
