"""Geometry columns for Piccolo tables: one fixed class per geometry type, WGS-84, value type shapely."""

from typing import Any, ClassVar, overload

from piccolo.columns.base import Column
from piccolo.columns.indexes import IndexMethod
from piccolo.table import Table
from shapely import MultiPolygon, Point
from shapely.geometry.base import BaseGeometry

SRID = 4326
"""Everything is stored in WGS-84 (EPSG:4326), longitude first."""


class GeometryColumn(Column):
    """Base of the classes below. The type is fixed per class and not an argument: Piccolo's migrations print "ok" and
    issue no DDL when an argument such as kind or SRID changes, while a changed class is a changed column type."""

    kind: ClassVar[str] = "Geometry"
    value_type: type = BaseGeometry
    default: Any = None

    def __init__(self, *, null: bool = False, index: bool = True, help_text: str | None = None) -> None:
        # A default is no value a geometry could have; Piccolo needs one to exist, so a missing value is NULL and the
        # NOT NULL of the table refuses it.
        self.default = None
        # Piccolo's keyword arguments are untyped.
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            null=null, index=index, index_method=IndexMethod.gist, help_text=help_text, required=not null, default=None
        )

    @property
    def column_type(self) -> str:
        """The type in PostgreSQL, e.g. `geometry(Point,4326)`."""
        return f"geometry({self.kind},{SRID})"

    @property
    def relation(self) -> str:
        """Name of the table the column stands in."""
        meta: Any = vars(self._meta.table)["_meta"]
        return meta.tablename

    @property
    def name(self) -> str:
        """Name of the column in the database."""
        return self._meta.db_column_name


class PointColumn(GeometryColumn):
    """One point."""

    kind = "Point"
    value_type = Point

    @overload
    def __get__(self, obj: None, objtype: Any = None) -> "PointColumn": ...
    @overload
    def __get__(self, obj: Table, objtype: Any = None) -> Point: ...
    def __get__(self, obj: Table | None, objtype: Any = None) -> "Point | PointColumn":
        return self if obj is None else vars(obj)[self._meta.name]

    def __set__(self, obj: Table, value: Point | None) -> None:
        vars(obj)[self._meta.name] = value


class MultiPolygonColumn(GeometryColumn):
    """One or more polygons; a single polygon is stored as a collection of one."""

    kind = "MultiPolygon"
    value_type = MultiPolygon

    @overload
    def __get__(self, obj: None, objtype: Any = None) -> "MultiPolygonColumn": ...
    @overload
    def __get__(self, obj: Table, objtype: Any = None) -> MultiPolygon: ...
    def __get__(self, obj: Table | None, objtype: Any = None) -> "MultiPolygon | MultiPolygonColumn":
        return self if obj is None else vars(obj)[self._meta.name]

    def __set__(self, obj: Table, value: MultiPolygon | None) -> None:
        vars(obj)[self._meta.name] = value
