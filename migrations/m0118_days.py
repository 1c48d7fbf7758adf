"""Partitions of readings are made and dropped by functions of the owner: the application's role may not change tables.

They do nothing else, whatever they are called with (PostgreSQL 15, CREATE FUNCTION, "Writing SECURITY DEFINER
Functions Safely").
"""

ID = "0118"
DESCRIPTION = "functions of the owner for partitions of readings"

STATEMENTS: tuple[str, ...] = (
    """create or replace function reading_day_make(day date) returns void
        language plpgsql security definer set search_path from current as $$
        begin
            execute format(
                'create table if not exists reading_%s partition of reading for values from (%L) to (%L)',
                to_char(day, 'YYYYMMDD'), day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
        end $$""",
    """create or replace function reading_day_drop(day date) returns void
        language plpgsql security definer set search_path from current as $$
        begin execute format('drop table if exists reading_%s', to_char(day, 'YYYYMMDD')); end $$""",
    "revoke execute on function reading_day_make(date) from public",
    "revoke execute on function reading_day_drop(date) from public",
)
