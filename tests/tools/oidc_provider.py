"""A real OpenID provider on this machine: discovery, keys, authorization and token endpoint, with faults to order."""

import asyncio
import base64
import hashlib
import secrets
import socket
from typing import Annotated, Any

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from litestar import Litestar, Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromQuery
from litestar.response import Redirect

from app.kernel import clock

CLIENT = ("zongjing", "s3cret & +more")
SigningKey = RSAKey | ECKey


def new_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


class OidcProvider:
    """Signs `subject` in without asking; `claims` overrides what the ID token says, `signing` what signs it."""

    def __init__(self, subject: str = "gov-0001") -> None:
        self.subject = subject
        self.claims: dict[str, Any] = {}
        self.issuer = ""
        self.keys: list[SigningKey] = [new_key("first")]
        self.signing: SigningKey = self.keys[0]
        self.algorithm = "RS256"
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    def rotate(self, key: SigningKey | None = None, algorithm: str = "RS256") -> None:
        """Replace the key, as providers do without a word."""
        self.signing, self.algorithm = key or new_key(secrets.token_hex(4)), algorithm
        self.keys = [self.signing]

    def redeem(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """The token endpoint's answer; None when the request does not hold."""
        given = self._codes.pop(form.get("code", ""), None)
        user, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if given is None or (user, password) != (CLIENT[0], "s3cret%20%26%20%2Bmore"):
            return None
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        fits = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == given["code_challenge"]
        if not fits or form["redirect_uri"] != given["redirect_uri"]:
            return None
        now = int(clock.now().timestamp())
        claims = {"iss": self.issuer, "sub": self.subject, "aud": CLIENT[0], "exp": now + 300, "iat": now}
        header = {"alg": self.algorithm, "kid": self.signing.kid}
        token = jwt.encode(header, claims | {"nonce": given["nonce"]} | self.claims, self.signing, [self.algorithm])
        return {"access_token": "unused", "token_type": "Bearer", "id_token": token}

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        code = secrets.token_urlsafe(8)
        self._codes[code] = query
        return f"{query['redirect_uri']}?code={code}&state={query['state']}"

    def app(self) -> Litestar:
        provider = self

        @get("/.well-known/openid-configuration", sync_to_thread=False)
        def discovery() -> dict[str, str]:
            provider.asked.append("discovery")
            return {
                "issuer": provider.issuer,
                "authorization_endpoint": f"{provider.issuer}/authorize",
                "token_endpoint": f"{provider.issuer}/token",
                "jwks_uri": f"{provider.issuer}/jwks",
            }

        @get("/jwks", sync_to_thread=False)
        def jwks() -> dict[str, Any]:
            provider.asked.append("jwks")
            return dict(KeySet(list(provider.keys)).as_dict(private=False))

        @get("/authorize", sync_to_thread=False)
        def authorize(request: Request[Any, Any, Any], response_type: FromQuery[str] = "") -> Redirect:
            assert response_type == "code"
            return Redirect(provider.authorize(dict(request.query_params)), status_code=302)

        @post("/token", status_code=200, sync_to_thread=False)
        def token(
            request: Request[Any, Any, Any],
            data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
        ) -> Response[dict[str, Any]]:
            answer = provider.redeem(data, request.headers.get("authorization", ""))
            return Response(answer or {"error": "invalid_grant"}, status_code=200 if answer else 400)

        return Litestar([discovery, jwks, authorize, token], openapi_config=None)

    async def start(self) -> None:
        """Listen on a free port of this machine."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(self.app(), log_level="warning", lifespan="off"))
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def stop(self) -> None:
        """Go down."""
        self._server.should_exit = True
        await self._task
