"""Bigrams of a text, by which two-character Chinese words are found (trigram indexes do not serve them); pure."""

import re
from collections.abc import Iterable

_RUN = re.compile("[0-9a-z\u3400-\u9fff]+")
"""The same letters as in `case_grams` of migration 0107."""
MOST = 2_000
"""No text is indexed past so many bigrams: nobody looks for the end of a pasted log."""


def runs(text: str) -> list[str]:
    """Return the stretches of letters, digits and ideographs of a text, in lower case."""
    return _RUN.findall(text.lower())


def grams(*texts: str) -> list[str]:
    """Return every pair of neighbouring characters within the runs of the texts, each once; a lone one as it is."""
    return sorted(_grams(run for text in texts for run in runs(text)))


def wanted(text: str) -> list[str]:
    """Return the bigrams that a text holding every run of the query must hold; lone characters are left to LIKE."""
    return sorted(_grams(run for run in runs(text) if len(run) > 1))


def _grams(found: Iterable[str]) -> set[str]:
    pairs: set[str] = set()
    for run in found:
        pairs.update({run} if len(run) == 1 else {run[n : n + 2] for n in range(len(run) - 1)})
        if len(pairs) >= MOST:
            break
    return pairs
