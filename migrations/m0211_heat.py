"""Visits are counted by span of time and area for the map."""

ID = "0211"
DESCRIPTION = "visits: an index by time for the map"

STATEMENTS = ("create index if not exists visit_started on visit (started_at, area)",)
