"""Who is compared: tiers, models on the ladder, and any other model as "TIER:model"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nbroute.errors import SettingsError, did_you_mean
from nbroute.types import Ladder, Tier


@dataclass(frozen=True, slots=True)
class Contender:
    """A tier that is asked, by its first model or by the one named.

    `name` is the tier's own, or the model's, or "TIER:model" as it was asked for.
    """

    name: str
    tier: str
    model: str

    @property
    def options(self) -> dict[str, str]:
        """What `router.route` is told: with a model named, no other of the tier steps in."""
        return {"tier": self.tier} | ({} if self.name == self.tier else {"model": self.model})


def find_contenders(ladder: Ladder, words: Sequence[str] | None) -> tuple[Contender, ...]:
    """Who is asked, in that order; every tier of the ladder where nobody is named.

    SettingsError for no words, a word that names nobody or several, and one that is there twice.
    """
    if words is None:
        return tuple(Contender(tier.name, tier.name, tier.model) for tier in ladder.tiers)
    example = f"as in tiers={list(ladder.names[:2])!r}"
    if not isinstance(words, list | tuple):
        raise SettingsError(f"tiers is {words!r:.60}; give a list of names, {example}")
    if not words:
        raise SettingsError(f"tiers is empty; leave it out for every tier, or name some, {example}")
    asked: dict[tuple[str, str], str] = {}
    found = []
    for word in words:
        if not isinstance(word, str):
            raise SettingsError(f"tiers has {word!r:.60} in it; give names, {example}")
        one = _find(word, ladder)
        who = (one.tier, one.model.casefold())
        if who in asked:
            raise SettingsError(
                f"tiers asks {one.model!r} on {one.tier} twice, as {asked[who]!r} and {word!r}; "
                "name each once"
            )
        asked[who] = word
        found.append(one)
    return tuple(found)


def _find(word: str, ladder: Ladder) -> Contender:
    """The tier of that name, the model on a tier, or any model on the tier before the colon."""
    tier = ladder.named(word.strip())
    if tier is not None:
        return Contender(tier, tier, ladder[tier].model)
    alike = word.casefold()
    # The tiers whose first model it is; where there is none, those that fall back on it.
    holders = [tier for tier in ladder.tiers if tier.model.casefold() == alike]
    holders = holders or [t for t in ladder.tiers if alike in map(str.casefold, t.models)]
    if len(holders) > 1:
        ways = " or ".join(repr(f"{one.name}:{word}") for one in holders)
        raise SettingsError(f"{word!r} stands on {len(holders)} tiers; say which: {ways}")
    if holders:
        model = _model_on(holders[0], word)
        return Contender(model, holders[0].name, model)
    # Models' own names may have colons in them: the first one ends the tier's.
    name, mark, model = (part.strip() for part in re.split(r"([:=]|$)", word, maxsplit=1))
    tier = ladder.named(name) if mark else None
    if tier is not None and model:
        model = _model_on(ladder[tier], model)
        return Contender(f"{tier}:{model}", tier, model)
    if tier is not None:
        raise SettingsError(f"{word!r} names no model; say {tier!r} for the tier's own")
    models = [model for one in ladder.tiers for model in one.models]
    hint = did_you_mean(word, dict.fromkeys([*ladder.names, *models]))
    raise SettingsError(
        f"{word!r:.80} is neither a tier of ladder {ladder.name!r} nor a model on it: {hint} "
        "Any other model is asked with a tier's prompt and budget, as 'TIER:model'"
    )


def _model_on(tier: Tier, model: str) -> str:
    """The model as the tier spells it, where it has it."""
    alike = (one for one in tier.models if one.casefold() == model.casefold())
    return model if model in tier.models else next(alike, model)
