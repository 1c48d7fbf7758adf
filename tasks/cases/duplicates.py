"""Duplicates: the same report again is the same case, by its id or by source and external id; pure."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from uuid import UUID

from tasks.cases.report import Report

Key = tuple[str, str] | UUID | int


def key(report: Report) -> Key:
    """Return what makes a report the same as another: (source, external id), else its id, else nothing but itself."""
    if report.external_id is not None:
        return (report.source, report.external_id)
    return report.id or id(report)


def first_of_each(reports: Sequence[Report]) -> list[Report]:
    """Return the reports without repeats, in order."""
    first: dict[Key, Report] = {}
    for report in reports:
        first.setdefault(key(report), report)
    return list(first.values())


def lock_key(report: Report) -> int | None:
    """Return a 64-bit number for what makes a report the same as another; None for one that equals nothing else."""
    told = key(report)
    if isinstance(told, int):
        return None
    return int.from_bytes(sha256(repr(told).encode()).digest()[:8], signed=True)


def existing(report: Report, by_id: Mapping[UUID, UUID], by_source: Mapping[tuple[str, str], UUID]) -> UUID | None:
    """Return the case this report opened before."""
    told = None if report.external_id is None else by_source.get((report.source, report.external_id))
    return told or (None if report.id is None else by_id.get(report.id))
