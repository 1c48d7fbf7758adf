"""Identity: accounts, citizens, memberships, sessions, devices, keys, and the log of every access to personal data."""

ID = "0002"
DESCRIPTION = "accounts, sessions, devices, keys, access log"

STATEMENTS = (
    """create table if not exists account (
        id uuid primary key,
        username text not null unique,
        name text not null,
        password_hash text not null,
        must_change boolean not null,
        disabled_at timestamptz,
        created_at timestamptz not null
    )""",
    """create table if not exists citizen (
        id uuid primary key,
        openid_hash text not null unique,
        contact text,
        created_at timestamptz not null,
        erased_at timestamptz
    )""",
    """create table if not exists membership (
        id uuid primary key,
        account uuid not null references account (id),
        role text not null check (role in ('grid_worker', 'officer', 'squad_leader', 'station', 'town_centre',
            'town_manager', 'department', 'district_centre', 'auditor', 'administrator')),
        organisation uuid,
        area text not null check (area ~ '^[0-9]{6}([0-9]{3}){0,3}$'),
        valid_from timestamptz not null,
        valid_to timestamptz
    )""",
    "create index if not exists membership_account on membership (account)",
    """create table if not exists device (
        id uuid primary key,
        account uuid not null references account (id),
        name text not null,
        state text not null check (state in ('active', 'retired', 'stolen')),
        registered_at timestamptz not null,
        changed_at timestamptz not null,
        last_seen_at timestamptz
    )""",
    "create index if not exists device_account on device (account)",
    """create table if not exists session (
        id uuid primary key,
        subject uuid not null,
        kind text not null check (kind in ('staff', 'citizen')),
        device uuid references device (id),
        created_at timestamptz not null,
        refreshed_at timestamptz not null,
        revoked_at timestamptz,
        revoked_why text
    )""",
    "create index if not exists session_subject on session (subject) where revoked_at is null",
    """create table if not exists refresh_token (
        digest text primary key,
        session uuid not null references session (id),
        issued_at timestamptz not null,
        expires_at timestamptz not null,
        used_at timestamptz
    )""",
    "create index if not exists refresh_token_session on refresh_token (session)",
    """create table if not exists api_key (
        id uuid primary key,
        digest text not null unique,
        source text not null,
        secret text not null,
        scopes text[] not null,
        created_at timestamptz not null,
        expires_at timestamptz,
        last_used_at timestamptz,
        revoked_at timestamptz
    )""",
    """create table if not exists used_nonce (
        api_key uuid not null,
        nonce text not null,
        used_at timestamptz not null,
        primary key (api_key, nonce)
    )""",
    "create index if not exists used_nonce_used_at on used_nonce (used_at)",
    """create table if not exists access_log (
        id uuid primary key,
        at timestamptz not null,
        actor uuid not null,
        kind text not null,
        action text not null,
        object text not null,
        reason text
    )""",
    "create index if not exists access_log_at on access_log (at)",
)
