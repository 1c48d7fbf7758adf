"""The tables of the router, as Piccolo sees them; private to this package. Their DDL is migration 0030."""

from piccolo.columns import JSONB, UUID, BigInt, Boolean, Date, DoublePrecision, Integer, Text, Timestamptz
from piccolo.table import Table


class CaseItemRow(Table, tablename="case_item"):
    """An item of the catalogue in one version; the shipped ones live in the code."""

    id = UUID(primary_key=True, default=None)
    code = Text(default=None)
    version = Integer(default=None)
    body = JSONB(default=None)
    created_at = Timestamptz(default=None)
    author = UUID(null=True, default=None)


class DifficultItemRow(Table, tablename="difficult_item"):
    """A difficult matter of several departments: who leads, who assists, on what basis."""

    id = UUID(primary_key=True, default=None)
    code = Text(null=True, default=None)
    version = Integer(default=None)
    title = Text(default=None)
    description = Text(default=None)
    keywords = JSONB(default=None)
    domain = Text(default=None)
    lead = Text(default=None)
    assistants = JSONB(default=None)
    basis = Text(default=None)
    origin = Text(default=None)
    provenance = Text(default=None)
    item = Text(null=True, default=None)
    case_id = UUID(null=True, default=None)
    used = Integer(default=None)
    created_at = Timestamptz(default=None)
    created_by = UUID(null=True, default=None)
    updated_at = Timestamptz(default=None)
    retired_at = Timestamptz(null=True, default=None)


class DifficultUseRow(Table, tablename="difficult_use"):
    """That an entry was followed in a case; counted once a case."""

    id = UUID(primary_key=True, default=None)
    entry = UUID(default=None)
    case_id = UUID(default=None)
    actor = UUID(default=None)
    at = Timestamptz(default=None)


class SuggestionStatisticsRow(Table, tablename="suggestion_statistics"):
    """The words of closed cases and precedents by item, as last counted."""

    id = Integer(primary_key=True, default=None)
    mark = UUID(default=None)
    cases = Integer(default=None)
    words = JSONB(default=None)
    computed_at = Timestamptz(default=None)


class RoutingRulesRow(Table, tablename="routing_rules"):
    """A published set of routing rules."""

    id = UUID(primary_key=True, default=None)
    version = Integer(default=None)
    document = JSONB(default=None)
    author = UUID(default=None)
    reviewer = UUID(default=None)
    published_at = Timestamptz(default=None)
    note = Text(default=None)
    restores = Integer(null=True, default=None)


class RoutingDraftRow(Table, tablename="routing_draft"):
    """A draft of routing rules: changed by its author only, published by somebody else."""

    id = UUID(primary_key=True, default=None)
    note = Text(default=None)
    document = JSONB(default=None)
    author = UUID(default=None)
    based_on = Integer(default=None)
    restores = Integer(null=True, default=None)
    version = Integer(default=None)
    created_at = Timestamptz(default=None)
    changed_at = Timestamptz(default=None)


class CaseMarksRow(Table, tablename="case_marks"):
    """Marks that change when catalogue or rules do, so that every process reads them again."""

    id = Integer(primary_key=True, default=None)
    catalogue = UUID(null=True, default=None)
    rules = UUID(null=True, default=None)
    difficult = UUID(null=True, default=None)
    calendar = UUID(null=True, default=None)


class CaseCalendarRow(Table, tablename="case_calendar"):
    """A version of the district's own calendar: working hours, days off, make-up days."""

    id = UUID(primary_key=True, default=None)
    version = Integer(default=None)
    document = JSONB(default=None)
    author = UUID(default=None)
    published_at = Timestamptz(default=None)


class CaseReckoningRow(Table, tablename="case_reckoning"):
    """The calendar by which every due was last reckoned."""

    id = Integer(primary_key=True, default=None)
    fingerprint = Text(default=None)
    at = Timestamptz(default=None)


class CaseNumberRow(Table, tablename="case_number"):
    """The next free number of a day; processes take blocks."""

    day = Date(primary_key=True, default=None)
    next = Integer(default=None)


class CaseRow(Table, tablename="cases"):
    """A case (事件) with its texts; contacts are kept apart."""

    id = UUID(primary_key=True, default=None)
    number = Text(default=None)
    state = Text(default=None)
    before = Text(null=True, default=None)
    version = Integer(default=None)
    item = Text(default=None)
    item_version = Integer(default=None)
    severity = Text(default=None)
    source = Text(default=None)
    external_id = Text(null=True, default=None)
    reporter_kind = Text(default=None)
    reporter = UUID(null=True, default=None)
    desk = UUID(null=True, default=None)
    area = Text(default=None)
    town = Text(null=True, default=None)
    cell = Text(null=True, default=None)
    lon = DoublePrecision(null=True, default=None)
    lat = DoublePrecision(null=True, default=None)
    parent = UUID(null=True, default=None)
    last_lead = UUID(null=True, default=None)
    ruled = Boolean(default=None)
    solved_at_once = Boolean(default=None)
    appealed = Boolean(default=None)
    withdrawal_asked = Boolean(default=None)
    signal = Text(default=None)
    returns = Integer(default=None)
    reworks = Integer(default=None)
    redos = Integer(default=None)
    reopens = Integer(default=None)
    received_at = Timestamptz(default=None)
    accepted_at = Timestamptz(null=True, default=None)
    assigned_at = Timestamptz(null=True, default=None)
    handled_at = Timestamptz(null=True, default=None)
    verified_at = Timestamptz(null=True, default=None)
    closed_at = Timestamptz(null=True, default=None)
    clock_from = Timestamptz(null=True, default=None)
    total_due = Timestamptz(null=True, default=None)
    verify_due = Timestamptz(null=True, default=None)
    call_back_due = Timestamptz(null=True, default=None)
    suspended_at = Timestamptz(null=True, default=None)
    resume_at = Timestamptz(null=True, default=None)
    pauses = JSONB(default=None)
    outcome = Text(null=True, default=None)
    rating = Integer(null=True, default=None)
    satisfied = Boolean(null=True, default=None)
    due_at = Timestamptz(null=True, default=None)
    wake_at = Timestamptz(null=True, default=None)
    trace_seq = Integer(default=None)
    trace_hash = Text(default=None)
    title = Text(default=None)
    description = Text(default=None)
    address = Text(default=None)
    attributes = JSONB(default=None)
    raw_lon = DoublePrecision(null=True, default=None)
    raw_lat = DoublePrecision(null=True, default=None)
    datum = Text(null=True, default=None)
    accuracy_m = DoublePrecision(null=True, default=None)
    occurred_at = Timestamptz(null=True, default=None)
    routing = JSONB(default=None)
    sender = UUID(null=True, default=None)
    limits = JSONB(default=None)
    looked_at = Timestamptz(null=True, default=None)
    complained_about = JSONB(default=None)
    merged_into = UUID(null=True, default=None)
    origin = UUID(null=True, default=None)
    handler = UUID(null=True, default=None)
    verifier = UUID(null=True, default=None)
    verifier_at = Timestamptz(null=True, default=None)
    reviewed_at = Timestamptz(null=True, default=None)
    checklist = JSONB(default=None)
    updated_at = Timestamptz(null=True, default=None)
    reminded_until = Timestamptz(null=True, default=None)


class CaseLegRow(Table, tablename="case_leg"):
    """One organisation's turn (环节)."""

    id = UUID(primary_key=True, default=None)
    case_id = UUID(default=None)
    ordinal = Integer(default=None)
    kind = Text(default=None)
    parent = UUID(null=True, default=None)
    assigner = UUID(null=True, default=None)
    organisation = UUID(default=None)
    received_at = Timestamptz(default=None)
    town = Text(default=None)
    state = Text(default=None)
    assigned_at = Timestamptz(default=None)
    sign_due = Timestamptz(null=True, default=None)
    arrive_due = Timestamptz(null=True, default=None)
    handle_due = Timestamptz(null=True, default=None)
    handle_limit = Text(null=True, default=None)
    extensions = JSONB(default=None)
    pending = JSONB(null=True, default=None)
    suspended_at = Timestamptz(null=True, default=None)
    pauses = JSONB(default=None)
    final = Boolean(default=None)
    signed_at = Timestamptz(null=True, default=None)
    signer = UUID(null=True, default=None)
    handler = UUID(null=True, default=None)
    arrived_at = Timestamptz(null=True, default=None)
    attended_at = Timestamptz(null=True, default=None)
    worked = Boolean(default=None)
    evidence = Integer(default=None)
    submitted_at = Timestamptz(null=True, default=None)
    submitter = UUID(null=True, default=None)
    done_at = Timestamptz(null=True, default=None)
    reworks = Integer(default=None)
    urges = Integer(default=None)
    urged_until = Timestamptz(null=True, default=None)
    next_urge_at = Timestamptz(null=True, default=None)
    result = Text(null=True, default=None)
    supervised_at = Timestamptz(null=True, default=None)
    reply_due = Timestamptz(null=True, default=None)
    replied_at = Timestamptz(null=True, default=None)
    stages = JSONB(default=None)
    rungs = JSONB(default=None)
    urged_at = Timestamptz(null=True, default=None)
    answered_at = Timestamptz(null=True, default=None)
    supervision_level = Integer(null=True, default=None)
    arrive_limit = Text(null=True, default=None)
    reply_limit = Text(null=True, default=None)


class CaseEventRow(Table, tablename="case_event"):
    """A sealed step; the table refuses UPDATE and DELETE."""

    id = UUID(primary_key=True, default=None)
    case_id = UUID(default=None)
    seq = Integer(default=None)
    at = Timestamptz(default=None)
    actor = UUID(default=None)
    organisation = UUID(null=True, default=None)
    type = Text(default=None)
    body = JSONB(default=None)
    prev_hash = Text(default=None)
    hash = Text(default=None)
    algorithm = Text(default=None)


class CaseTextRow(Table, tablename="case_text"):
    """A free text of a step; the trace holds its salted hash only, so it can be erased."""

    id = UUID(primary_key=True, default=None)
    case_id = UUID(default=None)
    event = UUID(default=None)
    field = Text(default=None)
    public = Boolean(default=None)
    salt = Text(default=None)
    text = Text(default=None)


class CaseContactRow(Table, tablename="case_contact"):
    """Who reported, encrypted; erasable."""

    case_id = UUID(primary_key=True, default=None)
    name = Text(null=True, default=None)
    phone = Text(null=True, default=None)
    salt = Text(default=None)


class CaseReporterRow(Table, tablename="case_reporter"):
    """Somebody who joined a case another reported; name and phone encrypted, erasable."""

    id = UUID(primary_key=True, default=None)
    case_id = UUID(default=None)
    kind = Text(default=None)
    reporter = UUID(null=True, default=None)
    name = Text(null=True, default=None)
    phone = Text(null=True, default=None)
    joined_at = Timestamptz(default=None)


class CaseCommandRow(Table, tablename="case_command"):
    """A command id and the answer it got."""

    id = UUID(primary_key=True, default=None)
    case_id = UUID(default=None)
    request = Text(default=None)
    answer = JSONB(default=None)
    at = Timestamptz(default=None)


class CaseRootRow(Table, tablename="case_root"):
    """One hash over the ends of all chains, per day."""

    day = Date(primary_key=True, default=None)
    cases = Integer(default=None)
    steps = BigInt(null=True, default=None)
    hash = Text(default=None)
    algorithm = Text(default=None)
    at = Timestamptz(default=None)


class CaseQueueRow(Table, tablename="case_queue"):
    """A saved queue: a filter of the list under a name, of a person or of an organisation."""

    id = UUID(primary_key=True, default=None)
    person = UUID(null=True, default=None)
    organisation = UUID(null=True, default=None)
    name = Text(default=None)
    filter = JSONB(default=None)
    position = Integer(default=None)
    version = Integer(default=None)
    created_by = UUID(default=None)
    created_at = Timestamptz(default=None)
    changed_at = Timestamptz(default=None)


class CaseClaimRow(Table, tablename="case_claim"):
    """Which clerk has a case in hand, until when."""

    case_id = UUID(primary_key=True, default=None)
    person = UUID(default=None)
    organisation = UUID(null=True, default=None)
    since = Timestamptz(default=None)
    until = Timestamptz(default=None)


class ReplyTemplateRow(Table, tablename="reply_template"):
    """A text for answers with placeholders, of an organisation or of the district."""

    id = UUID(primary_key=True, default=None)
    organisation = UUID(null=True, default=None)
    item = Text(null=True, default=None)
    title = Text(default=None)
    body = Text(default=None)
    version = Integer(default=None)
    created_by = UUID(default=None)
    created_at = Timestamptz(default=None)
    changed_by = UUID(default=None)
    changed_at = Timestamptz(default=None)
