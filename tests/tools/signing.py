"""A machine's requests, signed as a client of ours would sign them."""

from collections.abc import Generator

import httpx

from app.identity import keys
from app.identity.keys import NewKey
from app.kernel import clock
from app.kernel.ids import new_id


class Signed(httpx.Auth):
    """Signs every request of a client with the secret of a key, with a fresh nonce each."""

    requires_request_body = True

    def __init__(self, key: NewKey) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Add the four headers."""
        target = request.url.raw_path.decode("ascii")
        request.headers.update(signed(self._key, request.method, target, request.content))
        yield request


def signed(
    key: NewKey, method: str, target: str, body: bytes, *, late: int = 0, nonce: str | None = None
) -> dict[str, str]:
    """Return the headers of a signed request; `late` is how many seconds its clock is behind ours."""
    timestamp, once = str(int(clock.now().timestamp()) - late), nonce or new_id().hex
    return {
        "X-Api-Key": key.key,
        "X-Timestamp": timestamp,
        "X-Nonce": once,
        "X-Signature": keys.sign(key.secret, timestamp, once, keys.request_text(method, target, body)),
    }
