"""Routing: drafts of rule sets, what a published one says of itself, and clocks that a rule gave a case."""

ID = "0103"
DESCRIPTION = "routing: drafts, notes of versions, limits set by a rule"

STATEMENTS: tuple[str, ...] = (
    """create table if not exists routing_draft (
        id uuid primary key,
        note text not null,
        document jsonb not null,
        author uuid not null,
        based_on integer not null check (based_on >= 0),
        restores integer,
        version integer not null check (version > 0),
        created_at timestamptz not null,
        changed_at timestamptz not null
    )""",
    "alter table routing_rules add column if not exists note text not null default ''",
    "alter table routing_rules add column if not exists restores integer",
    """create or replace function routing_rules_refuse() returns trigger language plpgsql as
        $$ begin raise exception 'published rules are never changed' using errcode = '42501'; end $$""",
    "drop trigger if exists routing_rules_fixed on routing_rules",
    """create trigger routing_rules_fixed before update or delete on routing_rules
        for each row execute function routing_rules_refuse()""",
    # the previous version, which writes no limits, goes on while this one is rolled out
    "alter table cases add column if not exists limits jsonb not null default '{}'",
)
