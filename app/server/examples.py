"""Examples in the API document: a request body for every operation that takes JSON, some answers, common problems.

All of it is made up. Ids are UUIDv7 that no district has; texts say 演示 (demo).
"""

from collections.abc import Mapping
from typing import Any, cast

from app.server import examples_calendar, examples_catalogue, examples_push, examples_reading, examples_routing

_ID = "01939a00-0000-7000-8000-0000000000"
PERSON, COLLEAGUE, UNIT, OTHER_UNIT, DEVICE, PHONE, CASE, HOME, VISIT, ROUND, PHOTO, LEG, DESK = (
    f"{_ID}{number:02x}" for number in range(1, 14)
)
COMMAND = f"{_ID}f0"
PLACE = {"lon": 120.0215, "lat": 30.2785, "datum": "wgs84", "accuracy_m": 8.0}
EVIDENCE = {"id": PHOTO, "sha256": "0d" * 32, "size": 120000, "media_type": "image/jpeg"}
PASSWORD = "yanshi-Only-2026"
NEW_PASSWORD = "yanshi-Newer-2027"

SCHEME = """[scheme]
code = "demo-grid-monthly"
name = "网格力量月度考评（演示）"
force = "grid"
level = "team"
period = "month"
timezone = "Asia/Shanghai"
effective = "2027-01-01"
rounding = "half_up:4"
on_missing = "reweight"

[[indicator]]
code = "CLOSE_ONTIME"
name = "按期办结率"
measure = "case.closed_on_time"
direction = "up"
floor = "0.70"
target = "0.98"
weight = "100"

[[grade]]
name = "优"
from = "90"
[[grade]]
name = "待提升"
from = "0"
"""

_VERSION = {"command_id": COMMAND, "version": 3}


def _prefixed(prefix: str, commands: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {prefix + name: {**_VERSION, **fields} for name, fields in commands.items()}


_WRITER = {
    "add": {"text": "补充：灯杆编号为演示-07", "evidence": [EVIDENCE]},
    "withdraw": {"reason": "问题已自行解决（演示）"},
    "rate": {"score": 5, "opinion": "处理及时（演示）"},
    "reopen": {"reason": "路灯又不亮了（演示）"},
    "appeal": {"reason": "对不予受理有异议（演示）"},
}
"""What whoever reported a case may send, at the desk or as a citizen."""

CASE_COMMANDS = _prefixed("request_", _WRITER) | _prefixed(
    "case_",
    _WRITER
    | {
        "accept": {"severity": "routine", "note": "已核对地址（演示）"},
        "reject": {"reason": "不属于受理范围（演示）"},
        "assign": {"to": UNIT, "assistants": [OTHER_UNIT], "note": "请今日到场（演示）"},
        "rule": {"to": UNIT, "reason": "按职责清单由该单位处理（演示）", "basis": "演示清单第 3 条"},
        "verify": {"passed": True, "note": "现场已恢复（演示）", "evidence": [EVIDENCE]},
        "close": {"reason": "回访满意（演示）"},
        "archive": {},
        "refuse_withdrawal": {"reason": "隐患尚未消除，继续处理（演示）"},
        "merge": {"into": HOME, "note": "同一处路灯（演示）"},
        "unmerge": {"reason": "并非同一处（演示）"},
        "split": {"children": [{"item": "H305", "description": "2 号门前另有一盏不亮（演示）"}]},
        "amend": {"severity": "urgent", "address": "演示路 2 号", "note": "更正地址（演示）"},
        "join_reporter": {"name": "演示·王五", "phone": "13900000001"},
        "set_case_handler": {"person": PERSON},
        "suspend": {"reason": "等待配件（演示）", "until": "2026-12-01T01:00:00Z"},
        "assign_verifier": {"to": OTHER_UNIT, "due": "2026-11-26T09:30:00Z"},
        "review_dossier": {"checklist": {"evidence": True, "reply": False}, "note": "缺答复记录（演示）"},
        "resume": {},
        "sign": {"leg": LEG},
        "return": {"leg": LEG, "reason": "不在本单位辖区（演示）"},
        "delegate": {"leg": LEG, "to": OTHER_UNIT, "note": "请中队办理（演示）"},
        "record": {"leg": LEG, "kind": "progress", "work": "已联系维修（演示）", "evidence": [EVIDENCE]},
        "arrive": {"leg": LEG, "at": "2026-11-23T08:20:00Z", "place": PLACE},
        "submit": {"leg": LEG, "result": "灯已更换（演示）", "outcome": "solved", "evidence": [EVIDENCE]},
        "confirm": {"leg": LEG},
        "send_back": {"leg": LEG, "reason": "缺少现场照片（演示）"},
        "ask_assist": {"leg": LEG, "to": OTHER_UNIT, "note": "需配合疏导交通（演示）"},
        "call_up": {"leg": LEG, "force": "police", "note": "现场有人阻挠（演示）"},
        "check": {"leg": LEG, "point": "消防通道", "passed": False, "note": "堆放杂物（演示）"},
        "attend": {"leg": LEG, "at": "2026-11-23T08:30:00Z", "place": PLACE},
        "waive": {"leg": LEG, "reason": "已不需要配合（演示）"},
        "recall": {"leg": LEG, "reason": "派错单位（演示）"},
        "request": {"leg": LEG, "kind": "extension", "amount": "2 work_day", "reason": "等待配件（演示）"},
        "grant": {"leg": LEG},
        "refuse": {"leg": LEG, "reason": "配件已到（演示）"},
        "set_handler": {"leg": LEG, "person": PERSON},
        "urge": {"leg": LEG, "note": "请尽快反馈（演示）"},
        "supervise": {"leg": LEG, "level": 1, "reason": "临近期限（演示）", "reply_within": "2 work_day"},
        "reply": {"leg": LEG, "answer": "今日办结（演示）"},
        "release": {"leg": LEG, "note": "督办事项已落实（演示）"},
    },
)

_CELL = {
    "type": "Feature",
    "properties": {"code": "330109001001001"},
    "geometry": {
        "type": "Polygon",
        "coordinates": [[[120.02, 30.27], [120.03, 30.27], [120.03, 30.28], [120.02, 30.28], [120.02, 30.27]]],
    },
}
_VISIT = {
    "household": HOME,
    "outcome": "met",
    "started_at": "2026-11-23T11:00:00Z",
    "ended_at": "2026-11-23T11:10:00Z",
    "place": PLACE,
    "questionnaire": "demo-night",
    "questionnaire_version": 1,
    "answers": {"gas_safe": True},
}
_PLAN = {
    "members": [{"person": PERSON, "cells": ["330109001001001"]}],
    "by_hand": [{"household": HOME, "person": PERSON, "planned_on": "2026-12-01"}],
    "version": 1,
}

_OTHERS = (
    examples_calendar.REQUESTS
    | examples_catalogue.REQUESTS
    | examples_push.REQUESTS
    | examples_reading.REQUESTS
    | examples_routing.REQUESTS
)

REQUESTS: dict[str, Any] = CASE_COMMANDS | _OTHERS | {
    "V1AuthLoginLogin": {"username": "yanshi-01", "password": PASSWORD, "device_id": PHONE},
    "V1AuthRefreshRefresh": {"refresh_token": "demo.refresh-token"},
    "V1AuthPasswordChangePassword": {"old_password": PASSWORD, "new_password": NEW_PASSWORD},
    "V1DevicesRegisterDevice": {"id": PHONE, "name": "演示手机 1"},
    "V1DevicesDeviceIdStateChangeDevice": {"state": "stolen"},
    "V1AccountsCreateAccount": {"username": "yanshi-02", "name": "演示·张三", "password": PASSWORD},
    "V1AccountsAccountIdMembershipsAddMembership": {"role": "grid_worker", "organisation": UNIT, "area": "330109001"},
    "V1KeysCreateKey": {"source": "demo-12345", "scopes": ["case.create"], "expires_at": "2027-11-23T00:00:00Z"},
    "V1AccountsAccountIdSsoLink": {"subject": "demo-subject-01"},
    "V1CellsImportImportCells": {"type": "FeatureCollection", "features": [_CELL]},
    "V1CellsRedrawRedrawCells": {
        "ends": ["330109001001002", "330109001001003"], "datum": "gcj02", "reason": "两个网格合并（演示）",
        "cells": {"type": "FeatureCollection", "features": [_CELL]},
    },
    "V1OrganisationsFoundOrganisation": {
        "kind": "squad", "name": "演示中队", "code": "demo-squad-1", "area": "330109001", "force": "grid",
        "parent": UNIT,
    },
    "V1OrganisationsOrganisationIdEndEndOrganisation": {"successor": OTHER_UNIT},
    "V1VisitCallbacksCallBackIdCallsCalled": {"reached": True, "satisfied": True, "words": "很满意（演示）"},
    "V1VisitRulesWriteVisitRules": {
        "version": 0,
        "rules": {
            "refusal_months": 6, "visits_per_period": 4, "period_days": 90, "unsafe_days": 30, "tell": True,
            "call_back_one_of": 20,
        },
    },
    "V1SquadsSquadIdNotesWriteNote": {"text": "3 幢今晚停电，改到明晚（演示）", "hours": 48, "id": COMMAND},
    "V1SquadsSquadIdMembersJoinSquad": {"person": PERSON, "leader": False},
    "V1DutyShiftsPlanShift": {
        "person": PERSON, "organisation": UNIT, "area": "330109001",
        "starts_at": "2026-11-24T00:00:00Z", "ends_at": "2026-11-24T10:00:00Z",
    },
    "V1CasesCreate": {
        "item": "H305", "title": "路灯不亮（演示）", "description": "演示路 1 号门前路灯不亮",
        "caller": {"name": "演示·李四", "phone": "13900000000"}, "place": PLACE, "address": "演示路 1 号",
        "severity": "routine", "evidence": [EVIDENCE],
    },
    "V1CasesCaseIdContactContact": {"reason": "回访核实（演示）"},
    "V1CitizenLoginSignIn": {"code": "demo-code-from-the-mini-program"},
    "V1CitizenRequestsSubmit": {
        "text": "路灯不亮（演示）", "place": PLACE, "address": "演示路 1 号", "photos": [EVIDENCE],
        "name": "演示·李四", "phone": "13900000000",
    },
    "V1ReadingsRecordReadings": {
        "readings": [
            {"device": "demo-1", "channel": "level", "at": "2026-11-23T16:00:00+08:00", "value": 2.35, "quality": 1}
        ]
    },
    "V1SensingDevicesRegisterDevice": {
        "code": "demo-1", "name": "演示水位计", "kind": "water_level", "owner": UNIT, "area": "330109001",
        "channels": [{"name": "level", "unit": "m", "low": 0, "high": 10, "spike": 1}],
        "lon": 120.0215, "lat": 30.2785, "address": "演示河 1 号桥",
    },
    "V1SensingDevicesDeviceIdMaintenanceSetMaintenance": {
        "begins": "2026-11-24T00:00:00Z", "until": "2026-11-24T04:00:00Z",
    },
    "V1HouseholdsRegisterHousehold": {
        "address": "演示路 1 号 101 室", "village": "330109001001", "place": PLACE, "residents": 2,
        "contact": "13900000000", "consent": "given", "care_needs": ["elderly_alone"],
    },
    "V1HouseholdsHouseholdIdChangeHousehold": {"version": 1, "residents": 3, "care_needs": ["meal_service"]},
    "V1HouseholdsHouseholdIdContactUnmask": {"reason": "约定走访时间（演示）"},
    "V1QuestionnairesPublishQuestionnaire": {
        "code": "demo-night", "version": 1, "title": "夜访问卷（演示）",
        "questions": [
            {"code": "gas_safe", "kind": "yes_no", "text": ["燃气是否安全？", "Is the gas safe?"], "required": True}
        ],
    },
    "V1RoundsPlanRound": {
        "name": "十二月夜访（演示）", "kind": "night", "starts_on": "2026-12-01", "ends_on": "2026-12-05",
        "target": {"area": "330109001", "not_visited_days": 90}, "squads": [UNIT],
        "questionnaire": "demo-night", "questionnaire_version": 1, "quota": 40, "per_evening": 8,
    },
    "V1RoundsRoundIdPreviewPreview": _PLAN,
    "V1RoundsRoundIdAssignAssign": _PLAN,
    "V1RoundsRoundIdReassignReassign": {"source": PERSON, "target": COLLEAGUE},
    "V1SyncPullPull": {
        "device_id": PHONE, "app_schema": 2, "epoch": None, "buckets": {f"person:{PERSON}": 0}, "limit": 200,
    },
    "V1SyncPushPush": {
        "device_id": PHONE, "app_schema": 2, "sent_at": "2026-11-23T12:00:00Z",
        "ops": [
            {
                "op_id": COMMAND, "type": "visit.record", "entity_id": VISIT, "depends_on": [],
                "captured_at": "2026-11-23T11:10:00Z", "body": _VISIT,
            }
        ],
    },
    "V1ScoringSchemesDraftScheme": {"document": SCHEME},
    "V1ScoringPeriodsInviteInviteAppeals": {"until": "2026-12-08T10:00:00Z"},
    "V1ScoringPeriodsReopenReopenPeriod": {"reason": "申诉成立，重新计算（演示）", "until": "2026-12-15T10:00:00Z"},
    "V1ScoringAppealsRaiseAppeal": {"score": CASE, "line": "CLOSE_ONTIME", "reason": "延期已获批准（演示）"},
    "V1ScoringAppealsAppealIdDecisionDecideAppeal": {"upheld": True, "reason": "延期记录属实（演示）"},
    "V1PeoplePersonIdHandoverHandOverPerson": {"to": COLLEAGUE, "reason": "岗位调整（演示）"},
    "V1WebhooksMakeWebhook": {
        "source": "minhuwoying", "url": "http://127.0.0.1:9/events", "events": ["opened", "moved", "closed"],
    },
    "V1WebhooksWebhookIdChangeWebhook": {"events": ["closed"], "version": 1},
    "V1WebhooksWebhookIdReplayReplayWebhook": {"since": "2026-11-23T08:00:00Z", "delivered": False},
    "V1NoticesPhoneSetPhone": {"phone": "13900000000", "desk": DESK},
    "V1NoticesFollowsFollow": {"case": CASE, "code": "demo-code-from-the-mini-program"},
}  # fmt: skip
"""Operation id → request body."""

_HOUSEHOLD = {
    "id": HOME, "address": "演示路 1 号 101 室", "area": "330109001001001", "lon": 120.0215, "lat": 30.2785,
    "residents": 2, "contact": "139****0000", "consent": "given", "care_needs": ["elderly_alone"],
    "refused_at": None, "unsafe_until": None, "last_visit_at": "2026-10-20T11:00:00Z", "moved_out_at": None,
    "version": 1,
}  # fmt: skip

ANSWERS: dict[str, Any] = {
    "V1MeMe": {
        "id": PERSON, "kind": "staff", "district": "330109",
        "memberships": [{"role": "grid_worker", "organisation": UNIT, "area": "330109001"}],
    },
    "V1AreasCodeArea": {
        "code": "330109001", "level": "town", "name": "演示街道", "parent": "330109", "kind": "",
        "retired_reason": None, "moved_to": None, "valid_from": "2026-01-01T00:00:00Z", "valid_to": None,
        "source": "demo",
    },
    "V1CasesCases": [
        {
            "id": CASE, "number": "33010920261123000001", "version": 3, "state": "assigned",
            "title": "路灯不亮（演示）", "address": "演示路 1 号", "item": "H305", "severity": "routine",
            "source": "citizen", "area": "330109001001001", "town": "330109001", "cell": "330109001001001",
            "lon": 120.0215, "lat": 30.2785, "lead": UNIT, "received_at": "2026-11-23T08:00:00Z",
            "due_at": "2026-11-25T08:00:00Z", "overdue": False, "closed_at": None, "claimed_by": None,
        }
    ],
    "V1CitizenRequestsRequestIdFollow": {
        "id": CASE, "number": "33010920261123000001", "state": "assigned", "state_text": "办理中",
        "item_name": "路灯破损", "text": "路灯不亮（演示）", "address": "演示路 1 号", "organisation": "演示中队",
        "received_at": "2026-11-23T08:00:00Z", "expected_by": "2026-11-25T08:00:00Z", "closed_at": None,
        "rating": None, "possible": ["add", "withdraw"],
        "steps": [{"at": "2026-11-23T08:00:00Z", "text": "已提交", "organisation": None, "words": ""}],
    },
    "V1HouseholdsHouseholds": [_HOUSEHOLD],
    "V1HouseholdsHouseholdIdHousehold": _HOUSEHOLD,
    "V1RoundsRoundIdRound": {
        "id": ROUND, "name": "十二月夜访（演示）", "kind": "night", "starts_on": "2026-12-01", "ends_on": "2026-12-05",
        "hours_from": "18:30:00", "hours_to": "21:00:00",
        "target": {"area": "330109001", "care_need": None, "not_visited_days": 90, "households": []},
        "squads": [UNIT], "questionnaire": "demo-night", "questionnaire_version": 1, "quota": 40, "per_evening": 8,
        "state": "draft", "version": 1, "created_by": COLLEAGUE, "created_at": "2026-11-23T08:00:00Z",
    },
    "V1ScoringPeriodsScoresListScores": [
        {
            "id": CASE, "run": COMMAND, "scheme": "demo-grid-monthly", "scheme_name": "网格力量月度考评（演示）",
            "force": "grid", "level": "team", "period": "2026-11", "subject": UNIT, "town": "330109001",
            "total": "92.5000", "grade": "优", "rank": 1, "peers": 4, "peer_group": "all", "base": None,
            "computed_at": "2026-12-01T00:10:00Z", "kind": "live",
        }
    ],
    "HealthzHealthz": {"status": "ok"},
    "ReadyzReadyz": {"status": "ok", "parts": {"database": "ok", "redis": "ok", "media": "ok"}},
}  # fmt: skip
"""Operation id → answer of a read that succeeds."""


def _problem(kind: str, status: int, title: str, **more: Any) -> dict[str, Any]:
    return {"type": f"/problems/{kind}", "title": title, "status": status, **more, "request_id": COMMAND}


PROBLEMS: dict[str, dict[str, dict[str, Any]]] = {
    "401": {"not-signed-in": _problem("not-signed-in", 401, "请先登录")},
    "403": {"not-permitted": _problem("not-permitted", 403, "没有这项权限")},
    "409": {
        "stale-version": _problem("stale-version", 409, "内容已被他人更新", version=4),
        "transition-refused": _problem(
            "transition-refused", 409, "当前状态不能执行此操作",
            command="accept", state="assigned", allowed=["withdraw", "urge"],
        ),
    },
    "422": {
        "invalid": _problem(
            "invalid", 422, "提交的内容有误",
            detail="place.lon：不能大于 180；reason：不能为空",
            errors=[
                {"field": "place.lon", "message": "不能大于 180"},
                {"field": "reason", "message": "不能为空"},
            ],
        )
    },
}  # fmt: skip
"""Status → name of the example → problem document in Chinese."""


def show(document: dict[str, Any]) -> None:
    """Put the examples at the operations, answers and problem responses they belong to."""
    for operations in cast(dict[str, dict[str, Any]], document["paths"]).values():
        for operation in operations.values():
            if isinstance(operation, dict):
                _show_at(cast(dict[str, Any], operation))


def _json(body: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a body's or an answer's content that examples are written in; ValueError when it has none."""
    if "application/json" not in body["content"]:
        raise ValueError(f"an example in JSON for {', '.join(body['content'])}")
    return body["content"]["application/json"]


def _show_at(operation: dict[str, Any]) -> None:
    name, responses = operation.get("operationId"), operation.get("responses", {})
    if name in REQUESTS:
        _json(operation["requestBody"])["example"] = REQUESTS[name]
    if name in ANSWERS:
        _json(responses["200"])["example"] = ANSWERS[name]
    for status, problems in PROBLEMS.items():
        media = responses.get(status, {}).get("content", {}).get("application/problem+json")
        if media is not None:
            media["examples"] = {kind: {"value": value} for kind, value in problems.items()}
