"""Examples of a district's calendar in the API document; made up."""

from typing import Any

_MORNING = {"opens": "08:30", "closes": "12:00"}
_AFTERNOON = {"opens": "13:30", "closes": "17:30"}
_DAY = [_MORNING, _AFTERNOON]

REQUESTS: dict[str, Any] = {
    "V1CalendarWrite": {
        "version": 0,
        "calendar": {
            "week": [_DAY, _DAY, _DAY, _DAY, _DAY, [_MORNING], []],
            "makeup_hours": _DAY,
            "days": [{"date": "2026-12-04", "isOffDay": True, "name": "本区活动日（演示）"}],
        },
    },
    "V1CalendarYearsYears": {
        "year": 2027,
        "days": [
            {"date": "2027-01-01", "isOffDay": True, "name": "元旦（演示）"},
            {"date": "2027-01-03", "isOffDay": False, "name": "元旦调休（演示）"},
        ],
    },
}
