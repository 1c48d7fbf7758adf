"""What this process knows of uploads under way, so that a part costs no query and the last one no second reading.

Another process may go on with an upload at any time: nothing here is trusted against the file. An upload that ended
elsewhere has no partial file any more; a digest counts only where it is of as many bytes as lie there.
"""

import hashlib
from collections import OrderedDict
from uuid import UUID

from media.uploads import Upload

_MOST = 2000
"""Uploads remembered, the last used; of others the rows and files are read."""


class Digest:
    """The SHA-256 of what this process wrote to a partial file.

    Parts come in order and what was acknowledged is never changed: as many bytes as lie there are the bytes there.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._offset: int | None = 0

    def add(self, block: bytearray) -> None:
        """Count a block that was written."""
        if self._offset is not None:
            self._hash.update(block)
            self._offset += len(block)

    def drop(self) -> None:
        """Of no use from now on: what was counted may not be what lies in the file."""
        self._offset = None

    def of(self, length: int) -> str | None:
        """The digest in hexadecimal when it is of `length` bytes, otherwise None: read the file."""
        return self._hash.hexdigest() if self._offset == length else None


class Underway:
    """An upload as its row had it, and the digest of what this process wrote of it."""

    def __init__(self, upload: Upload) -> None:
        self.upload = upload
        self.digest = Digest()


_uploads: OrderedDict[tuple[str, UUID], Underway] = OrderedDict()


def remember(district: str, upload: Upload) -> None:
    """Know an upload that has not ended; the one unused for longest is forgotten when there are too many."""
    _uploads[district, upload.id] = Underway(upload)
    if len(_uploads) > _MOST:
        _uploads.popitem(last=False)


def find(district: str, upload_id: UUID) -> Underway | None:
    """What is known of an upload."""
    found = _uploads.get((district, upload_id))
    if found is not None:
        _uploads.move_to_end((district, upload_id))
    return found


def digest(district: str, upload_id: UUID) -> Digest:
    """The running digest of an upload; one of no use where the upload is not known."""
    found = find(district, upload_id)
    if found is not None:
        return found.digest
    unknown = Digest()
    unknown.drop()
    return unknown


def forget(district: str, upload_id: UUID) -> None:
    """An upload ended."""
    _uploads.pop((district, upload_id), None)
