"""Vector tiles: which tile is asked for, and the tag a tile is cached by; pure."""

from hashlib import sha256

from msgspec import Struct

from grid.problems import TileNotFound

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"


class Tile(Struct, frozen=True):
    """A vector tile and the tag it is cached by."""

    body: bytes
    etag: str


class Spot(Struct, frozen=True):
    """Zoom, column and row of a tile (slippy map numbering: row 0 is in the north)."""

    z: int
    x: int
    y: int


def spot(z: int, x: int, file: str) -> Spot:
    """The tile of an address `{z}/{x}/{y}.mvt`; TileNotFound for one outside the numbering of its zoom."""
    row, dot, kind = file.partition(".")
    if not (row.isascii() and row.isdigit() and len(row) < 9 and dot and kind == "mvt"):
        raise TileNotFound
    y = int(row)
    if not (0 <= z <= 22 and 0 <= x < 2**z and 0 <= y < 2**z):
        raise TileNotFound
    return Spot(z, x, y)


def tagged(body: bytes) -> Tile:
    """A tile with the tag of its content."""
    return Tile(body, f'"{sha256(body).hexdigest()[:32]}"')
