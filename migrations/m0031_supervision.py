"""Cases: supervision of a leg until the centre releases it."""

ID = "0031"
DESCRIPTION = "supervision of legs"

STATEMENTS = tuple(
    f"alter table case_leg add column if not exists {column} timestamptz"
    for column in ("supervised_at", "reply_due", "replied_at")
)
