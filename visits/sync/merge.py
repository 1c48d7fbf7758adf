"""Three-way merge field by field: what only one side changed is kept, what both changed differently is a conflict."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from visits.sync.verdict import FieldConflict


class Merge(Struct, frozen=True):
    """What to write, and where both sides want different things.

    `changed` are the phone's values to write; under a conflict the server's value stays until a person decides.
    Empty with no conflicts: both wanted the same.
    """

    changed: dict[str, Any]
    conflicts: tuple[FieldConflict, ...]


def three_way(base: Mapping[str, Any], server: Mapping[str, Any], phone: Mapping[str, Any]) -> Merge:
    """Merge the phone's fields into the server's; `base` is what the phone started from.

    A field the phone does not name is untouched; one missing in `base` counts as changed by whoever has it.
    """
    changed: dict[str, Any] = {}
    conflicts: list[FieldConflict] = []
    for field, wanted in sorted(phone.items()):
        here, before = server.get(field), base.get(field)
        if wanted in (here, before):
            continue
        if here == before:
            changed[field] = wanted
        else:
            conflicts.append(FieldConflict(field, here, wanted))
    return Merge(changed, tuple(conflicts))
