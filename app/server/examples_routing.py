"""Examples of routing rules in the API document; made up."""

from typing import Any

_RULE: dict[str, Any] = {
    "id": "demo-noise-night",
    "name": "夜间噪声由派出所先到（演示）",
    "item": "H008",
    "window": {"since": "22:00:00", "until": "06:00:00"},
    "lead": "force:police | town",
    "assistants": ["station"],
    "limits": {"sign": "15 minute"},
}
_PREFIX = "V1RoutingRulesDrafts"

REQUESTS: dict[str, Any] = {
    f"{_PREFIX}WriteDraft": {"note": "夜间噪声试行（演示）", "rules": [_RULE]},
    f"{_PREFIX}DraftIdChangeDraft": {"version": 1, "note": "夜间噪声试行，第二稿（演示）", "rules": [_RULE]},
    f"{_PREFIX}DraftIdBacktestBackTest": {"last": 10000},
    f"{_PREFIX}DraftIdPublishPublish": {"version": 2},
}
