"""An XLSX file whose bytes leave while it is written, with flat memory; a sheet that is full is followed by another.

Office Open XML (ECMA-376) in a ZIP whose parts are followed by their sizes (APPNOTE 4.4.4, bit 3), so that nothing is
written twice and nothing is kept: what lists the sheets comes last, the order of parts is free.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import IO
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

from tasks.cases.export import Cell, guarded

LAST_ROW = 1_048_575
"""The last row a sheet has (ECMA-376 as Excel reads it), counted from 0."""
MOST_BYTES = 1_900_000_000
"""Of a sheet before it is packed: past 2 GiB its size needs ZIP64, which Excel does not read in a streamed file."""
_EPOCH = datetime.fromisoformat("1899-12-30")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
"""What Excel would read as the code of a character."""

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_BOLD, _TIME = 1, 2
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="3"><xf/><xf fontId="1" applyFont="1"/><xf numFmtId="164" applyNumberFormat="1"/></cellXfs>'
    "</styleSheet>"
)
_HEAD = (
    f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2"'
    ' activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>'
)
_TAIL = "</sheetData></worksheet>"


class _Sent:
    """Takes what the ZIP writes until it is sent."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def write(self, data: bytes, /) -> int:
        self.waiting += data
        return len(data)

    def flush(self) -> None:
        """Nothing to do: all that was written waits."""

    close = flush

    def take(self) -> bytes:
        taken = bytes(self.waiting)
        self.waiting.clear()
        return taken


class Sheet:
    """The file while it is written: each call returns the bytes that are ready, `close` the last ones."""

    def __init__(self, titles: Sequence[str]) -> None:
        self._sent = _Sent()
        self._zip = ZipFile(self._sent, "w", ZIP_DEFLATED)
        self._titles = titles
        self._letters = [_letters(column) for column in range(len(titles))]
        self._sheets = 0
        self._part: IO[bytes] | None = None
        self._row = self._size = 0
        self._zip.writestr("_rels/.rels", _relations([("rId1", "officeDocument", "xl/workbook.xml")]))
        self._zip.writestr("xl/styles.xml", _STYLES)
        self._begin()

    def write(self, rows: Iterable[Sequence[Cell]]) -> bytes:
        """Add rows; texts stay texts, whatever they look like."""
        for row in rows:
            if self._row > LAST_ROW or self._size > MOST_BYTES:
                self._begin()
            self._put(row, bold=False)
        return self._sent.take()

    def close(self) -> bytes:
        """Complete the file."""
        self._end()
        numbers = range(1, self._sheets + 1)
        sheets = "".join(f'<sheet name="Sheet{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
        book = f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>'
        parts = [(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
        styles = (f"rId{self._sheets + 1}", "styles", "styles.xml")
        self._zip.writestr("xl/workbook.xml", book)
        self._zip.writestr("xl/_rels/workbook.xml.rels", _relations([*parts, styles]))
        self._zip.writestr("[Content_Types].xml", _content_types(self._sheets))
        self._zip.close()
        return self._sent.take()

    def _begin(self) -> None:
        if self._part is not None:
            self._end()
        self._sheets += 1
        self._part = self._zip.open(f"xl/worksheets/sheet{self._sheets}.xml", "w")
        self._row = self._size = 0
        self._say(_HEAD)
        self._put(self._titles, bold=True)

    def _end(self) -> None:
        self._say(_TAIL)
        assert self._part is not None
        self._part.close()

    def _say(self, text: str) -> None:
        assert self._part is not None
        self._size += self._part.write(text.encode())

    def _put(self, row: Sequence[Cell], *, bold: bool) -> None:
        self._row += 1
        style = f' s="{_BOLD}"' if bold else ""
        cells = [
            _cell(f"{letters}{self._row}", cell, style)
            for letters, cell in zip(self._letters, row, strict=True)
            if cell is not None
        ]
        self._say(f'<row r="{self._row}">{"".join(cells)}</row>')


def _cell(place: str, cell: str | float | datetime, style: str) -> str:
    if isinstance(cell, str):
        text = escape(_ESCAPE.sub("_x005F_", _UNWRITABLE.sub("", guarded(cell))))
        return f'<c r="{place}"{style} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    if isinstance(cell, datetime):
        return f'<c r="{place}" s="{_TIME}"><v>{(cell - _EPOCH).total_seconds() / 86400!r}</v></c>'
    return f'<c r="{place}"{style}><v>{cell!r}</v></c>'


def _letters(column: int) -> str:
    """Return the name of a column counted from 0: A … Z, AA …"""
    return ("" if column < 26 else _letters(column // 26 - 1)) + chr(ord("A") + column % 26)


def _relations(parts: Iterable[tuple[str, str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="{target}"/>' for name, kind, target in parts
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{listed}</Relationships>'


def _content_types(sheets: int) -> str:
    parts = [("workbook.xml", "sheet.main"), ("styles.xml", "styles")]
    parts += [(f"worksheets/sheet{n}.xml", "worksheet") for n in range(1, sheets + 1)]
    listed = "".join(f'<Override PartName="/xl/{name}" ContentType="{_KIND}.{kind}+xml"/>' for name, kind in parts)
    return (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"'
        f' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{listed}</Types>'
    )
