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


class SourceRow(Table, tablename="source"):
    """A platform whose records become cases, with the mapping in force."""

    id = UUID(primary_key=True, default=None)
    code = Text(default=None)
    name = Text(default=None)
    organisation = UUID(null=True, default=None)
    sandbox = Boolean(default=None)
    version = Integer(default=None)
    mapping = JSONB(default=None)
    changed_at = Timestamptz(default=None)
    changed_by = UUID(default=None)


class SourceVersionRow(Table, tablename="source_version"):
    """Every mapping a source ever had."""

    id = UUID(primary_key=True, default=None)
    source = Text(default=None)
    version = Integer(default=None)
    name = Text(default=None)
    mapping = JSONB(default=None)
    author = UUID(default=None)
    at = Timestamptz(default=None)


class PushRecordRow(Table, tablename="push_record"):
    """A record that came, the case it became, and sealed digests of its fields: what changed is seen by them."""

    id = UUID(primary_key=True, default=None)
    source = Text(default=None)
    external_id = Text(default=None)
    case_id = UUID(default=None)
    number = Text(default=None)
    digests = JSONB(default=None)
    sealed = Text(null=True, default=None)
    at = Timestamptz(default=None)
    changed_at = Timestamptz(default=None)


class PushEventRow(Table, tablename="push_event"):
    """A CloudEvent that was taken and what it was answered: delivered again it gets the same."""

    id = UUID(primary_key=True, default=None)
    channel = Text(default=None)
    source = Text(default=None)
    event_id = Text(default=None)
    digest = Text(default=None)
    answer = JSONB(default=None)
    at = Timestamptz(default=None)


class CaseImportRow(Table, tablename="case_import"):
    """A file being imported, and how far it is."""

    id = UUID(primary_key=True, default=None)
    source = Text(default=None)
    file = Text(default=None)
    digest = Text(default=None)
    mapping = JSONB(default=None)
    actor = JSONB(default=None)
    author = UUID(default=None)
    area = Text(default=None)
    dry_run = Boolean(default=None)
    state = Text(default=None)
    total = Integer(default=None)
    stored = Integer(default=None)
    updated = Integer(default=None)
    unchanged = Integer(default=None)
    refused = Integer(default=None)
    created_at = Timestamptz(default=None)
    finished_at = Timestamptz(null=True, default=None)


class CaseImportRowRow(Table, tablename="case_import_row"):
    """A row of the file, sealed, until it is dealt with."""

    id = UUID(primary_key=True, default=None)
    import_id = UUID(default=None)
    row = Integer(default=None)
    sealed = Text(default=None)


class CaseImportFaultRow(Table, tablename="case_import_fault"):
    """What is wrong with a row, and in which column."""

    id = UUID(primary_key=True, default=None)
    import_id = UUID(default=None)
    row = Integer(default=None)
    field = Text(default=None)
    zh = Text(default=None)
    en = Text(default=None)


class Open311SubmissionRow(Table, tablename="open311_submission"):
    """A request that came through Open311: by which key, and a digest by which a second tap is known."""

    key = UUID(primary_key=True, default=None)
    digest = Text()
    case_id = UUID(default=None)
    at = Timestamptz(default=None)
