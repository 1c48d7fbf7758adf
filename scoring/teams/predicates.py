"""What may be asked of a fact: a closed set of typed questions, answered here in Python and in `aggregation` in SQL."""

from datetime import datetime

from msgspec import Struct

from scoring.teams.fact import Fact


class Is(Struct, frozen=True, tag=True):
    """The attribute has exactly this value."""

    attribute: str
    value: bool | str

    def told(self) -> str:
        """Return the question as it stands in the docs."""
        return f"{self.attribute} = {str(self.value).lower()}"


class IsNot(Struct, frozen=True, tag=True):
    """The attribute is absent or has another value."""

    attribute: str
    value: bool | str

    def told(self) -> str:
        """Return the question as it stands in the docs."""
        return f"{self.attribute} is not {str(self.value).lower()}"


class AtLeast(Struct, frozen=True, tag=True):
    """The attribute is a number not below this one."""

    attribute: str
    number: int

    def told(self) -> str:
        """Return the question as it stands in the docs."""
        return f"{self.attribute} ≥ {self.number}"


class Known(Struct, frozen=True, tag=True):
    """The attribute is true or false (a return that was ruled on, a call-back that was answered)."""

    attribute: str

    def told(self) -> str:
        """Return the question as it stands in the docs."""
        return f"{self.attribute} is true or false"


class OnTime(Struct, frozen=True, tag=True):
    """Done not later than due."""

    def told(self) -> str:
        """Return the question as it stands in the docs."""
        return "done_at ≤ due_at"


class Late(Struct, frozen=True, tag=True):
    """Not done, or done after due."""

    def told(self) -> str:
        """Return the question as it stands in the docs."""
        return "no done_at, or done_at > due_at"


class DoneInPeriod(Struct, frozen=True, tag=True):
    """Done before the period ended, in time or not."""

    def told(self) -> str:
        """Return the question as it stands in the docs."""
        return "done_at before the end of the period"


Predicate = Is | IsNot | AtLeast | Known | OnTime | Late | DoneInPeriod


class Window(Struct, frozen=True):
    """A half-open span [start, end) of aware instants."""

    start: datetime
    end: datetime

    def holds(self, moment: datetime | None) -> bool:
        """Tell whether the instant lies inside."""
        return moment is not None and self.start <= moment < self.end


def _holds_attribute(fact: Fact, predicate: Is | IsNot | AtLeast | Known) -> bool:
    value = fact.attributes.get(predicate.attribute)
    match predicate:
        case Is(value=wanted):
            return type(value) is type(wanted) and value == wanted
        case IsNot(value=unwanted):
            return not (type(value) is type(unwanted) and value == unwanted)
        case Known():
            return isinstance(value, bool)
        case AtLeast(number=number):
            return isinstance(value, int | float) and not isinstance(value, bool) and value >= number


def holds(fact: Fact, predicate: Predicate, window: Window) -> bool:
    """Tell whether the predicate is true of the fact; absent values make it false, except for `IsNot` and `Late`."""
    match predicate:
        case OnTime():
            return fact.done_at is not None and fact.due_at is not None and fact.done_at <= fact.due_at
        case Late():
            return fact.done_at is None or (fact.due_at is not None and fact.done_at > fact.due_at)
        case DoneInPeriod():
            return fact.done_at is not None and fact.done_at < window.end
        case _:
            return _holds_attribute(fact, predicate)
