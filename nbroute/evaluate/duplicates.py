"""Prompts that are nearly the same, so that none is trained on and its twin measured on.

MinHash with banding: Broder 1997, "On the resemblance and containment of documents", and
Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

#: Eight bands of three: seven shingles in ten shared are found 19 times in 20, three in ten 1 in 5.
BANDS, ROWS = 8, 3
#: Words that overlap in a shingle.
SHINGLE = 3
_PRIME = 2**31 - 1
_WORD = re.compile(r"[^\W\d]+|\d+")


def clusters(prompts: Sequence[str]) -> np.ndarray:
    """A number for each prompt, the same for those that are alike but for their numbers."""
    import numpy as np

    generator = np.random.default_rng(0)
    factors = generator.integers(1, _PRIME, (BANDS * ROWS, 1))
    offsets = generator.integers(0, _PRIME, (BANDS * ROWS, 1))
    parents = list(range(len(prompts)))
    first: dict[tuple[int, bytes], int] = {}
    for place, prompt in enumerate(prompts):
        least = ((_shingles(prompt) * factors + offsets) % _PRIME).min(axis=1)
        for band, part in enumerate(least.reshape(BANDS, ROWS)):
            twin = first.setdefault((band, part.tobytes()), place)
            parents[_root(parents, place)] = _root(parents, twin)
    return np.array([_root(parents, place) for place in range(len(prompts))])


def _shingles(prompt: str) -> np.ndarray:
    import numpy as np

    words = ["0" if word.isdigit() else word for word in _WORD.findall(prompt.lower())]
    ends = range(max(len(words) - SHINGLE, 0) + 1)
    shingles = {" ".join(words[start : start + SHINGLE]) for start in ends}
    codes = [zlib.crc32(s.encode("utf-8", "surrogatepass")) % _PRIME for s in shingles]
    return np.array(codes, dtype=np.int64)


def _root(parents: list[int], place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place
