"""Cases: merging, splitting, inspections, who was complained about, who else reported, who verifies and reviews."""

ID = "0101"
DESCRIPTION = "cases: merging, origin, joined reporters, verifier, review, checklist"

STATEMENTS = (
    *(
        f"alter table cases add column if not exists {column}"
        for column in (
            "looked_at timestamptz",
            "complained_about jsonb not null default '[]'",
            "merged_into uuid references cases (id)",
            "origin uuid references cases (id)",
            "handler uuid",
            "verifier uuid",
            "verifier_at timestamptz",
            "reviewed_at timestamptz",
            "checklist jsonb not null default '[]'",
        )
    ),
    "create index if not exists cases_merged_into on cases (merged_into) where merged_into is not null",
    "create index if not exists cases_origin on cases (origin) where origin is not null",
    "create index if not exists cases_handler on cases (handler) where handler is not null",
    "create index if not exists cases_verifier on cases (verifier, state) where verifier is not null",
    # everybody else who joined a case; the one who reported it first stands in the case itself
    """create table if not exists case_reporter (
        id uuid primary key,
        case_id uuid not null references cases (id),
        kind text not null check (kind in ('citizen', 'resident')),
        reporter uuid,
        name text,
        phone text,
        joined_at timestamptz not null,
        unique (case_id, reporter)
    )""",
    "create index if not exists case_reporter_reporter on case_reporter (reporter) where reporter is not null",
)
