"""A seeded mixed workload of development prompts, and the third article's table measured on it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from string import Template
from typing import TYPE_CHECKING, Protocol

from nbroute.batch.batch import Batch
from nbroute.engine.context import Parts
from nbroute.errors import SettingsError
from nbroute.evaluate import scenario, whatif_text
from nbroute.evaluate.scenario import Strategy
from nbroute.evaluate.workload_slots import SLOTS
from nbroute.evaluate.workload_templates import TEMPLATES, Kinds
from nbroute.ladders import preset
from nbroute.report import Spend
from nbroute.types import Ladder, Price

if TYPE_CHECKING:
    import pandas as pd

#: "80% of dev requests are simple" is the third article's; the rest is split by us.
SHARES = {"fast": 0.80, "mid": 0.15, "power": 0.05}
#: Exact repeats: the article's cache takes a third off its router's cost ($8.40 to $5.60).
REPEATED = 0.30
#: How unequal the prompts are in how often they come again (Pareto's exponent; lower is more).
_SKEW = 1.1
_TRIES = 1_000


@dataclass(frozen=True, slots=True)
class DevelopmentPrompt:
    """A prompt, what it asks for, and the tier that it was written for (fast, mid or power).

    The tier is our intention, for comparing with; no classifier is shown it.
    """

    text: str
    kind: str
    tier: str


def development_prompts(n: int = 1000, seed: int = 0) -> tuple[DevelopmentPrompt, ...]:
    """`n` prompts as a developer's day has them, the same for the same seed.

    Of the distinct ones 80% are simple, 15% everyday work and 5% hard; 30% of all are exact
    repeats of an earlier one, a few of them very often. SettingsError for n below 1.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise SettingsError(f"a workload of {n!r:.80} prompts cannot be made; give 1 or more")
    rng = random.Random(seed)  # noqa: S311 - a workload that can be made again, no secret
    repeats = set(rng.sample(range(1, n), round(n * REPEATED))) if n > 1 else set()
    tiers = _tiers(n - len(repeats), rng)
    known: dict[str, DevelopmentPrompt] = {}
    weights: list[float] = []
    found = []
    for place in range(n):
        if place in repeats:
            found.append(rng.choices([*known.values()], weights)[0])
            continue
        made = _new(tiers.pop(), known, rng)
        known[made.text] = made
        weights.append(rng.paretovariate(_SKEW))
        found.append(made)
    return tuple(found)


def _tiers(count: int, rng: random.Random) -> list[str]:
    hard = [tier for tier in ("mid", "power") for _ in range(round(count * SHARES[tier]))]
    tiers = [*hard, *["fast"] * (count - len(hard))]
    rng.shuffle(tiers)
    return tiers


def _new(tier: str, known: dict[str, DevelopmentPrompt], rng: random.Random) -> DevelopmentPrompt:
    """One that was not asked yet; where the templates give no other, a numbered one."""
    for _ in range(_TRIES):
        kind, text = _filled(TEMPLATES[tier], rng)
        if text not in known:
            return DevelopmentPrompt(text, kind, tier)
    return DevelopmentPrompt(f"{text}\n({len(known)})", kind, tier)


def _filled(kinds: Kinds, rng: random.Random) -> tuple[str, str]:
    kind = rng.choice(list(kinds))
    template = Template(rng.choice(kinds[kind]))
    names = template.get_identifiers()
    return kind, template.substitute({name: SLOTS[name](rng) for name in names})


def article_ladder() -> Ladder:
    """The third article's three tiers, simulated, at its own prices.

    $0.15, $2.50 and $15 per million tokens in, and three times that out, as in its formula.
    Times, tokens and words are those of the simulated models.
    """
    ladder = preset("three-tier", "simulated")
    given = (Decimal("0.15"), Decimal("2.50"), Decimal(15))
    tiers = (
        replace(tier, price=Price(price, 3 * price, "configured"))
        for tier, price in zip(ladder.tiers, given, strict=True)
    )
    return replace(ladder, name="third article", tiers=tuple(tiers))


class Mapper(Protocol):
    """The part of a `Router` that is used here."""

    parts: Parts

    @property
    def ladder(self) -> Ladder:
        """The tiers."""

    def map(self, prompts: Sequence[str], **options: object) -> Batch:
        """Route them all."""


@dataclass(frozen=True)
class Measured:
    """What the strategies came to on a workload, and what the router picked.

    `picked` are (the tier it was written for, the tier picked) of each prompt.
    """

    strategies: tuple[Strategy, ...]
    picked: tuple[tuple[str, str], ...]
    ladder: Ladder

    def frame(self) -> pd.DataFrame:
        """One row a strategy, with the columns of `WhatIf.frame`."""
        import pandas as pd

        names = self.ladder.names
        records = [whatif_text.strategy_record(one, names) for one in self.strategies]
        return pd.DataFrame(records, columns=[*whatif_text.STRATEGY, *names])

    def confusion(self) -> pd.DataFrame:
        """How many prompts written for a tier (rows) went to which (columns)."""
        import pandas as pd

        counts = [
            [sum(pair == (meant, tier) for pair in self.picked) for tier in self.ladder.names]
            for meant in SHARES
        ]
        return pd.DataFrame(counts, index=list(SHARES), columns=list(self.ladder.names))

    def __repr__(self) -> str:
        """The table as plain text."""
        head = f"measured on {len(self.picked):,} development prompts, ladder {self.ladder.name}"
        return whatif_text.text(head, self.strategies)


def measure(
    router: Mapper,
    prompts: Sequence[DevelopmentPrompt],
    *,
    classifier: object = None,
    billed: bool = False,
    progress: bool = False,
) -> Measured:
    """Send the workload over the router's ladder in each of the article's four ways.

    All on the dearest tier, all on the middle one, the router, and the router with its cache,
    which must be empty. Four times as many calls as prompts: SettingsError on tiers that are
    billed, unless `billed`.
    """
    _refuse_bills(router, billed=billed)
    send = partial(router.map, [one.text for one in prompts], progress=progress)
    names = router.ladder.names
    top = len(names) - 1
    found = {
        f"all on {names[place]}": send(tier=names[place], cache="off")
        for place in dict.fromkeys((top, top // 2))
    }
    found["router"] = send(classifier=classifier, cache="off")
    # One at a time: two of the same at once would both be sent.
    found["router + cache"] = send(classifier=classifier, cache="use", workers=1)
    strategies = [_strategy(name, batch, names) for name, batch in found.items()]
    kinds = frozenset(router.parts.kind(tier) != "remote" for tier in router.ladder.tiers)
    picked = zip(prompts, found["router"], strict=True)
    return Measured(
        tuple(scenario.against(one, strategies[0], kinds) for one in strategies),
        tuple((one.tier, row.tier) for one, row in picked),
        router.ladder,
    )


def _refuse_bills(router: Mapper, *, billed: bool) -> None:
    paid = [tier.name for tier in router.ladder.tiers if router.parts.kind(tier) == "remote"]
    if paid and not billed:
        raise SettingsError(
            f"measuring would send every prompt four times, and {', '.join(paid)} is billed; use "
            "Router(profile='simulated'), or say billed=True"
        )


def _strategy(name: str, batch: Batch, tiers: Sequence[str]) -> Strategy:
    rows = list(batch)
    mix = {tier: sum(row.tier == tier for row in rows) / len(rows) for tier in tiers}
    sources = frozenset(row.cost_source for row in rows if row.cost_usd != 0)
    average = sum(row.latency_ms for row in rows) / len(rows)
    spend: Spend = batch.cost
    return Strategy(name, spend, average, mix, sources, recorded=True)
