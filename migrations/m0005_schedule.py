"""Worker: when each schedule is due next, so that it runs once however many workers there are."""

ID = "0005"
DESCRIPTION = "schedules"

STATEMENTS = (
    """create table if not exists schedule (
        name text primary key,
        due_at timestamptz not null,
        leased_until timestamptz,
        ran_at timestamptz,
        error text
    )""",
)
