"""Answers are checked against the version they were given to."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.kernel.ids import new_id
from visits.questionnaire import Question, QuestionKind, Questionnaire, check

TEXT = ("问", "question")
FORM = Questionnaire(
    id=new_id(),
    code="night",
    version=1,
    title="夜访",
    questions=(
        Question(code="gas_safe", kind=QuestionKind.YES_NO, text=TEXT, required=True),
        Question(code="lodging", kind=QuestionKind.CHOICE, text=TEXT, options=("own", "rented")),
        Question(code="risks", kind=QuestionKind.CHOICES, text=TEXT, options=("wiring", "stairs")),
        Question(code="extinguishers", kind=QuestionKind.NUMBER, text=TEXT, low=0, high=20),
        Question(code="words", kind=QuestionKind.TEXT, text=TEXT),
    ),
    published_at=datetime(2026, 11, 1, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("answers", "bad"),
    [
        ({"gas_safe": True}, []),
        ({"gas_safe": False, "lodging": "own", "risks": ["stairs"], "extinguishers": 2, "words": "好"}, []),
        ({}, ["answers.gas_safe"]),
        ({"gas_safe": "yes"}, ["answers.gas_safe"]),
        ({"gas_safe": True, "lodging": "tent"}, ["answers.lodging"]),
        ({"gas_safe": True, "risks": "stairs"}, ["answers.risks"]),
        ({"gas_safe": True, "risks": ["stairs", "moat"]}, ["answers.risks"]),
        ({"gas_safe": True, "extinguishers": 21}, ["answers.extinguishers"]),
        ({"gas_safe": True, "extinguishers": True}, ["answers.extinguishers"]),
        ({"gas_safe": True, "words": "长" * 1001}, ["answers.words"]),
        ({"gas_safe": True, "unknown": 1, "words": 2}, ["answers.unknown", "answers.words"]),
    ],
)
def test_every_bad_answer_is_named(answers: dict[str, Any], bad: list[str]) -> None:
    assert [error.field for error in check(answers, FORM)] == bad
