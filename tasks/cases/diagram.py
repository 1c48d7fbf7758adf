"""The life of a case and of a leg as pictures and tables, drawn from the transition tables; pure."""

from tasks.cases import orders as o
from tasks.cases.lifecycle import CASE_STEPS, LEG_STEPS, CaseStep, LegStep
from tasks.cases.model import STATE_WORDS, State


def page() -> str:
    """Return Markdown with two Mermaid state diagrams and the two tables."""
    return "\n".join(
        [
            "Drawn from the two tables in `tasks/cases/lifecycle.py`; no other code sets a state.\n",
            "## A case\n",
            "```mermaid",
            "stateDiagram-v2",
            "    [*] --> received",
            *_case_arrows(),
            "```\n",
            "| from | command | to | who | only if |",
            "| --- | --- | --- | --- | --- |",
            *(_case_row(step) for step in CASE_STEPS),
            "\n## A leg\n",
            "```mermaid",
            "stateDiagram-v2",
            "    [*] --> unsigned",
            *_leg_arrows(),
            "```\n",
            "| leg | from | command | to | case becomes | who | only if |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *(_leg_row(step) for step in LEG_STEPS),
            "",
        ]
    )


def _target(step: CaseStep) -> str:
    return step.target.value if isinstance(step.target, State) else "the state before"


def _case_arrows() -> list[str]:
    arrows: dict[tuple[str, str], list[str]] = {}
    for step in CASE_STEPS:
        if isinstance(step.target, State) and step.target is not step.source:
            arrows.setdefault((step.source.value, _target(step)), []).append(o.name_of(step.on))
    for step in LEG_STEPS:
        if step.case is not None:
            source = "assigned" if step.on is o.Sign else "handling"
            if source != step.case.value:
                arrows.setdefault((source, step.case.value), []).append(o.name_of(step.on))
    named = [f"    {state.value}: {state.value} {STATE_WORDS[state][0]}" for state in State]
    return named + [f"    {a} --> {b}: {', '.join(dict.fromkeys(names))}" for (a, b), names in sorted(arrows.items())]


def _leg_arrows() -> list[str]:
    arrows: dict[tuple[str, str], list[str]] = {}
    for step in LEG_STEPS:
        if step.target is not step.source:
            arrows.setdefault((step.source.value, step.target.value), []).append(o.name_of(step.on))
    return [f"    {a} --> {b}: {', '.join(dict.fromkeys(names))}" for (a, b), names in sorted(arrows.items())]


def _who(step: CaseStep | LegStep) -> str:
    return ", ".join(sorted(part.value for part in step.who))


def _only_if(step: CaseStep | LegStep) -> str:
    return "" if step.when is None else step.when.words[1]


def _case_row(step: CaseStep) -> str:
    words = step.on.words[0]
    return f"| {step.source.value} | {o.name_of(step.on)} {words} | {_target(step)} | {_who(step)} | {_only_if(step)} |"


def _leg_row(step: LegStep) -> str:
    kinds = ", ".join(sorted(kind.value for kind in step.kinds))
    case = "" if step.case is None else step.case.value
    return (
        f"| {kinds} | {step.source.value} | {o.name_of(step.on)} {step.on.words[0]} | {step.target.value} | {case} |"
        f" {_who(step)} | {_only_if(step)} |"
    )
