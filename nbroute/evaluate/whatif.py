"""What a session would have cost and taken under other settings; nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from nbroute import pricing
from nbroute.classify.embedding import EmbeddingClassifier
from nbroute.classify.model import ModelClassifier
from nbroute.classify.registry import (
    DEFAULT,
    CautiousClassifier,
    HybridClassifier,
    before_step,
    read_threshold,
)
from nbroute.classify.wording import listed
from nbroute.engine.context import Parts, Spec
from nbroute.engine.conversations import classify_turn
from nbroute.engine.engine import Engine, WouldAsk, would_ask
from nbroute.errors import SettingsError
from nbroute.evaluate import scenarios, whatif_text
from nbroute.evaluate.past import Collected, Past
from nbroute.evaluate.scenarios import Priced, Sent, Strategy
from nbroute.ladders import validate
from nbroute.report.table import counted, text_table
from nbroute.settings import Settings, base_ladder
from nbroute.types import Classifier, Cost, Decision, Ladder, ProviderKind, total_cost

if TYPE_CHECKING:
    import pandas as pd

#: A provider that is not configured here counts as billed, except for these.
_KINDS: Mapping[str, ProviderKind] = {"simulated": "simulated", "local": "local"}
#: The source of times that were not measured.
_PUBLISHED = "published speeds, of the model or of one at the same place on a ladder"
SENDING = (ModelClassifier, HybridClassifier, EmbeddingClassifier)


@dataclass(frozen=True, slots=True)
class Setting:
    """What is in force, or asked about; `ladder_name` is "" for a ladder of one's own."""

    ladder: Ladder
    classifier: Spec | None
    threshold: float
    cache: bool
    ladder_name: str = ""


@dataclass(frozen=True, slots=True)
class Rerouted:
    """A prompt of the session: where it went, where it would go, and what each costs.

    `was`, `cost_was` and `latency_was_ms` are None for a prompt that was never sent; the figures of
    what would be leave out classifying.
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


@dataclass(frozen=True, slots=True)
class _Routed:
    """What the classifier says about each prompt, before any step up.

    `recorded` decisions are the session's own, as making them again would take a call; `stand_ins`
    are the default classifier's, for want of those. `threshold` is that of a `CautiousClassifier`,
    0 for any other.
    """

    decisions: Sequence[Decision]
    name: str
    threshold: float
    recorded: int
    stand_ins: int


@dataclass(frozen=True)
class _Worked:
    """What is worked out once for a ladder and a classifier, whatever the threshold."""

    rows: Sequence[Priced]
    routed: _Routed
    fixed: Sequence[Strategy]
    was: Sequence[Strategy]
    kinds: frozenset[bool]
    unmeasured: Sequence[str]


@dataclass(frozen=True, eq=False, repr=False)
class WhatIf:
    """The session under other settings: `print` it, or take its parts.

    Each prompt is asked once, on the tier of its decision, for the tokens that its recorded answer
    took, so all costs but those of "as it was" are estimates. `at` changes the threshold or the
    cache without classifying again.
    """

    asked: Setting
    in_force: Setting
    collected: Collected
    _worked: _Worked

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
        """The same with another threshold or cache; SettingsError for a threshold not in 0 to 1."""
        moved = self.threshold if threshold is None else read_threshold(threshold)
        kept = self.asked.cache if cache is None else cache
        return replace(self, asked=replace(self.asked, threshold=moved, cache=kept))

    @cached_property
    def strategies(self) -> tuple[Strategy, ...]:
        """All on the most expensive tier, all on the middle, router, router + cache, as it was."""
        if not self._worked.rows:
            return ()
        routed = (self._routed(cache=False), self._routed(cache=True))
        return (*self._worked.fixed, *routed, *self._worked.was)

    @cached_property
    def chosen(self) -> Strategy | None:
        """The router as asked, with the cache or without; None if there are no prompts."""
        return self._routed(cache=self.asked.cache) if self._worked.rows else None

    def mix(self) -> dict[str, float]:
        """Tier -> the share of the prompts that would go there, 0 to 1."""
        return dict(self.chosen.mix) if self.chosen else {}

    def rows(self) -> list[Rerouted]:
        """One for each prompt, oldest first."""
        found = []
        for one in self._sent(cache=self.asked.cache):
            past, cost, made = one.row.past, one.row.costs[one.tier], one.row.decision
            row = Rerouted(
                prompt=past.prompt,
                was=past.answer.tier if past.answer else None,
                would_be=self.ladder.names[one.tier],
                cost_was=total_cost(past.attempts) if past.answer else None,
                cost_would_be=replace(cost, usd=Decimal(0)) if one.cached else cost,
                latency_was_ms=past.latency_ms if past.answer else None,
                latency_would_be_ms=0.0 if one.cached else one.row.latencies_ms[one.tier],
                cached=one.cached,
                confidence=made.confidence,
                reason=made.reason,
            )
            found.append(row)
        return found

    def prompts(self) -> pd.DataFrame:
        """The rows as a frame; money as floats, NaN if it is not known."""
        import pandas as pd

        names = [one.name for one in fields(Rerouted)]
        frame = pd.DataFrame([[getattr(row, n) for n in names] for row in self.rows()], None, names)
        for name in ("cost_was", "cost_would_be"):
            usd = [whatif_text.as_float(cost and cost.usd) for cost in frame[name]]
            frame[name] = pd.Series(usd, dtype="float64")
        return frame

    def frame(self) -> pd.DataFrame:
        """One row for each strategy; money and seconds as floats, and a share for each tier.

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
        records = [
            {"threshold": step, **whatif_text.strategy_record(one, self.ladder.names)}
            for step in map(read_threshold, steps)
            if (one := self.at(threshold=step).chosen)
        ]
        return pd.DataFrame(records, columns=columns)

    @property
    def headline(self) -> str:
        """What is asked about, in one line."""
        below = self.threshold
        caution = f", one tier up below {below:.0%} confidence" if below else ""
        return (
            f"what if {counted(len(self), 'prompt')} used the {self.ladder.name} ladder, "
            f"classified by {self.classifier}{caution}, "
            f"{'with' if self.asked.cache else 'without'} the cache (nothing was sent)"
        )

    @property
    def setting(self) -> str:
        """The lines for nbroute.toml; what has no name there is a comment."""
        asked, in_force = self.asked, self.in_force
        changed: dict[str, object] = {}
        if asked.ladder != in_force.ladder:
            changed["ladder"] = asked.ladder_name
        if asked.classifier not in (None, in_force.classifier):
            changed["classifier"] = asked.classifier
        named = {key: name for key, name in changed.items() if name and isinstance(name, str)}
        toml = [f'{key} = "{name}"' for key, name in named.items()]
        python = [f"{key}=..." for key in changed if key not in named]
        if asked.threshold != in_force.threshold:
            toml.append(f"step_up_below = {asked.threshold:g}")
        if asked.cache != in_force.cache:
            toml.append(f'cache = "{"use" if asked.cache else "off"}"')
        lines = ["# nbroute.toml", "[nbroute]", *toml] if toml else []
        lines += [f"# in Python: nbroute.Router({', '.join(python)})"] if python else []
        return "\n".join(lines or ["# nothing to write: this is what is in force now"])

    @property
    def notes(self) -> list[str]:
        """What is assumed, where the figures come from, and what was left out."""
        found, routed = self.collected, self._worked.routed
        kept = "whose text is not in the ledger (store_text = true in nbroute.toml keeps it)"
        reasons = {"without an answer": found.unanswered, kept: found.textless}
        left_out = [f"left out: {counted(n, 'prompt')} {why}." for why, n in reasons.items() if n]
        if not self.strategies:
            return left_out
        assumed = (
            "Each prompt is sent once, with no fallback, check or escalation, and takes as many "
            "tokens on every tier as its recorded answer did. The cost of classifying is included, "
            "that of comparisons is not. "
            f"Savings are against {self.strategies[0].name}."
        )
        told = [assumed]
        if whatif_text.unbilled(self.strategies):
            told.append("Nothing is billed: costs are what models of these tiers would have cost.")
        missing = self._worked.unmeasured
        if len(missing) < len(self.ladder.tiers):
            told.append(
                "Times are those of this session; where a tier did not answer a prompt, its median."
            )
        if missing:
            told.append(f"Times for {listed(missing)} are estimates from {_PUBLISHED}.")
        if estimated := sum(one.usage.estimated for one in found.past):
            told.append(
                f"Tokens are estimated for {counted(estimated, 'prompt')}, as none were counted."
            )
        if routed.recorded:
            told.append(
                f"The {routed.name} classifier would have to send something, so the session's own "
                f"decision and its cost are used for {counted(routed.recorded, 'prompt')}."
            )
        if routed.stand_ins:
            told.append(
                f"The {routed.name} classifier would have to send something for "
                f"{counted(routed.stand_ins, 'prompt')}, so {DEFAULT} decides there; what "
                "asking would cost is not included."
            )
        return [*told, *left_out]

    def __repr__(self) -> str:
        """The table as plain text."""
        if not self.strategies:
            return "\n".join([whatif_text.EMPTY, *self.notes])
        table = text_table([whatif_text.HEAD, *whatif_text.table(self.strategies)], most=80)
        below = [*self.notes, "", whatif_text.KEEP, self.setting]
        return "\n".join([self.headline, "", *table, "", *below])

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
    found: Collected,
    *,
    ladder: Ladder | str | None,
    asked: Spec | None,
    threshold: float | None,
    cache: bool | None,
) -> WhatIf:
    """See `Router.what_if`; `in_force` is the classifier in use, `asked` the one asked about.

    The default `threshold` is that of the classifier asked about, if it has one, or the settings'.
    """
    steps_up = settings.classifier.step_up_below
    if isinstance(in_force, CautiousClassifier):
        steps_up = in_force.threshold
    parts = engine.parts
    force = Setting(engine.ladder, in_force, steps_up, parts.cache_mode in ("use", "only"))
    over = engine.ladder
    if isinstance(ladder, Ladder):
        validate(over := ladder)
    elif isinstance(ladder, str) and ladder != over.name:
        # A preset is taken on the lowest tier's provider, which is not asked.
        home, known = over.tiers[0].provider, settings.providers
        over = base_ladder(ladder, next((one for one in known if one.name == home), known[0]))
    elif not (ladder is None or isinstance(ladder, str)):
        raise SettingsError(
            f"ladder={ladder!r:.80} is not a ladder; give a Ladder or a preset's name"
        )
    classifier = in_force if asked is None else asked
    routed = _reroute(found.past, over, parts, classifier)
    taken = routed.threshold or steps_up if threshold is None else read_threshold(threshold)
    cached = force.cache if cache is None else cache
    setting = Setting(over, classifier, taken, cached, ladder if isinstance(ladder, str) else "")
    return WhatIf(setting, force, found, _worked(found.past, routed, over, parts))


def _reroute(past: Sequence[Past], ladder: Ladder, parts: Parts, asked: Spec | None) -> _Routed:
    """Each prompt's decision on that ladder; SettingsError for an unknown classifier."""
    given = parts.classifier_for(asked, would_ask(parts))
    classifier, usual = bare(given), bare(parts.classifier_for(DEFAULT, None))
    own = sends_alone(classifier, parts, asked)
    made: dict[tuple[str, ...], Decision | None] = {}
    decisions, recorded, stand_ins = [], 0, 0
    for one in past:
        key = (one.prompt, *(turn.prompt for turn in one.earlier))
        if key not in made:
            made[key] = None
            with suppress(WouldAsk):
                if not own:
                    made[key] = classify_turn(classifier, one.prompt, one.earlier, ladder)
        decision, kept = made[key], one.decided_by(classifier.name)
        if decision is None and kept is not None and before_step(kept).tier in ladder.names:
            decision = before_step(kept)
            recorded += 1
        if decision is None:
            decision = classify_turn(usual, one.prompt, one.earlier, ladder)
            stand_ins += 1
        decisions.append(decision)
    threshold = given.threshold if isinstance(given, CautiousClassifier) else 0.0
    return _Routed(decisions, classifier.name, threshold, recorded, stand_ins)


def bare(classifier: Classifier) -> Classifier:
    """The classifier, without a `CautiousClassifier` around it."""
    return classifier.classifier if isinstance(classifier, CautiousClassifier) else classifier


def sends_alone(classifier: Classifier, parts: Parts, asked: Spec | None = None) -> bool:
    """Whether it sends in its own way, so that it is the same object with nothing to ask."""
    return isinstance(classifier, SENDING) and classifier is bare(parts.classifier_for(asked, None))


def _worked(past: Sequence[Past], routed: _Routed, ladder: Ladder, parts: Parts) -> _Worked:
    """Each prompt priced on each tier, and what does not depend on the threshold."""
    times, unmeasured = scenarios.latencies(past, ladder)
    places: dict[object, int] = {}
    kinds = [
        parts.kind(tier)
        if tier.provider in parts.providers
        else _KINDS.get(tier.provider, "remote")
        for tier in ladder.tiers
    ]
    rows = []
    for one, decision, took in zip(past, routed.decisions, times, strict=True):
        costs = [
            pricing.cost_of(one.usage_on(tier), tier, tier.model, kind, one.answered_on(tier))
            for tier, kind in zip(ladder.tiers, kinds, strict=True)
        ]
        calls = one.attempts if one.decided_by(routed.name) else ()
        deciding = [attempt for attempt in calls if attempt.purpose != "answer"]
        place = places.setdefault(one.request, len(places))
        rows.append(Priced(one, place, decision, costs, took, deciding))
    top = len(ladder.tiers) - 1
    bare = [replace(row, deciding=()) for row in rows]  # all on one tier: nothing is classified
    fixed = [
        scenarios.strategy(f"all on {ladder.names[at]}", [Sent(row, at) for row in bare], ladder)
        for at in dict.fromkeys((top, top // 2))  # the middle one: of two tiers, the cheaper
    ]
    was = [scenarios.as_it_was(past, ladder)] if any(one.answer for one in past) else []
    free = frozenset(kind != "remote" for kind in kinds)
    fixed, was = ([scenarios.against(one, fixed[0], free) for one in two] for two in (fixed, was))
    return _Worked(rows, routed, fixed, was, free, unmeasured)
