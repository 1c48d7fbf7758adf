"""CloudEvents 1.0 as they arrive over HTTP: structured, in batches, or in headers (binary); every bad attribute named.

Sources: CloudEvents 1.0.2, JSON Event Format 1.0.2, HTTP Protocol Binding 1.0.2 (cloudevents.io). The specification is
small enough to need no library.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Struct

from app.kernel.problem import FieldError, Invalid, Text, Unreadable, UnsupportedMedia

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
PREFIX = "ce-"
MOST = 1_000
LONGEST = {"id": 200, "source": 500, "type": 200, "subject": 500, "dataschema": 500, "datacontenttype": 200}
REQUIRED = ("id", "source", "specversion", "type")

_NAME = re.compile(r"[a-z0-9]{1,64}")
_JSON = re.compile(r"(application/json|[a-z0-9.+-]+/[a-z0-9.+-]+\+json|text/json)", re.IGNORECASE)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


class CloudEvent(Struct, frozen=True, kw_only=True):
    """An event whose attributes hold; `data` is the record it carries."""

    id: str
    source: str
    type: str
    subject: str | None
    time: str | None
    data: dict[str, Any]
    digest: str

    def record(self) -> dict[str, Any]:
        """Return what a mapping reads: the data, and its attributes as `@id`, `@source`, `@type` and so on."""
        told = {"@id": self.id, "@source": self.source, "@type": self.type}
        more = {"@subject": self.subject, "@time": self.time}
        return self.data | told | {name: value for name, value in more.items() if value is not None}


def received(content_type: str, headers: Mapping[str, str], body: bytes) -> tuple[list[CloudEvent | Invalid], bool]:
    """Return the events of a request, or what is wrong with each, and whether it is a batch.

    Unreadable for a body that is no JSON, UnsupportedMedia for what is no CloudEvent.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == BATCH:
        told = _decoded(body)
        if not isinstance(told, list):
            raise Invalid([FieldError("body", ("批量应为列表", "a batch is a list of events"))])
        events = cast(list[Any], told)
        if len(events) > MOST:
            raise Invalid([FieldError("body", (f"最多 {MOST} 个事件", f"at most {MOST} events"))])
        return [structured(each) for each in events], True
    if kind == STRUCTURED:
        return [structured(_decoded(body))], False
    if kind.startswith("application/cloudevents") or "ce-specversion" not in headers:
        detail: Text = (
            f"应为 {STRUCTURED}、{BATCH}，或带 ce-specversion 等头的 JSON",
            f"is {STRUCTURED}, {BATCH}, or JSON with the headers ce-specversion and so on",
        )
        raise UnsupportedMedia(detail)
    return [binary(kind, headers, body)], False


def structured(told: Any) -> CloudEvent | Invalid:
    """Return the event of a JSON object (JSON Event Format, 3)."""
    if not isinstance(told, dict):
        return Invalid([FieldError("body", ("事件应为一个对象", "an event is an object"))])
    event = cast(dict[str, Any], told)
    attributes = {n: value for n, value in event.items() if n not in ("data", "data_base64") and value is not None}
    faults = _faults(attributes)
    data = event.get("data")
    if event.get("data_base64") is not None:
        data = _from_base64(event, faults)
    elif isinstance(data, str) and "datacontenttype" in attributes and not faults:
        faults.append(FieldError("data", ("应为 JSON 对象，不是文字", "is a JSON object, not a text")))
    return _event(attributes, data, faults)


def binary(content_type: str, headers: Mapping[str, str], body: bytes) -> CloudEvent | Invalid:
    """Return the event of headers and body (HTTP Protocol Binding, 3.1): values are percent-encoded UTF-8."""
    attributes: dict[str, Any] = {}
    faults: list[FieldError] = []
    for name, value in headers.items():
        if name.startswith(PREFIX):
            attributes[name[len(PREFIX) :]] = _unquoted(name, value, faults)
    if content_type:
        attributes["datacontenttype"] = content_type
    faults += _faults(attributes)
    return _event(attributes, _decoded(body) if body else None, faults)


def _unquoted(name: str, value: str, faults: list[FieldError]) -> str:
    """Decode a header: one pair of quotes is dropped, `%xx` are bytes of UTF-8."""
    text = value.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        faults.append(FieldError(name[len(PREFIX) :], ("不是百分号编码的 UTF-8", "is not percent-encoded UTF-8")))
        return text


def _faults(attributes: Mapping[str, Any]) -> list[FieldError]:
    found = [
        FieldError(name, ("缺少这个属性", "this attribute is missing")) for name in REQUIRED if name not in attributes
    ]
    found += [
        FieldError(name[:64], ("属性名只用小写字母和数字", "attribute names are lower-case letters and digits"))
        for name in attributes
        if not _NAME.fullmatch(name)
    ]
    checked = {name: why for name, value in attributes.items() if (why := _fault(name, value)) is not None}
    return found + [FieldError(name, why) for name, why in checked.items()]


def _fault(name: str, value: Any) -> Text | None:
    if name not in (*LONGEST, "specversion", "time"):
        simple = isinstance(value, str | bool) or (isinstance(value, int) and abs(value) < 2**31)
        return None if simple else ("扩展属性应为文字、整数或真假", "an extension is a text, an integer or a boolean")
    if not isinstance(value, str) or not value.strip():
        return ("应为非空文字", "is a text that is not empty")
    if len(value) > LONGEST.get(name, 100):
        return (f"不能超过 {LONGEST.get(name, 100)} 字", f"at most {LONGEST.get(name, 100)} characters")
    if "\x00" in value:
        return ("含有无法保存的字符", "holds a character that cannot be stored")
    return _FORMS[name](value) if name in _FORMS else None


def _version(value: str) -> Text | None:
    return None if value == "1.0" else ("只支持 1.0", "is 1.0")


def _uri_reference(value: str) -> Text | None:
    return ("应为 URI 引用", "is a URI reference") if re.search(r'[\s<>"{}|\\^`]', value) else None


def _uri(value: str) -> Text | None:
    return None if _ABSOLUTE.fullmatch(value) else ("应为绝对 URI", "is an absolute URI")


def _media(value: str) -> Text | None:
    fits = _JSON.fullmatch(value.partition(";")[0].strip())
    return None if fits else ("只接受 JSON 数据", "is a JSON media type: other data is not taken here")


def _instant(value: str) -> Text | None:
    why: Text = ("应为带时区的 RFC 3339 时间", "is an RFC 3339 time with its offset")
    if not _TIME.fullmatch(value):
        return why
    try:
        datetime.fromisoformat(value.upper().replace(" ", "T"))
    except ValueError:
        return why
    return None


_FORMS = {
    "specversion": _version,
    "source": _uri_reference,
    "dataschema": _uri,
    "datacontenttype": _media,
    "time": _instant,
}


def _event(attributes: Mapping[str, Any], data: Any, faults: Sequence[FieldError]) -> CloudEvent | Invalid:
    found = list(faults)
    if not isinstance(data, dict) and all(each.field != "data" for each in found):
        found.append(FieldError("data", ("应为一个 JSON 对象", "is a JSON object: the record")))
    if found:
        return Invalid(found)
    record = cast(dict[str, Any], data)
    said = {name: value for name, value in attributes.items() if name != "datacontenttype"}
    return CloudEvent(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        subject=attributes.get("subject"),
        time=attributes.get("time"),
        data=record,
        digest=sha256(msgspec.json.encode([said, record], order="sorted")).hexdigest(),
    )


def _from_base64(event: Mapping[str, Any], faults: list[FieldError]) -> Any:
    if event.get("data") is not None:
        faults.append(FieldError("data_base64", ("不能与 data 同时出现", "is not given beside data")))
        return {}
    try:
        return msgspec.json.decode(b64decode(str(event["data_base64"]), validate=True))
    except (binascii.Error, ValueError, RecursionError):
        faults.append(FieldError("data_base64", ("不是 Base64 编码的 JSON", "is not JSON in Base64")))
        return {}


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(("不是 JSON", "is not JSON")) from error
