"""Stories a clerk can read (`scenarios/*.toml`), each played line by line on the real database through commands."""

from pathlib import Path

import pytest

from tasks.cases import store, trace
from tests.tasks.cases import playing

FOLDER = Path(__file__).parent / "scenarios"
FILES = sorted(FOLDER.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
async def test_the_story_goes_as_it_is_written(place: str, path: Path):
    scenario = playing.read(path)
    cases = await playing.Play(scenario).run()
    heads = dict(await store.heads(None, 100))
    for case in cases:
        assert trace.verify(case, await store.links(case), heads[case]) is None
