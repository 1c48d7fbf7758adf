"""Call-backs of households that were visited: a sample, and what they said."""

ID = "0213"
DESCRIPTION = "visits: call-backs"

STATEMENTS = (
    """create table if not exists visit_callback (
        id uuid primary key,
        visit_id uuid not null unique references visit (id),
        household_id uuid not null references household (id),
        area text not null,
        state text not null check (state in ('waiting', 'reached', 'unreached')),
        tries integer not null check (tries >= 0),
        satisfied boolean,
        words text not null,
        called_by uuid,
        called_at timestamptz,
        made_at timestamptz not null,
        check ((state = 'reached') = (satisfied is not null))
    )""",
    "create index if not exists visit_callback_waiting on visit_callback (area text_pattern_ops, id)"
    " where state = 'waiting'",
    "create index if not exists visit_callback_household on visit_callback (household_id) where state = 'waiting'",
)
