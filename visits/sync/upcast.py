"""Bodies of older apps brought to the present form, one pure step per schema version: old phones are never refused."""

from collections.abc import Callable, Mapping
from typing import Any

Body = dict[str, Any]
Step = Callable[[Body], Body]

CURRENT = 2
"""The `app_schema` the handlers understand."""
MINIMUM_PULL = 1
"""Below this a pull is answered 426; a push never is."""

_OLD_OUTCOMES = {"at_home": "met", "not_home": "absent", "refuse": "refused", "moved_out": "moved"}


def _visit_1_to_2(body: Body) -> Body:
    """Schema 1 had `result` with other words, a GCJ-02 point as lng/lat, one photo list and demands as plain texts."""
    new = dict(body)
    if "result" in new:
        result = new.pop("result")
        new["outcome"] = _OLD_OUTCOMES.get(result, result)
    if "lng" in new and "lat" in new:
        new["place"] = {
            "lon": new.pop("lng"),
            "lat": new.pop("lat"),
            "datum": "gcj02",
            "accuracy_m": new.pop("accuracy", None),
        }
    if "photos" in new:
        new["evidence"] = new.pop("photos")
    if isinstance(version := new.pop("form_version", None), int):
        new["questionnaire_version"] = version
    if "form" in new:
        new["questionnaire"] = new.pop("form")
    return new


STEPS: Mapping[tuple[str, int], Step] = {("visit.record", 1): _visit_1_to_2}
"""(op type, version it comes from) → the step to the next version; where none stands, nothing changed."""


def upcast(op_type: str, body: Body, app_schema: int) -> Body:
    """Return the body in the current form; one of a newer app than this server passes as it is."""
    for version in range(max(1, app_schema), CURRENT):
        step = STEPS.get((op_type, version))
        if step is not None:
            body = step(body)
    return body
