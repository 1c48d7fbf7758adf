"""When a delivery is tried again, and where a webhook may not lead: tables."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.channels import stream_events, webhook_target, webhooks
from tasks.channels.webhook_target import Refused
from tasks.channels.webhooks import Answer, Claimed
from tests.tasks.channels import receivers as r

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def claimed(attempts: int = 1, age: timedelta = timedelta()) -> Claimed:
    return Claimed(
        id=uuid4(), lease=uuid4(), attempts=attempts, queued_at=NOW - age, url="http://a/", secret="s",
        entry=stream_events.entry(r.opened()),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "attempts", "hours", "state", "gone"),
    [
        (200, 1, 0, "delivered", False),
        (204, 1, 0, "delivered", False),
        (302, 1, 0, "waiting", False),
        (400, 1, 0, "waiting", False),
        (404, 1, 0, "waiting", False),
        (410, 1, 0, "dead", True),
        (429, 1, 0, "waiting", False),
        (500, 1, 0, "waiting", False),
        (None, 1, 0, "waiting", False),
        (500, 99, 0, "waiting", False),
        (500, 100, 0, "dead", False),
        (500, 1, 71, "waiting", False),
        (500, 1, 72, "dead", False),
        (200, 100, 72, "delivered", False),
    ],
)
def test_what_becomes_of_a_delivery(status: int | None, attempts: int, hours: int, state: str, gone: bool) -> None:
    answer = Answer(status=status, error=None if status else "ConnectError", duration_ms=5)
    settled = webhooks.judge(claimed(attempts, timedelta(hours=hours)), answer, NOW, 0.5)
    assert (settled.state, settled.gone) == (state, gone)
    assert (settled.done_at is None) == (state == "waiting")
    assert (settled.last_error is None) == (state == "delivered")


@pytest.mark.parametrize(
    ("status", "said", "seconds"),
    [
        (429, "120", 120),
        (503, "120", 120),
        (503, "Mon, 23 Nov 2026 02:10:00 GMT", 600),
        (503, "Mon, 23 Nov 2026 01:00:00 GMT", None),
        (503, "soon", None),
        (503, "-5", None),
        (503, "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        (503, None, None),
        (500, "120", None),
        (429, "999999999999999", 86_400),
        (429, "Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
    ],
)
def test_retry_after_is_followed_for_at_most_a_day(status: int, said: str | None, seconds: int | None) -> None:
    settled = webhooks.judge(claimed(), Answer(status=status, retry_after=said, duration_ms=5), NOW, 0.5)
    wait = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert settled.hold_until == wait
    assert settled.next_try_at == (wait or NOW + timedelta(seconds=10))


@given(attempts=st.integers(1, 200), dice=st.floats(0, 1, exclude_max=True))
def test_waits_double_up_to_an_hour_and_are_scattered(attempts: int, dice: float) -> None:
    plain = min(10 * 2 ** (attempts - 1), 3600)
    wait = webhooks.back_off(attempts, dice).total_seconds()
    assert 0.8 * plain - 1e-6 <= wait <= 1.2 * plain + 1e-6
    assert webhooks.back_off(attempts, 0) < webhooks.back_off(attempts, 0.99)


REFUSED_EVERYWHERE = (
    "ftp://example.org/", "file:///etc/passwd", "http:///x", "http://user:pw@example.org/", "http://example.org/#a",
    "http://169.254.169.254/latest/meta-data", "http://[fe80::1]/", "http://0.0.0.0/", "http://224.0.0.1/",
    "http://[::ffff:169.254.169.254]/", "http://a:99999/", "http://[::1/",
)  # fmt: skip
PRIVATE = (
    "http://127.0.0.1/", "https://10.1.2.3/", "http://192.168.1.1:8080/x", "http://172.16.0.1/", "http://[::1]/",
    "http://[fd00::1]/", "http://[::ffff:10.0.0.1]/", "http://100.64.0.1/",
)  # fmt: skip
PUBLIC = ("http://93.184.216.34/", "https://example.org/hook?x=1", "https://[2606:2800:220:1::1]:8443/")


@pytest.mark.parametrize("url", REFUSED_EVERYWHERE)
def test_nobody_is_asked_there(url: str) -> None:
    assert webhook_target.fault_of(url, private_allowed=True) is not None


@pytest.mark.parametrize("url", PRIVATE)
def test_private_addresses_only_if_allowed(url: str) -> None:
    assert webhook_target.fault_of(url, private_allowed=True) is None
    assert webhook_target.fault_of(url, private_allowed=False) is not None


@pytest.mark.parametrize("url", PUBLIC)
def test_public_addresses_are_asked(url: str) -> None:
    assert webhook_target.fault_of(url, private_allowed=False) is None


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    target = await webhook_target.resolve("https://localhost:8443/in?a=1", private_allowed=True)
    assert target.url in ("https://127.0.0.1:8443/in?a=1", "https://[::1]:8443/in?a=1")
    assert (target.host, target.name, target.path) == ("localhost:8443", "localhost", "/in?a=1")
    with pytest.raises(Refused):
        await webhook_target.resolve("https://localhost:8443/", private_allowed=False)
