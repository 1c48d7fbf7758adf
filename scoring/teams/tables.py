"""The tables of evaluation, as Piccolo sees them; private to this package, their DDL is migration 0060."""

from piccolo.columns import JSONB, UUID, Array, Boolean, Date, Integer, Numeric, Text, Timestamptz
from piccolo.table import Table

PLACES = (12, 4)


class SchemeRow(Table, tablename="score_scheme"):
    """A version of a scheme: draft → reviewed → published; the document is kept to the byte."""

    id = UUID(primary_key=True, default=None)
    code = Text(default=None)
    version = Integer(default=None)
    name = Text(default=None)
    force = Text(default=None)
    level = Text(default=None)
    length = Text(default=None)
    state = Text(default=None)
    document = Text(default=None)
    sha256 = Text(default=None)
    effective = Date(default=None)
    until = Date(null=True, default=None)
    author = UUID(default=None)
    created_at = Timestamptz(default=None)
    reviewer = UUID(null=True, default=None)
    reviewed_at = Timestamptz(null=True, default=None)
    publisher = UUID(null=True, default=None)
    published_at = Timestamptz(null=True, default=None)


class PeriodRow(Table, tablename="score_period"):
    """A period and where it stands."""

    code = Text(primary_key=True, default=None)
    state = Text(default=None)
    watermark = Timestamptz(null=True, default=None)
    appeal_until = Timestamptz(null=True, default=None)
    reopened_until = Timestamptz(null=True, default=None)


class PeriodEventRow(Table, tablename="score_period_event"):
    """The chained record of a period; never changed."""

    id = UUID(primary_key=True, default=None)
    period = Text(default=None)
    seq = Integer(default=None)
    at = Timestamptz(default=None)
    actor = UUID(default=None)
    type = Text(default=None)
    body = JSONB(default=None)
    previous = Text(default=None)
    hash = Text(default=None)


class RunRow(Table, tablename="score_run"):
    """One computation: what it ran on and what came out, by digest. A locked one is never changed."""

    id = UUID(primary_key=True, default=None)
    scheme = UUID(default=None)
    period = Text(default=None)
    kind = Text(default=None)
    engine_version = Text(default=None)
    registry_hash = Text(default=None)
    scheme_hash = Text(default=None)
    watermark = Timestamptz(default=None)
    appeals = Array(base_column=UUID(), default=list)
    input_digest = Text(default=None)
    output_digest = Text(default=None)
    computed_at = Timestamptz(default=None)
    actor = UUID(default=None)


class ScoreRow(Table, tablename="score"):
    """What one subject got in a run."""

    id = UUID(primary_key=True, default=None)
    run = UUID(default=None)
    subject = Text(default=None)
    town = Text(null=True, default=None)
    total = Numeric(digits=PLACES, null=True, default=None)
    grade = Text(null=True, default=None)
    rank = Integer(null=True, default=None)
    peer_group = Text(default=None)
    base = Numeric(digits=PLACES, null=True, default=None)
    rankable = Boolean(default=None)
    input_digest = Text(default=None)
    output_digest = Text(default=None)


class LineRow(Table, tablename="score_line"):
    """One line of a score."""

    id = UUID(primary_key=True, default=None)
    run = UUID(default=None)
    subject = Text(default=None)
    position = Integer(default=None)
    kind = Text(default=None)
    code = Text(default=None)
    numerator = Integer(null=True, default=None)
    denominator = Integer(null=True, default=None)
    value = Numeric(digits=PLACES, null=True, default=None)
    normalised = Numeric(digits=PLACES, null=True, default=None)
    weight = Numeric(digits=PLACES, null=True, default=None)
    points = Numeric(digits=PLACES, null=True, default=None)


class EmissionRow(Table, tablename="score_emission"):
    """The facts behind one line, with the points each of those counted carries."""

    id = UUID(primary_key=True, default=None)
    run = UUID(default=None)
    subject = Text(default=None)
    code = Text(default=None)
    counted = Array(base_column=Text(), default=list)
    population = Array(base_column=Text(), default=list)
    points = Array(base_column=Numeric(), default=list)
    baseline = Numeric(digits=PLACES, default=None)
    cap = Numeric(digits=PLACES, default=None)


class DirtyRow(Table, tablename="score_dirty"):
    """A subject whose score of a period no longer fits its facts."""

    id = UUID(primary_key=True, default=None)
    period = Text(default=None)
    subject = Text(default=None)
    marked_at = Timestamptz(default=None)


class AppealRow(Table, tablename="score_appeal"):
    """An appeal against a line or a fact; once decided it is never changed."""

    id = UUID(primary_key=True, default=None)
    score = UUID(default=None)
    scheme = Text(default=None)
    period = Text(default=None)
    subject = Text(default=None)
    town = Text(null=True, default=None)
    line = Text(null=True, default=None)
    fact = Text(null=True, default=None)
    reason = Text(default=None)
    raised_by = UUID(default=None)
    raised_at = Timestamptz(default=None)
    state = Text(default=None)
    points = Numeric(digits=PLACES, null=True, default=None)
    decision = Text(null=True, default=None)
    decided_by = UUID(null=True, default=None)
    decided_at = Timestamptz(null=True, default=None)
