"""Lists of cases: what they are ordered and found by, so that each filter of a desk is served by an index."""

ID = "0107"
DESCRIPTION = "due of a case, indexes of lists, bigrams of texts"

_ENDED = "'rejected', 'closed', 'merged', 'withdrawn', 'archived'"
_RARE = "'rejected', 'merged', 'withdrawn', 'archived'"
_OPEN_LEG = "'unsigned', 'signed', 'submitted'"

STATEMENTS = (
    "alter table cases add column if not exists due_at timestamptz",
    """update cases c set due_at = d.due_at from (select case_id, min(handle_due) as due_at from case_leg
        where state in ('unsigned', 'signed') group by case_id) d where d.case_id = c.id and c.due_at is null""",
    "alter table case_leg add column if not exists received_at timestamptz",
    "alter table case_leg add column if not exists town text",
    """update case_leg l set received_at = c.received_at, town = coalesce(c.town, '') from cases c
        where c.id = l.case_id and l.received_at is null""",
    "alter table case_leg alter column received_at set not null",
    "alter table case_leg alter column town set not null",
    # The words of a text as pairs of neighbouring characters; tasks/cases/bigrams.py cuts the query the same way.
    r"""create or replace function case_grams(words text) returns text[] language sql immutable strict parallel safe as
        $$ select array(
            select distinct substr(run, i, 2)
            from regexp_split_to_table(lower(words), '[^0-9a-z\u3400-\u9fff]+') run,
                generate_series(1, greatest(length(run) - 1, 1)) i
            where run <> '') $$""",
    """create index if not exists cases_grams on cases
        using gin (case_grams(title || ' ' || address || ' ' || description))""",
    "drop index if exists cases_received",
    "create index if not exists cases_newest on cases (received_at, id)",
    "drop index if exists cases_area",
    "create index if not exists cases_town on cases (left(area, 9), received_at, id)",
    "create index if not exists cases_village on cases (left(area, 12), received_at, id)",
    "drop index if exists cases_open",
    f"create index if not exists cases_state on cases (state, received_at, id) where state not in ({_ENDED})",
    f"create index if not exists cases_rare on cases (state, received_at, id) where state in ({_RARE})",
    "create index if not exists cases_due on cases (due_at, id) where due_at is not null",
    "create index if not exists cases_due_town on cases (left(area, 9), due_at, id) where due_at is not null",
    "drop index if exists cases_desk",
    "create index if not exists cases_desk_town on cases (desk, coalesce(town, ''), received_at, id)",
    "drop index if exists cases_item",
    "create index if not exists cases_item_newest on cases (item, received_at, id)",
    "create index if not exists cases_source_newest on cases (source, received_at, id)",
    "create index if not exists cases_severe on cases (severity, received_at, id) where severity <> 'routine'",
    "drop index if exists case_leg_organisation",
    "create index if not exists case_leg_turns on case_leg (organisation, received_at, case_id)",
    "create index if not exists case_leg_town on case_leg (organisation, town)",
    f"create index if not exists case_leg_handler on case_leg (handler) where state in ({_OPEN_LEG})",
)
