"""Grid: areas, cells, organisations, people, squads and duty."""

ID = "0010"
DESCRIPTION = "grid: areas, cells, organisations, people, squads, duty"

_CODE = "(code ~ '^[0-9]+$' and length(code) = case level when 'district' then 6 when 'town' then 9 else 12 end)"

STATEMENTS: tuple[str, ...] = (
    f"""create table if not exists area (
        code text primary key,
        level text not null check (level in ('district', 'town', 'village')),
        name text not null check (name <> ''),
        parent text references area (code),
        kind text not null default '',
        boundary geometry(MultiPolygon, 4326) check (st_isvalid(boundary) and not st_isempty(boundary)),
        retired_reason text,
        moved_to text,
        valid_from timestamptz not null,
        valid_to timestamptz check (valid_to > valid_from),
        source text not null default '',
        constraint area_code check {_CODE},
        constraint area_parent check ((level = 'district') = (parent is null)),
        constraint area_below check (parent is null or starts_with(code, parent))
    )""",
    "create index if not exists area_boundary on area using gist (boundary)",
    "create index if not exists area_parent_code on area (parent, code)",
    """create table if not exists cell (
        code text primary key check (code ~ '^[0-9]{15}$'),
        village text not null references area (code),
        polygon geometry(MultiPolygon, 4326) not null
            check (st_isvalid(polygon) and not st_isempty(polygon) and st_srid(polygon) = 4326),
        valid_from timestamptz not null,
        valid_to timestamptz check (valid_to > valid_from),
        source text not null default '',
        constraint cell_below check (length(village) = 12 and starts_with(code, village))
    )""",
    "create index if not exists cell_polygon on cell using gist (polygon)",
    "create index if not exists cell_village on cell (village)",
    """create table if not exists organisation (
        id uuid primary key,
        kind text not null
            check (kind in ('centre', 'town_centre', 'department', 'station', 'force_unit', 'team', 'squad')),
        force text check (force in ('enforcement', 'police', 'grid')),
        name text not null check (name <> ''),
        code text not null unique check (code <> ''),
        area text not null references area (code),
        parent uuid references organisation (id),
        successor uuid references organisation (id),
        started_at timestamptz,
        ended_at timestamptz,
        source text not null default '',
        constraint organisation_force check ((kind in ('force_unit', 'team')) = (force is not null)),
        constraint organisation_successor check (successor is null or (ended_at is not null and successor <> id))
    )""",
    "create index if not exists organisation_area on organisation (area)",
    # One row: the mark of the newest state of all organisations, by which processes know that their copy is current.
    """create table if not exists organisation_mark (
        id integer primary key check (id = 1),
        mark uuid not null
    )""",
    """create table if not exists person (
        id uuid primary key,
        name text not null check (name <> ''),
        organisation uuid not null references organisation (id),
        started_at timestamptz not null,
        ended_at timestamptz check (ended_at > started_at),
        source text not null default ''
    )""",
    "create index if not exists person_organisation on person (organisation, id)",
    """create table if not exists squad_member (
        id uuid primary key,
        squad uuid not null references organisation (id),
        person uuid not null references person (id),
        started_at timestamptz not null,
        ended_at timestamptz check (ended_at > started_at)
    )""",
    "create index if not exists squad_member_squad on squad_member (squad, person)",
    "create index if not exists squad_member_person on squad_member (person)",
    """create table if not exists duty_shift (
        id uuid primary key,
        person uuid not null references person (id),
        organisation uuid not null references organisation (id),
        area text not null check (area ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12}|[0-9]{15})$'),
        starts_at timestamptz not null,
        ends_at timestamptz not null check (ends_at > starts_at)
    )""",
    "create index if not exists duty_shift_area on duty_shift (area text_pattern_ops, starts_at)",
    "create index if not exists duty_shift_person on duty_shift (person, starts_at)",
)
