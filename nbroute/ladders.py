"""The preset ladders: tiers, their system prompts and token budgets, models and fallbacks.

The tiers are those of the three articles that routing is usually learnt from; prompts and
descriptions are written anew. Models are of November 2026, with the list prices of
genai-prices; the articles' models are kept where the vendor still offers them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from nbroute.errors import SettingsError, did_you_mean
from nbroute.types import Ladder, Price, Tier

LOCAL_MODEL = "SmolLM2-135M-Instruct"


@dataclass(frozen=True)
class _Shape:
    name: str
    max_tokens: int
    system: str
    description: str


#: The first article names no token budgets: these are the third's for its two lower tiers.
_TWO = (
    _Shape(
        "cheap",
        1024,
        "Answer directly and keep it short. Rely on what the prompt supplies; where it does not "
        "settle the question, say what is missing.",
        "classifying, pulling fields out of a text, reformatting, a question whose answer is "
        "given or well known, a short summary, a small piece of code",
    ),
    _Shape(
        "expensive",
        4096,
        "You are an expert. Work through the problem in steps before you conclude, keep every "
        "requirement of the prompt in view, and check the result against them at the end.",
        "reasoning in several steps, code with parts that depend on each other, mathematics, "
        "bringing together long or many documents, writing in a demanding style",
    ),
)

#: Token budgets of the third article.
_THREE = (
    _Shape(
        "fast",
        1024,
        "Do exactly what is asked and return the result alone, with no introduction.",
        "formatting, converting, renaming, listing, counting, translating, fixing a typo, "
        "looking up what something is",
    ),
    _Shape(
        "mid",
        4096,
        "Give a clear and complete answer to a working professional. Explain a step only where "
        "it is not obvious.",
        "everyday work between the two: explaining, writing, a function or a query, a review of "
        "one piece",
    ),
    _Shape(
        "power",
        8192,
        "You are a senior engineer. Look at the whole before the parts, name the risks and the "
        "alternatives, decide, and give the steps in the order in which to take them.",
        "designing a system, planning a migration, auditing security, reworking or reviewing a "
        "whole codebase, improving an algorithm",
    ),
)

#: Token budgets of the second article.
_FOUR = (
    _Shape(
        "SIMPLE",
        256,
        "Give the answer straight away, in a sentence or two. Where yes or no settles the "
        "question, begin with that word.",
        "a yes or no, one fact, a simple label for a text, a greeting",
    ),
    _Shape(
        "MEDIUM",
        1024,
        "Answer clearly and stay on the point. Put several items in a list with bullets, and "
        "leave out what was not asked for.",
        "summing up, extracting, filling in a template, a short everyday text, a common question",
    ),
    _Shape(
        "COMPLEX",
        4096,
        "You are an expert in the subject. Think before you answer: first the reasoning, then "
        "the conclusion. Where there is a choice, set out what each side gains and costs.",
        "several steps of reasoning, code, a long text, an analysis that weighs one thing "
        "against another",
    ),
    _Shape(
        "FRONTIER",
        16384,
        "You are a researcher with deep knowledge of the field. State what you assume, split the "
        "problem into parts and take them in turn, giving the grounds for each step. Test the "
        "result on the awkward cases, then bring it together and say how sure you are.",
        "research across many sources, a task to be carried out without guidance, a scientific "
        "problem, a prompt that is made to mislead",
    ),
)

_SHAPES = {"two-tier": _TWO, "three-tier": _THREE, "four-tier": _FOUR}
_DEFAULTS = {"two-tier": "cheap", "three-tier": "mid", "four-tier": "MEDIUM"}

#: For each tier, cheapest first, the model and its fallbacks.
_Chains = tuple[tuple[str, ...], ...]

_OPENROUTER: dict[str, _Chains] = {
    "two-tier": (
        ("openai/gpt-4o-mini", "anthropic/claude-haiku-4.5"),
        ("openai/gpt-4o", "anthropic/claude-sonnet-4.6"),
    ),
    "three-tier": (
        ("openai/gpt-4o-mini", "anthropic/claude-haiku-4.5", "openai/gpt-3.5-turbo"),
        ("openai/gpt-4o", "anthropic/claude-sonnet-4.6", "openai/gpt-4o-mini"),
        ("openai/gpt-5.4", "anthropic/claude-opus-4.6", "openai/gpt-4o"),
    ),
    "four-tier": (
        ("openai/gpt-4o-mini", "google/gemini-2.5-flash-lite", "anthropic/claude-haiku-5.5"),
        ("anthropic/claude-haiku-4.5", "openai/gpt-5.4-mini", "openai/gpt-4o-mini"),
        ("anthropic/claude-sonnet-5.5", "openai/gpt-5.4", "google/gemini-2.5-pro"),
        ("anthropic/claude-opus-5.5", "openai/gpt-5.5", "anthropic/claude-sonnet-5.5"),
    ),
}
_OPENAI: dict[str, _Chains] = {
    "two-tier": (("gpt-4o-mini", "gpt-4.1-mini"), ("gpt-4o", "gpt-4.1")),
    "three-tier": (
        ("gpt-4o-mini", "gpt-4.1-mini", "gpt-3.5-turbo"),
        ("gpt-4o", "gpt-4.1", "gpt-4o-mini"),
        ("gpt-5.4", "gpt-5.2", "gpt-4o"),
    ),
    "four-tier": (
        ("gpt-4o-mini", "gpt-4.1-mini"),
        ("gpt-5.4-mini", "gpt-4.1-mini", "gpt-4o-mini"),
        ("gpt-5.4", "gpt-5.2", "gpt-4o"),
        ("gpt-5.5", "gpt-5.4"),
    ),
}
_ANTHROPIC: dict[str, _Chains] = {
    "two-tier": (
        ("claude-haiku-5-5", "claude-haiku-4-5"),
        ("claude-sonnet-5-5", "claude-sonnet-4-6"),
    ),
    "three-tier": (
        ("claude-haiku-5-5", "claude-haiku-4-5"),
        ("claude-sonnet-5-5", "claude-sonnet-4-6", "claude-haiku-4-5"),
        ("claude-opus-5-5", "claude-opus-4-6", "claude-sonnet-5-5"),
    ),
    "four-tier": (
        ("claude-haiku-5-5", "claude-haiku-4-5"),
        ("claude-sonnet-5-5", "claude-sonnet-4-6", "claude-haiku-4-5"),
        ("claude-opus-5-5", "claude-opus-4-6", "claude-sonnet-5-5"),
        ("claude-fable-5-2", "claude-opus-5-5"),
    ),
}
_SIMULATED: dict[str, _Chains] = {
    "two-tier": (
        ("simulated/gpt-4o-mini", "simulated/claude-haiku-3.5"),
        ("simulated/gpt-4o", "simulated/claude-sonnet-4"),
    ),
    "three-tier": (
        ("simulated/gpt-4o-mini", "simulated/claude-haiku-3.5"),
        ("simulated/gpt-4o", "simulated/claude-sonnet-4", "simulated/gpt-4o-mini"),
        ("simulated/claude-opus-4", "simulated/gemini-2.5-pro", "simulated/gpt-4o"),
    ),
    "four-tier": (
        ("simulated/gpt-4o-mini", "simulated/claude-haiku-3.5"),
        ("simulated/claude-haiku-3.5", "simulated/gpt-4o-mini"),
        ("simulated/claude-sonnet-4", "simulated/gpt-4o"),
        ("simulated/claude-opus-4", "simulated/gemini-2.5-pro"),
    ),
}
_LOCAL: dict[str, _Chains] = {
    name: ((LOCAL_MODEL,),) * len(chains) for name, chains in _OPENROUTER.items()
}
_CHAINS = {
    "openrouter": _OPENROUTER,
    "openai": _OPENAI,
    "anthropic": _ANTHROPIC,
    "local": _LOCAL,
    "simulated": _SIMULATED,
}

LADDERS = tuple(_SHAPES)
PROVIDERS = tuple(_CHAINS)

#: The second article's latency table, section 07: US dollars per million tokens.
SIMULATED_PRICES = {
    name: Price(Decimal(given), Decimal(taken), "configured")
    for name, given, taken in (
        ("simulated/gpt-4o-mini", "0.15", "0.60"),
        ("simulated/claude-haiku-3.5", "0.80", "4.00"),
        ("simulated/claude-sonnet-4", "3.00", "15.00"),
        ("simulated/gpt-4o", "2.50", "10.00"),
        ("simulated/gemini-2.5-pro", "1.25", "10.00"),
        ("simulated/claude-opus-4", "15.00", "75.00"),
    )
}


def preset(name: str, provider: str) -> Ladder:
    """The ladder of that name, on that provider's models.

    SettingsError for a name that is not in `LADDERS` or a provider not in `PROVIDERS`.
    """
    if name not in _SHAPES:
        raise SettingsError(f"there is no ladder {name!r}; {did_you_mean(name, LADDERS)}")
    if provider not in _CHAINS:
        cure = did_you_mean(provider, PROVIDERS)
        raise SettingsError(f"there is no preset ladder for provider {provider!r}; {cure}")
    tiers = zip(_SHAPES[name], _CHAINS[provider][name], _OPENROUTER[name], strict=True)
    return Ladder(name, tuple(_tier(provider, *parts) for parts in tiers), _DEFAULTS[name])


def _tier(provider: str, shape: _Shape, chain: tuple[str, ...], hosted: tuple[str, ...]) -> Tier:
    return Tier(
        name=shape.name,
        provider=provider,
        model=chain[0],
        max_tokens=shape.max_tokens,
        system=shape.system,
        fallbacks=chain[1:],
        price=SIMULATED_PRICES.get(chain[0]),
        reference=f"openrouter:{hosted[0]}" if provider == "local" else None,
        description=shape.description,
    )


def spread(models: Sequence[str], ladder: Ladder) -> Ladder:
    """The ladder on these models, smallest first: the larger ones on the higher tiers.

    Models that are fewer than the tiers serve several of them, the smaller ones first; of
    more models the ends and an even choice between are taken. There are no fallbacks left.
    """
    if not models:
        raise SettingsError("there is no model to put on the ladder; load or name one")
    gaps = max(len(ladder.tiers) - 1, 1)
    tiers = (
        replace(tier, model=models[round(place * (len(models) - 1) / gaps)], fallbacks=())
        for place, tier in enumerate(ladder.tiers)
    )
    return replace(ladder, tiers=tuple(tiers))


def validate(ladder: Ladder) -> None:
    """Raise SettingsError for a ladder that cannot be used; tier names differ in any case."""
    if not ladder.tiers:
        raise SettingsError(f"ladder {ladder.name!r} has no tiers; give it at least one")
    seen: set[str] = set()
    for tier in ladder.tiers:
        _check_tier(tier)
        if tier.name.casefold() in seen:
            raise SettingsError(f"two tiers are called {tier.name!r}; rename one of them")
        seen.add(tier.name.casefold())
    if ladder.default not in ladder.names:
        cure = did_you_mean(ladder.default, ladder.names)
        raise SettingsError(f"the default tier {ladder.default!r} is not on the ladder; {cure}")


def _check_tier(tier: Tier) -> None:
    for what, value in (("name", tier.name), ("provider", tier.provider), ("model", tier.model)):
        if not value.strip():
            raise SettingsError(f"tier {tier.name!r} has an empty {what}; give it one")
    if not all(model.strip() for model in tier.models):
        raise SettingsError(f"tier {tier.name!r} has an empty fallback; take it out")
    if tier.max_tokens < 1:
        raise SettingsError(f"tier {tier.name!r} has max_tokens {tier.max_tokens}; give 1 or more")
    for price in (target.price for target in tier.targets):
        if price is not None and not _is_price(price):
            raise SettingsError(
                f"tier {tier.name!r} has the price {price.input} in, {price.output} out; "
                "give US dollars per million tokens, 0 or more"
            )


def _is_price(price: Price) -> bool:
    return all(amount.is_finite() and amount >= 0 for amount in (price.input, price.output))
