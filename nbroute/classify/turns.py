"""The tier of a turn in a conversation: a follow-up is read together with what it follows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from nbroute.types import Classifier, Decision, Ladder

#: Longer prompts stand for themselves, whatever they begin with.
FOLLOW_UP_WORDS = 12

_BEGINS = re.compile(
    r"(?:and|but|so|also|then|why|how so|what about|how about|now|again|ok(?:ay)?|yes|no"
    r"|go on|continue|more|shorter|longer|simpler|please (?:continue|go on|explain)"
    r"|und|aber|auch|warum|wieso|weiter|kürzer|nochmal"
    r"|et|mais|aussi|pourquoi|continue[zr]?|plus (?:court|long|simple)"
    r"|y|pero|también|por qué|sigue|más (?:corto|largo|simple)"
    r"|e|ma|anche|perché|continua)\b|(?:为什么|继续|那|再|なぜ|続け|もっと)",
    re.IGNORECASE,
)
_REFERS = re.compile(
    r"\b(?:it|its|that|this|those|these|them|they|he|she|the (?:same|above|first|second|last|"
    r"previous|latter|former)|instead|previous(?:ly)?|above|earlier|you (?:said|wrote|mentioned)"
    r"|your (?:answer|last|previous)|das|dies(?:e[rsnm]?)?|davon|dazu|cela|ça|eso|esto)\b"
    r"|[它这那](?:个|些)?|それ|これ",
    re.IGNORECASE,
)


class Turn(Protocol):
    """What is known of an earlier turn."""

    @property
    def prompt(self) -> str:
        """What was asked."""

    @property
    def tier(self) -> str:
        """The tier that answered."""

    @property
    def by_hand(self) -> bool:
        """Whether a person chose that tier."""


def is_follow_up(prompt: str) -> bool:
    """Whether a short prompt leans on what was said before it."""
    text = prompt.strip()
    if len(text.split()) > FOLLOW_UP_WORDS:
        return False
    return bool(_BEGINS.match(text) or _REFERS.search(text))


def classify_turn(
    classifier: Classifier, prompt: str, earlier: Sequence[Turn], ladder: Ladder
) -> Decision:
    """The decision for the next turn, with the turns before it in view.

    A follow-up is classified together with the prompts that it goes back to, and is not
    asked of a lower tier than the one a person chose for the turn before. Any other prompt
    stands for itself, so that a conversation may come down again.
    """
    if not earlier or not is_follow_up(prompt):
        return classifier.classify(prompt, ladder)
    # The prompts back to the last that stands for itself, oldest first.
    subject: list[str] = []
    for turn in reversed(earlier):
        subject.insert(0, turn.prompt)
        if not is_follow_up(turn.prompt):
            break
    made = classifier.classify("\n\n".join([*subject, prompt]), ladder)
    what = "the turn" if len(subject) == 1 else f"the {len(subject)} turns"
    reason = f"{made.reason}; with {what} before in view"
    made, last = replace(made, reason=reason, signals=()), earlier[-1]
    if not last.by_hand or last.tier not in ladder.names:
        return made
    if ladder.index(made.tier) >= ladder.index(last.tier):
        return made
    reason = f"{reason}; a follow-up stays on {last.tier}, which was chosen by hand"
    return replace(made, tier=last.tier, reason=reason)
