"""The whole mission, played over the real HTTP API by seven clients; ends well only if every effect was seen."""

from collections.abc import Callable
from datetime import datetime

from app.demo.accounts import DemoFile
from app.demo.story import request, score, visit, water
from app.demo.story.stage import Cast, StoryFailed, Teller

__all__ = ["StoryFailed", "play"]


def play(demo: DemoFile, now: datetime, say: Callable[[str], None]) -> Teller:
    """Play the story on a running demo; StoryFailed at the first effect that is not seen."""
    cast, tell = Cast(demo), Teller(say)
    before = score.scores(cast, now)
    place = _place(cast)
    cases = [
        request.play(cast, tell, place, now),
        visit.play(cast, tell, now),
        water.play(cast, tell, place, now),
    ]
    score.play(cast, tell, before, cases, now)
    say(f"\n{tell.steps} steps, {tell.seen} effects seen 演示完成")
    return tell


def _place(cast: Cast) -> tuple[float, float]:
    """Return a place in the first town: that of one of its households."""
    home = cast.staff(f"leader.{request.TOWN}").get("/v1/households", area=request.TOWN, limit=1)[0]
    return home["lon"], home["lat"]
