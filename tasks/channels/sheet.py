"""Files of rows (CSV, XLSX) as cells, and what keeps a file out; pure."""

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from app.kernel.problem import invalid

LARGEST_FILE = 20 * 1024 * 1024
LARGEST_UNPACKED = 300 * 1024 * 1024
"""What the parts of an XLSX may come to: a small file can hold a very large one."""
_ZIP = b"PK\x03\x04"


def read(content: bytes) -> Iterator[Sequence[Any]]:
    """The rows of a CSV, or of the first sheet of an XLSX, headings first; Invalid for a file that cannot be read."""
    if len(content) > LARGEST_FILE:
        raise invalid("file", "不能超过 20 MB", "at most 20 MB")
    return _sheet(content) if content.startswith(_ZIP) else _csv(content)


def _sheet(content: bytes) -> Iterator[Sequence[Any]]:
    """The rows of the first sheet."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > LARGEST_UNPACKED:
                raise invalid("file", "解压后过大", "is too large when unpacked")
        book: Any = CalamineWorkbook.from_filelike(io.BytesIO(content))
        table: list[list[Any]] = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, zipfile.BadZipFile, OSError, ValueError, IndexError) as error:
        raise invalid("file", "无法读取这个 XLSX 文件", "is an XLSX that cannot be read") from error
    return iter(table)


def _csv(content: bytes) -> Iterator[Sequence[Any]]:
    """The rows of a CSV in UTF-8 or GB 18030, with commas, semicolons or tabs."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("gb18030")
        except UnicodeDecodeError as error:
            raise invalid("file", "应为 UTF-8 或 GB 18030 的 CSV，或 XLSX", "is a CSV or an XLSX") from error
    if "\x00" in text:
        raise invalid("file", "应为 CSV 或 XLSX", "is a CSV or an XLSX")
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    try:
        return iter(list(csv.reader(io.StringIO(text, newline=""), delimiter=mark)))
    except csv.Error as error:
        raise invalid("file", f"CSV 有误：{error}", f"is no CSV: {error}") from error
