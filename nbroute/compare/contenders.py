"""Who is compared: tiers, models on the ladder, any other model as "TIER:model", with prompts.

Each may be followed by an effort, as in "COMPLEX:high", or by how often it is asked, as in
"SIMPLE:x5". After "=" everything is a model's name, so a model called "high" is "COMPLEX=high"; a
model on the ladder is found either way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nbroute.errors import SettingsError, did_you_mean
from nbroute.report.table import shortened
from nbroute.types import EFFORTS, Effort, Ladder, Tier

#: System prompts to compare: texts, or texts by name.
Systems = Mapping[str, str] | Sequence[str]


@dataclass(frozen=True, slots=True)
class Contender:
    """A tier that is asked, by its first model or by the one named.

    `name` is the tier's, or the model's, or "TIER:model", as it was asked for. `effort` replaces
    the tier's own. If system prompts are compared, `system` is the text of one, and its name is
    part of `name`.
    """

    name: str
    tier: str
    model: str
    system: str | None = None
    #: A model was named, so there is no fallback to the tier's others.
    pinned: bool = field(default=False, compare=False)
    effort: Effort | None = None
    repeat: int | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options for `router.route`."""
        asked: dict[str, Any] = {"tier": self.tier} | ({"model": self.model} if self.pinned else {})
        asked |= {"effort": self.effort} if self.effort else {}
        asked |= {"repeat": self.repeat} if self.repeat else {}
        return asked | ({} if self.system is None else {"system": self.system})


def find_contenders(
    ladder: Ladder, words: Sequence[str] | None, systems: Systems | None = None
) -> tuple[Contender, ...]:
    """Who is asked, in that order; every tier of the ladder if nobody is named.

    With `systems`, each of them with each system prompt. SettingsError for no words, for a word
    that names nobody or several, and for one that occurs twice.
    """
    found = _find_all(ladder, words)
    if systems is None:
        return found
    prompts = _named(systems)
    return tuple(
        replace(one, name=name if len(found) == 1 else f"{one.name} {name}", system=text)
        for one in found
        for name, text in prompts.items()
    )


def _named(systems: Systems) -> dict[str, str]:
    """The system prompts by name; those without one are numbered."""
    example = 'as in systems={"short": "Answer in one line.", "long": "Explain each step."}'
    if isinstance(systems, str) or not isinstance(systems, Mapping | Sequence):
        raise SettingsError(f"systems is {systems!r:.60}; give texts by name, {example}")
    if not isinstance(systems, Mapping):
        systems = {f"{n}: {shortened(str(text), 40)}": text for n, text in enumerate(systems, 1)}
    if not systems:
        raise SettingsError(f"systems is empty; leave it out, or give texts by name, {example}")
    for name, text in systems.items():
        if not isinstance(text, str) or not isinstance(name, str) or not name.strip():
            raise SettingsError(f"systems has {name!r:.40}: {text!r:.60} in it; give texts by name")
    return {name.strip(): text for name, text in systems.items()}


def _find_all(ladder: Ladder, words: Sequence[str] | None) -> tuple[Contender, ...]:
    if words is None:
        return tuple(Contender(tier.name, tier.name, tier.model) for tier in ladder.tiers)
    example = f"as in tiers={list(ladder.names[:2])!r}"
    if not isinstance(words, list | tuple):
        raise SettingsError(f"tiers is {words!r:.60}; give a list of names, {example}")
    if not words:
        raise SettingsError(f"tiers is empty; leave it out for every tier, or name some, {example}")
    asked: dict[tuple[Any, ...], str] = {}
    found = []
    for word in words:
        if not isinstance(word, str):
            raise SettingsError(f"tiers has {word!r:.60} in it; give names, {example}")
        one = _find(word, ladder)
        who = (one.tier, one.model.casefold(), one.effort or ladder[one.tier].effort, one.repeat)
        if who in asked:
            raise SettingsError(
                f"tiers asks {one.model!r} on {one.tier} twice, as {asked[who]!r} and {word!r}; "
                "name each once"
            )
        asked[who] = word
        found.append(one)
    return tuple(found)


def _find(word: str, ladder: Ladder) -> Contender:
    """The tier of that name, the model on a tier, or any model on the tier before the colon.

    Followed by an effort, it is one of these with that effort.
    """
    tier = ladder.named(word.strip())
    if tier is not None:
        return Contender(tier, tier, ladder[tier].model)
    alike = word.casefold()
    # The tiers whose first model it is; if there are none, those that fall back on it.
    holders = [tier for tier in ladder.tiers if tier.model.casefold() == alike]
    holders = holders or [t for t in ladder.tiers if alike in map(str.casefold, t.models)]
    if len(holders) > 1:
        ways = " or ".join(repr(f"{one.name}:{word}") for one in holders)
        raise SettingsError(f"{word!r} is on {len(holders)} tiers; say which: {ways}")
    if holders:
        model = _model_on(holders[0], word)
        return Contender(model, holders[0].name, model, pinned=True)
    head, colon, last = (part.strip() for part in word.rpartition(":"))
    last = last.casefold()
    effort = next((one for one in EFFORTS if one == last), None)
    times = re.fullmatch(r"x(\d{1,3})", last)
    on_ladder = {model.casefold() for one in ladder.tiers for model in one.models}
    if colon and (effort or times) and last not in on_ladder and "=" not in word:
        found = _find(head, ladder)
        named = replace(found, name=f"{found.name}:{last}")
        return replace(named, repeat=int(times[1])) if times else replace(named, effort=effort)
    # Models' names may have colons in them: the first one ends the tier's name.
    name, mark, model = (part.strip() for part in re.split(r"([:=]|$)", word, maxsplit=1))
    tier = ladder.named(name) if mark else None
    if tier is not None and model:
        model = _model_on(ladder[tier], model)
        alike = model.rpartition(":")[2].casefold()
        other = alike in EFFORTS or re.fullmatch(r"x\d{1,3}", alike)
        name = f"{tier}{mark if other else ':'}{model}"
        return Contender(name, tier, model, pinned=True)
    if tier is not None:
        raise SettingsError(f"{word!r} names no model; say {tier!r} for the tier's own")
    models = [model for one in ladder.tiers for model in one.models]
    hint = did_you_mean(word, dict.fromkeys([*ladder.names, *models]))
    raise SettingsError(
        f"{word!r:.80} is neither a tier of ladder {ladder.name!r} nor a model on it: {hint} "
        "Any other model is asked with a tier's prompt and budget, as 'TIER:model', and a tier "
        "with another effort as 'TIER:high'"
    )


def _model_on(tier: Tier, model: str) -> str:
    """The model as the tier spells it, if it has it."""
    alike = (one for one in tier.models if one.casefold() == model.casefold())
    return model if model in tier.models else next(alike, model)
