"""What may be sent and what it may cost, decided before anything is sent."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import ROUND_UP, Decimal
from typing import Literal

from nbroute import pricing
from nbroute.errors import BudgetExceeded, PromptError, SettingsError
from nbroute.pricing import format_usd
from nbroute.types import Attempt, Cap, ProviderKind, Refusal, Request, Tier

#: White space, and the characters of no width that a copied prompt can consist of.
_BLANK = f"{string.whitespace}\u00a0\u200b\u200c\u200d\u2060\ufeff"

_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

OnLimit = Literal["refuse", "cheaper"]


@dataclass(frozen=True)
class Limits:
    """What calls may cost together, and how long a prompt may be.

    `budget_usd` applies to a session, `budget_usd_per_day` to a day (UTC) of all sessions, and
    `budget_usd_per_feature` to all calls of a feature, in every session and on every day: one
    amount for each feature, or amounts by name. `on_limit` is what the engine does with a call
    that a budget refuses: nothing, or ask a cheaper tier.
    """

    budget_usd: Decimal | None = None
    budget_usd_per_day: Decimal | None = None
    budget_usd_per_feature: Decimal | Mapping[str, Decimal] | None = None
    on_limit: OnLimit = "refuse"
    max_prompt_chars: int = 400_000


@dataclass(frozen=True)
class Guard:
    """What one routed call may cost: `max_cost` for all that it sends, besides the budgets.

    `over_budget` lets it exceed the budgets; it is still recorded.
    """

    limits: Limits = Limits()
    max_cost: Decimal | None = None
    over_budget: bool = False

    def caps(self, attempt: Attempt) -> tuple[Cap, ...]:
        """The budgets that the attempt must fit in."""
        if self.over_budget:
            return ()
        return caps(self.limits, attempt.session, attempt.ts, attempt.feature)

    def check(self, attempt: Attempt, earlier: Iterable[Attempt]) -> None:
        """Refuse what is over `max_cost`, and an unknown price where there is a limit.

        `earlier` are the attempts of the call so far, paid for or reserved. A model that bills
        nothing and has no reference price passes. Raises BudgetExceeded.
        """
        worst, caps = attempt.reserved_usd, self.caps(attempt)
        if worst is None:
            limited = self.max_cost is not None or caps
            if limited and attempt.provider_kind == "remote":
                if self.max_cost is not None:
                    raise BudgetExceeded(unpriced(attempt.model))
                told = unpriced(attempt.model, _named(caps[0]), _go_on(attempt))
                raise BudgetExceeded(told)
        elif self.max_cost is not None:
            steps = [(step_name(one), held(one)) for one in earlier]
            told = too_little(self.max_cost, [*steps, (step_name(attempt), worst)])
            if told:
                # an escalation takes no options
                where = f", in a cell with %%route -t {attempt.tier}" if attempt.parent else ""
                raise BudgetExceeded(f"{told}{where}")


def unpriced(model: str, limit: str = "--max-cost", way_out: str = "leave --max-cost out") -> str:
    """That a limit cannot be kept, as nobody knows what the model costs."""
    return (
        f"the model's price is not known ({model!r}), so {limit} cannot be kept; give its tier a "
        f"price in nbroute.toml, or {way_out}"
    )


def too_little(max_cost: Decimal, steps: Iterable[tuple[str, Decimal | None]]) -> str:
    """What the limit does not cover: each step with a cost, and the sum; "" where it covers all."""
    costs = [(name, usd) for name, usd in steps if usd]
    total = sum((usd for _, usd in costs), Decimal(0))
    if total <= max_cost:
        return ""
    told = costs[0][0]
    if len(costs) > 1:
        told = " + ".join(f"{name} {format_usd(usd)}" for name, usd in costs)
    size = Decimal(1).scaleb(min(total.adjusted() - 1, -2))
    enough = format_usd(total.quantize(size, ROUND_UP))
    return (
        f"--max-cost {format_usd(max_cost)} is too little: {told} could come to {enough}; it was "
        f"not sent: raise --max-cost to {enough}, or lower --max-tokens"
    )


def step_name(attempt: Attempt) -> str:
    """What the attempt is for, such as `asking gpt-4o-mini for the tier` or `SIMPLE`."""
    if attempt.answers:
        return f"judging on {attempt.tier}" if attempt.purpose == "judge" else attempt.tier
    what = "the tier" if attempt.purpose == "classify" else "vectors"
    return f"asking {attempt.model} for {what}"


def held(attempt: Attempt) -> Decimal:
    """What the attempt has cost, or what is reserved for it while it runs."""
    return max(attempt.cost_usd or Decimal(0), attempt.reserved_usd or Decimal(0))


def caps(limits: Limits, session: str, ts: float, feature: str | None) -> tuple[Cap, ...]:
    """The budgets for a call of that session, at that time (its day, UTC), of that feature."""
    day = datetime.fromtimestamp(ts, UTC).date().isoformat()
    each = limits.budget_usd_per_feature
    of_feature = each.get(feature or "") if isinstance(each, Mapping) else each
    found: tuple[tuple[Decimal | None, _Scope, str | None], ...] = (
        (limits.budget_usd, "session", session),
        (limits.budget_usd_per_day, "day", day),
        (of_feature, "feature", feature),
    )
    return tuple(Cap(usd, scope, key) for usd, scope, key in found if usd is not None and key)


def with_budget(limits: Limits, usd: Decimal | float | str | None) -> Limits:
    """The limits with that budget for the session, None for no budget.

    SettingsError for what is not an amount above 0.
    """
    amount = None if usd is None else pricing.read_usd(usd)
    if usd is not None and not amount:
        msg = f"{usd!r:.40} is not a budget; give US dollars above 0, such as 0.50"
        raise SettingsError(msg)
    return replace(limits, budget_usd=amount)


def over_budget(refusal: Refusal, attempt: Attempt, calls: int = 1) -> BudgetExceeded:
    """The error for an attempt, or `calls` together, that a budget refuses.

    Its `refusal` says which budget.
    """
    worst, left = format_usd(attempt.reserved_usd), format_usd(refusal.left_usd)
    what = "a call" if calls == 1 else f"{calls} calls"
    error = BudgetExceeded(
        f"{what} could cost up to {worst} and {left} is left of {_named(refusal.cap)}; it was "
        f"not sent: {_RAISE[refusal.cap.scope]}, or {_go_on(attempt)}"
    )
    error.refusal = refusal
    return error


_Scope = Literal["session", "day", "feature"]
_RAISE = {
    "session": "raise the budget with %route budget USD",
    "day": "raise budget_usd_per_day in nbroute.toml",
    "feature": "raise budget_usd_per_feature in nbroute.toml",
}


def _go_on(attempt: Attempt) -> str:
    """How to ask anyway: an escalation takes no options, so in a cell of its own."""
    if attempt.parent:
        return f"ask in a cell: %%route -t {attempt.tier} --over-budget"
    return "ask with %%route --over-budget (Python: over_budget=True)"


def _named(cap: Cap) -> str:
    whose = {
        "session": "the session budget",
        "day": f"the budget for the day {cap.key} (UTC)",
        "feature": f"the budget for the feature {cap.key!r:.40}",
    }
    return f"{whose[cap.scope]} of {format_usd(cap.usd)}"


def clean(prompt: str) -> tuple[str, int]:
    """The prompt without control characters and half surrogate pairs, and how many were removed.

    Endpoints refuse them or store them wrongly; tabs and line ends stay.
    """
    return _UNSENDABLE.subn("", prompt)


def checked_prompt(prompt: object, limits: Limits, price: Callable[[int], str]) -> tuple[str, str]:
    """The prompt as it can be sent, and what to tell the user about that, if anything.

    PromptError where it is empty, too long or not text; `price` says what a number of tokens
    costs.
    """
    if not isinstance(prompt, str):
        msg = f"a prompt is text, not {type(prompt).__name__}: {prompt!r:.60}"
        raise PromptError(msg)
    text, removed = clean(prompt)
    if not text.strip(_BLANK):
        raise PromptError("the prompt is empty: write one with letters or digits in it")
    if len(text) > limits.max_prompt_chars:
        tokens = pricing.estimate_tokens(text)
        raise PromptError(
            f"the prompt has {len(text):,} characters (about {tokens:,} tokens: {price(tokens)}), "
            f"over the limit of {limits.max_prompt_chars:,}; shorten it, or raise "
            "max_prompt_chars in nbroute.toml"
        )
    characters = f"{removed} control character{'' if removed == 1 else 's'}"
    return text, f"{characters} removed from the prompt" if removed else ""


def worst_case(request: Request, tier: Tier, kind: ProviderKind) -> Decimal | None:
    """US dollars for the request if its answer uses the whole token budget; None if unknown."""
    full = replace(tier, max_tokens=request.max_tokens)
    tokens = pricing.prompt_tokens(request.messages)
    return pricing.cost_range(tokens, full, request.model, kind)[1].usd
