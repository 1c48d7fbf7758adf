"""Changing the key of personal data in every district: in batches, safe to stop and to start again at any time."""

from collections.abc import Callable, Sequence

from app import wiring
from app.identity.cipher import CannotOpen
from app.trouble import Trouble

BATCH = 1_000

Progress = Callable[[str, int, int], object]
"""Told what is done, how much of it, and of how much."""


async def stale(districts: Sequence[str]) -> int:
    """Return how many rows an older key or algorithm sealed."""
    return sum([await data.stale(code) for code in districts for data in wiring.SEALED.values()])


def _silent(*_: object) -> None:
    pass


async def rotate(
    districts: Sequence[str], progress: Progress = _silent, batch: int = BATCH
) -> dict[str, dict[str, int]]:
    """Seal everything anew under the present key; return district → package → rows.

    Each batch is a transaction of its own, so what is done stays done; nothing is done twice. Trouble when a key that
    something was sealed with is not configured: nothing of that batch is changed.
    """
    return {code: {name: await _package(code, name, progress, batch) for name in wiring.SEALED} for code in districts}


async def _package(district: str, name: str, progress: Progress, batch: int) -> int:
    data, done = wiring.SEALED[name], 0
    total = await data.stale(district)
    try:
        while fresh := await data.reseal(district, batch):
            done += fresh
            progress(f"{district} {name}", done, max(done, total))
    except CannotOpen as error:
        raise Trouble(
            f"District {district}, {name}: {error}. Put that key back behind the present one (ZJW_CIPHER_KEYS,"
            " or `cipher` in secrets.toml) and start again; what was sealed anew stays so."
        ) from error
    return done
