"""A stand-in for the mini-program platform: answers `code2session` for made-up citizens, each code once.

Only the demo and tests start it; a real deployment asks the real platform (`ZJW_MINI_PROGRAM_URL`).
"""

import hashlib

import click
import uvicorn
from litestar import Litestar, get
from litestar.params import FromQuery
from msgspec import UNSET, Struct, UnsetType

PREFIX = "demo-"
"""A code is `demo-<citizen>-<anything>`: whoever uses the same <citizen> is the same person."""


class Session(Struct, frozen=True, omit_defaults=True):
    """The platform's answer."""

    openid: str | UnsetType = UNSET
    session_key: str | UnsetType = UNSET
    errcode: int | UnsetType = UNSET
    errmsg: str | UnsetType = UNSET


def create_app() -> Litestar:
    """Return the stand-in as an application."""
    used: set[str] = set()

    @get("/sns/jscode2session", sync_to_thread=False)
    def code_to_session(
        js_code: FromQuery[str],
        appid: FromQuery[str] = "",
        secret: FromQuery[str] = "",
        grant_type: FromQuery[str] = "",
    ) -> Session:
        """Exchange a code for an openid, once."""
        del appid, secret
        if grant_type != "authorization_code" or not js_code.startswith(PREFIX):
            return Session(errcode=40029, errmsg="invalid code")
        if js_code in used:
            return Session(errcode=40163, errmsg="code been used")
        used.add(js_code)
        citizen = js_code.removeprefix(PREFIX).partition("-")[0]
        digest = hashlib.sha256(citizen.encode()).hexdigest()
        return Session(openid=f"demo_{digest[:23]}", session_key=digest[23:47])

    return Litestar([code_to_session], openapi_config=None)


@click.command("mini-program")
@click.option("--port", type=click.IntRange(1, 65535), required=True, help="Port on this machine.")
def command(port: int) -> None:
    """Run the stand-in of the mini-program platform."""
    uvicorn.run(create_app(), host="127.0.0.1", port=port, log_level="warning", access_log=False)
