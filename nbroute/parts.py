"""What an engine is made of; `build.py` chooses them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbroute.classify.simple import Choice
from nbroute.dispatch import Dispatcher
from nbroute.limits import Limits
from nbroute.types import (
    Attempt,
    CacheMode,
    Classifier,
    Embedder,
    Ladder,
    Ledger,
    ProviderKind,
    Request,
    Tier,
)

if TYPE_CHECKING:
    import numpy as np

Ask = Callable[[Request], Attempt]
EmbedTexts = Callable[[Sequence[str]], "tuple[np.ndarray, tuple[Attempt, ...]]"]
Spec = str | Classifier | Callable[[str], Choice]


@dataclass(frozen=True)
class Senses:
    """What a classifier may use beside the prompt: a model to ask, an embedder."""

    ask: Ask
    embed: EmbedTexts


ClassifierFor = Callable[[Spec | None, Senses | None], Classifier]


@dataclass(frozen=True)
class Parts:
    """An engine's ladder, what stands behind its seams, and what holds where nothing is said."""

    ladder: Ladder
    dispatcher: Dispatcher
    classifier_for: ClassifierFor
    classifier_tier: Tier
    embedder: Callable[[], Embedder]
    ledger: Ledger
    limits: Limits
    cache_mode: CacheMode
    agreement: float
    check_timeout_s: float
    baseline: str
    session: str
    clock: Callable[[], float]
    new_id: Callable[[], str]
    hash_text: Callable[[str], str]

    def kind(self, tier: Tier) -> ProviderKind:
        """Whether calls of that tier's provider are billed, and whether its words are real."""
        return self.dispatcher.providers[tier.provider].kind
