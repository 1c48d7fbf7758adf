"""Questionnaires of a visit: every published version is accepted for ever, and answers are checked against theirs."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, cast
from uuid import UUID

from msgspec import Meta, Struct

from app.kernel.problem import FieldError, Text


class QuestionKind(StrEnum):
    """How a question is answered."""

    YES_NO = "yes_no"
    CHOICE = "choice"
    CHOICES = "choices"
    NUMBER = "number"
    TEXT = "text"


class Question(Struct, frozen=True, kw_only=True):
    """One question; `options` are the codes of a choice, `low` and `high` the bounds of a number."""

    code: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    kind: QuestionKind
    text: Text
    options: tuple[str, ...] = ()
    required: bool = False
    low: float | None = None
    high: float | None = None


class Questionnaire(Struct, frozen=True, kw_only=True):
    """One published version; it never changes."""

    id: UUID
    code: str
    version: int
    title: str
    questions: tuple[Question, ...]
    published_at: datetime


class NewQuestionnaire(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version to publish."""

    code: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    version: Annotated[int, Meta(ge=1, le=32_000)]
    title: Annotated[str, Meta(min_length=1, max_length=100)]
    questions: Annotated[tuple[Question, ...], Meta(min_length=1, max_length=60)]


TEXT_LIMIT = 1_000


def _yes_no(_question: Question, answer: Any) -> bool:
    return isinstance(answer, bool)


def _text(_question: Question, answer: Any) -> bool:
    return isinstance(answer, str) and len(answer) <= TEXT_LIMIT


def _one_of(question: Question, answer: Any) -> bool:
    return isinstance(answer, str) and answer in question.options


def _several_of(question: Question, answer: Any) -> bool:
    return isinstance(answer, list) and all(_one_of(question, each) for each in cast("list[Any]", answer))


def _number(question: Question, answer: Any) -> bool:
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        return False
    return (question.low is None or answer >= question.low) and (question.high is None or answer <= question.high)


_FITS = {
    QuestionKind.YES_NO: _yes_no,
    QuestionKind.CHOICE: _one_of,
    QuestionKind.CHOICES: _several_of,
    QuestionKind.NUMBER: _number,
    QuestionKind.TEXT: _text,
}


def check(answers: dict[str, Any], questionnaire: Questionnaire) -> list[FieldError]:
    """Return everything wrong with answers (`answers.<code>`); a version's own rules count, not the newest ones."""
    questions = {question.code: question for question in questionnaire.questions}
    errors = [
        FieldError(f"answers.{code}", ("问卷没有这一题", "not a question of this version"))
        for code in answers.keys() - questions.keys()
    ]
    for code, question in questions.items():
        answer = answers.get(code)
        if answer is None and question.required:
            errors.append(FieldError(f"answers.{code}", ("必答", "an answer is required")))
        elif answer is not None and not _FITS[question.kind](question, answer):
            errors.append(FieldError(f"answers.{code}", ("答案与题型不符", f"not a valid answer ({question.kind})")))
    return sorted(errors, key=lambda error: error.field)
