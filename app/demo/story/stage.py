"""What the story is played with: clients of the HTTP API, and a teller that stops at the first effect not seen."""

import hashlib
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
import httpx

from app.demo.accounts import DemoAccount, DemoFile
from app.kernel.ids import new_id

PHOTOS = Path(__file__).resolve().parent.parent / "photos"
TRIES = 3
READERS = ("auditor", "administrator", "town_manager")
"""Roles that never move a case."""
T = TypeVar("T")
Json = Any


class StoryFailed(click.ClickException):
    """A step did not have its effect."""


class Teller:
    """Prints every step and what was seen of it; counts them."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.steps = 0
        self.seen = 0

    def act(self, title: str) -> None:
        """Begin an act."""
        self._say(f"\n== {title}")

    def step(self, words: str) -> None:
        """Tell what is done now."""
        self.steps += 1
        self._say(f"{self.steps:3}. {words}")

    def see(self, truth: object, words: str) -> None:
        """Tell an effect that was seen; StoryFailed when it was not."""
        if not truth:
            raise StoryFailed(f"step {self.steps}: not seen: {words}")
        self.seen += 1
        self._say(f"      ✓ {words}")


class Client:
    """One of the seven: signs in and speaks to the API as a program of theirs would."""

    def __init__(self, name: str, base_url: str, headers: dict[str, str] | None = None) -> None:
        self.name = name
        self._http = httpx.Client(base_url=base_url, timeout=30, headers=headers)

    def call(self, method: str, path: str, expect: int = 200, body: Json = None, **options: Any) -> httpx.Response:
        """Make a request and return the answer; StoryFailed when its status is another one."""
        if body is not None:
            options["json"] = body
        answer = self._http.request(method, path, **options)
        if answer.status_code != expect:
            raise StoryFailed(f"{self.name}: {method} {path} answered {answer.status_code}: {answer.text[:600]}")
        return answer

    def get(self, path: str, **parameters: Any) -> Json:
        """GET and decode."""
        return self.call("GET", path, params=parameters).json()

    def all(self, path: str, **parameters: Any) -> Iterator[Json]:
        """GET a list and the pages that follow it (`Link: rel=next`), row by row."""
        answer = self.call("GET", path, params=parameters)
        while True:
            yield from answer.json()
            following = answer.links.get("next")
            if following is None:
                return
            answer = self.call("GET", following["url"])

    def post(self, path: str, body: Json, expect: int = 200) -> Json:
        """POST and decode."""
        answer = self.call("POST", path, expect, body)
        return answer.json() if answer.content else None

    def bear(self, token: str) -> None:
        """Speak with this access token from now on."""
        self._http.headers["Authorization"] = f"Bearer {token}"

    def order(self, case: str, name: str, **fields: Any) -> Json:
        """Give a command to a case in its present version; return the case after it.

        Somebody else (a sensor whose signal clears) may move the case in between: then it is read and tried again.
        """
        command = {"command_id": str(new_id()), **fields}
        refusal = ""
        for _ in range(TRIES):
            version = self.get(f"/v1/cases/{case}")["version"]
            answer = self._http.post(f"/v1/cases/{case}/{name}", json=command | {"version": version})
            if answer.status_code == 200:
                return answer.json()
            refusal = f"{answer.status_code}: {answer.text[:600]}"
            if "/problems/stale-version" not in refusal:
                break
        raise StoryFailed(f"{self.name}: {name} of case {case} answered {refusal}")

    def refused(self, case: str, name: str, **fields: Any) -> Json:
        """Give a command that must be refused with 409 and return the problem."""
        version = self.get(f"/v1/cases/{case}")["version"]
        return self.call("POST", f"/v1/cases/{case}/{name}", 409, {"version": version, **fields}).json()

    def upload(self, photo: "Photo", parts: int = 2) -> None:
        """Upload a declared photo by tus in several parts."""
        metadata = {"filename": photo.path.name, "filetype": "image/jpeg", "evidence": photo.id}
        pairs = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in metadata.items())
        tus = {"Tus-Resumable": "1.0.0"}
        made = self.call(
            "POST",
            "/v1/uploads",
            201,
            headers=tus | {"Upload-Length": str(len(photo.content)), "Upload-Metadata": pairs},
        )
        offset = 0
        step = -(-len(photo.content) // parts)
        while offset < len(photo.content):
            chunk = photo.content[offset : offset + step]
            headers = tus | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
            self.call("PATCH", made.headers["location"], 204, content=chunk, headers=headers)
            offset += len(chunk)


class Photo:
    """A real photo under an id of its own, as a phone declares it before the bytes go."""

    def __init__(self, name: str, captured_at: datetime, lon: float, lat: float) -> None:
        self.path = PHOTOS / name
        self.content = self.path.read_bytes()
        self.id = str(new_id())
        self._captured_at = captured_at
        self._place = (lon, lat)

    def declared(self) -> Json:
        """Return the declaration."""
        lon, lat = self._place
        return {
            "id": self.id,
            "sha256": hashlib.sha256(self.content).hexdigest(),
            "size": len(self.content),
            "media_type": "image/jpeg",
            "captured_at": self._captured_at.isoformat(),
            "place": {"lon": lon, "lat": lat, "datum": "wgs84", "accuracy_m": 8},
        }


class Cast:
    """Who plays: accounts of the demo by username, signed in when first called."""

    def __init__(self, demo: DemoFile) -> None:
        self.demo = demo
        self._accounts = {account.username: account for account in demo.accounts}
        self._clients: dict[str, Client] = {}

    def account(self, username: str) -> DemoAccount:
        """Return a demo account; StoryFailed when the demo has none of that name."""
        if username not in self._accounts:
            raise StoryFailed(f"the demo has no account {username}: run `make clean` and `make demo`")
        return self._accounts[username]

    def staff(self, username: str, device: UUID | None = None) -> Client:
        """Return somebody signed in with username and password, from a phone if `device` is given."""
        if username not in self._clients:
            client = Client(username, self.demo.base_url)
            body = {"username": username, "password": self.account(username).password}
            body |= {"device_id": str(device)} if device else {}
            client.bear(client.post("/v1/auth/login", body)["access_token"])
            self._clients[username] = client
        return self._clients[username]

    def member(self, organisation: str) -> Client:
        """Return somebody who works for an organisation (by its id)."""
        for account in self.demo.accounts:
            if str(account.organisation) == organisation and account.role not in (
                "auditor",
                "administrator",
                "town_manager",
            ):
                return self.staff(account.username)
        raise StoryFailed(f"nobody of the demo works for {organisation}")

    def citizen(self, who: str) -> Client:
        """Return a citizen signed in through the mini-program."""
        client = Client("citizen", self.demo.base_url)
        client.bear(client.post("/v1/citizen/login", {"code": f"demo-{who}-{new_id().hex}"})["access_token"])
        return client

    def device(self, code: str) -> tuple[str, Client]:
        """Return a sensor's id and a client that holds its key."""
        device = self.demo.device_codes[code]
        return device, Client(code, self.demo.base_url, {"X-Device-Key": self.demo.devices[device]})


def wait_for(what: str, look: Callable[[], T | None], seconds: float = 20) -> T:
    """Return what `look` finds within some seconds; StoryFailed otherwise."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise StoryFailed(f"waited {seconds:.0f} s in vain: {what}")
