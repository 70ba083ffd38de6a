"""The words on an answer, and what is said when one was kept."""

from __future__ import annotations

from nbroute.types import Feedback, Label

#: What can be said of one answer, in the order in which it is offered, and what that means.
MEANS: dict[Feedback, str] = {
    "good": "this tier is what the prompt needs",
    "bad": "no good answer, whatever the tier",
    "too weak": "the prompt needs the next tier up",
    "more than needed": "the next tier down would have done",
}
WORDS = tuple(MEANS)


def kept(label: Label) -> str:
    """`kept: too weak (the prompt needs MEDIUM)`."""
    needs = f" (the prompt needs {label.needed})" if label.needed else ""
    return f"kept: {label.feedback}{needs}"
