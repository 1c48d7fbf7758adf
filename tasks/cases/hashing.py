"""The hash that seals the trace from now on, and the makers of ids and salts."""

import secrets

from app.kernel.ids import new_id
from tasks.cases import journal, trace

_algorithm = trace.SHA256


def configure(hash_: str) -> None:
    """Set the hash of the trace from now on, by its name in hashlib; ValueError where this machine cannot."""
    global _algorithm
    offered = {trace.ALGORITHMS[name]: name for name in trace.available()}
    if hash_ not in offered:
        raise ValueError(f"trace: the OpenSSL of this machine does not offer the hash {hash_!r}")
    _algorithm = offered[hash_]


def makers() -> journal.Makers:
    """Return the makers of ids and salts used outside tests, with the hash in force."""
    return journal.Makers(new_id, lambda: secrets.token_hex(8), _algorithm)
