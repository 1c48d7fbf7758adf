"""Examples of queues, claims and reply templates in the API document; made up."""

from typing import Any

_QUEUE: dict[str, Any] = {
    "name": "今日到期的夜间噪声（演示）",
    "filter": {"state": ["assigned", "handling"], "item": "H008", "area": "330109001"},
    "position": 1,
}
_TEMPLATE: dict[str, Any] = {
    "title": "已派单（演示）",
    "body": "您反映的{item}（{number}）已交{organisation}办理，预计{due}前办结。",
    "item": "H008",
}

_ID = "01939a00-0000-7000-8000-0000000000"

REQUESTS: dict[str, Any] = {
    "V1CasesMergeMerge": {
        "into": f"{_ID}07",
        "cases": [f"{_ID}b1", f"{_ID}b2"],
        "reason": "台风后同一处积水（演示）",
    },
    "V1CitizenRequestsRequestIdJoinJoin": {},
    "V1CasesQueuesAddQueue": _QUEUE,
    "V1CasesQueuesQueueIdChangeQueue": _QUEUE | {"version": 1},
    "V1CasesCaseIdClaimClaim": {"minutes": 15, "take_over": False},
    "V1ReplyTemplatesAddTemplate": _TEMPLATE,
    "V1ReplyTemplatesTemplateIdChangeTemplate": _TEMPLATE | {"version": 1},
}
