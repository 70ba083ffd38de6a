"""What a call may be and may cost, decided before anything is sent."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from nbroute import pricing
from nbroute.adapt import clean
from nbroute.errors import BudgetExceeded, PromptError
from nbroute.types import Notice, Observer, ProviderKind, Request, Step, Tier

#: White space, and the characters of no width that a copied prompt can consist of.
_BLANK = f"{string.whitespace}\u00a0\u200b\u200c\u200d\u2060\ufeff"

Guard = Callable[[Request, Step, ProviderKind], None]


@dataclass(frozen=True)
class Limits:
    """`budget_usd` holds for a session, `max_prompt_chars` for each prompt."""

    budget_usd: Decimal | None = None
    max_prompt_chars: int = 400_000


def checked_prompt(
    prompt: object, limits: Limits, observe: Observer, price: Callable[[int], str]
) -> str:
    """The prompt as it can be sent; PromptError where it is empty, too long or no text.

    `price` says what a number of tokens costs.
    """
    if not isinstance(prompt, str):
        msg = f"a prompt is text, not {type(prompt).__name__}: {prompt!r:.60}"
        raise PromptError(msg)
    text, removed = clean(prompt)
    if not text.strip(_BLANK):
        raise PromptError("the prompt is empty: write one with letters or digits in it")
    if len(text) > limits.max_prompt_chars:
        raise PromptError(_too_long(text, limits, price))
    if removed:
        observe(Notice(f"{removed} control characters were taken out of the prompt"))
    return text


def cost_guard(
    limits: Limits,
    max_cost: Decimal | None,
    *,
    in_call: Callable[[], Decimal],
    in_session: Callable[[ProviderKind], Decimal],
) -> Guard | None:
    """What refuses a request whose worst case is over a limit; None where there is no limit.

    The worst case is an answer that uses the whole token budget. `max_cost` holds for all
    that one call sends. A budget counts money of the kind that the call would spend: billed,
    or (local and simulated models) equivalent; a free model with no reference price passes.
    """
    if limits.budget_usd is None and max_cost is None:
        return None

    def allow(request: Request, step: Step, kind: ProviderKind) -> None:
        worst = worst_case(request, step.tier, kind)
        if worst is None and kind != "remote":
            return
        if max_cost is not None:
            left = max(max_cost - in_call(), Decimal(0))
            _refuse_over(
                left, worst, "what is left of --max-cost,", "raise it or lower --max-tokens"
            )
        if limits.budget_usd is not None:
            left = max(limits.budget_usd - in_session(kind), Decimal(0))
            what = f"what is left of the session budget of ${limits.budget_usd},"
            cure = "raise budget_usd in nbroute.toml, or choose a cheaper tier with --tier"
            _refuse_over(left, worst, what, cure)

    return allow


def worst_case(request: Request, tier: Tier, kind: ProviderKind) -> Decimal | None:
    """US dollars for the request if its answer uses the whole token budget; None if unknown."""
    tokens = sum(pricing.estimate_tokens(message.content) for message in request.messages)
    full = replace(tier, max_tokens=request.max_tokens)
    return pricing.cost_range(tokens, full, request.model, kind)[1].usd


def _refuse_over(limit: Decimal, worst: Decimal | None, what: str, cure: str) -> None:
    if worst is None:
        msg = f"the model's price is not known, so {what} ${limit} cannot be kept; {cure}"
        raise BudgetExceeded(msg)
    if worst > limit:
        told = pricing.format_usd(worst)
        msg = f"a call could cost up to {told}, over {what} ${limit}; it was not sent: {cure}"
        raise BudgetExceeded(msg)


def _too_long(prompt: str, limits: Limits, price: Callable[[int], str]) -> str:
    tokens = pricing.estimate_tokens(prompt)
    return (
        f"the prompt has {len(prompt):,} characters (about {tokens:,} tokens: {price(tokens)}), "
        f"over the limit of {limits.max_prompt_chars:,}; shorten it, or raise max_prompt_chars "
        "in nbroute.toml"
    )
