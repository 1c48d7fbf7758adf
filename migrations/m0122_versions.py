"""Versions of items and of calendars stay as they were written; a case whose clocks stand still has no due.

Cases point to the version of their item, and dues were reckoned by the calendar of their day.
"""

ID = "0122"
DESCRIPTION = "versions of the catalogue and of calendars on record; no due while suspended"

_ON_RECORD = ("case_item", "case_calendar")

STATEMENTS: tuple[str, ...] = (
    *(
        f"create or replace trigger {table}_fixed before update or delete on {table}"
        " for each row execute function refuse_change_of_record()"
        for table in _ON_RECORD
    ),
    *(
        f"create or replace trigger {table}_never_emptied before truncate on {table}"
        " for each statement execute function refuse_change_of_record()"
        for table in _ON_RECORD
    ),
    # it comes back with the command that resumes the case
    "update cases set due_at = null where state = 'suspended' and due_at is not null",
)
