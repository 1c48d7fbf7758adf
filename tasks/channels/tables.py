"""The tables of channels; private to this package."""

from piccolo.columns import JSONB, UUID, Array, BigInt, Boolean, Integer, Text, Timestamptz
from piccolo.table import Table


class CaseStreamRow(Table, tablename="case_stream"):
    """An event of a case as others may read it; its position in the order of commits is given later."""

    event_id = UUID(primary_key=True, default=None)
    position = BigInt(null=True, default=None)
    case_id = UUID(default=None)
    step = BigInt()
    at = Timestamptz(default=None)
    type = Text()
    source = Text()
    body = JSONB(default=None)


class CaseStreamHeadRow(Table, tablename="case_stream_head"):
    """The last position given, and up to which one events may have been deleted."""

    id = Integer(primary_key=True, default=None)
    position = BigInt()
    kept_from = BigInt()


class WebhookRow(Table, tablename="webhook"):
    """Where the events of a source's cases are posted."""

    id = UUID(primary_key=True, default=None)
    source = Text()
    url = Text()
    secret = Text()
    events = Array(base_column=Text())
    state = Text()
    retired = Boolean()
    hold_until = Timestamptz(null=True, default=None)
    version = Integer()
    created_at = Timestamptz(default=None)
    created_by = UUID(default=None)
    changed_at = Timestamptz(default=None)
    changed_by = UUID(null=True, default=None)


class WebhookDeliveryRow(Table, tablename="webhook_delivery"):
    """An event on its way to a webhook."""

    id = UUID(primary_key=True, default=None)
    webhook = UUID(default=None)
    event_id = UUID(default=None)
    case_id = UUID(default=None)
    step = BigInt()
    state = Text()
    attempts = Integer()
    queued_at = Timestamptz(default=None)
    next_try_at = Timestamptz(default=None)
    lease = UUID(null=True, default=None)
    leased_until = Timestamptz(null=True, default=None)
    done_at = Timestamptz(null=True, default=None)
    last_status = Integer(null=True, default=None)
    last_error = Text(null=True, default=None)
    duration_ms = Integer(null=True, default=None)
