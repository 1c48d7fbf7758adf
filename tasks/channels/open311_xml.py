"""Open311 resources as XML: each list in its element, lists within in theirs, nothing for what is null; pure."""

from collections.abc import Sequence
from typing import Any, cast
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_INNER = {
    "attributes": "attribute",
    "values": "value",
    "endpoints": "endpoint",
    "formats": "format",
    "extensions": "extension",
    "parameters": "parameter",
}
"""Lists within a resource, and the element of each entry."""


def listed(root: str, entry: str, found: Sequence[Any]) -> bytes:
    """Return a document with one element for each entry."""
    top = Element(root)
    for one in msgspec.to_builtins(found):
        _fill(SubElement(top, entry), one)
    return DECLARATION + tostring(top, encoding="unicode").encode()


def single(root: str, found: Any) -> bytes:
    """Return a document of one resource."""
    top = Element(root)
    _fill(top, msgspec.to_builtins(found))
    return DECLARATION + tostring(top, encoding="unicode").encode()


def _fill(element: Element, value: Any) -> None:
    if isinstance(value, dict):
        for name, part in cast("dict[str, Any]", value).items():
            inner = SubElement(element, name)
            if isinstance(part, list | tuple):
                for one in cast("Sequence[Any]", part):
                    _fill(SubElement(inner, _INNER[name]), one)
            else:
                _fill(inner, part)
    elif isinstance(value, bool):
        element.text = "true" if value else "false"
    elif value is not None:
        element.text = _allowed(str(value))


def _allowed(text: str) -> str:
    """Return a text without the characters XML 1.0 cannot hold."""
    return "".join(each for each in text if each in "\t\n\r" or (each >= " " and each not in "\ufffe\uffff"))
