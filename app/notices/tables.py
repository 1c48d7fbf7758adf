"""The tables of notices; private to this package."""

from piccolo.columns import UUID, Boolean, Integer, Text, Timestamptz
from piccolo.table import Table


class NoticeRow(Table, tablename="notice"):
    """What a person or desk is told, once per (recipient, kind, about, step)."""

    id = UUID(primary_key=True, default=None)
    recipient = UUID(default=None)
    kind = Text()
    about = UUID(default=None)
    step = Text()
    number = Text()
    zh = Text()
    en = Text()
    critical = Boolean()
    made_at = Timestamptz(default=None)
    read_at = Timestamptz(null=True, default=None)
    read_by = UUID(null=True, default=None)


class NoticeAddressRow(Table, tablename="notice_address"):
    """Where messages to a recipient go, sealed."""

    id = UUID(primary_key=True, default=None)
    recipient = UUID(default=None)
    channel = Text()
    about = UUID(default=None)
    address = Text()
    set_at = Timestamptz(default=None)
    set_by = UUID(default=None)


class NoticeDeliveryRow(Table, tablename="notice_delivery"):
    """A notice on its way through one channel."""

    id = UUID(primary_key=True, default=None)
    notice = UUID(default=None)
    channel = Text()
    address = UUID(null=True, default=None)
    critical = Boolean()
    state = Text()
    tries = Integer()
    next_at = Timestamptz(default=None)
    sent_at = Timestamptz(null=True, default=None)
    error = Text(null=True, default=None)
