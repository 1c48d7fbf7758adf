"""How the OpenAPI document writes a time of the day: `18:30:00`, of the district's clock, without an offset.

The framework would call it a duration, and JSON Schema's `time` needs an offset: `time-local` of OpenAPI's registry of
formats is RFC 3339 without one. The pattern says so to clients that do not know the format.
"""

from datetime import time
from typing import Any

from litestar.openapi.spec import OpenAPIType, Schema
from litestar.plugins import OpenAPISchemaPlugin

PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?$"


class LocalTimes(OpenAPISchemaPlugin):
    """Describes every `time` of bodies, answers and parameters."""

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        """Return whether the type is a time of the day."""
        return value is time

    def to_openapi_schema(self, field_definition: Any, schema_creator: Any) -> Schema:
        """Return how it is written."""
        del field_definition, schema_creator
        described: Any = Schema  # its `format` names the formats of JSON Schema only
        return described(type=OpenAPIType.STRING, format="time-local", pattern=PATTERN)
