"""Text that is to a compressor much like mail: words of a natural frequency, made from a seed alone."""

import random
from array import array
from collections.abc import Iterator

_COMMON = (
    "the to and of a in you for is on that we with your this it be are have as will at from our not if or can please "
    "by was all me but they an order has so more would one up out when which do there thanks their about what mail "
    "time no new my just meeting get invoice like its how any could some now attached them than see other account"
)
_STARTS = "b br c ch d f fl g gr h j k l m n p pr qu r s sh st t th tr v w"
_MIDDLES = "a ai e ea ee i ie o oo ou u"
_ENDS = "ck d g l m n nd ng r rt s st t x ück é ß"
_PICKS = 1 << 16


class MailText:
    """An endless choice of words. The same seed gives the same words on every machine."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.words = self._make_words(8_000)
        # By Zipf's law, so often as each is to be picked; some end a clause or a line.
        weights = [1 / (rank + 2.7) for rank in range(len(self.words))]
        scale = _PICKS / sum(weights)
        picks = [word for word, weight in zip(self.words, weights, strict=True) for _ in range(int(weight * scale) + 1)]
        picks = [self._with_end(word) for word in picks]
        self._picks = self.random.sample(picks, _PICKS)

    def texts(self, count: int) -> Iterator[str]:
        """Texts of 10 to 1,500 words, about 110 on average, as COPY reads them: `\\n` stands for the end of a line."""
        lengths = [min(10 + int(self.random.lognormvariate(4.2, 0.8)), 1_500) for _ in range(count)]
        picked = self.several(sum(lengths))
        start = 0
        for length in lengths:
            yield " ".join(picked[start : start + length])
            start += length

    def several(self, count: int) -> list[str]:
        """So many words as they come in a text."""
        picks = self._picks
        return [picks[index] for index in array("H", self.random.randbytes(2 * count))]

    def name(self) -> str:
        """A word that serves as a name, in small ASCII letters."""
        while not (word := self.random.choice(self.words)).isascii():
            pass
        return word

    def _make_words(self, count: int) -> list[str]:
        words = dict.fromkeys(_COMMON.split())
        syllable = (_STARTS.split(), _MIDDLES.split(), ["", *_ENDS.split()])
        while len(words) < count:
            parts = syllable * self.random.choice((1, 2, 2, 3))
            words["".join(map(self.random.choice, parts))] = None
        return list(words)

    def _with_end(self, word: str) -> str:
        chance = self.random.random()
        return (
            f"{word}.\\n" if chance < 0.02 else f"{word}." if chance < 0.07 else f"{word}," if chance < 0.12 else word
        )
