"""Bodies of every older schema become bodies of the present one."""

import msgspec
import pytest

from app.kernel.crs import Datum
from app.kernel.ids import new_id
from visits.sync import upcast
from visits.visit import Outcome, VisitReport

HOUSEHOLD, PHOTO = str(new_id()), str(new_id())
OLD = {
    "household": HOUSEHOLD,
    "result": "not_home",
    "started_at": "2026-11-23T19:00:00+08:00",
    "lng": 120.27,
    "lat": 30.16,
    "accuracy": 12.0,
    "form": "night",
    "form_version": 1,
    "photos": [
        {
            "id": PHOTO, "sha256": "0" * 64, "size": 5, "media_type": "image/jpeg",
            "captured_at": "2026-11-23T19:00:00+08:00",
        }
    ],
}  # fmt: skip


def test_a_visit_of_schema_1_is_a_report_of_today() -> None:
    report = msgspec.convert(upcast.upcast("visit.record", OLD, 1), VisitReport)
    assert report.outcome is Outcome.ABSENT
    assert report.place is not None
    assert (report.place.datum, report.place.accuracy_m) == (Datum.GCJ02, 12.0)
    assert (report.questionnaire, report.questionnaire_version) == ("night", 1)
    assert str(report.evidence[0].id) == PHOTO


@pytest.mark.parametrize(
    ("old", "new"),
    [("at_home", "met"), ("not_home", "absent"), ("refuse", "refused"), ("moved_out", "moved"), ("unsafe", "unsafe")],
)
def test_every_old_outcome_has_its_new_word(old: str, new: str) -> None:
    assert upcast.upcast("visit.record", {"result": old}, 1)["outcome"] == new


def test_an_upcast_leaves_its_argument_alone() -> None:
    before = dict(OLD)
    upcast.upcast("visit.record", OLD, 1)
    assert before == OLD


@pytest.mark.parametrize("schema", [0, 1, upcast.CURRENT, upcast.CURRENT + 1, 10_000])
def test_a_body_without_a_step_passes_as_it_is(schema: int) -> None:
    assert upcast.upcast("household.amend", {"residents": 2}, schema) == {"residents": 2}


def test_a_body_of_the_present_schema_passes_as_it_is() -> None:
    assert upcast.upcast("visit.record", {"result": "kept"}, upcast.CURRENT) == {"result": "kept"}


def test_steps_only_lead_up_to_the_present_schema() -> None:
    assert all(1 <= version < upcast.CURRENT for _, version in upcast.STEPS)
