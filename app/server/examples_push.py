"""Examples of pushed records and of field mappings; all of it is made up."""

from typing import Any

_RECORD = {
    "id": "JW-00001",
    "subject": "占道堆放（演示）",
    "content": "演示路 1 号门前堆放杂物，影响通行",
    "kind": "order",
    "level": "low",
    "found_at": "2026-11-23T09:30:00+08:00",
    "location": {"lon": 120.0215, "lat": 30.2785, "accuracy": 12, "text": "演示路 1 号"},
    "post": {"name": "演示警务站"},
}
_MAPPING = {
    "datum": "gcj02",
    "time": "%Y-%m-%d %H:%M:%S",
    "item": "G001",
    "ignored": ["status"],
    "fields": {
        "external_id": {"path": "order.no", "required": True},
        "description": {"concat": ["text", "appeal"], "join": "\n诉求：", "required": True},
        "address": {"path": "address"},
        "item": {"path": "order.type", "table": {"路灯": "H305", "积水": "E0406"}, "otherwise": "G001"},
        "severity": {"path": "urgent", "table": {"1": "urgent"}, "otherwise": "routine"},
        "occurred_at": {"path": "time"},
        "lon": {"path": "lng"},
        "lat": {"path": "lat"},
        "reporter.phone": {"path": "phone"},
    },
}

REQUESTS: dict[str, Any] = {
    "V1PushSourcePush": {"records": [_RECORD, _RECORD | {"id": "JW-00002", "kind": "ebike"}]},
    "V1SourcesCodeSaveSource": {"name": "演示平台", "mapping": _MAPPING, "sandbox": True},
    "V1SourcesCodeTryTryMapping": {
        "records": [{"order": {"no": "YS-1", "type": "路灯"}, "text": "路灯不亮", "time": "2026-11-23 09:30:00"}],
        "mapping": _MAPPING,
    },
    "V1SourcesCodeKeysMakeKey": {"sandbox": True, "expires_at": "2027-11-23T00:00:00Z"},
}
