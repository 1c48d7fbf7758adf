"""Sign-in of the mini-program: exchanges its one-time code for the citizen's openid (`code2session`).

Source: WeChat open platform, "auth.code2Session" (`GET /sns/jscode2session`).
"""

import httpx
import msgspec
from msgspec import Struct

from app.kernel.problem import Unavailable
from tasks.channels.problems import CodeRefused

_REFUSED = {40029, 40163, 40226}
"""Errors of the code itself: invalid, used before, high-risk user."""
TIMEOUT_SECONDS = 5.0


class Endpoint(Struct, frozen=True):
    """Where and as which mini-program to ask; `url` is the platform's address without a path."""

    url: str
    app_id: str
    secret: str


class _Answer(Struct, frozen=True):
    openid: str = ""
    errcode: int = 0


async def openid_of(code: str, endpoint: Endpoint) -> str:
    """Return the openid behind a code; CodeRefused for a bad or used code, Unavailable when the platform fails."""
    parameters = {
        "appid": endpoint.app_id,
        "secret": endpoint.secret,
        "js_code": code,
        "grant_type": "authorization_code",
    }
    try:
        async with httpx.AsyncClient(base_url=endpoint.url, timeout=TIMEOUT_SECONDS) as client:
            response = await client.get("/sns/jscode2session", params=parameters)
            response.raise_for_status()
            answer = msgspec.json.decode(response.content, type=_Answer)
    except (httpx.HTTPError, msgspec.DecodeError) as error:
        raise Unavailable(("小程序平台暂时无法访问", "The mini-program platform does not answer")) from error
    if answer.errcode in _REFUSED:
        raise CodeRefused(errcode=answer.errcode)
    if answer.errcode or not answer.openid:
        raise Unavailable(("小程序平台拒绝了请求", "The mini-program platform refused"), errcode=answer.errcode)
    return answer.openid
