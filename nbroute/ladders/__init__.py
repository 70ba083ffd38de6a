"""The preset ladders: tiers, their system prompts and token budgets, models and fallbacks.

They are in `presets.toml`: look there, and update them there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from nbroute.decoding import packaged
from nbroute.errors import SettingsError, did_you_mean
from nbroute.types import EFFORTS, Ladder, Price, Tier

LOCAL_MODEL = "SmolLM2-135M-Instruct"

_DATA = packaged("nbroute.ladders", "presets.toml")

LADDERS: tuple[str, ...] = tuple(_DATA["ladders"])
PROVIDERS: tuple[str, ...] = (*_DATA["models"], "local")
SIMULATED_PRICES = {
    name: Price(Decimal(given), Decimal(taken), "configured")
    for name, (given, taken) in _DATA["simulated_prices"].items()
}


def preset(name: str, provider: str) -> Ladder:
    """The ladder of that name, on that provider's models.

    On `local` each tier has the local model and a token budget for an old laptop, and is valued
    at the price of OpenRouter's model for that tier. SettingsError for a name that is not in
    `LADDERS` or a provider not in `PROVIDERS`.
    """
    if name not in LADDERS:
        raise SettingsError(f"there is no ladder {name!r:.80}; {did_you_mean(name, LADDERS)}")
    if provider not in PROVIDERS:
        cure = did_you_mean(provider, PROVIDERS)
        raise SettingsError(f"there is no preset ladder for provider {provider!r}; {cure}")
    local, hosted = provider == "local", _DATA["models"]["openrouter"][name]
    chains = [[LOCAL_MODEL]] * len(hosted) if local else _DATA["models"][provider][name]
    efforts = _DATA["efforts"].get(provider, {}).get(name, [""] * len(hosted))
    shapes = _DATA["ladders"][name]["tiers"]
    if local:
        budgets = _DATA["local_tokens"][name]
        shapes = [shape | {"max_tokens": most} for shape, most in zip(shapes, budgets, strict=True)]
    tiers = tuple(
        Tier(
            **shape,
            provider=provider,
            model=chain[0],
            fallbacks=tuple(chain[1:]),
            price=SIMULATED_PRICES.get(chain[0]),
            effort=effort or None,
            reference=f"openrouter:{reference[0]}" if local else None,
        )
        for shape, chain, reference, effort in zip(shapes, chains, hosted, efforts, strict=True)
    )
    return Ladder(name, tiers, _DATA["ladders"][name]["default"])


def spread(models: Sequence[str], ladder: Ladder) -> Ladder:
    """The ladder on these models, smallest first: the larger ones on the higher tiers.

    Fewer models than tiers serve several tiers each; of more models, the first, the last and
    an even choice in between are used. No fallbacks are left.
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
    """Raise SettingsError for a ladder that cannot be used; case does not tell names apart."""
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
        raise SettingsError(f"the default tier {ladder.default!r:.80} is not on the ladder; {cure}")


def _check_tier(tier: Tier) -> None:
    for what in ("name", "provider", "model"):
        if not getattr(tier, what).strip():
            raise SettingsError(f"tier {tier.name!r} has an empty {what}; give it one")
    if not all(model.strip() for model in tier.models):
        raise SettingsError(f"tier {tier.name!r} has an empty fallback; take it out")
    if tier.effort not in (None, *EFFORTS):
        hint = did_you_mean(str(tier.effort), EFFORTS)
        raise SettingsError(f"tier {tier.name!r} has the effort {tier.effort!r:.40}; {hint}")
    if tier.max_tokens < 1:
        raise SettingsError(f"tier {tier.name!r} has max_tokens {tier.max_tokens}; give 1 or more")
    for price in filter(None, (target.price for target in tier.targets)):
        amounts = (price.input, price.output, price.cached_input or 0)
        if not all(Decimal(one).is_finite() and one >= 0 for one in amounts):
            cached = "" if price.cached_input is None else f", {price.cached_input} cached"
            raise SettingsError(
                f"tier {tier.name!r} has the price {price.input} in, {price.output} out{cached}; "
                "give US dollars per million tokens, 0 or more"
            )
