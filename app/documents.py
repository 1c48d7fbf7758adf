"""Documentation made from the code: rights, problems, settings, measures, life of a case, API reference."""

import base64
from typing import Any

import msgspec

from app import settings
from app.identity.matrix import ACTIONS, COLUMNS, NOT_FOR_MACHINES
from app.kernel.problem import CATALOGUE
from app.server import create_app
from app.server.openapi import document_of
from scoring.teams import measures
from tasks.cases import diagram

NOTE = "<!-- Made by `zjw docs` from the code; do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """Return file name → Markdown of every generated page."""
    reference = api_document()  # imports every package, so that every problem is known
    return {
        "rights.md": NOTE + "# Rights\n\n" + rights(),
        "problems.md": NOTE + "# Problems\n\n" + problems(),
        "lifecycle.md": NOTE + "# Life of a case\n\n" + diagram.page(),
        "measures.md": NOTE + "# Measures of evaluation\n\n" + measures.reference(),
        "settings.md": NOTE + "# Settings\n\n" + settings.reference(),
        "api.md": NOTE + "# API\n\n" + api(reference),
    }


def rights() -> str:
    """Return the rights matrix as a Markdown table."""
    lines = [
        "Reach of each role with each action: `own` objects of the person, `org` of their organisations, `area` of"
        " their area and below, `all` of the district. Machines and devices act within the scopes of their key.\n",
        "| action | " + " | ".join(COLUMNS) + " |",
        "| --- |" + " --- |" * len(COLUMNS),
    ]
    for action, cells in sorted(ACTIONS.items()):
        lines.append(f"| `{action}` | " + " | ".join(cells[column] for column in COLUMNS) + " |")
    closed = ", ".join(f"`{action}`" for action in sorted(NOT_FOR_MACHINES))
    return "\n".join(lines) + f"\n\nNo key of a machine opens these: {closed}.\n"


def problems() -> str:
    """Return every problem type with its status and texts."""
    lines = ["| type | status | 中文 | English | when |", "| --- | --- | --- | --- | --- |"]
    for name, kind in sorted(CATALOGUE.items()):
        when = (kind.__doc__ or "").strip().splitlines()[0]
        lines.append(f"| `/problems/{name}` | {kind.status} | {kind.title[0]} | {kind.title[1]} | {when} |")
    return "\n".join(lines) + "\n"


def api_document() -> dict[str, Any]:
    """Return the OpenAPI document of an application that is connected to nothing."""
    key = base64.b64encode(bytes(32)).decode()
    unconnected = settings.Settings(
        database_url="postgresql://nowhere/none",
        redis_url="redis://nowhere",
        media_url="file:///nowhere",
        base_url="http://nowhere",
        jwt_key=key,
        cipher_keys=(f"docs:{key}",),
    )
    return msgspec.json.decode(document_of(create_app(unconnected)))


def api(document: dict[str, Any]) -> str:
    """Return the operations by tag: method, path, what they do, what they take and answer."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in sorted(document["paths"].items()):
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(path, method, operation))
    parts = [
        "Answers are JSON where no other kind of content is named; every refusal is a [problem document](problems.md)."
        " Signing in: `POST /v1/auth/login`.\n"
    ]
    for tag, operations in sorted(by_tag.items()):
        parts.append(f"## {tag}\n\n" + "\n".join(operations))
    return "\n".join(parts)


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    lines = [f"### `{method.upper()} {path}`\n", operation.get("description") or operation.get("summary") or "", ""]
    for parameter in operation.get("parameters", ()):
        needed = "" if parameter.get("required") else " (optional)"
        lines.append(f"- {parameter['in']} `{parameter['name']}`{needed} {parameter.get('description', '')}".rstrip())
    body = operation.get("requestBody")
    if body:
        lines.append("- body: " + ", ".join(f"{kind} {_name(media)}" for kind, media in body["content"].items()))
    for status, response in sorted(operation["responses"].items()):
        if status.startswith("2"):
            content = response.get("content", {})
            shown = ", ".join(_shown(kind, media) for kind, media in content.items()) or "no content"
            lines.append(f"- {status}: {shown}")
    return "\n".join(lines) + "\n"


def _shown(kind: str, media: dict[str, Any]) -> str:
    """Name the content of an answer: its shape when it is JSON, else its kind."""
    return _name(media) if kind == "application/json" else kind


def _name(media: dict[str, Any]) -> str:
    schema = media.get("schema", {})
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2].rpartition('.')[2]}`"
    if schema.get("type") == "array":
        return "list of " + _name({"schema": schema.get("items", {})})
    return f"`{schema.get('type', 'any')}`"
