"""What a person says of an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Feedback = Literal["good", "bad", "too weak", "more than needed", "cheapest acceptable"]


@dataclass(frozen=True, slots=True)
class Label:
    """A person's word on one answer: a row of the ledger's labels.

    `picked` is the tier that routing picked (of an escalated answer, the one that answered
    first), `needed` the one that the prompt needs by that word; None where it names none (`bad`
    does not say what would have done). It keeps the prompt, which a classifier learns from.
    `result` and `comparison` are the ids of what was judged, `ladder` the name of the ladder,
    `ts` seconds since 1970.
    """

    id: str
    ts: float
    session: str
    feedback: Feedback
    picked: str
    needed: str | None
    ladder: str
    prompt: str = field(repr=False)
    msg_hash: str = ""
    result: str = ""
    comparison: str | None = None
    feature: str | None = None
