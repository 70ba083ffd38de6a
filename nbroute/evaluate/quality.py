"""Whether routing is any good on your own prompts: quality against cost, next to simpler ways."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from nbroute.engine.engine import Engine
from nbroute.evaluate.quality_arms import (
    BEST,
    FIGURES,
    LENGTH,
    ORACLE,
    RANDOM,
    ROUTER,
    Arm,
    Figured,
    arms_of,
    curve_of,
)
from nbroute.evaluate.quality_data import ROUTED, Outcomes, read_outcomes
from nbroute.evaluate.training_data import read_seed
from nbroute.evaluate.whatif_text import mix
from nbroute.pricing import column_usd
from nbroute.report.colours import tier_colour
from nbroute.report.drawing import Mark, Panel, Row, in_usd
from nbroute.report.figure import Figure
from nbroute.report.metrics import enough, rounded_up
from nbroute.report.table import counted
from nbroute.report.text import Block, plain

#: With fewer prompts a bootstrap is too sure of itself for a verdict.
FEWEST = 30
#: Nobody will judge more prompts than this.
_HOPELESS = 100_000
_COLOURS = {ROUTER: "#009E73", RANDOM: "#7F7F7F", LENGTH: "#7A6A00", ORACLE: "#B5658F"}


@dataclass(frozen=True, eq=False, repr=False)
class Quality:
    """Quality against cost on your own prompts: `print` it, or take its parts.

    `arms` are each tier alone, the router, chance and prompt length with the router's shares, the
    best single tier that costs no more than the router, and the oracle, which takes the cheapest
    of the tiers that are best for a prompt; for an audit in one direction, the routed answer and
    the next tier's. `gap` is what the most expensive tier adds to the cheapest, and `best` the tier
    that is best whatever it costs.
    """

    arms: Mapping[str, Arm]
    outcomes: Outcomes
    gap: Figured
    best: str

    @property
    def n(self) -> int:
        """How many different prompts there are."""
        return int(self.outcomes.groups.max()) + 1

    @property
    def rival(self) -> str:
        """What routing is compared with in the verdict: chance, or the next tier."""
        return next(name for name in self.arms if name == RANDOM or name.startswith("one tier"))

    @property
    def better(self) -> bool | None:
        """Whether routing is clearly better than chance; None while it is too early to tell."""
        _, low, high = map(_hundredths, self.arms[self.rival].ahead)  # as it is shown
        return None if self.n < FEWEST or low <= 0 <= high else low > 0

    @property
    def verdict(self) -> str:
        """The result in one line."""
        gains = self.outcomes.scores - self.outcomes.scores[:, :1]
        router, best = self.arms.get(ROUTER), self.arms.get(BEST)
        if not gains.any():
            cheapest = self.outcomes.tiers[0]
            told = f"all tiers do equally well on each prompt, so {cheapest} would do"
        elif router and max(router.shares.values()) == 1:
            told = f"every prompt goes to {_most(router.shares)}, so there is no choice to judge"
        elif router and (gains == gains[0]).all():
            told = "each tier adds the same on every prompt, so no choice among them beats chance"
        else:
            told = self.outcomes.scope + self._against(self.rival)
        if best and self.n >= FEWEST and best.ahead[1] <= 0:
            than = "is better" if best.ahead[2] < 0 else "may be as good"
            told += f"; {_most(best.shares)} alone {than} and costs no more: "
            told += f"routing's lead over it is {_told(best.ahead, _POINTS)}"
        return told

    def _against(self, name: str) -> str:
        value, low, high = ahead = self.arms[name].ahead
        rival = "its own share at random" if name == RANDOM else name
        if self.better is not None:
            points = _told(ahead, _POINTS)
            beats = f"routing beats {rival} by {points}"
            return beats if value > 0 else f"routing is worse than {rival}: its lead is {points}"
        needed = enough(value, low, high, self.n)
        if self.n < FEWEST:
            cure = f"{counted(self.n, 'prompt')} are too few, a hundred may be enough"
        elif needed > _HOPELESS:
            cure = f"a difference this small would take over {_HOPELESS:,} prompts"
        else:
            cure = f"about {rounded_up(needed):,} prompts would tell"
        return f"too early to tell: routing's lead over {rival} is {_told(ahead, _POINTS)}; {cure}"

    def frame(self) -> pd.DataFrame:
        """A row for each arm; figures have `_low` and `_high` columns, money is per prompt."""

        def ends(name: str, found: Figured) -> dict[str, float]:
            return dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))

        rows = []
        for one in self.arms.values():
            row: Row = {"arm": one.name, **ends("quality", one.quality), "usd": one.usd}
            row |= {"costs": self.outcomes.costs, "n": self.n}
            row |= {f"share_{tier}": share for tier, share in one.shares.items()}
            for name, found in {"ahead": one.ahead, **(one.order or {})}.items():
                row |= ends(name, found)
            rows.append(row)
        return pd.DataFrame(rows)

    def chart(self) -> Figure:
        """Quality against cost: a point and its interval for each arm, and the router's curve."""
        shown = [one for name, one in self.arms.items() if name != BEST and one.usd == one.usd]
        marks, ends = [], {}
        for one in shown:
            name, usd = one.name.removesuffix(" alone"), round(1000 * one.usd, 9)
            ends[name] = f"{_told(one.quality, _PERCENT)} · {in_usd(usd)}"
            row: Row = {"arm": one.name, "quality": _told(one.quality, _PERCENT), "usd": usd}
            colour = _COLOURS.get(name) or tier_colour(name, self.outcomes.tiers)
            told = f"{one.name}: {ends[name]}"
            marks.append(Mark(name, usd, told, row, colour, "", False, *one.quality))
        marks.sort(key=lambda mark: mark.name == ROUTER)  # the router on top
        low = math.floor(5 * min((m.low for m in marks), default=0)) / 5
        high = math.ceil(5 * max((m.high for m in marks), default=1)) / 5
        curve = [(1000 * usd, quality) for usd, quality in curve_of(self.outcomes)]
        axis = f"US dollars per 1,000 prompts ({self.outcomes.costs})"
        panel = Panel(axis, marks, ends, kind="points", span=(low, high), curve=curve)
        lead = "dots: the router's order of the prompts, cut elsewhere; " if curve else ""
        lead += "lines: 95% intervals"
        return Figure("quality", "Quality against cost", lead, [panel])

    def blocks(self) -> Iterator[Block]:
        """What it says in parts: a line of text, or a table with its heading."""
        arms = self.arms.values()
        yield self.verdict
        yield ""
        thousands = (round(1000 * one.usd, 9) for one in arms)
        money = column_usd(None if math.isnan(u) else Decimal(repr(u)) for u in thousands)
        yield [
            ("", "quality [95%]", "per 1,000", "router's lead [95%]"),
            *(
                (
                    one.name if one.name != BEST else f"{BEST} ({_most(one.shares)})",
                    _told(one.quality, _PERCENT),
                    usd,
                    "" if one.name in (ROUTER, ROUTED) else _told(one.ahead, _LEAD),
                )
                for one, usd in zip(arms, money, strict=True)
            ),
        ]
        yield ""
        if not self.outcomes.paired:
            yield from self._orders()
            yield ""
        yield from self._notes()

    def _orders(self) -> Iterator[Block]:
        """What the router's order of the prompts is worth, next to length's and chance's."""
        low, high = self.outcomes.tiers[0], self.outcomes.tiers[-1]
        named = (ROUTER, LENGTH, RANDOM)
        if not self.arms[ROUTER].order:
            yield (
                f"{high} is no better than {low} on these prompts ({_told(self.gap, _LEAD)} "
                "points), so there is nothing that routing could recover."
            )
            return
        known = sum(one.usd for one in self.arms.values())
        rows, missing = [], "unknown" if math.isnan(known) else "not reached"
        for key, said in FIGURES.items():
            form = "{:.3f}" if key == "apgr" else "{:.0%}"
            found = [(self.arms[name].order or {})[key] for name in named]
            rows.append((said, *(_figured(one, form, missing) for one in found)))
        yield [("", *(f"{name} [95%]" for name in named[:-1]), RANDOM), *rows]
        yield ""
        sure = (
            "" if self.gap[1] > 0 else ", and perhaps by nothing, so these figures may mean nothing"
        )
        yield f"{high} is better than {low} by {_told(self.gap, _POINTS)}{sure}."
        yield (
            f"APGR: how much of that is recovered by sending {high} the prompts that need it most, "
            "on average over all shares that may go there; chance recovers half."
        )
        yield f"CPT(50%), CPT(80%): the least share sent to {high} that recovers 50% or 80% of it."
        yield (
            f"Cost to match the best: what that order has to spend to do as well as {self.best} "
            f"alone; 100% is what {self.best} alone costs, so above that it is cheaper to send "
            "everything there. (RouteLLM, arXiv 2406.18665)"
        )

    def _notes(self) -> Iterator[Block]:
        if not self.outcomes.paired:
            shares = {name: mix(self.arms[name].shares) for name in (ROUTER, ORACLE)}
            yield (
                f"{ROUTER}, {RANDOM} and {LENGTH}: {shares[ROUTER]}; {ORACLE} (the cheapest of the "
                f"best, in hindsight): {shares[ORACLE]}."
            )
        if BEST in self.arms:
            yield f"{BEST}: the best of those that cost no more than the {ROUTER}."
        money = f"costs in US dollars per 1,000 prompts ({self.outcomes.costs})"
        rows = len(self.outcomes.prompts)
        several = f"{rows:,} rows of " if rows > self.n else ""
        yield f"{several}{counted(self.n, 'prompt')}; {money}."
        yield from self.outcomes.notes

    def __repr__(self) -> str:
        """The verdict, the tables, and what they mean."""
        return plain(self.blocks())


def measure(router: Engine, source: Any, seed: int) -> Quality:
    """See `Router.quality`."""
    found = read_outcomes(router, source, read_seed(seed))
    arms, gap, best = arms_of(found, seed)
    return Quality(arms, found, gap, best)


#: How a figure and its interval are written.
_LEAD, _PERCENT = "{:+.1f} [{:.1f}, {:.1f}]", "{:.1f}% [{:.1f}, {:.1f}]"
_POINTS = "{:.1f} points [{:.1f}, {:.1f}]"


def _told(found: Figured, form: str) -> str:
    """`4.1 points [1.2, 7.0]`."""
    return form.format(*map(_hundredths, found))


def _hundredths(share: float) -> float:
    return round(100 * share, 1) + 0.0  # and never -0.0


def _figured(found: Figured, form: str, missing: str) -> str:
    """`0.608 [0.594, 0.622]`; no interval if its ends coincide, as chance's do, or are unknown."""
    if math.isnan(found[0]):
        return missing
    value, low, high = map(form.format, found)
    alone = low == value == high or math.isnan(found[1])
    return value if alone else f"{value} [{low}, {high}]"


def _most(shares: Mapping[str, float]) -> str:
    return max(shares, key=lambda tier: shares[tier])
