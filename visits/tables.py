"""The tables of field work as Piccolo sees them; private to this package. Their DDL is migration 0050."""

from piccolo.columns import JSONB, UUID, Array, Boolean, Bytea, Date, DoublePrecision, Integer, Text, Time, Timestamptz
from piccolo.table import Table


class HouseholdRow(Table, tablename="household"):
    """A dwelling; `contact` is sealed."""

    id = UUID(primary_key=True, default=None)
    address = Text(default=None)
    address_key = Text(default=None)
    area = Text(default=None)
    lon = DoublePrecision(default=None)
    lat = DoublePrecision(default=None)
    received_lon = DoublePrecision(default=None)
    received_lat = DoublePrecision(default=None)
    received_datum = Text(default=None)
    received_accuracy_m = DoublePrecision(null=True, default=None)
    residents = Integer(default=None)
    contact = Text(null=True, default=None)
    consent = Text(default=None)
    care_needs = Array(base_column=Text(), default=list)
    refused_at = Timestamptz(null=True, default=None)
    unsafe_until = Timestamptz(null=True, default=None)
    last_visit_at = Timestamptz(null=True, default=None)
    moved_out_at = Timestamptz(null=True, default=None)
    version = Integer(default=None)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)


class HouseholdVersionRow(Table, tablename="household_version"):
    """The fields of a household at each version: the base of a three-way merge."""

    id = UUID(primary_key=True, default=None)
    household_id = UUID(default=None)
    version = Integer(default=None)
    fields = JSONB(default=None)
    actor = UUID(default=None)
    at = Timestamptz(default=None)


class QuestionnaireRow(Table, tablename="questionnaire"):
    """A published version of a questionnaire."""

    id = UUID(primary_key=True, default=None)
    code = Text(default=None)
    version = Integer(default=None)
    title = Text(default=None)
    questions = JSONB(default=None)
    published_at = Timestamptz(default=None)


class RoundRow(Table, tablename="visit_round"):
    """A round of visits."""

    id = UUID(primary_key=True, default=None)
    name = Text(default=None)
    kind = Text(default=None)
    starts_on = Date(default=None)
    ends_on = Date(default=None)
    hours_from = Time(default=None)
    hours_to = Time(default=None)
    target = JSONB(default=None)
    area = Text(default=None)
    squads = Array(base_column=UUID(), default=list)
    questionnaire = Text(default=None)
    questionnaire_version = Integer(default=None)
    quota = Integer(default=None)
    per_evening = Integer(default=None)
    state = Text(default=None)
    version = Integer(default=None)
    created_by = UUID(default=None)
    created_at = Timestamptz(default=None)


class AssignmentRow(Table, tablename="assignment"):
    """A household's turn in a round."""

    id = UUID(primary_key=True, default=None)
    round_id = UUID(default=None)
    household_id = UUID(default=None)
    half = Text(default=None)
    person = UUID(null=True, default=None)
    squad = UUID(null=True, default=None)
    planned_on = Date(null=True, default=None)
    place_in_walk = Integer(null=True, default=None)
    state = Text(default=None)
    retry_of = UUID(null=True, default=None)
    version = Integer(default=None)


class VisitDayRow(Table, tablename="visit_day"):
    """A day whose care needs were brought to the phones."""

    day = Date(primary_key=True, default=None)
    renewed_at = Timestamptz(default=None)


class VisitRow(Table, tablename="visit"):
    """A recorded visit; rows are only added."""

    id = UUID(primary_key=True, default=None)
    household_id = UUID(default=None)
    assignment_id = UUID(null=True, default=None)
    round_id = UUID(null=True, default=None)
    person = UUID(default=None)
    squad = UUID(null=True, default=None)
    device = UUID(null=True, default=None)
    companions = Array(base_column=UUID(), default=list)
    outcome = Text(default=None)
    half = Text(default=None)
    started_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)
    captured_at = Timestamptz(default=None)
    received_at = Timestamptz(default=None)
    skew_s = DoublePrecision(default=None)
    area = Text(default=None)
    lon = DoublePrecision(null=True, default=None)
    lat = DoublePrecision(null=True, default=None)
    received_lon = DoublePrecision(null=True, default=None)
    received_lat = DoublePrecision(null=True, default=None)
    received_datum = Text(null=True, default=None)
    received_accuracy_m = DoublePrecision(null=True, default=None)
    questionnaire = Text(null=True, default=None)
    questionnaire_version = Integer(null=True, default=None)
    answers = JSONB(default=None)
    note = Text(default=None)
    cases = Array(base_column=UUID(), default=list)
    solved = Integer(default=None)
    flags = Array(base_column=Text(), default=list)


class SyncOpRow(Table, tablename="sync_op"):
    """An op a phone pushed: what was said, when, and the verdict as the bytes that were sent.

    `op` is kept as long as somebody may have to look at it: not after it was applied.
    """

    op_id = UUID(primary_key=True, default=None)
    person = UUID(default=None)
    device = UUID(default=None)
    type = Text(default=None)
    entity_id = UUID(default=None)
    digest = Bytea(default=None)
    app_schema = Integer(default=None)
    captured_at = Timestamptz(default=None)
    sent_at = Timestamptz(default=None)
    received_at = Timestamptz(default=None)
    corrected_at = Timestamptz(default=None)
    skew_s = DoublePrecision(default=None)
    depends_on = Array(base_column=UUID(), default=list)
    state = Text(default=None)
    verdict = Bytea(default=None)
    op = JSONB(null=True, default=None)
    settled_at = Timestamptz(null=True, default=None)


class DeviceSyncRow(Table, tablename="device_sync"):
    """When a phone last pushed and pulled, and what was still on it."""

    device = UUID(primary_key=True, default=None)
    person = UUID(default=None)
    app_schema = Integer(default=None)
    pending_after = Integer(default=None)
    last_push_at = Timestamptz(null=True, default=None)
    last_pull_at = Timestamptz(null=True, default=None)


class ShiftNoteRow(Table, tablename="shift_note"):
    """What a shift of a squad leaves to the next; gone when it expires."""

    id = UUID(primary_key=True, default=None)
    squad = UUID(default=None)
    author = UUID(default=None)
    text = Text(default=None)
    written_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)


class VisitRulesRow(Table, tablename="visit_rules"):
    """A version of the district's own rules of visiting."""

    id = UUID(primary_key=True, default=None)
    version = Integer(default=None)
    document = JSONB(default=None)
    author = UUID(default=None)
    published_at = Timestamptz(default=None)


class VisitCallBackRow(Table, tablename="visit_callback"):
    """A household to be asked about a visit, and what it said."""

    id = UUID(primary_key=True, default=None)
    visit_id = UUID(default=None)
    household_id = UUID(default=None)
    area = Text(default=None)
    state = Text(default=None)
    tries = Integer(default=None)
    satisfied = Boolean(null=True, default=None)
    words = Text(default=None)
    called_by = UUID(null=True, default=None)
    called_at = Timestamptz(null=True, default=None)
    made_at = Timestamptz(default=None)
