"""The tier of a turn in a conversation: a follow-up is read together with what it follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nbroute.classify.lexicon import PATTERNS
from nbroute.types import Classifier, Decision, Ladder, RouteResult

#: Longer prompts stand for themselves, whatever they begin with.
FOLLOW_UP_WORDS = 12


def is_follow_up(prompt: str) -> bool:
    """Whether a short prompt leans on what was said before it."""
    text = prompt.strip()
    if len(text.split()) > FOLLOW_UP_WORDS:
        return False
    return bool(PATTERNS["follow_up"].match(text) or PATTERNS["refers"].search(text))


def classify_turn(
    classifier: Classifier, prompt: str, earlier: Sequence[RouteResult], ladder: Ladder
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
    reason = f"{made.reason}; read with {what} before it"
    made, last = replace(made, reason=reason, signals=()), earlier[-1]
    if last.options.tier is None or last.tier not in ladder.names:
        return made
    if ladder.index(made.tier) >= ladder.index(last.tier):
        return made
    reason = f"{reason}; a follow-up stays on {last.tier}, which you chose"
    return replace(made, tier=last.tier, reason=reason)
