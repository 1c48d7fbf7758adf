"""Open311 clients that others wrote, unchanged, against a real server: `georeport` and `three`, JSON and XML."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
import pytest_asyncio
import requests
import uvicorn
from georeport import GeoReport
from litestar import Litestar
from redis.asyncio import Redis

from app.identity import commands as identity
from app.kernel import clock
from tests.tasks.cases import town

WASTE = "E0102"  # 暴露垃圾


@pytest_asyncio.fixture
async def base(app: Litestar, redis: Redis, committed: str) -> AsyncIterator[str]:
    """The address of the interface on a real server, with the made-up town."""
    await town.commit(committed)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/open311/v2"
    server.should_exit = True
    await task


@pytest_asyncio.fixture
async def key(base: str, committed: str) -> str:
    """A key that may send requests."""
    return (await identity.create_key(committed, "city-app", ["open311.submit"], clock.now())).key


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The client of the Python 2 era: all it lacks is a name that the language has dropped."""
    monkeypatch.setattr(itertools, "ifilter", filter, raising=False)
    return pytest.importorskip("three")


def send(base: str, key: str, **more: str) -> str:
    """Send a request as the simplest client would."""
    form = {"api_key": key, "service_code": WASTE, "lat": "30.18512", "long": "120.26534", "description": "演示"} | more
    answer = requests.post(f"{base}/requests.json", data=form, timeout=10)
    answer.raise_for_status()
    return answer.json()[0]["service_request_id"]


@pytest.mark.parametrize("kind", ["json", "xml"])
async def test_georeport_reads_services_and_requests(base: str, key: str, kind: str) -> None:
    def use() -> None:
        first, second = send(base, key), send(base, key, description="二（演示）")
        client = GeoReport(base, jurisdiction="330109", output_format=kind)
        services = client.get_service_list()
        assert WASTE in {each["service_code"] for each in services}
        definition = client.get_service_definition(WASTE)
        assert definition["service_code"] == WASTE
        found = client.get_service_requests()
        assert [each["service_request_id"] for each in found] == [second, first]
        assert len(client.get_service_requests(service_request_id=f"{first},{second}", status="closed")) == 2
        since = (clock.now() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert len(client.get_service_requests(service_code=WASTE, start_date=since, status="open")) == 2
        one = client.get_service_request(first)
        assert (one["service_request_id"], one["status"], float(one["lat"])) == (first, "open", 30.185)
        with pytest.raises(requests.HTTPError, match="404"):
            client.get_service_request("unknown")

    await asyncio.to_thread(use)


async def test_three_reads_and_sends_json(base: str, key: str, three: ModuleType) -> None:
    def use() -> None:
        client: Any = three.Three(base, api_key=key)
        assert client.discovery()["endpoints"][0]["url"] == base
        assert WASTE in {each["service_code"] for each in client.services()}
        assert client.services(WASTE)["service_code"] == WASTE
        sent = {"lat": "30.185", "long": "120.265", "name": "演 示", "phone": "13900000000", "description": "演示"}
        [receipt] = client.post(WASTE, **sent)
        number = receipt["service_request_id"]
        [again] = client.post(WASTE, **sent)
        assert again["service_request_id"] == number
        assert [each["service_request_id"] for each in client.requests()] == [number]
        assert [each["service_request_id"] for each in client.requests(WASTE, status="open", count=10)] == [number]
        assert client.request(number)[0]["service_code"] == WASTE
        day = clock.now()
        past = [(day - timedelta(days=n)).strftime("%m-%d-%Y") for n in (9, 8)]
        assert client.requests(between=past) == []
        assert client.post("unknown", **sent)[0]["code"] == 404
        client.api_key = "wrong"
        assert client.post(WASTE, **sent)[0]["code"] == 403
        assert client.token("unknown")[0]["code"] == 404

    await asyncio.to_thread(use)


async def test_three_reads_and_sends_xml(base: str, key: str, three: ModuleType) -> None:
    """Its own conversion of XML fails on Python 3 whatever the server: it hands the document over as it came."""

    def use() -> None:
        client: Any = three.Three(base, api_key=key, format="xml")
        services = ElementTree.fromstring(client.services(convert=False))
        assert WASTE in {each.findtext("service_code") for each in services}
        client.convert = lambda content, conversion: content
        sent = client.post(WASTE, address="演示路 1 号", description="演示")
        number = ElementTree.fromstring(sent).findtext("request/service_request_id")
        found = ElementTree.fromstring(client.requests())
        assert (found.tag, found.findtext("request/service_request_id")) == ("service_requests", number)
        [one] = ElementTree.fromstring(client.request(number))
        assert (one.findtext("status"), one.findtext("lat")) == ("open", "")
        refused = ElementTree.fromstring(client.post("unknown", address="演示路 1 号"))
        assert (refused.tag, refused.findtext("error/code")) == ("errors", "404")

    await asyncio.to_thread(use)
