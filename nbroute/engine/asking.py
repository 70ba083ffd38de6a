"""What deciding on a tier would send and cost, found out with nothing sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nbroute import pricing
from nbroute.engine.context import Call, Resources
from nbroute.errors import NbrouteError
from nbroute.types import Attempt, Message, ProviderKind, Request, Tier, TierEstimate

if TYPE_CHECKING:
    import numpy as np


class WouldAsk(NbrouteError):
    """The classifier cannot decide without sending something; `estimate` is what that costs."""

    def __init__(self, estimate: TierEstimate) -> None:
        super().__init__(f"{estimate.model} would be asked")
        self.estimate = estimate


def would(call: Call) -> Resources:
    """Resources that send nothing: a classifier that needs them raises WouldAsk."""
    texts: list[str] = []
    at = call.parts.classifier_tier

    def ask(request: Request) -> Attempt:
        kind = call.parts.providers[request.provider].kind
        raise WouldAsk(estimate(request, replace(at, model=request.model), kind))

    def embed(wanted: Sequence[str]) -> tuple[np.ndarray, tuple[Attempt, ...]]:
        import numpy as np

        embedder = call.parts.embedder()
        first, missing = not texts, embedder.missing(wanted)
        texts.extend(missing)
        if missing and first:  # its examples are next, and may have no vectors either
            return np.ones((len(wanted), 1)), ()
        if not texts:
            return embedder.embed(wanted).vectors, ()
        messages = tuple(Message("user", text) for text in texts)
        request = Request(embedder.provider, embedder.model, messages, max_tokens=0)
        provider, model = embedder.provider, embedder.model
        tier = replace(at, provider=provider, model=model, price=None, reference=None)
        raise WouldAsk(estimate(request, tier, embedder.kind))

    return Resources(ask, embed)


def estimate(request: Request, tier: Tier, kind: ProviderKind) -> TierEstimate:
    """What the request costs on that tier, from an answer of one token to one of them all."""
    tokens, most = pricing.prompt_tokens(request.messages), request.max_tokens
    full = replace(tier, max_tokens=most)
    low, high = pricing.cost_range(tokens, full, request.model, kind)
    return TierEstimate(tier.name, request.model, tokens, most, low, high)
