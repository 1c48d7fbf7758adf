"""Traces reach a collector over real HTTP, hold nothing personal, and cost nothing where they are off."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app import tracing, wiring
from app.kernel import clock
from app.kernel.actor import Role
from app.kernel.event import Event
from app.kernel.ids import new_id
from app.worker import schedules
from app.worker.delivery import Outcome
from tests.tools import people

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """An OTLP receiver on this machine."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self) -> dict[str, Any]:
        """Every span by its name, once all are sent."""
        tracing.stop()
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return {
            span.name: span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    tracing.configure(running.url)
    yield running
    tracing.stop()
    running.server.shutdown()
    running.server.server_close()


def attributes(span: Any) -> dict[str, str | int]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


async def test_a_request_goes_on_with_the_callers_trace(
    district: str, http: httpx.AsyncClient, collector: Collector
) -> None:
    somebody = await people.sign_in(district, Role.STATION)
    path = f"/v1/cases/{new_id()}"
    headers = somebody.headers | {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "abc"}
    assert (await http.get(path, params={"text": "张三"}, headers=headers)).status_code == 404
    span = collector.spans()["GET /v1/cases/{case_id}"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(span) == {
        "http.request.method": "GET",
        "http.route": "/v1/cases/{case_id}",
        "http.response.status_code": 404,
        "zjw.request_id": "abc",
    }
    sent = b"".join(collector.bodies)
    for personal in (path, "张三", str(somebody.actor.id), somebody.headers["Authorization"]):
        assert personal.encode() not in sent


async def test_a_request_without_a_trace_begins_one(http: httpx.AsyncClient, collector: Collector) -> None:
    await http.get("/healthz", headers={"traceparent": "nonsense"})
    span = collector.spans()["GET /healthz"]
    assert span.trace_id.hex() not in ("", "0" * 32, TRACE)
    assert span.parent_span_id == b""


class Happened(Event, frozen=True):
    """Something."""


async def test_deliveries_tell_what_failed_but_not_in_which_words(collector: Collector) -> None:
    event = Happened(id=new_id(), at=datetime(2026, 11, 23, tzinfo=UTC), actor=new_id())

    async def well(happened: Any, now: datetime) -> None: ...

    async def badly(happened: Any, now: datetime) -> None:
        raise ValueError("张三 13800000000")

    outcome = Outcome([])
    assert await outcome.attempt("test.well", well, event, clock.now, 1)
    assert not await outcome.attempt("test.badly", badly, event, clock.now, 1)
    spans = collector.spans()
    known = {"zjw.event": str(event.id), "zjw.event_type": "Happened"}
    assert attributes(spans["deliver test.well"]) == known
    assert attributes(spans["deliver test.badly"]) == known | {"error.type": "ValueError"}
    assert [spans[name].status.code for name in ("deliver test.well", "deliver test.badly")] == [0, 2]
    assert "张三".encode() not in b"".join(collector.bodies)


async def test_schedules_are_traced(district: str, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    async def job(district: str, now: datetime) -> None:
        raise KeyError("张三")

    monkeypatch.setattr(wiring, "SCHEDULES", {"test.job": (timedelta(hours=1), job)})
    assert await schedules.run_due(district, clock.now) == ["test.job"]
    span = collector.spans()["schedule test.job"]
    assert attributes(span) == {"zjw.district": district, "error.type": "KeyError"}
    assert "张三".encode() not in b"".join(collector.bodies)


async def test_a_collector_that_is_away_hurts_nobody(district: str, http: httpx.AsyncClient) -> None:
    tracing.configure("http://127.0.0.1:9")
    try:
        assert (await http.get("/healthz")).status_code == 200
    finally:
        tracing.stop()


def test_where_traces_are_off_nothing_of_them_is_imported() -> None:
    code = (
        "import sys, app.server, app.worker; from app import tracing; tracing.configure('')\n"
        "with tracing.span('x') as span: span.fail('y')\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
