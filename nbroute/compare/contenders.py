"""Words -> contenders: tiers, models that stand on the ladder, and any other as "TIER:model"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from nbroute.compare.columns import Contender
from nbroute.errors import SettingsError, did_you_mean
from nbroute.types import Ladder, Tier

_ANY_OTHER = "Any other model is asked with a tier's prompt and budget, as 'TIER:model'"


def find_contenders(ladder: Ladder, words: Sequence[str] | None) -> tuple[Contender, ...]:
    """Who is asked, in that order; every tier of the ladder where nobody is named.

    SettingsError for no words, a word that names nobody or several, and one that is there twice.
    """
    if words is None:
        return tuple(Contender(tier.name, tier.name, tier.model) for tier in ladder.tiers)
    found = tuple(_find(word, ladder) for word in _checked(words, ladder))
    known: dict[tuple[str, str], str] = {}
    for word, one in zip(words, found, strict=True):
        who = (one.tier, one.model.casefold())
        if who in known:
            raise SettingsError(
                f"tiers asks {one.model!r} on {one.tier} twice, as {known[who]!r} and {word!r}; "
                "name each once"
            )
        known[who] = word
    return found


def _checked(words: Any, ladder: Ladder) -> Sequence[str]:
    example = f"as in tiers={list(ladder.names[:2])!r}"
    if isinstance(words, str):
        raise SettingsError(f"tiers is one text, {words!r:.60}; give a list of names, {example}")
    if not isinstance(words, list | tuple):
        raise SettingsError(f"tiers is {words!r:.60}; give a list of names, {example}")
    if not words:
        raise SettingsError(f"tiers is empty; leave it out for every tier, or name some, {example}")
    for word in words:
        if not isinstance(word, str):
            raise SettingsError(f"tiers has {word!r:.60} in it; give names, {example}")
    return words


def _find(word: str, ladder: Ladder) -> Contender:
    tier = _tier_called(word, ladder)
    if tier is not None:
        return Contender(tier.name, tier.name, tier.model)
    holders = _holders(word, ladder)
    if len(holders) == 1:
        tier = holders[0]
        return Contender(_model_on(tier, word), tier.name, _model_on(tier, word))
    if holders:
        ways = " or ".join(repr(f"{one.name}:{word}") for one in holders)
        raise SettingsError(f"{word!r} stands on {len(holders)} tiers; say which: {ways}")
    return _on_named_tier(word, ladder)


def _on_named_tier(word: str, ladder: Ladder) -> Contender:
    """The model after "TIER:" or "TIER="; models' own names may have colons in them."""
    name, mark, model = (part.strip() for part in re.match(r"([^:=]*)([:=]?)(.*)", word).groups())  # type: ignore[union-attr]  # it matches any text
    tier = _tier_called(name, ladder) if mark else None
    if tier is not None and model:
        known = _model_on(tier, model)
        return Contender(f"{tier.name}:{known}", tier.name, known)
    if tier is not None:
        raise SettingsError(f"{word!r} names no model; say {tier.name!r} for the tier's own")
    models = [model for one in ladder.tiers for model in one.models]
    hint = did_you_mean(word, dict.fromkeys([*ladder.names, *models]))
    raise SettingsError(
        f"{word!r:.80} is no tier of ladder {ladder.name!r} and no model on it: {hint} {_ANY_OTHER}"
    )


def _holders(model: str, ladder: Ladder) -> list[Tier]:
    """The tiers whose first model it is; where there is none, those that fall back on it."""
    alike = model.casefold()
    first = [tier for tier in ladder.tiers if tier.model.casefold() == alike]
    return first or [tier for tier in ladder.tiers if alike in map(str.casefold, tier.models)]


def _model_on(tier: Tier, model: str) -> str:
    """The model as the tier spells it, where it has it."""
    alike = (one for one in tier.models if one.casefold() == model.casefold())
    return model if model in tier.models else next(alike, model)


def _tier_called(name: str, ladder: Ladder) -> Tier | None:
    alike = (tier for tier in ladder.tiers if tier.name.casefold() == name.strip().casefold())
    return next(alike, None)
