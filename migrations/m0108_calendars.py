"""Cases: the district's own calendar; what was urged and answered on a leg, its stages, its level of supervision."""

ID = "0108"
DESCRIPTION = "cases: calendars, rungs of the ladder, answers to urging, named stages"

STATEMENTS = (
    """create table if not exists case_calendar (
        id uuid primary key,
        version integer not null unique check (version > 0),
        document jsonb not null,
        author uuid not null,
        published_at timestamptz not null
    )""",
    # the calendar by which every due was last reckoned
    """create table if not exists case_reckoning (
        id integer primary key check (id = 1),
        fingerprint text not null,
        at timestamptz not null
    )""",
    "alter table case_marks add column if not exists calendar uuid",
    *(
        f"alter table case_leg add column if not exists {column}"
        for column in (
            "stages jsonb not null default '[]'",
            "rungs jsonb not null default '[]'",
            "urged_at timestamptz",
            "answered_at timestamptz",
            "supervision_level integer check (supervision_level between 1 and 3)",
        )
    ),
    "alter table cases add column if not exists reminded_until timestamptz",
    # the sweep reads the legs and cases that are due in the order of their time
    "drop index if exists case_leg_urge",
    "drop index if exists cases_wake",
    "create index if not exists case_leg_sweep on case_leg (next_urge_at, id) where next_urge_at is not null",
    "create index if not exists cases_sweep on cases (wake_at, id) where wake_at is not null",
    # the second loop: whose answer is missing, who is under supervision
    """create index if not exists case_leg_watched on case_leg (case_id)
        where supervised_at is not null or urged_at is not null""",
    "create index if not exists cases_town_open on cases (town, state)"
    " where state not in ('rejected', 'closed', 'merged', 'withdrawn', 'archived')",
)
