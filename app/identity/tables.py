"""Identity's tables; private to this package."""

from piccolo.columns import UUID, Array, Boolean, Integer, Text, Timestamptz
from piccolo.table import Table


class AccountRow(Table, tablename="account"):
    """A staff account."""

    id = UUID(primary_key=True, default=None)
    username = Text(unique=True)
    name = Text()
    password_hash = Text()
    must_change = Boolean()
    disabled_at = Timestamptz(null=True, default=None)
    created_at = Timestamptz(default=None)
    sso_subject = Text(null=True, default=None, unique=True)


class OidcLoginRow(Table, tablename="oidc_login"):
    """A sign-in under way at the identity provider, known by the digest of its state; used once."""

    state_digest = Text(primary_key=True)
    browser = Text()
    nonce = Text()
    verifier = Text()
    expires_at = Timestamptz(default=None)


class SignInFailureRow(Table, tablename="sign_in_failure"):
    """Wrong passwords in a row for a username, whether anybody has it or not; known by its digest."""

    guard = Text(primary_key=True)
    failures = Integer()
    locked_until = Timestamptz(null=True, default=None)
    at = Timestamptz(default=None)


class CitizenRow(Table, tablename="citizen"):
    """A citizen of the mini-program, known by the hash of the openid."""

    id = UUID(primary_key=True, default=None)
    openid_hash = Text(unique=True)
    contact = Text(null=True, default=None)
    created_at = Timestamptz(default=None)
    erased_at = Timestamptz(null=True, default=None)


class MembershipRow(Table, tablename="membership"):
    """A role held in an organisation over an area, from–to."""

    id = UUID(primary_key=True, default=None)
    account = UUID(default=None)
    role = Text()
    organisation = UUID(null=True, default=None)
    area = Text()
    valid_from = Timestamptz(default=None)
    valid_to = Timestamptz(null=True, default=None)


class DeviceRow(Table, tablename="device"):
    """A phone registered to a person."""

    id = UUID(primary_key=True, default=None)
    account = UUID(default=None)
    name = Text()
    state = Text()
    registered_at = Timestamptz(default=None)
    changed_at = Timestamptz(default=None)
    last_seen_at = Timestamptz(null=True, default=None)


class SessionRow(Table, tablename="session"):
    """A sign-in: the family of refresh tokens that rotate within it."""

    id = UUID(primary_key=True, default=None)
    subject = UUID(default=None)
    kind = Text()
    device = UUID(null=True, default=None)
    created_at = Timestamptz(default=None)
    refreshed_at = Timestamptz(default=None)
    revoked_at = Timestamptz(null=True, default=None)
    revoked_why = Text(null=True, default=None)


class RefreshTokenRow(Table, tablename="refresh_token"):
    """The hash of a refresh token; one that comes twice reveals a theft."""

    digest = Text(primary_key=True)
    session = UUID(default=None)
    issued_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    used_at = Timestamptz(null=True, default=None)


class ApiKeyRow(Table, tablename="api_key"):
    """A machine's key, hashed; its signing secret, sealed."""

    id = UUID(primary_key=True, default=None)
    digest = Text(unique=True)
    source = Text()
    secret = Text()
    scopes = Array(base_column=Text())
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(null=True, default=None)
    last_used_at = Timestamptz(null=True, default=None)
    revoked_at = Timestamptz(null=True, default=None)


class UsedNonceRow(Table, tablename="used_nonce"):
    """A nonce of a signed request; its key is (api_key, nonce), which a Piccolo table cannot say."""

    api_key = UUID(default=None)
    nonce = Text(primary_key=True)
    used_at = Timestamptz(default=None)


class AccessLogRow(Table, tablename="access_log"):
    """Who looked at, changed or unmasked what, and why; kept at least six months."""

    id = UUID(primary_key=True, default=None)
    at = Timestamptz(default=None)
    actor = UUID(default=None)
    kind = Text()
    action = Text()
    object = Text()
    reason = Text(null=True, default=None)
