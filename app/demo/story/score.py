"""Last act: the scores of the month moved, and one of them opens down to the facts of the story."""

from datetime import datetime
from typing import Any

from app.demo.story.stage import Cast, Client, Teller
from app.kernel.clock import SHANGHAI

TOWN = "330109001"


def period_of(now: datetime) -> str:
    """Return the month's code, e.g. `2026-11`."""
    return f"{now.astimezone(SHANGHAI):%Y-%m}"


def scores(cast: Cast, now: datetime) -> dict[str, dict[str, Any]]:
    """Compute the month anew and return subject → score, as the town's manager sees it."""
    cast.staff("district").post(f"/v1/scoring/periods/{period_of(now)}/recompute", {})
    manager = cast.staff(f"manager.{TOWN}")
    return {row["subject"]: row for row in manager.all(f"/v1/scoring/periods/{period_of(now)}/scores", limit=500)}


def play(
    cast: Cast, tell: Teller, before: dict[str, dict[str, Any]], cases: list[dict[str, Any]], now: datetime
) -> None:
    """Play the act: `before` are the scores before the story, `cases` what was closed since."""
    tell.act("四、考评 the score")
    tell.step("the month is computed anew; the town manager reads the scores of the town's teams")
    after = scores(cast, now)
    moved = [name for name, row in after.items() if name not in before or row["total"] != before[name]["total"]]
    tell.see(moved, f"{len(moved)} of {len(after)} scores moved")
    manager = cast.staff(f"manager.{TOWN}")
    ids = {case["id"] for case in cases}
    found = [line for name in moved for line in _lines_with(manager, after[name]["id"], ids)]
    tell.step("a score is opened: every line, and behind a line its facts")
    tell.see(found, f"{len(found)} lines rest on facts of this story")
    line, fact = found[0]
    tell.see(
        line["denominator"] > 0,
        f"{line['name']}: {line['numerator']}/{line['denominator']}, {line['points']} points; fact {fact['fact_id']}",
    )


def _lines_with(manager: Client, score: str, cases: set[str]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the lines of a score that have a fact of one of the cases, with that fact."""
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for line in manager.get(f"/v1/scoring/scores/{score}")["lines"]:
        for fact in manager.all(f"/v1/scoring/scores/{score}/lines/{line['code']}/facts", limit=500):
            if any(case in str(fact) for case in cases):
                found.append((line, fact))
                break
    return found
