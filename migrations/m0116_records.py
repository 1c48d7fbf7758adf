"""What is on record stays: no table of records can be emptied; a daily root says which end of each chain it covers.

Triggers for rows do not fire for TRUNCATE (PostgreSQL 15, CREATE TRIGGER).
"""

ID = "0116"
DESCRIPTION = "records cannot be emptied or changed; ends of chains under daily roots"

_NEVER_EMPTIED = (
    "case_event",
    "case_root",
    "case_root_head",
    "fact",
    "access_log",
    "routing_rules",
    "sensing_rule_version",
    "score_period_event",
    "score_run",
    "score_appeal",
)

_FIXED = {
    "case_root": "update or delete",
    "case_root_head": "update or delete",
    "fact": "update or delete",
    # lines older than their period are deleted by the retention job
    "access_log": "update",
}

STATEMENTS: tuple[str, ...] = (
    """create or replace function refuse_change_of_record() returns trigger language plpgsql as
        $$ begin raise exception 'this is on record and stays as it is' using errcode = '42501'; end $$""",
    # the end a chain had when the root of a day was made; a chain that has not grown since has none of that day;
    # without a foreign key, which would wait for whoever has the case in hand
    """create table if not exists case_root_head (
        case_id uuid not null,
        day date not null,
        seq integer not null check (seq > 0),
        hash text not null,
        primary key (case_id, day)
    )""",
    # null: made before roots named the ends they cover
    "alter table case_root add column if not exists steps bigint",
    *(
        f"create or replace trigger {table}_never_emptied before truncate on {table}"
        " for each statement execute function refuse_change_of_record()"
        for table in _NEVER_EMPTIED
    ),
    *(
        f"create or replace trigger {table}_fixed before {what} on {table}"
        " for each row execute function refuse_change_of_record()"
        for table, what in _FIXED.items()
    ),
)
