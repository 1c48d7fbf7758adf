"""Open311: when a case last changed, what a public list is read by, and which key sent what."""

ID = "0105"
DESCRIPTION = "time of a case's last step, indexes of public lists, requests sent through Open311"

STATEMENTS = (
    "alter table cases add column if not exists updated_at timestamptz",
    # greatest() leaves nulls out
    """update cases set updated_at = greatest(received_at, accepted_at, assigned_at, handled_at, verified_at, closed_at)
        where updated_at is null""",
    "create index if not exists cases_updated on cases (updated_at, id)",
    "create index if not exists cases_place on cases (lon, lat, received_at) where lon is not null",
    "create index if not exists cases_item on cases (item, received_at)",
    """create table if not exists open311_submission (
        key uuid not null,
        digest text not null,
        case_id uuid not null,
        at timestamptz not null,
        primary key (key, digest)
    )""",
    "create index if not exists open311_submission_case on open311_submission (case_id)",
    "create index if not exists open311_submission_at on open311_submission (key, at)",
)
