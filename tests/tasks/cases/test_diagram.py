"""The diagram is the tables: every row that changes a state is an arrow of it."""

from tasks.cases import diagram
from tasks.cases.lifecycle import CASE_STEPS, LEG_STEPS
from tasks.cases.model import State


def test_every_change_of_state_is_an_arrow() -> None:
    page = diagram.page()
    for step in CASE_STEPS:
        if isinstance(step.target, State) and step.target is not step.source:
            assert f"    {step.source.value} --> {step.target.value}: " in page
    for step in LEG_STEPS:
        if step.target is not step.source:
            assert f"    {step.source.value} --> {step.target.value}: " in page


def test_every_row_is_in_its_table() -> None:
    rows = [line for line in diagram.page().splitlines() if line.startswith("| ")]
    assert len(rows) == len(CASE_STEPS) + len(LEG_STEPS) + 4
