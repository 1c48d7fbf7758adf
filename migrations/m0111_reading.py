"""Reading cases: saved queues, clerks' claims, reply templates, and an index that figures are counted from."""

ID = "0111"
DESCRIPTION = "saved queues, claims, reply templates, indexes of figures"

STATEMENTS = (
    """create table if not exists case_queue (
        id uuid primary key,
        person uuid,
        organisation uuid,
        name text not null,
        filter jsonb not null,
        position integer not null,
        version integer not null,
        created_by uuid not null,
        created_at timestamptz not null,
        changed_at timestamptz not null,
        check ((person is null) <> (organisation is null))
    )""",
    "create index if not exists case_queue_person on case_queue (person) where person is not null",
    "create index if not exists case_queue_organisation on case_queue (organisation) where organisation is not null",
    # no more than who has the case in hand, and until when; nothing of what they do
    """create table if not exists case_claim (
        case_id uuid primary key references cases (id),
        person uuid not null,
        organisation uuid,
        since timestamptz not null,
        until timestamptz not null
    )""",
    "create index if not exists case_claim_until on case_claim (until)",
    """create table if not exists reply_template (
        id uuid primary key,
        organisation uuid,
        item text,
        title text not null,
        body text not null,
        version integer not null,
        created_by uuid not null,
        created_at timestamptz not null,
        changed_by uuid not null,
        changed_at timestamptz not null
    )""",
    "create index if not exists reply_template_organisation on reply_template (organisation)",
    # figures read these columns alone: the rows themselves are wide
    """create index if not exists cases_figures on cases (received_at) include (id, item, source, area, town, desk,
        reporter, last_lead, state, severity, handled_at, due_at, returns, reworks, redos, reopens,
        solved_at_once)""",
    """create index if not exists case_leg_outcome on case_leg (case_id)
        include (handle_due, submitted_at) where kind = 'root' and state in ('submitted', 'confirmed')""",
)
