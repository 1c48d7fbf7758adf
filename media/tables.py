"""The tables of media as Piccolo sees them; private to this package. Their DDL is migration 0020."""

from piccolo.columns import JSONB, UUID, Array, BigInt, Boolean, DoublePrecision, Integer, Text, Timestamptz
from piccolo.table import Table


class UploadRow(Table, tablename="upload"):
    """An upload by tus or in one shot; the bytes lie beside the database until it is completed."""

    id = UUID(primary_key=True, default=None)
    actor = UUID(default=None)
    length = BigInt(default=None)
    metadata = Text(default=None)
    media_type = Text(null=True, default=None)
    sha256 = Text(null=True, default=None)
    evidence = UUID(null=True, default=None)
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)
    outcome = Text(null=True, default=None)


class MediaFileRow(Table, tablename="media_file"):
    """A kept file, once for each content, with what looking into it found."""

    id = UUID(primary_key=True, default=None)
    sha256 = Text(unique=True, default=None)
    size = BigInt(default=None)
    kept_at = Timestamptz(default=None)
    inspected_at = Timestamptz(null=True, default=None)
    inspection = JSONB(null=True, default=None)
    phash_bands = Array(base_column=Integer(), default=list)
    phash = BigInt(null=True, default=None)


class DerivativeRow(Table, tablename="derivative"):
    """A smaller picture made of a kept file; itself kept by its digest."""

    id = UUID(primary_key=True, default=None)
    file_sha256 = Text(default=None)
    variant = Integer(default=None)
    sha256 = Text(default=None)
    size = BigInt(default=None)
    width = Integer(default=None)
    height = Integer(default=None)


class EvidenceRow(Table, tablename="evidence"):
    """Evidence of a piece of work: declared first, stored and judged when its bytes have come."""

    id = UUID(primary_key=True, default=None)
    owner_kind = Text(default=None)
    owner_id = UUID(default=None)
    uploader = UUID(default=None)
    sha256 = Text(default=None)
    size = BigInt(default=None)
    media_type = Text(default=None)
    captured_at = Timestamptz(null=True, default=None)
    lon = DoublePrecision(null=True, default=None)
    lat = DoublePrecision(null=True, default=None)
    received_place = JSONB(null=True, default=None)
    mock = Boolean(default=None)
    received_at = Timestamptz(default=None)
    expected_lon = DoublePrecision(null=True, default=None)
    expected_lat = DoublePrecision(null=True, default=None)
    limit_m = DoublePrecision(null=True, default=None)
    retain_until = Timestamptz(null=True, default=None)
    legal_hold = Boolean(default=None)
    state = Text(default=None)
    stored_at = Timestamptz(null=True, default=None)
    checked_at = Timestamptz(null=True, default=None)
    verdict = JSONB(null=True, default=None)


class MediaErasureRow(Table, tablename="media_erasure"):
    """What is to be taken away: of a person, a content nobody refers to, an upload broken off."""

    id = UUID(primary_key=True, default=None)
    kind = Text(default=None)
    name = Text(default=None)
    asked_at = Timestamptz(default=None)
