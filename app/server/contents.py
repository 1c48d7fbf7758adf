"""Kinds of content in the OpenAPI document: what an operation takes and answers besides JSON, and lists as lists.

A handler whose answers all have one kind says it with `media_type=`. One that answers several kinds names all of
them in `opt={"answers": ("application/json", "application/xml")}`, and all it takes, where that is not JSON alone, in
`opt={"takes": ("application/json", "application/x-msgpack")}`. `refuses` are
the kinds of the refusals it describes. What is JSON is described by the types of the handler.
"""

from typing import Any, cast

_SAME_VALUES = ("application/x-msgpack", "application/x-www-form-urlencoded", "multipart/form-data")
"""Kinds that hold the values JSON would."""

_TEXT = ("text/plain", "text/event-stream")
"""Kinds whose content is a string for every client; of other kinds a JSON schema says nothing true."""


def plain(node: Any) -> None:
    """Write lists and alternatives as clients understand them, all through a document.

    A tuple of equal items becomes a list of fixed length. The framework describes the dots of a bounded
    `tuple[X, ...]` as an alternative to X that fits everything: X alone is meant. Of integers beside any numbers the
    numbers alone are kept: an integer would be both, and `oneOf` means one.
    """
    if isinstance(node, dict):
        found = cast(dict[str, Any], node)
        items: list[Any] = found.get("prefixItems") or []
        if items and all(item == items[0] for item in items):
            del found["prefixItems"]
            found |= {"items": items[0], "minItems": len(items), "maxItems": len(items)}
        match found.get("items"):
            case {"oneOf": [item, {**rest}], **others} if not rest and not others:
                found["items"] = item
            case _:
                pass
        if {"type": "number"} in found.get("oneOf", ()):
            found["oneOf"] = [one for one in found["oneOf"] if one != {"type": "integer"}]
        node = list(found.values())
    if isinstance(node, list):
        for part in cast(list[Any], node):
            plain(part)


def is_json(kind: str) -> bool:
    """Say whether a media type is JSON or built on it."""
    return kind == "application/json" or kind.endswith("+json")


def describe(operation: dict[str, Any], opt: dict[str, Any]) -> None:
    """Name every kind of content of an operation's body and of its answers that succeed."""
    body = operation.get("requestBody")
    if body and "takes" in opt:
        body["content"] = _of_kinds(opt["takes"], body["content"])
    for status, response in operation["responses"].items():
        if status.startswith("2") and response.get("content"):
            response["content"] = _of_kinds(opt.get("answers") or tuple(response["content"]), response["content"])
        elif "refuses" in opt and response.get("content"):
            response["content"] = _of_kinds(opt["refuses"], response["content"])


def _of_kinds(kinds: tuple[str, ...], described: dict[str, Any]) -> dict[str, Any]:
    """Return the content by kind: with the schema the framework found where it holds."""
    shape = next(iter(described.values()))
    found: dict[str, Any] = {}
    for kind in kinds:
        if is_json(kind) or kind in _SAME_VALUES:
            found[kind] = dict(described.get(kind, shape))
        else:
            found[kind] = described.get(kind, {}) if kind.partition(";")[0] in _TEXT else {}
    return found
