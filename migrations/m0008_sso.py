"""Identity: accounts linked to people at the government's identity provider, and sign-ins there under way."""

ID = "0008"
DESCRIPTION = "single sign-on"

STATEMENTS = (
    "alter table account add column if not exists sso_subject text unique",
    """create table if not exists oidc_login (
        state_digest text primary key,
        browser text not null,
        nonce text not null,
        verifier text not null,
        expires_at timestamptz not null
    )""",
    "create index if not exists oidc_login_expires_at on oidc_login (expires_at)",
)
