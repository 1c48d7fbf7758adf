"""One row of the relation `fact`, for whoever builds facts or evaluates them; pure, as evaluation is."""

from datetime import datetime
from typing import Any

from msgspec import Struct


class Fact(Struct, frozen=True, kw_only=True):
    """One thing that happened, for evaluation. `force` and the organisations say whom it counts for; times are UTC."""

    fact_id: str
    version: int = 1
    kind: str
    force: str | None = None
    town: str | None = None
    force_unit: str | None = None
    department: str | None = None
    team: str | None = None
    person: str | None = None
    item: str | None = None
    occurred_at: datetime
    due_at: datetime | None = None
    done_at: datetime | None = None
    attributes: dict[str, Any] = {}
    recorded_at: datetime
    superseded_at: datetime | None = None


COLUMNS = Fact.__struct_fields__
