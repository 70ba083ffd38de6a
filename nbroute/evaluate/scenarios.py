"""Ways to answer the same prompts, and what each comes to: the third article's table."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from nbroute.classify.hybrid import stepped
from nbroute.engine.context import Spec
from nbroute.evaluate.past import Past
from nbroute.providers.simulated import MODELS, SimulatedModel
from nbroute.report import Spend
from nbroute.types import Attempt, Cost, Decision, Ladder, Tier


@dataclass(frozen=True, slots=True)
class Setting:
    """What is in force, or asked about; `ladder_name` is "" for a ladder of one's own."""

    ladder: Ladder
    classifier: Spec | None
    threshold: float
    cache: bool
    ladder_name: str = ""


@dataclass(frozen=True, slots=True)
class Priced:
    """A prompt with what each tier of a ladder would cost and take for it.

    `deciding` are the calls that classifying it cost.
    """

    past: Past
    place: int
    decision: Decision
    costs: tuple[Cost, ...]
    latencies_ms: tuple[float, ...]
    deciding: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """A prompt on the tier that it goes to, or out of the cache."""

    row: Priced
    tier: int
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way to answer all of the prompts.

    `spend` keeps money that would be billed apart from what would not; `sources` say where
    its prices come from. `latency_ms` is the average, None of no prompts, `mix` tier -> share
    (0 to 1). What is saved is against all on the dearest tier, in the money of that tier
    (billed or not), and None where either side is unknown or of the other kind of money.
    """

    name: str
    spend: Spend
    latency_ms: float | None
    mix: Mapping[str, float]
    sources: frozenset[str] = frozenset()
    recorded: bool = False
    saved_usd: Decimal | None = None
    saved_equivalent_usd: Decimal | None = None
    saved_share: float | None = None


def send(rows: Sequence[Priced], ladder: Ladder, threshold: float, *, cache: bool) -> list[Sent]:
    """Each prompt on the tier of its decision, stepped up where that is not sure enough.

    With the cache, a request is paid for once on each tier.
    """
    places = {name: place for place, name in enumerate(ladder.names)}
    seen: set[tuple[int, int]] = set()
    found = []
    for row in rows:
        made = row.decision
        tier = places[stepped(made.tier, made.confidence, threshold, ladder)]
        key = (row.place, tier)
        found.append(Sent(row, tier, cached=cache and key in seen))
        seen.add(key)
    return found


def all_on(rows: Sequence[Priced], tier: int) -> list[Sent]:
    """Every prompt on one tier: nothing to decide, and no cache."""
    return [Sent(replace(row, deciding=()), tier) for row in rows]


def strategy(name: str, sent: Sequence[Sent], ladder: Ladder) -> Strategy:
    """What the prompts come to, sent in that way."""
    money, took = _Money(), 0.0
    for one in sent:
        for attempt in one.row.deciding:
            money.add(attempt.cost_usd, attempt.cost_source)
            took += attempt.latency_ms
        if not one.cached:
            cost = one.row.costs[one.tier]
            money.add(cost.usd, cost.source)
            took += one.row.latencies_ms[one.tier]
    counts = Counter(one.tier for one in sent)
    mix = {tier: counts[place] / len(sent) for place, tier in enumerate(ladder.names) if sent}
    spend = money.spend(len(sent), sum(one.cached for one in sent))
    average = took / len(sent) if sent else None
    return Strategy(name, spend, average, mix, frozenset(money.sources))


def as_it_was(past: Sequence[Past], ladder: Ladder) -> Strategy:
    """What the session did: all attempts, escalations and failures too."""
    money = _Money()
    for attempt in (attempt for one in past for attempt in one.attempts):
        money.add(attempt.cost_usd, attempt.cost_source)
    answers = [one.answer for one in past if one.answer]
    counts = Counter(answer.tier for answer in answers)
    tiers = dict.fromkeys([*(name for name in ladder.names if counts[name]), *counts])
    mix = {tier: counts[tier] / len(answers) for tier in tiers if counts[tier]}
    spend = money.spend(len(past), sum(answer.cached for answer in answers))
    average = sum(one.latency_ms for one in past) / len(past) if past else None
    return Strategy("as it was", spend, average, mix, frozenset(money.sources), recorded=True)


class _Money:
    """A sum of money that is billed, and of money that is not."""

    def __init__(self) -> None:
        self.usd = self.equivalent_usd = Decimal(0)
        self.unknown = 0
        self.sources: set[str] = set()

    def add(self, usd: Decimal | None, source: str) -> None:
        if usd == 0:  # out of a cache, or failed: no kind of money
            return
        self.sources.add(source)
        if usd is None:
            self.unknown += 1
        elif source == "equivalent":
            self.equivalent_usd += usd
        else:
            self.usd += usd

    def spend(self, calls: int, cached: int) -> Spend:
        return Spend(self.usd, self.equivalent_usd, self.unknown, calls, cached)


def against(one: Strategy, dearest: Strategy, kinds: frozenset[bool]) -> Strategy:
    """The strategy with what it saves against the dearest.

    `kinds` are the ladder's kinds of money (True: nothing billed); what was recorded in
    another kind is not compared.
    """
    foreign = {source == "equivalent" for source in one.sources} - kinds
    if foreign or one.spend.unknown_calls or dearest.spend.unknown_calls or not dearest.sources:
        return one
    if "equivalent" in dearest.sources:
        if one.spend.usd:
            return one
        base = dearest.spend.equivalent_usd
        saved = base - one.spend.equivalent_usd
        return replace(one, saved_equivalent_usd=saved, saved_share=_share(saved, base))
    base = dearest.spend.usd
    saved = base - one.spend.usd
    return replace(one, saved_usd=saved, saved_share=_share(saved, base))


def _share(saved: Decimal, base: Decimal) -> float | None:
    return float(saved / base) if base else None


#: Where the figures come from that stand in for a measurement.
SOURCE = "the second article's table of latencies (section 07: first token, tokens a second)"

#: The table's models in the order of its tiers 1 to 4; of a tier with two, the first.
_BY_HEIGHT = ("gpt-4o-mini", "claude-sonnet-4", "gemini-2.5-pro", "claude-opus-4")
#: Later models of a family are taken to be as fast as the one in the table, longest name first.
_FAMILIES = {
    "gpt-4o-mini": "gpt-4o-mini",
    "gpt-4o": "gpt-4o",
    "claude-haiku": "claude-haiku-3.5",
    "claude-sonnet": "claude-sonnet-4",
    "claude-opus": "claude-opus-4",
    "gemini-2.5-pro": "gemini-2.5-pro",
}

Latency = Callable[[Past], float]


def latencies(past: Sequence[Past], ladder: Ladder) -> tuple[list[Latency], list[str]]:
    """For each tier how long a prompt takes there (ms), and the tiers that were not measured.

    A prompt that the tier's model answered takes what it took; another one takes the median
    of those, or, where there are none, the published time for the recorded answer's tokens.
    """
    found, unmeasured = [], []
    for tier in ladder.tiers:
        times = [took for one in past if (took := _took(one, tier))]
        if times:
            found.append(_as_measured(tier, statistics.median(times)))
        else:
            found.append(_as_published(published(tier, ladder)))
            unmeasured.append(tier.name)
    return found, unmeasured


def published(tier: Tier, ladder: Ladder) -> SimulatedModel:
    """The row of the table for the tier's model, else for a tier at that height."""
    name = tier.model.rpartition("/")[2]
    family = next((row for start, row in _FAMILIES.items() if name.startswith(start)), None)
    place = ladder.index(tier.name) * (len(_BY_HEIGHT) - 1) // max(len(ladder.tiers) - 1, 1)
    return MODELS[f"simulated/{family or _BY_HEIGHT[place]}"]


def _took(one: Past, tier: Tier) -> float:
    """How long the tier's model took for that prompt; 0 where it did not answer it itself."""
    answer = one.answer
    if answer is None or answer.cached:
        return 0.0
    same = answer.model == tier.model and answer.provider in (tier.provider, "")
    return answer.latency_ms if same else 0.0


def _as_measured(tier: Tier, usual: float) -> Latency:
    return lambda one: _took(one, tier) or usual


def _as_published(model: SimulatedModel) -> Latency:
    def takes(one: Past) -> float:
        return model.ttft_ms + one.usage.output_tokens * 1000 / model.tokens_per_second

    return takes
