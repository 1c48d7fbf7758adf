"""Reply templates: texts with placeholders that a case fills; an unknown placeholder is refused when saved; pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.kernel.clock import SHANGHAI

PLACEHOLDERS: dict[str, tuple[str, str]] = {
    "number": ("事件编号", "number of the case"),
    "item": ("事项名称", "name of the item"),
    "title": ("事件标题", "title of the case"),
    "state": ("当前状态", "present state"),
    "address": ("地址", "address"),
    "organisation": ("主办单位", "who leads"),
    "received": ("受理时间", "when it was received"),
    "due": ("办理期限", "when the handling is due"),
    "result": ("办理结果", "result of the handling"),
}
"""What a template may name in braces; of personal data nothing can be named."""
MISSING = "——"
"""What stands for a value the case does not have."""

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class Template(Struct, frozen=True, kw_only=True):
    """A text for answers: of an organisation (those below it use it too) or of the district; for an item or for all."""

    id: UUID
    organisation: UUID | None
    item: str | None
    title: str
    body: str
    version: int
    created_by: UUID
    created_at: datetime
    changed_by: UUID
    changed_at: datetime


class Reply(Struct, frozen=True, kw_only=True):
    """A template filled for a case; `missing` names the placeholders the case has no value for."""

    template: UUID
    title: str
    text: str
    missing: tuple[str, ...]


def faults(body: str) -> list[str]:
    """Return the placeholders that do not exist, and `{` or `}` for a brace that stands alone (`{{` writes one)."""
    wrong: list[str] = []
    for found in _BRACES.finditer(body):
        name = found[1]
        if name is None and found[0] in ("{", "}"):
            wrong.append(found[0])
        elif name is not None and name not in PLACEHOLDERS:
            wrong.append(name)
    return wrong


def fill(body: str, values: Mapping[str, str | None]) -> tuple[str, tuple[str, ...]]:
    """Return the text with the values in, and which of them were missing."""
    missing: list[str] = []

    def put(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return found[0][0]
        value = values.get(name)
        if not value:
            missing.append(name)
            return MISSING
        return value

    return _BRACES.sub(put, body), tuple(dict.fromkeys(missing))


def moment(at: datetime | None) -> str | None:
    """Return an instant as people here read it: `2026年11月25日 17:30`."""
    if at is None:
        return None
    here = at.astimezone(SHANGHAI)
    return f"{here.year}年{here.month}月{here.day}日 {here:%H:%M}"
