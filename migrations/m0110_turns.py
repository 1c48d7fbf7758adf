"""Legs of a case: the index that keeps their order also tells whose they are, so that no row is read for it."""

ID = "0110"
DESCRIPTION = "organisations of a case's legs from the index alone"

STATEMENTS = (
    "create unique index if not exists case_leg_order on case_leg (case_id, ordinal) include (organisation)",
    "alter table case_leg drop constraint if exists case_leg_case_id_ordinal_key",
)
