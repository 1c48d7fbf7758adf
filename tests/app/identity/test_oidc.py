"""What an ID token must say, and where a browser is sent; no network here."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from app.identity import oidc

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
CLIENT = oidc.Client(
    issuer="https://id.example.org", client_id="zongjing", client_secret="s", redirect_uri="https://z.example.org/back"
)
RSA = RSAKey.generate_key(2048, {"kid": "r"})
EC = ECKey.generate_key("P-256", {"kid": "e"})
SHARED = OctKey.generate_key(256, {"kid": "o"})
KEYS = KeySet([RSA, EC, SHARED])


def token(key: Any = RSA, alg: str = "RS256", kid: str | None = "r", **changed: Any) -> str:
    instant = int(NOW.timestamp())
    claims: dict[str, Any] = {
        "iss": CLIENT.issuer, "sub": "gov-1", "aud": "zongjing", "exp": instant + 60, "iat": instant, "nonce": "n",
    }  # fmt: skip
    claims |= changed
    header = {"alg": alg} | ({} if kid is None else {"kid": kid})
    return jwt.encode(header, {k: v for k, v in claims.items() if v is not None}, key, [alg])


def read(id_token: str, now: datetime = NOW, keys: KeySet = KEYS) -> str:
    return oidc.subject_of(id_token, keys, CLIENT, "n", now)


@pytest.mark.parametrize(
    "id_token",
    [
        token(),
        token(EC, "ES256", "e"),
        token(aud=["zongjing"]),
        token(aud=["zongjing", "other"], azp="zongjing"),
        token(iat=int(NOW.timestamp()) + 59),
    ],
)
def test_a_token_that_holds_names_the_person(id_token: str) -> None:
    assert read(id_token) == "gov-1"


@pytest.mark.parametrize(
    ("id_token", "why"),
    [
        (token(iss="https://id.example.org/"), "issuer"),
        (token(aud="other"), "another client"),
        (token(aud=["other"]), "another client"),
        (token(aud=["zongjing", "other"]), "another client"),
        (token(azp="other"), "another client"),
        (token(exp=int(NOW.timestamp()) - 60), "expired"),
        (token(iat=int(NOW.timestamp()) + 61), "future"),
        (token(nonce="m"), "another sign-in"),
        (token(nonce=None), "not a token"),
        (token(exp=None), "not a token"),
        (token(sub=""), "nobody"),
        (token()[:-6] + "AAAAAA", "not a token"),
        (token(RSAKey.generate_key(2048)), "not a token"),
        (token(SHARED, "HS256", "o"), "not a token"),
        (token(kid="unknown"), "unknown key"),
        (token(kid=None), "unknown key"),
        ("", "not a token"),
        ("a.b.c", "not a token"),
    ],
)
def test_anything_that_does_not_hold_is_refused(id_token: str, why: str) -> None:
    with pytest.raises(oidc.BadIdToken, match=why):
        read(id_token)


def test_an_unsigned_token_is_refused() -> None:
    head = "eyJhbGciOiJub25lIiwia2lkIjoiciJ9"  # {"alg":"none","kid":"r"}
    with pytest.raises(oidc.BadIdToken):
        read(head + "." + token().split(".")[1] + ".")


def test_a_token_lives_until_its_end_and_the_leeway() -> None:
    assert read(token(), NOW + timedelta(seconds=119)) == "gov-1"
    with pytest.raises(oidc.BadIdToken, match="expired"):
        read(token(), NOW + timedelta(seconds=120))


def test_the_challenge_is_that_of_rfc_7636_appendix_b() -> None:
    assert (
        oidc.challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_the_browser_is_sent_with_state_nonce_and_challenge() -> None:
    attempt = oidc.new_attempt("330109")
    found = oidc.Discovery(
        issuer=CLIENT.issuer, authorization_endpoint="https://id.example.org/a?x=1", token_endpoint="", jwks_uri=""
    )
    url = urlsplit(oidc.authorization_url(found, CLIENT, attempt))
    assert {name: values[0] for name, values in parse_qs(url.query).items()} == {
        "x": "1",
        "response_type": "code",
        "scope": "openid",
        "client_id": "zongjing",
        "redirect_uri": "https://z.example.org/back",
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": oidc.challenge(attempt.verifier),
        "code_challenge_method": "S256",
    }
    assert oidc.district_of(attempt.state) == "330109"
    again = oidc.new_attempt("330109")
    secrets = {attempt.state, attempt.nonce, attempt.verifier, attempt.browser, again.state, again.nonce}
    assert len(secrets) == 6
