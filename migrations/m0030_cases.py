"""Cases: the matter, its legs, its trace, and what is kept apart from the trace because it can be erased."""

ID = "0030"
DESCRIPTION = "cases, legs, trace, texts, contacts, commands, catalogue, routing rules"

_STATES = (
    "'received', 'rejected', 'accepted', 'assigned', 'handling', 'disputed', 'suspended', 'handled', 'calling_back',"
    " 'closed', 'merged', 'withdrawn', 'archived'"
)
_ENDED = "'rejected', 'closed', 'merged', 'withdrawn', 'archived'"
_OPEN_LEG = "'unsigned', 'signed', 'submitted'"

STATEMENTS = (
    """create table if not exists case_item (
        id uuid primary key,
        code text not null,
        version integer not null check (version > 0),
        body jsonb not null,
        created_at timestamptz not null,
        unique (code, version)
    )""",
    """create table if not exists routing_rules (
        id uuid primary key,
        version integer not null unique,
        document jsonb not null,
        author uuid not null,
        reviewer uuid not null check (reviewer <> author),
        published_at timestamptz not null
    )""",
    """create table if not exists case_marks (
        id integer primary key check (id = 1),
        catalogue uuid,
        rules uuid
    )""",
    """create table if not exists case_number (
        day date primary key,
        next integer not null
    )""",
    f"""create table if not exists cases (
        id uuid primary key,
        number text not null unique,
        state text not null check (state in ({_STATES})),
        before text check (before in ({_STATES})),
        version integer not null,
        item text not null,
        item_version integer not null,
        severity text not null check (severity in ('routine', 'urgent', 'critical')),
        source text not null,
        external_id text,
        reporter_kind text not null,
        reporter uuid,
        desk uuid,
        area text not null,
        town text,
        cell text,
        lon double precision check (lon between -180 and 180),
        lat double precision check (lat between -90 and 90),
        parent uuid references cases (id),
        last_lead uuid,
        ruled boolean not null,
        solved_at_once boolean not null,
        appealed boolean not null,
        withdrawal_asked boolean not null,
        signal text not null check (signal in ('none', 'firing', 'clear')),
        returns integer not null,
        reworks integer not null,
        redos integer not null,
        reopens integer not null,
        received_at timestamptz not null,
        accepted_at timestamptz,
        assigned_at timestamptz,
        handled_at timestamptz,
        verified_at timestamptz,
        closed_at timestamptz,
        clock_from timestamptz,
        total_due timestamptz,
        verify_due timestamptz,
        call_back_due timestamptz,
        suspended_at timestamptz,
        resume_at timestamptz,
        pauses jsonb not null,
        outcome text,
        rating integer check (rating between 1 and 5),
        satisfied boolean,
        wake_at timestamptz,
        trace_seq integer not null,
        trace_hash text not null,
        title text not null,
        description text not null,
        address text not null,
        attributes jsonb not null,
        raw_lon double precision,
        raw_lat double precision,
        datum text,
        accuracy_m double precision,
        occurred_at timestamptz,
        routing jsonb not null,
        sender uuid
    )""",
    """create unique index if not exists cases_source on cases (source, external_id) where external_id is not null""",
    "create index if not exists cases_received on cases (received_at, id)",
    "create index if not exists cases_area on cases (area text_pattern_ops, received_at)",
    f"create index if not exists cases_open on cases (state, received_at) where state not in ({_ENDED})",
    "create index if not exists cases_desk on cases (desk, state)",
    "create index if not exists cases_reporter on cases (reporter, received_at) where reporter is not null",
    "create index if not exists cases_parent on cases (parent) where parent is not null",
    "create index if not exists cases_wake on cases (wake_at) where wake_at is not null",
    f"""create table if not exists case_leg (
        id uuid primary key,
        case_id uuid not null references cases (id),
        ordinal integer not null,
        kind text not null check (kind in ('root', 'inner', 'assist')),
        parent uuid references case_leg (id),
        assigner uuid,
        organisation uuid not null,
        state text not null
            check (state in ({_OPEN_LEG}, 'confirmed', 'returned', 'recalled', 'waived')),
        assigned_at timestamptz not null,
        sign_due timestamptz,
        arrive_due timestamptz,
        handle_due timestamptz,
        handle_limit text,
        extensions jsonb not null,
        pending jsonb,
        suspended_at timestamptz,
        pauses jsonb not null,
        final boolean not null,
        signed_at timestamptz,
        signer uuid,
        handler uuid,
        arrived_at timestamptz,
        attended_at timestamptz,
        worked boolean not null,
        evidence integer not null,
        submitted_at timestamptz,
        submitter uuid,
        done_at timestamptz,
        reworks integer not null,
        urges integer not null,
        urged_until timestamptz,
        next_urge_at timestamptz,
        result text,
        unique (case_id, ordinal)
    )""",
    "create index if not exists case_leg_organisation on case_leg (organisation, assigned_at)",
    f"create index if not exists case_leg_due on case_leg (organisation, handle_due) where state in ({_OPEN_LEG})",
    "create index if not exists case_leg_urge on case_leg (next_urge_at) where next_urge_at is not null",
    """create table if not exists case_event (
        id uuid primary key,
        case_id uuid not null references cases (id),
        seq integer not null,
        at timestamptz not null,
        actor uuid not null,
        organisation uuid,
        type text not null,
        body jsonb not null,
        prev_hash text not null,
        hash text not null,
        algorithm text not null,
        unique (case_id, seq)
    )""",
    """create or replace function case_event_refuse() returns trigger language plpgsql as
        $$ begin raise exception 'the trace of a case is never changed' using errcode = '42501'; end $$""",
    "drop trigger if exists case_event_fixed on case_event",
    """create trigger case_event_fixed before update or delete on case_event
        for each row execute function case_event_refuse()""",
    """create table if not exists case_text (
        id uuid primary key,
        case_id uuid not null references cases (id),
        event uuid not null references case_event (id),
        field text not null,
        public boolean not null,
        salt text not null,
        text text not null
    )""",
    """create index if not exists case_text_case on case_text (case_id)""",
    """create table if not exists case_contact (
        case_id uuid primary key references cases (id),
        name text,
        phone text,
        salt text not null
    )""",
    """create table if not exists case_command (
        id uuid primary key,
        case_id uuid not null references cases (id),
        request text not null,
        answer jsonb not null,
        at timestamptz not null
    )""",
    """create table if not exists case_root (
        day date primary key,
        cases integer not null,
        hash text not null,
        algorithm text not null,
        at timestamptz not null
    )""",
)
