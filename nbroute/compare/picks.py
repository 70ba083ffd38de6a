"""What routing says of the prompt, and what that means for each contender."""

from __future__ import annotations

from typing import Any

from nbroute.compare.columns import Column, Contender
from nbroute.engine.context import Spec
from nbroute.engine.engine import Engine
from nbroute.errors import BudgetExceeded, ProviderError, RecordError, ReplayMiss, named
from nbroute.types import Decision, Ladder

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def unpicked(why: str) -> Decision:
    """The decision where routing's pick is not known."""
    return Decision("", "", why)


def routing_of(router: Engine, prompt: str, classifier: Spec | None, **options: Any) -> Decision:
    """Routing's decision; where the classifier cannot be asked, `unpicked` with the reason.

    PromptError, and SettingsError for a classifier that cannot be used.
    """
    try:
        return router.classify(prompt, classifier, **options)
    except (ProviderError, BudgetExceeded, ReplayMiss, RecordError) as error:
        return unpicked(f"not known: {named(error)}")


def column_of(contender: Contender, decision: Decision, ladder: Ladder) -> Column:
    """The contender's column before it is asked: whether routing would have, and why or why not."""
    first = ladder[contender.tier].model
    picked = contender.tier == decision.tier and contender.model == first
    return Column(contender, picked, _note(contender, decision, ladder))


def _note(contender: Contender, decision: Decision, ladder: Ladder) -> str:
    if decision.tier not in ladder.names:
        return f"routing's pick is {decision.reason}"
    first = ladder[contender.tier].model
    sure = "" if decision.confidence is None else f", sure {decision.confidence:.2f}"
    if contender.tier != decision.tier:
        other = "" if contender.model == first else f", and {contender.tier} asks {first!r} first"
        distance = _distance(ladder.index(contender.tier) - ladder.index(decision.tier))
        why = f"({decision.reason}{sure})"
        return f"routing would not: it picks {decision.tier} {why}; this is {distance}{other}"
    if contender.model == first:
        return f"routing picks this: {decision.reason}{sure}"
    return (
        f"routing picks this tier ({decision.reason}{sure}), but asks {first!r}: this is not the "
        "tier's first model"
    )


def _distance(steps: int) -> str:
    count = abs(steps)
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    return f"{number} tier{'' if count == 1 else 's'} {'dearer' if steps > 0 else 'cheaper'}"
