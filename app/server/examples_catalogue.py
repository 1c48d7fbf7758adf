"""Examples of bodies about the catalogue and the library of difficult items; all of it is made up."""

from typing import Any

_CASE = "01939a00-0000-7000-8000-000000000007"
_ITEM = {
    "code": "DEMO-1", "name": "演示事项", "category": ["城市管理", "演示"], "aliases": ["演示别名"],
    "lead": "force:enforcement | town", "assistants": ["town"],
    "limits": {
        "routine": {
            "sign": "4 work_hour", "handle": "3 work_day", "stages": [{"name": "停工", "limit": "4 work_hour"}],
        },
        "urgent": {"sign": "30 minute", "handle": "480 minute"},
        "critical": {"sign": "10 minute", "handle": "240 minute"},
    },
    "attribute_schema": {"type": "object", "properties": {"depth_cm": {"type": "number", "minimum": 0}}},
    "ladder": [{"when": "handle 75%", "whom": "organisation", "what": "urge"}],
    "duplicate_metres": 200, "duplicate_hours": 48, "closing": "现场恢复（演示）",
}  # fmt: skip
_ENTRY = {
    "title": "演示：桥下空间堆放易燃物", "description": "权属不清的桥下空间被围作堆场（演示）",
    "keywords": ["桥下空间", "堆放"], "domain": "交通出行", "lead": "department:交通运输局",
    "assistants": ["department:消防救援大队", "town"], "basis": "演示依据", "item": "E0507",
}  # fmt: skip

REQUESTS: dict[str, Any] = {
    "V1ItemsSuggestSuggest": {"text": "家门口的路灯坏了三天了（演示）"},
    "V1ItemsChange": {"item": _ITEM, "effective_from": "2099-01-01T00:00:00Z"},
    "V1ItemsCodeRetireRetire": {"at": "2099-01-01T00:00:00Z"},
    "V1DifficultItemsCreate": _ENTRY,
    "V1DifficultItemsEntryIdChange": {"entry": _ENTRY, "version": 1},
    "V1DifficultItemsEntryIdRetireRetire": {"version": 1},
    "V1DifficultItemsEntryIdFollowFollow": {"case": _CASE},
}
"""Operation id → request body."""
