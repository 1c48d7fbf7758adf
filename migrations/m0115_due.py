"""Lists of what is due, and of what is open: two indexes hold with each case what most filters ask of it."""

ID = "0115"
DESCRIPTION = "lists of due and of open cases from one index each"

_ENDED = "'rejected', 'closed', 'merged', 'withdrawn', 'archived'"
_ASKED = "item, source, severity, area, town, desk, reporter, lon, lat"

STATEMENTS = (
    # no row of the table is read but those shown; few cases are open, so they are small and take the place of three
    f"""create index if not exists cases_by_due on cases (due_at, id) include (received_at, state, {_ASKED})
        where due_at is not null""",
    f"""create index if not exists cases_open_newest on cases (received_at, id) include (due_at, state, {_ASKED})
        where state not in ({_ENDED})""",
    "drop index if exists cases_due",
    "drop index if exists cases_due_town",
    "drop index if exists cases_state",
)
