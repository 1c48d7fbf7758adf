"""Whether a set of rules speaks of what there is: items, categories, areas and organisations; pure."""

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from app.kernel.problem import FieldError
from grid.organisations import Directory
from tasks.cases.catalogue import Item
from tasks.cases.rules import Fault, Rule, Text
from tasks.cases.selectors import Selector, parse_selectors


def unknown(rules: Sequence[Rule], items: Iterable[Item], directory: Directory, district: str) -> list[Fault]:
    """Return what rules that compile name but nobody knows: a fault for each."""
    present = list(items)
    codes = {each.code for each in present}
    categories = {each.category[:depth] for each in present for depth in (1, 2)}
    found: list[Fault] = []
    for n, rule in enumerate(rules):
        named = [*_conditions(rule, codes, categories, district), *_organisations(rule, directory)]
        found += [Fault((rule.id,), field, why, n) for field, why in named]
    return found


def _conditions(
    rule: Rule, codes: set[str], categories: set[tuple[str, ...]], district: str
) -> Iterator[tuple[str, Text]]:
    if rule.item is not None and rule.item not in codes:
        yield "item", (f"目录中没有事项 {rule.item}", f"the catalogue has no item {rule.item}")
    if rule.category and rule.category not in categories:
        name = "/".join(rule.category)
        yield "category", (f"目录中没有类别 {name}", f"the catalogue has no category {name}")
    if rule.area is not None and not rule.area.startswith(district):
        yield "area", (f"{rule.area} 不在本区", f"{rule.area} is not in this district")


def _organisations(rule: Rule, directory: Directory) -> Iterator[tuple[str, Text]]:
    fields = [("lead", rule.lead), *((f"assistants[{n}]", each) for n, each in enumerate(rule.assistants))]
    for field, text in fields:
        for selector in parse_selectors(text):
            if not _known(selector, directory):
                yield field, (f"没有这个单位：{selector}", f"there is no such organisation: {selector}")


def _known(selector: Selector, directory: Directory) -> bool:
    if selector.kind == "department":
        return directory.department(selector.value) is not None
    return selector.kind != "organisation" or directory.current(UUID(selector.value)) is not None


def errors_of(faults: Sequence[Fault]) -> list[FieldError]:
    """Return faults as fields of a request: `rules[3].lead`; two rules that tie are both named."""
    return [_error(each) for each in faults]


def _error(fault: Fault) -> FieldError:
    field = "rules" if fault.index is None else f"rules[{fault.index}]"
    names = ", ".join(fault.rules)
    zh, en = fault.why
    said = (f"{names}：{zh}", f"{names}: {en}") if names else (zh, en)
    return FieldError(f"{field}.{fault.field}" if fault.field and fault.index is not None else field, said)
