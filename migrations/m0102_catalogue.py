"""The catalogue's authors, the library of difficult items, and the word statistics behind suggestions."""

ID = "0102"
DESCRIPTION = "authors of item versions, difficult items, statistics of words"

STATEMENTS = (
    "alter table case_item add column if not exists author uuid",
    "alter table case_marks add column if not exists difficult uuid",
    """create table if not exists difficult_item (
        id uuid primary key,
        code text unique,
        version integer not null check (version > 0),
        title text not null,
        description text not null,
        keywords jsonb not null,
        domain text not null,
        lead text not null,
        assistants jsonb not null,
        basis text not null,
        origin text not null check (origin in ('library', 'ruling')),
        provenance text not null,
        item text,
        case_id uuid,
        used integer not null check (used >= 0),
        created_at timestamptz not null,
        created_by uuid,
        updated_at timestamptz not null,
        retired_at timestamptz
    )""",
    "create index if not exists difficult_item_case on difficult_item (case_id) where case_id is not null",
    """create table if not exists difficult_use (
        id uuid primary key,
        entry uuid not null references difficult_item (id),
        case_id uuid not null,
        actor uuid not null,
        at timestamptz not null,
        unique (entry, case_id)
    )""",
    """create table if not exists suggestion_statistics (
        id integer primary key check (id = 1),
        mark uuid not null,
        cases integer not null,
        words jsonb not null,
        computed_at timestamptz not null
    )""",
)
