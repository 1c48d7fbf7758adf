"""Media: uploads in progress, kept files with their derivatives, evidence."""

ID = "0020"
DESCRIPTION = "media: uploads, files, evidence"

_SHA256 = "~ '^[0-9a-f]{64}$'"

STATEMENTS: tuple[str, ...] = (
    f"""create table if not exists upload (
        id uuid primary key,
        actor uuid not null,
        length bigint not null check (length >= 0),
        metadata text not null,
        media_type text,
        sha256 text check (sha256 {_SHA256}),
        evidence uuid,
        created_at timestamptz not null,
        expires_at timestamptz not null,
        ended_at timestamptz,
        outcome text check (outcome in ('completed', 'terminated', 'expired', 'refused')),
        constraint upload_end check ((ended_at is null) = (outcome is null))
    )""",
    "create index if not exists upload_actor on upload (actor, created_at)",
    "create index if not exists upload_sha256 on upload (sha256, actor) where outcome = 'completed'",
    "create index if not exists upload_unfinished on upload (expires_at) where ended_at is null",
    f"""create table if not exists media_file (
        id uuid primary key,
        sha256 text not null unique check (sha256 {_SHA256}),
        size bigint not null check (size >= 0),
        kept_at timestamptz not null,
        inspected_at timestamptz,
        inspection jsonb,
        phash_bands integer[] not null default '{{}}',
        phash bigint
    )""",
    "create index if not exists media_file_bands on media_file using gin (phash_bands)",
    f"""create table if not exists derivative (
        id uuid primary key,
        file_sha256 text not null references media_file (sha256),
        variant integer not null check (variant in (320, 1280)),
        sha256 text not null check (sha256 {_SHA256}),
        size bigint not null,
        width integer not null check (width between 1 and variant),
        height integer not null check (height between 1 and variant),
        unique (file_sha256, variant)
    )""",
    f"""create table if not exists evidence (
        id uuid primary key,
        owner_kind text not null check (owner_kind <> ''),
        owner_id uuid not null,
        uploader uuid not null,
        sha256 text not null check (sha256 {_SHA256}),
        size bigint not null check (size > 0),
        media_type text not null,
        captured_at timestamptz,
        lon double precision,
        lat double precision,
        received_place jsonb,
        mock boolean not null,
        received_at timestamptz not null,
        expected_lon double precision,
        expected_lat double precision,
        limit_m double precision,
        retain_until timestamptz,
        legal_hold boolean not null,
        state text not null check (state in ('awaiting', 'stored', 'verified', 'flagged', 'refused')),
        stored_at timestamptz,
        checked_at timestamptz,
        verdict jsonb,
        constraint evidence_point check (
            (lon is null) = (lat is null) and lon between -180 and 180 and lat between -90 and 90),
        constraint evidence_expected check (
            (expected_lon is null) = (expected_lat is null) and (expected_lon is null) = (limit_m is null)),
        constraint evidence_stored check ((state = 'awaiting') = (stored_at is null)),
        constraint evidence_checked check (
            (state in ('awaiting', 'stored')) = (checked_at is null) and (checked_at is null) = (verdict is null))
    )""",
    "create index if not exists evidence_owner on evidence (owner_id)",
    "create index if not exists evidence_sha256 on evidence (sha256)",
    "create index if not exists evidence_uploader on evidence (uploader, captured_at)",
)
