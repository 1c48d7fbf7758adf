"""Logs: one JSON object a line, nothing overwritten, no values out of database errors."""

import json
import logging

import asyncpg
import pytest

from app import logs
from app.kernel import db


def line(record: logging.LogRecord) -> dict[str, object]:
    text = logs.JsonLines().format(record)
    assert "\n" not in text
    return json.loads(text)


def record(text: str, /, *, error: BaseException | None = None, **extra: object) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    made = logging.LogRecord("zjw.test", logging.WARNING, __file__, 1, text, None, info)
    vars(made).update(extra)
    return made


def test_a_line_has_instant_level_logger_text_and_what_was_added() -> None:
    found = line(record("worker ready", district="330109", ms=1.5))
    assert str(found.pop("at")).endswith("Z")
    assert found == {"level": "warning", "logger": "zjw.test", "text": "worker ready", "district": "330109", "ms": 1.5}


def test_what_was_added_never_replaces_the_text() -> None:
    found = line(record("queue is away", text="x", level="y", logger="z"))
    assert (found["text"], found["level"], found["logger"]) == ("queue is away", "warning", "zjw.test")


def test_values_of_any_kind_are_written() -> None:
    assert line(record("x", kind=ValueError, at=object))["text"] == "x"


async def test_a_database_error_is_logged_without_the_values_in_it(district: str) -> None:
    phone = "13800001234"
    errors: list[BaseException] = []
    for sql, value in (
        ("insert into schedule (name, due_at) values ($1, '2026-01-01Z'), ($1, '2026-01-01Z')", phone),
        ("select $1::int", phone + "x"),
    ):
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as caught:
            async with db.transaction(district):
                await db.execute(sql, value)
        errors.append(caught.value)
    for error in errors:
        try:
            raise RuntimeError("outer") from error
        except RuntimeError as outer:
            text = logs.JsonLines().format(record("crash", error=outer))
        assert phone not in text
        assert type(error).__name__ in text
        assert "test_logs.py" in text
