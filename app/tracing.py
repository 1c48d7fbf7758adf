"""OpenTelemetry traces by setting: spans of requests, deliveries and schedules, without personal data.

Without an address nothing is imported and nothing recorded. Names of routes, subscribers and schedules, ids of events,
statuses and kinds of errors are all a span holds: never an address with its values, a body, a message or a person.
"""

import contextlib
from collections.abc import Generator
from typing import Any

from app.trouble import Trouble

_provider: Any = None
_tracer: Any = None
_propagator: Any = None


class Noted:
    """What is known of a span while it lasts; does nothing where nothing is recorded."""

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def name(self, text: str) -> None:
        """Give the span its final name."""
        if self._span is not None:
            self._span.update_name(text)

    def note(self, key: str, value: str | int) -> None:
        """Add an attribute."""
        if self._span is not None:
            self._span.set_attribute(key, value)

    def fail(self, kind: str) -> None:
        """Mark the span as failed, with the kind of error alone."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_attribute("error.type", kind)
            self._span.set_status(StatusCode.ERROR)


_NOTHING = Noted()


def configure(endpoint: str, service: str = "zongjing") -> None:
    """Send spans to an OTLP collector (`<endpoint>/v1/traces`) from now on; nothing for an empty address.

    Trouble when the packages of the extra `otel` are not installed.
    """
    global _provider, _tracer, _propagator
    if not endpoint:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError as error:
        raise Trouble(
            "ZJW_OTLP_ENDPOINT is set but OpenTelemetry is not installed:"
            " run `pip install --require-hashes -r requirements.lock`, or leave the setting out."
        ) from error
    _provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=2)  # a stop waits as long
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("zongjing")
    _propagator = TraceContextTextMapPropagator()


def stop() -> None:
    """Send what is waiting and record nothing any more; blocks for some seconds when the collector is away."""
    global _provider, _tracer
    if _provider is not None:
        _tracer = None
        _provider.shutdown()
        _provider = None


@contextlib.contextmanager
def span(name: str, *, server: bool = False, traceparent: str = "") -> Generator[Noted]:
    """Record what happens inside; `traceparent` (W3C) is the caller's, whose trace goes on here."""
    if _tracer is None:
        yield _NOTHING
        return
    from opentelemetry.trace import SpanKind

    with _tracer.start_as_current_span(
        name,
        context=_propagator.extract({"traceparent": traceparent}) if traceparent else None,
        kind=SpanKind.SERVER if server else SpanKind.CONSUMER,
        record_exception=False,  # its message may hold what a person wrote
        set_status_on_exception=False,
    ) as started:
        yield Noted(started)
