"""The trace nobody can change unseen: every event of a case is sealed with the hash of the one before; pure."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

SHA256 = "sha-256"
SM3 = "sm3"
ALGORITHMS = {SHA256: "sha256", SM3: "sm3"}
"""Name kept beside each hash → name in hashlib; SM3 (GB/T 32905) only where OpenSSL offers it."""
START = ""
"""What the first event of a case points back to."""


class Head(Struct, frozen=True):
    """The end of a case's chain."""

    seq: int = 0
    hash: str = START


class Entry(Struct, frozen=True, kw_only=True):
    """What an event says, before it is sealed. `body` holds no personal data and no fractions."""

    case: UUID
    at: datetime
    actor: UUID
    organisation: UUID | None
    type: str
    body: dict[str, Any]


class Link(Struct, frozen=True, kw_only=True):
    """A sealed event, as stored."""

    case: UUID
    seq: int
    at: datetime
    actor: UUID
    organisation: UUID | None
    type: str
    body: dict[str, Any]
    prev_hash: str
    hash: str
    algorithm: str


class Break(Struct, frozen=True):
    """The first link that does not hold, and why (zh, en)."""

    case: UUID
    seq: int
    why: tuple[str, str]


class Root(Struct, frozen=True, kw_only=True):
    """One hash over the ends that the chains of so many cases had, `steps` in all, when it was made at `at`."""

    day: date
    cases: int
    steps: int
    hash: str
    algorithm: str
    at: datetime


def available() -> tuple[str, ...]:
    """Return the algorithms this machine can compute."""
    return tuple(name for name, theirs in ALGORITHMS.items() if theirs in hashlib.algorithms_available)


def digest(data: bytes, algorithm: str = SHA256) -> str:
    """Return the hex digest; ValueError for an algorithm this machine cannot compute."""
    if algorithm not in ALGORITHMS:
        raise ValueError(f"unknown hash algorithm: {algorithm}")
    return hashlib.new(ALGORITHMS[algorithm], data).hexdigest()


def _no_fractions(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("a fraction in a trace body would not survive every JSON reader: write it as text")
    if isinstance(value, dict):
        for inner in value.values():  # pyright: ignore[reportUnknownVariableType]
            _no_fractions(inner)
    elif isinstance(value, list | tuple):
        for inner in value:  # pyright: ignore[reportUnknownVariableType]
            _no_fractions(inner)


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a value: keys sorted, no white space, UTF-8 (RFC 8785 for data without fractions)."""
    return msgspec.json.encode(value, order="sorted")


def instant(at: datetime) -> str:
    """Return an instant as hashed: UTC, microseconds always written, since the database keeps just those."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _hash(link_seq: int, entry: Entry | Link, prev_hash: str, algorithm: str) -> str:
    said = {
        "case": str(entry.case),
        "seq": link_seq,
        "at": instant(entry.at),
        "actor": str(entry.actor),
        "organisation": None if entry.organisation is None else str(entry.organisation),
        "type": entry.type,
        "body": entry.body,
        "prev": prev_hash,
    }
    return digest(canonical(said), algorithm)


def seal(head: Head, entry: Entry, algorithm: str = SHA256) -> Link:
    """Put an event at the end of a chain. TypeError if its body holds fractions."""
    _no_fractions(entry.body)
    seq = head.seq + 1
    return Link(
        case=entry.case,
        seq=seq,
        at=entry.at,
        actor=entry.actor,
        organisation=entry.organisation,
        type=entry.type,
        body=entry.body,
        prev_hash=head.hash,
        hash=_hash(seq, entry, head.hash, algorithm),
        algorithm=algorithm,
    )


def chain(head: Head, entries: Sequence[Entry], algorithm: str = SHA256) -> tuple[tuple[Link, ...], Head]:
    """Seal several events in order and return them with the new end."""
    links: list[Link] = []
    for entry in entries:
        link = seal(head, entry, algorithm)
        links.append(link)
        head = Head(link.seq, link.hash)
    return tuple(links), head


def verify(case: UUID, links: Iterable[Link], head: Head | None = None) -> Break | None:
    """Walk a chain from its first event; return the first link that does not hold, None if all do.

    `head`, where known from elsewhere (the case's row, a daily root), shows that the end was cut off.
    """
    end = Head()
    for link in links:
        if link.seq != end.seq + 1:
            return Break(case, end.seq + 1, ("缺少这一步", "this step is missing"))
        if link.case != case or link.prev_hash != end.hash:
            return Break(case, link.seq, ("与上一步的散列不相接", "does not join the hash of the step before"))
        if link.algorithm not in available():
            return Break(case, link.seq, ("本机不支持该散列算法", "its hash algorithm is not available here"))
        if _hash(link.seq, link, link.prev_hash, link.algorithm) != link.hash:
            return Break(
                case, link.seq, ("内容与散列不符，已被改动", "its content does not fit its hash: it was changed")
            )
        end = Head(link.seq, link.hash)
    if head is not None and end != head:
        return Break(case, end.seq + 1, ("链尾与登记的不符", "the end differs from the one on record"))
    return None


def covered(case: UUID, links: Sequence[Link], heads: Iterable[Head]) -> Break | None:
    """Tell whether a chain still holds every end it had under a daily root; return the first it does not.

    What was added since changes nothing. A chain sealed anew from some step on fits itself, but not these.
    """
    hashes = {link.seq: link.hash for link in links}
    for head in sorted(heads, key=lambda each: each.seq):
        if hashes.get(head.seq) != head.hash:
            return Break(case, head.seq, ("与当日根散列所记不符，链被改写过", "differs from the daily root: rewritten"))
    return None


def sealed_text(text: str, salt: str, algorithm: str = SHA256) -> str:
    """Return what the chain holds of a personal or free text: its salted hash, `algorithm:hex`."""
    salted = f"{salt}\n{text}".encode()
    return f"{algorithm}:{digest(salted, algorithm)}"


def root(heads: Iterable[tuple[UUID, Head]], algorithm: str = SHA256) -> str:
    """Return one hash over the ends of all chains, in the order of their case ids: the daily root."""
    summary = hashlib.new(ALGORITHMS[algorithm])
    for case, head in sorted(heads, key=lambda pair: pair[0].bytes):
        summary.update(f"{case} {head.seq} {head.hash}\n".encode())
    return summary.hexdigest()
