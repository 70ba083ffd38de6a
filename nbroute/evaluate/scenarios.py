"""Ways to answer the same prompts, and what each costs and takes: the third article's table."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from nbroute.classify.registry import stepped
from nbroute.evaluate.past import Past
from nbroute.providers.simulated import MODELS
from nbroute.report import Spend
from nbroute.types import Attempt, Cost, Decision, Ladder

#: The models in the second article's table of latencies, for its tiers 1 to 4; the first of two.
_BY_HEIGHT = ("gpt-4o-mini", "claude-sonnet-4", "gemini-2.5-pro", "claude-opus-4")
#: Later models of a family count as being as fast as the one in the table; longest name first.
_FAMILIES = {
    "gpt-4o-mini": "gpt-4o-mini",
    "gpt-4o": "gpt-4o",
    "claude-haiku": "claude-haiku-3.5",
    "claude-sonnet": "claude-sonnet-4",
    "claude-opus": "claude-opus-4",
    "gemini-2.5-pro": "gemini-2.5-pro",
}


@dataclass(frozen=True, slots=True)
class Priced:
    """A prompt with what each tier of a ladder would cost and take (ms) for it.

    `place` is the same for the same request, and `deciding` are the calls that classifying cost.
    """

    past: Past
    place: int
    decision: Decision
    costs: Sequence[Cost]
    latencies_ms: Sequence[float]
    deciding: Sequence[Attempt] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """A prompt on the tier (its place on the ladder) that it goes to, or out of the cache."""

    row: Priced
    tier: int
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way to answer all of the prompts.

    `latency_ms` is the average, None without prompts, `mix` tier -> share (0 to 1). The saving is
    relative to all on the most expensive tier, in that tier's kind of money (billed or not); None
    if either side is unknown or of the other kind.
    """

    name: str
    spend: Spend
    latency_ms: float | None
    mix: Mapping[str, float]
    recorded: bool = False
    saved_usd: Decimal | None = None
    saved_equivalent_usd: Decimal | None = None
    saved_share: float | None = None


def send(rows: Sequence[Priced], ladder: Ladder, threshold: float, *, cache: bool) -> list[Sent]:
    """Each prompt on the tier of its decision, one up if that is less confident than the threshold.

    With the cache, a request is paid for once on each tier.
    """
    seen: set[tuple[int, int]] = set()
    found = []
    for row in rows:
        made = row.decision
        tier = ladder.index(stepped(made.tier, made.confidence, threshold, ladder))
        key = (row.place, tier)
        found.append(Sent(row, tier, cached=cache and key in seen))
        seen.add(key)
    return found


def strategy(name: str, sent: Sequence[Sent], ladder: Ladder) -> Strategy:
    """What the prompts cost and take when sent that way."""
    paid = [one for one in sent if not one.cached]
    deciding = [attempt for one in sent for attempt in one.row.deciding]
    costs = [Cost(one.cost_usd, one.cost_source) for one in deciding]
    costs += [one.row.costs[one.tier] for one in paid]
    spend = _spend(costs, calls=len(sent), cached=len(sent) - len(paid))
    took = sum(attempt.latency_ms for attempt in deciding)
    took += sum(one.row.latencies_ms[one.tier] for one in paid)
    counts = Counter(one.tier for one in sent)
    mix = {tier: counts[place] / len(sent) for place, tier in enumerate(ladder.names) if sent}
    return Strategy(name, spend, took / len(sent) if sent else None, mix)


def as_it_was(past: Sequence[Past], ladder: Ladder) -> Strategy:
    """What the session did, with all attempts, including escalations and failures."""
    answers = [one.answer for one in past if one.answer]
    costs = [Cost(call.cost_usd, call.cost_source) for one in past for call in one.attempts]
    spend = _spend(costs, calls=len(past), cached=sum(answer.cached for answer in answers))
    counts = Counter(answer.tier for answer in answers)
    tiers = [tier for tier in dict.fromkeys([*ladder.names, *counts]) if counts[tier]]
    mix = {tier: counts[tier] / len(answers) for tier in tiers}
    average = sum(one.latency_ms for one in past) / len(past) if past else None
    return Strategy("as it was", spend, average, mix, recorded=True)


def _spend(costs: Iterable[Cost], *, calls: int, cached: int) -> Spend:
    """The total of the costs; $0 (a cache, a failure) has no source."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    unknown = 0
    for cost in costs:
        if cost.usd is None:
            unknown += 1
        elif cost.usd:
            sums[cost.source] += cost.usd
    equivalent = sums.get("equivalent", Decimal(0))
    return Spend(sum(sums.values()) - equivalent, equivalent, unknown, calls, cached, sums)


def against(one: Strategy, highest: Strategy, kinds: frozenset[bool]) -> Strategy:
    """The strategy with what it saves relative to the most expensive one.

    `kinds` are the ladder's kinds of money (True: nothing billed); what was recorded in another
    kind is not compared.
    """
    spend, most = one.spend, highest.spend
    foreign = {source == "equivalent" for source in spend.by_source} - kinds
    unbilled = bool(most.equivalent_usd)
    base = most.of(unbilled)
    if foreign or spend.unknown_calls or most.unknown_calls or not base or (unbilled and spend.usd):
        return one
    saved = base - spend.of(unbilled)
    priced = replace(one, saved_share=float(saved / base))
    if unbilled:
        return replace(priced, saved_equivalent_usd=saved)
    return replace(priced, saved_usd=saved)


def latencies(
    past: Sequence[Past], ladder: Ladder
) -> tuple[list[tuple[float, ...]], tuple[str, ...]]:
    """How long (ms) each prompt takes on each tier, and the tiers that were not measured.

    A prompt that the tier's model answered takes as long as it did, another one the median of
    those. Without any, it is the published time for the recorded answer's tokens, of the tier's own
    model or of one at that height.
    """
    columns, unmeasured = [], []
    for tier in ladder.tiers:
        times = [one.took_on(tier) for one in past]
        if any(times):
            usual = statistics.median(took for took in times if took)
            columns.append([took or usual for took in times])
        else:
            name = tier.model.rpartition("/")[2]
            family = next((row for start, row in _FAMILIES.items() if name.startswith(start)), None)
            at = ladder.index(tier.name) * (len(_BY_HEIGHT) - 1) // max(len(ladder.tiers) - 1, 1)
            model = MODELS[f"simulated/{family or _BY_HEIGHT[at]}"]
            speed, tokens = model.tokens_per_second, [one.usage.output_tokens for one in past]
            columns.append([model.ttft_ms + taken * 1000 / speed for taken in tokens])
            unmeasured.append(tier.name)
    return list(zip(*columns, strict=True)), tuple(unmeasured)
