"""Which items a free text may be about, by the words of names, aliases, precedents and closed cases; pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log2

from msgspec import Struct

from tasks.cases.catalogue import Item
from tasks.cases.ranking import Index, merged
from tasks.cases.words import terms

MOST = 5
HALF = 8.0
"""The weight of evidence at which the score is a half: about two telling words."""
THRESHOLD = 0.35
"""Below it nobody should be led astray: the text goes to the desk."""
SURE, APART = 0.6, 0.05
"""So good a score, and so far from the next one, stands for the sender's own choice."""
NAME, ALIAS, CLOSING, PRECEDENT = 4.0, 4.0, 0.5, 2.0
SEEN = 3
"""A word of fewer cases is not kept: it says little of the item, and could say who wrote it."""
KEPT = 300
"""So many words are kept of an item's cases."""

Learned = Mapping[str, Mapping[str, float]]
"""Item → word → weight, of closed cases and precedents."""


class Suggestion(Struct, frozen=True):
    """An item that fits: `score` between 0 and 1, and the words of the text that speak for it."""

    item: str
    name: str
    score: float
    words: tuple[str, ...]


class Example(Struct, frozen=True):
    """A text whose item is known: a closed case, or (`precedent`) an entry of the library of difficult items."""

    item: str
    text: str
    precedent: bool = False


def learn(examples: Iterable[Example]) -> dict[str, dict[str, float]]:
    """Return what examples teach. A word of cases counts by the logarithm of how many of the item's cases have it."""
    cases: defaultdict[str, Counter[str]] = defaultdict(Counter)
    learned: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for example in examples:
        words = terms(example.text)
        if example.precedent:
            for word, weight in words.items():
                learned[example.item][word] = max(learned[example.item][word], PRECEDENT * weight)
        else:
            cases[example.item].update(words.keys())
    for item, counts in cases.items():
        for word, count in counts.most_common(KEPT):
            if count >= SEEN:
                learned[item][word] += log2(1 + count) / 2
    return {item: dict(words) for item, words in learned.items()}


class Model:
    """The items of a catalogue with their words. Immutable once built."""

    def __init__(self, items: Iterable[Item], learned: Learned) -> None:
        self._items = {item.code: item for item in items}
        self._index = Index()
        for item in self._items.values():
            own = [(terms(item.name), NAME), *((terms(alias), ALIAS) for alias in item.aliases)]
            own += [(terms(item.closing), CLOSING), (learned.get(item.code, {}), 1.0)]
            self._index.put(item.code, merged(*own))

    def suggest(self, text: str, citizen: bool = False, threshold: float = THRESHOLD) -> list[Suggestion]:
        """Return up to five items, the best first; none if no evidence reaches the threshold.

        With `citizen` only what citizens may choose.
        """
        found: list[Suggestion] = []
        for hit in self._index.search(terms(text), MOST * 4):
            item, score = self._items[hit.key], hit.score / (hit.score + HALF)
            if score >= threshold and (item.citizen or not citizen):
                found.append(Suggestion(item.code, item.name, round(score, 3), hit.words))
        return found[:MOST]


def sure(found: Sequence[Suggestion]) -> str | None:
    """Return the item that suggestions (best first) leave no doubt about; None where a clerk has to sort it."""
    if not found or found[0].score < SURE:
        return None
    doubtful = len(found) > 1 and found[0].score - found[1].score < APART
    return None if doubtful else found[0].item
