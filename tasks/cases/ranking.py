"""Which of some thousand short documents fit a text best, by Okapi BM25, and which words say so; pure."""

from collections import defaultdict
from collections.abc import Mapping
from heapq import nlargest
from math import log

from msgspec import Struct

SATURATION, LENGTH = 1.2, 0.35
"""k1 and b of BM25 (Robertson and Zaragoza 2009); documents of very unequal length call for a small b."""
EXPLAINED = 6


class Hit(Struct, frozen=True):
    """A document found: its score (0 and more) and the words that speak for it, the strongest first."""

    key: str
    score: float
    words: tuple[str, ...]


class Index:
    """An inverted index that takes and drops documents one by one."""

    def __init__(self) -> None:
        self._documents: dict[str, dict[str, float]] = {}
        self._lengths: dict[str, float] = {}
        self._having: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._length = 0.0

    def __len__(self) -> int:
        return len(self._documents)

    def put(self, key: str, weights: Mapping[str, float]) -> None:
        """Take a document as word → weight, in place of the one that had this key."""
        self.drop(key)
        self._documents[key] = dict(weights)
        self._lengths[key] = sum(weights.values())
        self._length += self._lengths[key]
        for word, weight in weights.items():
            self._having[word][key] = weight

    def drop(self, key: str) -> None:
        """Forget a document, if it is there."""
        for word in self._documents.pop(key, ()):
            del self._having[word][key]
            if not self._having[word]:
                del self._having[word]
        self._length -= self._lengths.pop(key, 0.0)

    def rarity(self, word: str) -> float:
        """Return the inverse document frequency of a word, above 0; 0 for one that no document has."""
        having = len(self._having.get(word, ()))
        return 0.0 if not having else log(1 + (len(self) - having + 0.5) / (having + 0.5))

    def search(self, asked: Mapping[str, float], limit: int) -> list[Hit]:
        """Return up to `limit` documents that share a word with `asked` (word → weight), the best first."""
        if not self._documents:
            return []
        mean = self._length / len(self._documents) or 1.0
        scores: defaultdict[str, float] = defaultdict(float)
        for word, weight in asked.items():
            rarity = weight * self.rarity(word)
            for key, times in self._having.get(word, {}).items():
                fit = times + SATURATION * (1 - LENGTH + LENGTH * self._lengths[key] / mean)
                scores[key] += rarity * times * (SATURATION + 1) / fit
        best = nlargest(limit, scores.items(), key=lambda found: (found[1], found[0]))
        return [Hit(key, score, self._speaking(key, asked)) for key, score in best]

    def _speaking(self, key: str, asked: Mapping[str, float]) -> tuple[str, ...]:
        document = self._documents[key]
        shared = [word for word in asked if word in document]
        shared.sort(key=lambda word: (-asked[word] * document[word] * self.rarity(word), word))
        kept: list[str] = []
        for word in shared:
            if not any(word in longer for longer in kept):
                kept.append(word)
        return tuple(kept[:EXPLAINED])


def merged(*parts: tuple[Mapping[str, float], float]) -> dict[str, float]:
    """Return one document of several texts' words, each text with its weight."""
    whole: defaultdict[str, float] = defaultdict(float)
    for words, weight in parts:
        for word, own in words.items():
            whole[word] += own * weight
    return dict(whole)
