"""Small changes that keep a prompt's meaning, and how often they change its tier."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from nbroute.report.metrics import wilson
from nbroute.types import Classifier, Ladder

#: The changes to one prompt are correlated, so each counts less than a separate prompt: by this
#: factor, on the 240 prompts of tests/data/blind_prompts.jsonl.
CLUSTERED = 1.7


def _typo(prompt: str, chance: random.Random) -> str:
    """Two neighbouring letters of a word, swapped."""
    pairs = enumerate(pairwise(prompt))
    places = [at for at, (one, two) in pairs if _cased(one) and _cased(two) and one != two]
    if not places:
        return prompt
    at = chance.choice(places)
    return f"{prompt[:at]}{prompt[at + 1]}{prompt[at]}{prompt[at + 2 :]}"


def _cased(letter: str) -> bool:
    return letter.lower() != letter.upper()


#: The name of each change, and what makes it.
CHANGES: Mapping[str, Callable[[str, random.Random], str]] = {
    "a typo": _typo,
    "changed case": lambda prompt, _: (
        prompt.upper() if prompt == prompt.lower() else prompt.lower()
    ),
    "'Please' before it": lambda prompt, _: f"Please {prompt[:1].lower()}{prompt[1:]}",
    "', please' after it": lambda prompt, _: f"{prompt.rstrip()}, please",
    "'Thanks!' on a line below": lambda prompt, _: f"{prompt}\n\nThanks!",
    "a full stop or blanks at its end": lambda prompt, chance: (
        prompt.rstrip(" .") + chance.choice([".", "  \n", " ."])
    ),
}


@dataclass(frozen=True)
class Flip:
    """A change that changed the tier: what was changed, and the prompt before and after."""

    change: str
    prompt: str
    changed: str
    before: str
    after: str


@dataclass(frozen=True)
class Flips:
    """How often each change was tried (`tried`), and those that changed the tier."""

    tried: Mapping[str, int]
    flips: tuple[Flip, ...]

    @property
    def share(self) -> float:
        """The share of all changes that changed the tier; 0 if none was tried."""
        return len(self.flips) / max(sum(self.tried.values()), 1)

    @property
    def interval(self) -> tuple[float, float]:
        """Where that share lies at 95%."""
        return wilson(self.share, round(sum(self.tried.values()) / CLUSTERED))

    def by_change(self) -> dict[str, float]:
        """The share of each change, the largest first."""
        counts = {name: sum(one.change == name for one in self.flips) for name in self.tried}
        shares = {name: counts[name] / tried for name, tried in self.tried.items() if tried}
        return dict(sorted(shares.items(), key=lambda one: -one[1]))

    def worst(self, ladder: Ladder) -> Flip | None:
        """The one across the most tiers; of several, the one with the shortest prompt."""

        def height(one: Flip) -> tuple[int, int]:
            return abs(ladder.index(one.after) - ladder.index(one.before)), -len(one.prompt)

        return max(self.flips, key=height, default=None)


def flips_of(
    prompts: Sequence[str], classifier: Classifier, ladder: Ladder, *, seed: int = 0
) -> Flips:
    """Try each change on each prompt once; one that changes nothing is left out.

    A script without capitals has neither typos nor case. Only the classifier itself may send
    something.
    """
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    tried = dict.fromkeys(CHANGES, 0)
    found: list[Flip] = []
    for prompt in prompts:
        before = classifier.classify(prompt, ladder).tier
        for name, change in CHANGES.items():
            changed = change(prompt, chance)
            if changed == prompt:
                continue
            tried[name] += 1
            after = classifier.classify(changed, ladder).tier
            if after != before:
                found.append(Flip(name, prompt, changed, before, after))
    return Flips(tried, tuple(found))
