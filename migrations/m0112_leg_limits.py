"""Legs keep the limits of arriving and of the reply under supervision, so that a suspension moves these dues too."""

ID = "0112"
DESCRIPTION = "limits of arriving and replying on the leg"

STATEMENTS = (
    "alter table case_leg add column if not exists arrive_limit text",
    "alter table case_leg add column if not exists reply_limit text",
)
