"""Evaluation: versions of schemes, periods with their record, runs with scores, lines and emissions, appeals."""

ID = "0060"
DESCRIPTION = "evaluation: schemes, periods, runs, scores, appeals"


def _refuse(table: str, condition: str = "true") -> tuple[str, ...]:
    """Refuse to change or delete rows of a table: what is on record stays on record."""
    return (
        f"drop trigger if exists {table}_stays on {table}",
        f"create trigger {table}_stays before update or delete on {table} for each row when ({condition})"
        " execute function scoring_refuse_change()",
    )


STATEMENTS: tuple[str, ...] = (
    # 55000: object_not_in_prerequisite_state
    """create or replace function scoring_refuse_change() returns trigger language plpgsql as $$
        begin raise exception 'this is on record and stays as it is' using errcode = '55000'; end $$""",
    """create table if not exists score_scheme (
        id uuid primary key,
        code text not null,
        version integer not null,
        name text not null,
        force text not null,
        level text not null check (level in ('team', 'force_unit', 'town', 'department')),
        length text not null check (length in ('month', 'quarter', 'year')),
        state text not null check (state in ('draft', 'reviewed', 'published')),
        document text not null,
        sha256 text not null,
        effective date not null,
        until date,
        author uuid not null,
        created_at timestamptz not null,
        reviewer uuid,
        reviewed_at timestamptz,
        publisher uuid,
        published_at timestamptz,
        unique (code, version),
        constraint score_scheme_span check (until is null or until > effective),
        constraint score_scheme_four_eyes check (reviewer <> author and publisher <> author)
    )""",
    """create table if not exists score_period (
        code text primary key,
        state text not null check (state in ('open', 'frozen', 'appeal', 'locked', 'reopened')),
        watermark timestamptz,
        appeal_until timestamptz,
        reopened_until timestamptz
    )""",
    """create table if not exists score_period_event (
        id uuid primary key,
        period text not null references score_period (code),
        seq integer not null,
        at timestamptz not null,
        actor uuid not null,
        type text not null,
        body jsonb not null,
        previous text not null,
        hash text not null,
        unique (period, seq)
    )""",
    *_refuse("score_period_event"),
    """create table if not exists score_run (
        id uuid primary key,
        scheme uuid not null references score_scheme (id),
        period text not null references score_period (code),
        kind text not null check (kind in ('live', 'locked')),
        engine_version text not null,
        registry_hash text not null,
        scheme_hash text not null,
        watermark timestamptz not null,
        appeals uuid[] not null,
        input_digest text not null,
        output_digest text not null,
        computed_at timestamptz not null,
        actor uuid not null
    )""",
    "create unique index if not exists score_run_live on score_run (scheme, period) where kind = 'live'",
    "create index if not exists score_run_period on score_run (period, computed_at)",
    *_refuse("score_run", "old.kind = 'locked'"),
    """create table if not exists score (
        id uuid primary key,
        run uuid not null references score_run (id),
        subject text not null,
        town text,
        total numeric(12, 4),
        grade text,
        rank integer,
        peer_group text not null,
        base numeric(12, 4),
        rankable boolean not null,
        input_digest text not null,
        output_digest text not null,
        unique (run, subject)
    )""",
    "create index if not exists score_town on score (run, town)",
    """create table if not exists score_line (
        id uuid primary key,
        run uuid not null references score_run (id),
        subject text not null,
        position integer not null,
        kind text not null check (kind in ('indicator', 'points', 'adjustment')),
        code text not null,
        numerator integer,
        denominator integer,
        value numeric(12, 4),
        normalised numeric(12, 4),
        weight numeric(12, 4),
        points numeric(12, 4),
        unique (run, subject, position)
    )""",
    """create table if not exists score_emission (
        id uuid primary key,
        run uuid not null references score_run (id),
        subject text not null,
        code text not null,
        counted text[] not null,
        population text[] not null,
        points numeric[] not null,
        baseline numeric(12, 4) not null,
        cap numeric(12, 4) not null,
        unique (run, subject, code),
        check (cardinality(points) = cardinality(counted))
    )""",
    """create table if not exists score_dirty (
        id uuid primary key,
        period text not null,
        subject text not null,
        marked_at timestamptz not null,
        unique (period, subject)
    )""",
    """create table if not exists score_appeal (
        id uuid primary key,
        score uuid not null,
        scheme text not null,
        period text not null references score_period (code),
        subject text not null,
        town text,
        line text,
        fact text,
        reason text not null check (reason <> ''),
        raised_by uuid not null,
        raised_at timestamptz not null,
        state text not null check (state in ('raised', 'upheld', 'dismissed')),
        points numeric(12, 4),
        decision text,
        decided_by uuid,
        decided_at timestamptz,
        constraint score_appeal_against check ((line is null) <> (fact is null)),
        constraint score_appeal_four_eyes check (decided_by <> raised_by),
        constraint score_appeal_decided check ((state = 'raised') = (decided_by is null))
    )""",
    "create index if not exists score_appeal_period on score_appeal (period, scheme)",
    *_refuse("score_appeal", "old.state <> 'raised'"),
    # Who has facts of a force: stepped through, one probe a subject, without reading the facts.
    "create index if not exists fact_force_team on fact (force, team)",
    "create index if not exists fact_force_unit on fact (force, force_unit) where force_unit is not null",
    "create index if not exists fact_town on fact (town)",
    "create index if not exists fact_department on fact (department) where department is not null",
)
