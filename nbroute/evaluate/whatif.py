"""What a session would have cost and taken under other settings; nothing is sent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nbroute import pricing
from nbroute.batch.rows import Row
from nbroute.classify.hybrid import CautiousClassifier, read_threshold
from nbroute.engine.context import Parts, Spec
from nbroute.engine.engine import Engine
from nbroute.errors import SettingsError
from nbroute.evaluate import scenarios, whatif_text
from nbroute.evaluate.past import Collected, Past, of_ledger, of_prompts, of_results
from nbroute.evaluate.rerouting import Routed, deciding_attempts, reroute
from nbroute.evaluate.scenarios import Priced, Sent, Setting, Strategy, latencies
from nbroute.ladders import validate
from nbroute.settings import Settings, base_ladder
from nbroute.types import Cost, Ladder, ProviderKind, RouteResult, Tier, Usage, total_cost

if TYPE_CHECKING:
    import pandas as pd

#: A provider that is not configured here is taken to bill, but for these.
_KINDS: Mapping[str, ProviderKind] = {"simulated": "simulated", "local": "local"}


@dataclass(frozen=True, slots=True)
class Rerouted:
    """A prompt of the session: where it went, where it would go, and what each costs.

    `was`, `cost_was` and `latency_was_ms` are None for a prompt that was never sent; what would
    be is the answer's alone, without classifying.
    """

    prompt: str
    was: str | None
    would_be: str
    cost_was: Cost | None
    cost_would_be: Cost
    latency_was_ms: float | None
    latency_would_be_ms: float
    cached: bool
    confidence: float | None
    reason: str


_PROMPT = tuple(one.name for one in fields(Rerouted))


@dataclass(frozen=True)
class _Worked:
    """What is worked out once for a ladder and a classifier, whatever the threshold."""

    rows: tuple[Priced, ...]
    routed: Routed
    fixed: tuple[Strategy, ...]
    was: tuple[Strategy, ...]
    kinds: frozenset[bool]
    unmeasured: tuple[str, ...]


class WhatIf:
    """The session under other settings: `print` it, or take its parts.

    Each prompt is asked once, on the tier that it is classified to, for the tokens that its
    recorded answer took: all costs but those of "as it was" are estimates. `at` moves the
    threshold or the cache without classifying again.
    """

    def __init__(
        self, asked: Setting, in_force: Setting, collected: Collected, worked: _Worked
    ) -> None:
        self.asked = asked
        self.in_force = in_force
        self.collected = collected
        self._worked = worked

    @property
    def ladder(self) -> Ladder:
        """The ladder that is asked about."""
        return self.asked.ladder

    @property
    def threshold(self) -> float:
        """The confidence below which a prompt goes one tier up; 0 moves none."""
        return self.asked.threshold

    @property
    def classifier(self) -> str:
        """The name of the classifier that is asked about."""
        return self._worked.routed.name

    def __len__(self) -> int:
        """How many prompts there are."""
        return len(self._worked.rows)

    def at(self, *, threshold: float | None = None, cache: bool | None = None) -> WhatIf:
        """The same with another threshold or cache; SettingsError for a threshold that is none."""
        moved = self.threshold if threshold is None else read_threshold(threshold)
        kept = self.asked.cache if cache is None else cache
        asked = replace(self.asked, threshold=moved, cache=kept)
        return WhatIf(asked, self.in_force, self.collected, self._worked)

    @cached_property
    def strategies(self) -> tuple[Strategy, ...]:
        """All on the dearest, all on the middle, router, router + cache, as it was."""
        if not self._worked.rows:
            return ()
        other = self._routed(cache=not self.asked.cache)
        routed = (other, self.chosen) if self.asked.cache else (self.chosen, other)
        return (*self._worked.fixed, *(one for one in routed if one), *self._worked.was)

    @cached_property
    def chosen(self) -> Strategy | None:
        """The router as asked, with the cache or without; None where there are no prompts."""
        return self._routed(cache=self.asked.cache) if self._worked.rows else None

    def mix(self) -> dict[str, float]:
        """Tier -> the share of the prompts that would go there, 0 to 1."""
        return dict(self.chosen.mix) if self.chosen else {}

    def rows(self) -> list[Rerouted]:
        """One a prompt, oldest first."""
        return [_rerouted(one, self.ladder) for one in self._sent(cache=self.asked.cache)]

    def prompts(self) -> pd.DataFrame:
        """The rows as a frame; money as floats, NaN where it is not known."""
        import pandas as pd

        return pd.DataFrame(map(_record, self.rows()), columns=[*_PROMPT])

    def frame(self) -> pd.DataFrame:
        """One row a strategy; money and seconds as floats, and a share for each tier.

        `usd` would be billed, `equivalent_usd` would not; `kind` says what the figure is.
        """
        import pandas as pd

        tiers = dict.fromkeys([*self.ladder.names, *(t for s in self.strategies for t in s.mix)])
        columns = [*whatif_text.STRATEGY, *tiers]
        records = [whatif_text.strategy_record(one, tiers) for one in self.strategies]
        return pd.DataFrame(records, columns=columns)

    def curve(self, thresholds: Sequence[float] | None = None) -> pd.DataFrame:
        """Cost, latency and tier mix at each threshold; default 0 to 1 in steps of 0.05."""
        import pandas as pd

        steps = [step / 20 for step in range(21)] if thresholds is None else thresholds
        columns = ["threshold", *whatif_text.STRATEGY[2:], *self.ladder.names]
        found = [(read_threshold(one), self.at(threshold=one).chosen) for one in steps]
        records = [
            {"threshold": step, **whatif_text.strategy_record(one, self.ladder.names)}
            for step, one in found
            if one is not None
        ]
        return pd.DataFrame(records, columns=columns)

    @property
    def headline(self) -> str:
        """What is asked about, in a line."""
        return whatif_text.headline(self.asked, self.classifier, len(self))

    @property
    def setting(self) -> str:
        """What nbroute.toml would say, as TOML; what has no name there is a comment."""
        return whatif_text.setting(self.asked, self.in_force)

    @property
    def notes(self) -> list[str]:
        """What is assumed, where the figures come from, and what was left out."""
        worked = self._worked
        return whatif_text.notes(self.collected, worked.routed, worked.unmeasured, self.strategies)

    def __repr__(self) -> str:
        """The table as plain text."""
        if not self.strategies:
            return "\n".join([whatif_text.EMPTY, *self.notes])
        return whatif_text.text(self.headline, self.strategies, self.notes, self.setting)

    def _sent(self, *, cache: bool) -> list[Sent]:
        return scenarios.send(self._worked.rows, self.ladder, self.threshold, cache=cache)

    def _routed(self, *, cache: bool) -> Strategy:
        name = "router + cache" if cache else "router"
        routed = scenarios.strategy(name, self._sent(cache=cache), self.ladder)
        return scenarios.against(routed, self._worked.fixed[0], self._worked.kinds)


def what_if(
    engine: Engine,
    settings: Settings,
    in_force: Spec,
    *,
    ladder: Ladder | str | None = None,
    asked: Spec | None = None,
    threshold: float | None = None,
    cache: bool | None = None,
    prompts: Any = None,
    results: Iterable[RouteResult | Row] | None = None,
    session: str | None = None,
    output_tokens: int = 300,
) -> WhatIf:
    """As `Router.what_if`; `in_force` is the classifier in use, `asked` the one asked about.

    With no `threshold` it is that of the classifier asked about, if it has one, else of the
    settings.
    """
    steps_up = settings.classifier.step_up_below
    if isinstance(in_force, CautiousClassifier):
        steps_up = in_force.threshold
    parts = engine.parts
    force = Setting(engine.ladder, in_force, steps_up, parts.cache_mode in ("use", "only"))
    setting = replace(
        force,
        ladder=_ladder(engine.ladder, settings, ladder),
        classifier=in_force if asked is None else asked,
        cache=force.cache if cache is None else cache,
        ladder_name=ladder if isinstance(ladder, str) else "",
    )
    found = _collected(engine, prompts, results, session, output_tokens)
    routed = reroute(found.past, setting.ladder, parts, setting.classifier)
    taken = (
        routed.threshold or setting.threshold if threshold is None else read_threshold(threshold)
    )
    setting = replace(setting, threshold=taken)
    rows, unmeasured = _priced(found.past, routed, setting.ladder, parts)
    kinds = frozenset(_kind(tier, parts) != "remote" for tier in setting.ladder.tiers)
    fixed = _fixed(rows, setting.ladder)
    was = [scenarios.as_it_was(found.past, setting.ladder)] if _was_sent(found) else []
    fixed, was = (
        [scenarios.against(one, fixed[0], kinds) for one in some] for some in (fixed, was)
    )
    worked = _Worked(rows, routed, tuple(fixed), tuple(was), kinds, unmeasured)
    return WhatIf(setting, force, found, worked)


def _ladder(own: Ladder, settings: Settings, asked: Ladder | str | None) -> Ladder:
    """The ladder asked for; a preset is one on the provider of the lowest tier, which is not asked.

    SettingsError for an unknown name.
    """
    if asked is None or asked == own.name:
        return own
    if isinstance(asked, Ladder):
        validate(asked)
        return asked
    if not isinstance(asked, str):
        raise SettingsError(
            f"ladder={asked!r:.80} is not a ladder; give a Ladder or a preset's name"
        )
    home = own.tiers[0].provider
    known = next((one for one in settings.providers if one.name == home), settings.providers[0])
    return base_ladder(asked, known)


def _collected(
    engine: Engine,
    prompts: Any,
    results: Iterable[RouteResult | Row] | None,
    session: str | None,
    output_tokens: int,
) -> Collected:
    given = [one for one in (prompts, results, session) if one is not None]
    if len(given) > 1:
        raise SettingsError("give what_if one of prompts, results and session, not several")
    if prompts is not None:
        return of_prompts(prompts, output_tokens)
    if results is not None:
        return of_results(results)
    kept = of_results(engine.history.results() if session is None else ())
    if kept.past:
        return kept
    return of_ledger(engine.ledger.rows(session=session or engine.session))


def _was_sent(collected: Collected) -> bool:
    return any(one.answer for one in collected.past)


def _fixed(rows: tuple[Priced, ...], ladder: Ladder) -> list[Strategy]:
    """All on the dearest tier and all on the middle one: of two tiers, on the cheaper."""
    top = len(ladder.tiers) - 1
    return [
        scenarios.strategy(f"all on {ladder.names[place]}", scenarios.all_on(rows, place), ladder)
        for place in dict.fromkeys((top, top // 2))
    ]


def _priced(
    past: Sequence[Past], routed: Routed, ladder: Ladder, parts: Parts
) -> tuple[tuple[Priced, ...], tuple[str, ...]]:
    times, unmeasured = latencies(past, ladder)
    places: dict[object, int] = {}
    rows = tuple(
        Priced(
            past=one,
            place=places.setdefault(one.request, len(places)),
            decision=decision,
            costs=tuple(_cost(one, tier, parts) for tier in ladder.tiers),
            latencies_ms=tuple(took(one) for took in times),
            deciding=deciding_attempts(one, routed.name),
        )
        for one, decision in zip(past, routed.decisions, strict=True)
    )
    return rows, tuple(unmeasured)


def _cost(one: Past, tier: Tier, parts: Parts) -> Cost:
    """The recorded tokens at the tier's price; another model's prompt cache does not count."""
    same = one.answer is not None and one.answer.model == tier.model
    cached = one.usage.cached_tokens if same else 0
    usage = Usage(one.usage.input_tokens, one.usage.output_tokens, cached)
    return pricing.cost_of(usage, tier, tier.model, _kind(tier, parts))


def _kind(tier: Tier, parts: Parts) -> ProviderKind:
    provider = parts.dispatcher.providers.get(tier.provider)
    return provider.kind if provider else _KINDS.get(tier.provider, "remote")


def _rerouted(one: Sent, ladder: Ladder) -> Rerouted:
    past, tier = one.row.past, ladder.names[one.tier]
    cost = one.row.costs[one.tier]
    return Rerouted(
        prompt=past.prompt,
        was=past.answer.tier if past.answer else None,
        would_be=tier,
        cost_was=total_cost(past.attempts) if past.answer else None,
        cost_would_be=replace(cost, usd=Decimal(0)) if one.cached else cost,
        latency_was_ms=past.latency_ms if past.answer else None,
        latency_would_be_ms=0.0 if one.cached else one.row.latencies_ms[one.tier],
        cached=one.cached,
        confidence=one.row.decision.confidence,
        reason=one.row.decision.reason,
    )


def _record(one: Rerouted) -> dict[str, object]:
    values = {name: getattr(one, name) for name in _PROMPT}
    for name in ("cost_was", "cost_would_be"):
        cost: Cost | None = values[name]
        values[name] = math.nan if cost is None or cost.usd is None else float(cost.usd)
    return values
