"""A measured figure beside its floor: what the bare tool reaches in the same run on the same machine."""

from msgspec import Struct


class Figure(Struct, frozen=True, kw_only=True):
    """`value` in `unit`; `floor` in the same unit, measured in the same run, `floor_name` says of what."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    floor_name: str = ""

    @property
    def ratio(self) -> float | None:
        """The figure as a part of its floor."""
        return self.value / self.floor if self.floor else None


def table(figures: list[Figure]) -> str:
    """The figures as lines of text, aligned."""
    rows = [("figure", "value", "unit", "floor", "ratio", "floor is")]
    for each in figures:
        floor = "" if each.floor is None else _number(each.floor)
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        rows.append((each.name, _number(each.value), each.unit, floor, ratio, each.floor_name))
    widths = [max(_width(row[column]) for row in rows) for column in range(6)]
    return "\n".join("  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _width(text: str) -> int:
    return sum(2 if "\u2e80" <= sign <= "\uffef" else 1 for sign in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
