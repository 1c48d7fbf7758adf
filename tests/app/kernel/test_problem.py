"""Problems: one stable type each, both languages, facts for programs."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import app
import grid
import media
import scoring
import tasks
import visits
from app.kernel import problem
from app.kernel.problem import CATALOGUE, FieldError, Invalid, Problem


class TowerLocked(Problem):
    """A problem of these tests."""

    type = "test-tower-locked"
    status = 409
    title = ("塔楼已锁", "The tower is locked")


def test_a_document_speaks_the_language_asked_for_and_keeps_its_type() -> None:
    refused = TowerLocked(("北塔", "North"), tower="north", since=None)
    zh, en = refused.document(0, "/v1/towers/1"), refused.document(1)
    assert zh == {
        "type": "/problems/test-tower-locked",
        "title": "塔楼已锁",
        "status": 409,
        "detail": "北塔",
        "instance": "/v1/towers/1",
        "tower": "north",
    }
    assert (en["title"], en["detail"]) == ("The tower is locked", "North")
    assert "instance" not in en


def test_every_bad_field_stands_in_the_document() -> None:
    errors = [FieldError("a.b", ("缺少", "is missing")), FieldError("c[2]", ("过长", "is too long"))]
    document = Invalid(errors).document(1)
    assert document["errors"] == [
        {"field": "a.b", "message": "is missing"},
        {"field": "c[2]", "message": "is too long"},
    ]
    assert document["detail"] == "a.b: is missing; c[2]: is too long"


def test_a_type_belongs_to_one_class() -> None:
    with pytest.raises(TypeError, match="'test-tower-locked' is taken by TowerLocked"):
        type("Other", (Problem,), {"type": "test-tower-locked"})


def modules() -> Iterator[str]:
    for package in (app, grid, media, scoring, tasks, visits):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] == "problems":
                yield module.name


def test_every_problem_of_the_product_has_two_titles_a_known_status_and_a_plain_type() -> None:
    for name in modules():
        importlib.import_module(name)
    assert len(CATALOGUE) > 20
    for type_, kind in CATALOGUE.items():
        assert type_ == type_.lower()
        assert type_.replace("-", "").isalnum()
        assert 400 <= kind.status < 600, type_
        zh, en = kind.title
        assert not zh.isascii(), f"{type_} lacks a Chinese title"
        assert en.isascii(), f"{type_} lacks an English title"
        assert kind.__doc__, f"{type_} does not say when it comes"


def test_the_base_is_an_internal_error_that_tells_nothing() -> None:
    assert problem.Problem().document(1) == {"type": "/problems/internal", "title": "Internal error", "status": 500}
