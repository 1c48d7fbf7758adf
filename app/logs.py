"""Structured logs: one JSON object a line on standard error, without personal data."""

import logging
import sys
import traceback
from datetime import UTC, datetime

import asyncpg
import msgspec

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def words_of(error: BaseException) -> str:
    """Return what an error says; of refused statements only the code, because their words quote values."""
    if isinstance(error, asyncpg.PostgresError):
        return f"SQLSTATE {error.sqlstate}"
    return "refused value" if isinstance(error, asyncpg.DataError) else str(error)[:500]


def trace_of(error: BaseException) -> str:
    """Return the traceback of an error and of what caused it, each with `words_of`."""
    parts: list[str] = []
    one: BaseException | None = error
    while one is not None:
        parts.append("".join(traceback.format_tb(one.__traceback__)) + f"{type(one).__name__}: {words_of(one)}")
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return "\ncaused:\n".join(reversed(parts))


class JsonLines(logging.Formatter):
    """Formats a record as `{"at", "level", "logger", "text", …extra}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line |= {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1]:
            line["trace"] = trace_of(record.exc_info[1])
        return msgspec.json.encode(line, enc_hook=str).decode()


def configure(level: str = "info") -> None:
    """Log JSON lines to standard error from `level` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("uvicorn.access", "httpx", "arq.worker"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
