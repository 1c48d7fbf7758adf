"""Identity: wrong passwords are counted by username, whether anybody has it or not."""

ID = "0006"
DESCRIPTION = "sign-in failures by username"

STATEMENTS = (
    """create table if not exists sign_in_failure (
        guard text primary key,
        failures integer not null,
        locked_until timestamptz,
        at timestamptz not null
    )""",
    "create index if not exists sign_in_failure_at on sign_in_failure (at)",
    "alter table account drop column if exists failures, drop column if exists locked_until",
)
