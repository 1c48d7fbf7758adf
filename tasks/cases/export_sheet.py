"""An XLSX file written row by row with flat memory; a sheet that is full is followed by another."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from tasks.cases.export import Cell, guarded

LAST_ROW = 1_048_575
"""The last row a sheet has (ECMA-376 as Excel reads it), counted from 0."""


class Sheet:
    """The file while it is written; `close` completes it. Its folder also takes the parts that are not ready yet."""

    def __init__(self, path: Path, titles: Sequence[str]) -> None:
        library: Any = xlsxwriter
        options = {"constant_memory": True, "tmpdir": str(path.parent)}
        self._book = library.Workbook(str(path), options)
        self._book.use_zip64()
        self._bold = self._book.add_format({"bold": True})
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._titles = titles
        self._begin()

    def _begin(self) -> None:
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._row = 0
        for column, title in enumerate(self._titles):
            self._sheet.write_string(0, column, title, self._bold)

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Add rows; texts stay texts, whatever they look like."""
        for row in rows:
            if self._row == LAST_ROW:
                self._begin()
            self._row += 1
            for column, cell in enumerate(row):
                self._put(column, cell)

    def _put(self, column: int, cell: Cell) -> None:
        if isinstance(cell, datetime):
            self._sheet.write_datetime(self._row, column, cell, self._time)
        elif isinstance(cell, str):
            self._sheet.write_string(self._row, column, guarded(cell))
        elif cell is not None:
            self._sheet.write_number(self._row, column, cell)

    def close(self) -> None:
        """Complete the file."""
        self._book.close()
