"""The default classifier: a linear model on the words and letters of the part that asks.

Multinomial logistic regression on hashed n-grams (the hashing trick: Weinberger et al. 2009,
"Feature Hashing for Large Scale Multitask Learning"), trained by `tools/train_ngrams.py`. Every
word's share in a decision can be read off the weights; the reason quotes the largest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from nbroute.classify.asking import Span, asking
from nbroute.classify.examples import LABELS, tier_of
from nbroute.classify.wording import listed
from nbroute.decoding import DAMAGED, arrays
from nbroute.errors import SettingsError, named
from nbroute.types import Decision, Ladder, Signal

if TYPE_CHECKING:
    import numpy as np

#: The version of the weights file; it changes with what a feature means.
VERSION = 1
#: Places that the features are hashed to.
PLACES = 32_768
#: Characters of the asking part that are read.
HEAD = 1_200
#: Letters in a gram, within a word and the blanks around it; and in scripts without spaces
#: between words, where a letter is a syllable or a word.
SIZES, SIZES_UNSPACED = range(2, 6), range(1, 4)
#: The most signals that a decision has.
TOLD = 8
#: A word with a lower inverse document frequency, such as "the", is in one prompt of eight or
#: more: the reason quotes it only where no other word speaks.
COMMON = 3.0

#: Thai, Lao, Japanese and Chinese.
_UNSPACED = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff"
#: Letters and digits with their combining marks, which `\w` leaves out in Indian scripts.
_WORD = re.compile(
    rf"[{_UNSPACED}]{{1,40}}|(?:[^\W{_UNSPACED}]|[\u0300-\u036f\u0900-\u0963\u0966-\u0dff]){{1,40}}"
)
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
#: Words, pairs of words and grams that are spelt the same go to different places.
_GRAM, _WHOLE, _PAIR = 0, 1, 2


def _place(text: str, kind: int) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"), kind) % PLACES


@lru_cache(maxsize=8_192)
def _places(word: str) -> np.ndarray:
    """The places of a word in lower case and of its grams."""
    import numpy as np

    padded = f" {word} "
    grams = [
        padded[start : start + size]
        for size in (SIZES_UNSPACED if _IS_UNSPACED.match(word) else SIZES)
        for start in range(len(padded) - size + 1)
    ]
    return np.array([_place(word, _WHOLE), *(_place(gram, _GRAM) for gram in grams)], np.uint16)


class Reading(NamedTuple):
    """The words read from a prompt, and the places of all their features.

    `places` is one list, with repetitions: first those of each word, in stretches of `sizes`,
    then one for each pair of neighbours.
    """

    words: list[Span]
    places: np.ndarray
    sizes: list[int]


def read(prompt: str) -> Reading:
    """The words in the first HEAD characters of the part that asks, and their places."""
    import numpy as np

    words: list[Span] = []
    left = HEAD
    for start, end in asking(prompt):
        words += [m.span() for m in _WORD.finditer(prompt, start, min(end, start + left))]
        left -= end - start
        if left <= 0:
            break
    texts = [prompt[start:end].lower() for start, end in words]
    of_words = [_places(text) for text in texts]
    pairs = [_place(f"{a} {b}", _PAIR) for a, b in pairwise(texts)]
    found = np.concatenate([*of_words, np.array(pairs, np.uint16)])
    return Reading(words, found, [len(places) for places in of_words])


class Features(NamedTuple):
    """Each place of a prompt once, its weight (TF-IDF, of length 1) and how often it occurs."""

    places: np.ndarray
    weights: np.ndarray
    times: np.ndarray


@dataclass(frozen=True, eq=False)
class Weights:
    """What training found.

    `rarities` (PLACES) are inverse document frequencies, `weights` (PLACES x labels) and `bias`
    (labels) make the log-odds, which are calibrated by the factor `sharpness`.
    """

    rarities: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    sharpness: float

    def chances(self, found: Features) -> np.ndarray:
        """How likely each label is right, for a prompt of those features."""
        import numpy as np

        shares = found.weights[:, None] * self.weights[found.places]
        odds = (shares.sum(axis=0) + self.bias) * self.sharpness
        powers = np.exp(odds - odds.max())
        chances: np.ndarray = powers / powers.sum()
        return chances


def unpack(data: bytes, name: str) -> Weights:
    """The weights in an .npz; SettingsError where it is damaged or of another version."""
    import numpy as np

    try:
        found = arrays(data, 4_000_000)
        version = int(found["version"])
        if version == VERSION:
            weights = found["weights"].astype(np.float32)
            rest, sharpness = found["bias"].astype(np.float32), float(found["sharpness"])
            count = found["documents"]
            if weights.shape != (PLACES, len(LABELS) - 1) or count.shape != (PLACES,):
                raise ValueError("it has another number of features")
            if rest.shape != (len(LABELS),) or not np.isfinite(weights).all():
                raise ValueError("its weights are not numbers")
            # The labels' weights sum to 0 in every place: the last label's are not kept.
            full = np.column_stack([weights, -weights.sum(axis=1)])
            return Weights(rarity(count, int(found["prompts"])), full, rest, sharpness)
    except DAMAGED as error:
        raise SettingsError(
            f"the classifier's weights in {name!r} are damaged ({named(error):.200}); {_CURE}"
        ) from error
    raise SettingsError(
        f"the classifier's weights in {name!r} are of version {version}, and this nbroute reads "
        f"{VERSION}; {_CURE}"
    )


_CURE = "install nbroute again: pip install --force-reinstall --no-deps nbroute"


def rarity(documents: np.ndarray, prompts: int) -> np.ndarray:
    """The smoothed inverse document frequency of what occurs in that many of the prompts."""
    import numpy as np

    found: np.ndarray = np.log((1 + prompts) / (1 + documents.astype(float))) + 1
    return found.astype(np.float32)


def _data(file: str) -> tuple[bytes, str]:
    """The bytes of a file that comes with nbroute, and its name."""
    name = f"nbroute/classify/data/{file}"
    try:
        return resources.files(__package__).joinpath("data", file).read_bytes(), name
    except OSError as error:
        raise SettingsError(
            f"the classifier's weights {name!r} cannot be read ({named(error)}); {_CURE}"
        ) from error


@cache
def shipped() -> Weights:
    """The weights that come with nbroute, read at the first call."""
    return unpack(*_data("ngrams.npz"))


@cache
def _held_out() -> dict[int, tuple[float, ...]]:
    data, name = _data("ngrams_rows.npz")
    try:
        found = arrays(data, 4_000_000)
        rows = (found["chances"] / 255).tolist()
        return dict(zip(found["keys"].tolist(), map(tuple, rows), strict=True))
    except DAMAGED as error:
        raise SettingsError(
            f"the classifier's rows in {name!r} are damaged ({named(error):.200}); {_CURE}"
        ) from error


def key(prompt: str) -> int:
    """What identifies a training prompt: 64 bits of its BLAKE2b hash."""
    text = prompt.strip().encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def held_out(prompts: Sequence[str]) -> list[tuple[float, ...] | None]:
    """For each prompt that the shipped weights were trained on, each label's chance without it.

    The chances come from the fold that the prompt was left out of, calibrated and rounded to
    1/255; None where the weights were not trained on the prompt.
    """
    known = _held_out()
    return [known.get(key(prompt)) for prompt in prompts]


def weighed(places: np.ndarray, rarities: np.ndarray) -> Features:
    """The features of those places, which may repeat."""
    import numpy as np

    if not len(places):
        return Features(places, np.zeros(0), np.zeros(0))
    ordered = np.sort(places, kind="stable")  # a radix sort, for 16 bits
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    times = np.diff(starts, append=len(ordered))
    found = ordered[starts]
    raw = (1 + np.log(times)) * rarities[found]
    return Features(found, raw / np.sqrt((raw * raw).sum()), times)


def features(prompt: str, rarities: np.ndarray) -> Features:
    """The prompt's features; empty where it has no word."""
    return weighed(read(prompt).places, rarities)


class NgramClassifier:
    """The default classifier: no call and no state, and the same prompt always gets the same tier.

    The confidence is calibrated: of the decisions that say 80%, about 80% are right. Signals
    are the words (in scripts without spaces, the stretches) that count most for or against
    the tier, compared with the next likely one. Raises SettingsError where the weights that
    come with nbroute cannot be read.
    """

    name = "ngrams"

    def __init__(self, weights: Weights | None = None, labels: tuple[str, ...] = LABELS) -> None:
        self._weights = weights
        self._labels = labels

    def classify(self, prompt: str, ladder: Ladder) -> Decision:
        """The likeliest tier; on a ladder of another length, the one at the same height."""
        import numpy as np

        known = self._weights or shipped()
        reading = read(prompt)
        found = weighed(reading.places, known.rarities)
        chances = known.chances(found)
        tiers = [tier_of(label, ladder) or ladder.default for label in self._labels]
        order = [int(place) for place in chances.argsort()[::-1]]
        picked = order[0]
        tier = tiers[picked] if reading.words else ladder.default
        of_tier = [float(c) for c, at in zip(chances, tiers, strict=True) if at == tier]
        confidence = min(round(sum(of_tier), 3), 0.999)  # it is never certain
        if not reading.words:
            reason = f"there are no words to go by, so the default {tier}"
            return Decision(tier, self.name, reason, confidence, defaulted=True)
        other = next((place for place in order if tiers[place] != tier), order[1])
        gains = known.weights[found.places, picked] - known.weights[found.places, other]
        each = found.weights * gains / found.times
        each = each[np.searchsorted(found.places, reading.places)]
        shares = sorted(_shares(prompt, reading, each), key=lambda one: -abs(one[1]))
        shares = [one for one in shares if abs(one[1]) >= abs(shares[0][1]) / 10][:TOLD]
        sign = 1 if picked > other else -1
        signals = tuple(
            Signal("words", prompt[start:end], start, end, round(sign * share, 3))
            for (start, end), share in shares
        )
        spoke = [(prompt[start:end], share) for (start, end), share in shares if share > 0]
        rare = [
            (text, share)
            for text, share in spoke
            if known.rarities[_place(text.lower(), _WHOLE)] >= COMMON
        ] or spoke
        quoted = [text for text, share in rare if share >= rare[0][1] / 2]
        return Decision(tier, self.name, _reason(tier, tiers[other], quoted), confidence, signals)

    def score(self, prompt: str) -> float:
        """How far up the ladder the prompt belongs, from 0 to 1; only the order means anything."""
        known = self._weights or shipped()
        chances = known.chances(features(prompt, known.rarities))
        return float(chances @ range(len(chances))) / (len(chances) - 1)


def _reason(tier: str, other: str, spoke: list[str]) -> str:
    """`"Compare" and "ways" point to COMPLEX rather than MEDIUM`: the three strongest at most."""
    words = list({text.casefold(): f'"{text}"' for text in reversed(spoke)}.values())[::-1][:3]
    if not words:
        return f"no single word decides between {tier} and {other}"
    return f"{listed(words)} {'point' if words[1:] else 'points'} to {tier} rather than {other}"


def _shares(prompt: str, reading: Reading, of_each: np.ndarray) -> Iterator[tuple[Span, float]]:
    """Each word's share, from the places' shares; a pair's is split between its two words."""
    import numpy as np

    starts = np.cumsum([0, *reading.sizes])
    pairs = of_each[starts[-1] :] / 2
    shares = np.add.reduceat(of_each[: starts[-1]], starts[:-1])
    shares[1:] += pairs
    shares[:-1] += pairs
    for number, (start, end) in enumerate(reading.words):
        if end - start > 2 and _IS_UNSPACED.match(prompt, start):
            of_word = of_each[starts[number] + 1 : starts[number + 1]]
            yield from _stretches(start, end - start, of_word)
        else:
            yield (start, end), float(shares[number])


def _stretches(start: int, length: int, of_grams: np.ndarray) -> Iterator[tuple[Span, float]]:
    """The runs of characters, of `length` in all, that point the same way, by their grams.

    `of_grams` are the shares of a word's grams, the shortest first, each in its order.
    """
    import numpy as np

    by_letter = np.zeros(length + 2)
    done = 0
    for size in SIZES_UNSPACED:
        count = length + 3 - size
        by_letter += np.convolve(of_grams[done : done + count], np.full(size, 1 / size))
        done += count
    letters = by_letter[1:-1]
    edges = np.flatnonzero(np.diff(letters > 0)) + 1
    for first, last in zip([0, *edges], [*edges, length], strict=True):
        yield (start + int(first), start + int(last)), float(letters[first:last].sum())
