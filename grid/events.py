"""What happens to the grid, in the past tense."""

from app.kernel.event import Event


class CellsEnded(Event, frozen=True, kw_only=True):
    """These cells ended: what stands on their ground belongs to other cells, or to none."""

    cells: tuple[str, ...]
