"""The tables of the grid, as Piccolo reads and writes them; their DDL is migration 0010."""

from piccolo.columns import UUID, Integer, Text, Timestamptz
from piccolo.table import Table

from grid.columns import MultiPolygonColumn


class AreaRow(Table, tablename="area"):
    """District, town or village, by code; ended rather than deleted."""

    code = Text(primary_key=True, default=None)
    level = Text(default=None)
    name = Text(default=None)
    parent = Text(null=True, default=None)
    kind = Text(default="")
    boundary = MultiPolygonColumn(null=True)
    retired_reason = Text(null=True, default=None)
    moved_to = Text(null=True, default=None)
    valid_from = Timestamptz(default=None)
    valid_to = Timestamptz(null=True, default=None)
    source = Text(default="")


class CellRow(Table, tablename="cell"):
    """A cell (网格), valid from–to; the code is never used again."""

    code = Text(primary_key=True, default=None)
    village = Text(default=None)
    polygon = MultiPolygonColumn()
    valid_from = Timestamptz(default=None)
    valid_to = Timestamptz(null=True, default=None)
    source = Text(default="")


class OrganisationRow(Table, tablename="organisation"):
    """A unit that can own work."""

    id = UUID(primary_key=True, default=None)
    kind = Text(default=None)
    force = Text(null=True, default=None)
    name = Text(default=None)
    code = Text(default=None)
    area = Text(default=None)
    parent = UUID(null=True, default=None)
    successor = UUID(null=True, default=None)
    started_at = Timestamptz(null=True, default=None)
    ended_at = Timestamptz(null=True, default=None)
    source = Text(default="")


class OrganisationMarkRow(Table, tablename="organisation_mark"):
    """One row: the mark of the newest state of all organisations; a process compares it with that of its copy."""

    id = Integer(primary_key=True, default=None)
    mark = UUID(default=None)


class PersonRow(Table, tablename="person"):
    """Somebody who works in an organisation; the id is also that of the account, if there is one."""

    id = UUID(primary_key=True, default=None)
    name = Text(default=None)
    organisation = UUID(default=None)
    started_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)
    source = Text(default="")


class SquadMemberRow(Table, tablename="squad_member"):
    """A person of some force in a squad, for a period."""

    id = UUID(primary_key=True, default=None)
    squad = UUID(default=None)
    person = UUID(default=None)
    started_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)


class DutyShiftRow(Table, tablename="duty_shift"):
    """A person on duty for an organisation in an area, from–to."""

    id = UUID(primary_key=True, default=None)
    person = UUID(default=None)
    organisation = UUID(default=None)
    area = Text(default=None)
    starts_at = Timestamptz(default=None)
    ends_at = Timestamptz(default=None)
