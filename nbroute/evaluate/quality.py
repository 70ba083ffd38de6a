"""Whether routing is any good on one's own prompts: quality against cost, beside what is plainer.

Every prompt has a score on each tier. An arm is a way to choose the tier: always the same one, the
router's, chance or prompt length with the router's own share of each tier, or hindsight. What a
router's order of the prompts is worth (APGR, CPT) is measured after "RouteLLM: Learning to Route
LLMs with Preference Data", arXiv 2406.18665, section 2, with the cheapest tier that has scores as
the weak model and the most expensive one as the strong.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nbroute.engine.engine import Engine
from nbroute.evaluate.quality_data import ROUTED, Outcomes, read_outcomes
from nbroute.evaluate.training import SAMPLES, area, bootstrap, gap_recovered, least_share
from nbroute.evaluate.whatif_text import mix
from nbroute.pricing import column_usd
from nbroute.report.colours import tier_colour
from nbroute.report.drawing import Mark, Panel, Row, in_usd
from nbroute.report.figure import Figure
from nbroute.report.metrics import wilson
from nbroute.report.table import counted
from nbroute.report.text import Block, plain

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: A figure and the ends of its 95% interval.
Figured = tuple[float, float, float]
ROUTER, RANDOM, LENGTH, BEST, ORACLE = (
    *("router", "random", "prompt length"),
    *("best single tier", "oracle"),
)
#: Below so many prompts a bootstrap is too sure of itself for a verdict.
FEWEST = 30
#: What more prompts could never tell anybody who has to judge them.
_HOPELESS = 100_000
#: Samples behind the arms' intervals; those of the orders are as many as in training.
_DRAWN = 1_000
#: The figures of an order, and what they are called.
_FIGURES = {
    "apgr": "APGR",
    "cpt50": "CPT(50%)",
    "cpt80": "CPT(80%)",
    "equal_cost": "cost at equal quality",
}
#: Points that the router's curve is drawn through, less one.
_CUTS = 61
_COLOURS = {ROUTER: "#009E73", RANDOM: "#7F7F7F", LENGTH: "#7A6A00", ORACLE: "#B5658F"}


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to choose each prompt's tier.

    `quality` is the mean score, `usd` the mean cost of a prompt (NaN where not known), `shares`
    what each tier gets. `ahead` is how far the router's quality is above it, paired by prompt.
    Where it puts the prompts in an order, `order` has its apgr, cpt50, cpt80 and equal_cost.
    """

    name: str
    quality: Figured
    usd: float
    shares: Mapping[str, float]
    ahead: Figured = (0.0, 0.0, 0.0)
    order: Mapping[str, Figured] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Quality:
    """Quality against cost on one's own prompts: `print` it, or take its parts.

    `arms` are the tiers alone, the router, chance and prompt length with its shares, the best
    single tier that costs no more than the router, and the oracle, which takes the cheapest of
    the tiers that are best for a prompt. Of an audit in one direction they are the routed answer
    and that of a tier further. `gap` is what the most expensive tier adds to the cheapest, and
    `best` the tier that is best whatever it costs.
    """

    arms: Mapping[str, Arm]
    outcomes: Outcomes
    gap: Figured
    best: str
    curve: Sequence[tuple[float, float]] = ()

    @property
    def n(self) -> int:
        """How many prompts there are."""
        return len(self.outcomes.prompts)

    @property
    def rival(self) -> str:
        """What the verdict is about: chance, or a tier further."""
        return next(name for name in self.arms if name == RANDOM or name.startswith("one tier"))

    @property
    def better(self) -> bool | None:
        """Whether routing is surely better than chance; None while nobody can tell."""
        _, low, high = self.arms[self.rival].ahead
        return None if self.n < FEWEST or low <= 0 <= high else low > 0

    @property
    def verdict(self) -> str:
        """What it comes to, in a line."""
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
            told = self._against(self.rival)
        if best and self.n >= FEWEST and best.ahead[2] < 0:
            worse = _points(best.ahead, -1)
            told += f"; {_most(best.shares)} alone is better by {worse} and costs no more"
        return told

    def _against(self, name: str) -> str:
        value, low, high = ahead = self.arms[name].ahead
        rival = "its own share at random" if name == RANDOM else name
        if self.better is not None:
            how = "beats" if value > 0 else "is worse than"
            return f"routing {how} {rival} by {_points(ahead, 1 if value > 0 else -1)}"
        # Twice what would put zero on the border, so that four samples in five are beyond it.
        needed = 2 * self.n * ((high - low) / 2 / value) ** 2 if value else math.inf
        if needed > _HOPELESS:
            cure = f"a difference this small would take over {_HOPELESS:,} prompts"
        else:
            scale = 10 ** max(len(str(int(needed))) - 2, 0)
            cure = f"about {max(math.ceil(needed / scale) * scale, FEWEST):,} prompts would tell"
        where = f"routing is {'ahead of' if value >= 0 else 'behind'} {rival} by"
        return f"nobody can tell yet: {where} {_points(ahead, 1 if value >= 0 else -1)}; {cure}"

    def frame(self) -> pd.DataFrame:
        """A row for each arm; figures have columns `_low` and `_high`, money is per prompt."""
        import pandas as pd

        rows = []
        for one in self.arms.values():
            figured = {"quality": one.quality, "ahead": one.ahead} | dict(one.order or {})
            ends = {
                n: dict(zip((n, f"{n}_low", f"{n}_high"), f, strict=True))
                for n, f in figured.items()
            }
            row = {"arm": one.name, **ends.pop("quality"), "usd": one.usd}
            row |= {"costs": self.outcomes.costs, "n": self.n}
            row |= {f"share_{tier}": share for tier, share in one.shares.items()}
            rows.append(row | {key: value for end in ends.values() for key, value in end.items()})
        return pd.DataFrame(rows)

    def chart(self) -> Figure:
        """Quality against cost: a point with its interval for each arm, and the router's curve."""
        tiers, marks = self.outcomes.tiers, []
        shown = [one for one in self.arms.values() if one.name != BEST and one.usd == one.usd]
        for one in sorted(shown, key=lambda one: one.name == ROUTER):  # the router on top
            (up, low, high), name = one.quality, one.name.removesuffix(" alone")
            usd = round(1000 * one.usd, 9)
            row: Row = {"arm": one.name, "quality": _percent(one.quality), "usd": usd}
            told = f"{one.name}: {_percent(one.quality)}, {in_usd(usd)}"
            colour = _COLOURS.get(name) or tier_colour(name, tiers)
            marks.append(Mark(name, usd, told, row, colour, "", False, up, low, high))
        ends = {m.name: f"{m.row['quality']} · {in_usd(m.size)}" for m in marks}
        axis = f"US dollars per 1,000 prompts, {self.outcomes.costs}"
        lows, highs = [m.low for m in marks], [m.high for m in marks]
        span = (math.floor(5 * min(lows, default=0)) / 5, math.ceil(5 * max(highs, default=1)) / 5)
        panel = Panel(axis, marks, ends, kind="points", curve=self.curve, span=span)
        return Figure("quality", "Quality against cost", self.verdict, [panel])

    def blocks(self) -> Iterator[Block]:
        """What is printed, in parts: lines, and tables with their heads."""
        arms = self.arms.values()
        yield self.verdict
        yield ""
        money = column_usd(_decimal(1000 * one.usd) for one in arms)
        yield [
            ("", "quality [95%]", "per 1,000", "router's lead [95%]"),
            *(
                (
                    one.name if one.name != BEST else f"{BEST} ({_most(one.shares)})",
                    _percent(one.quality),
                    usd,
                    "" if one.name in (ROUTER, ROUTED) else _lead(one.ahead),
                )
                for one, usd in zip(arms, money, strict=True)
            ),
        ]
        yield ""
        if not self.outcomes.paired:
            yield from self._orders()
        yield from self._notes()

    def _orders(self) -> Iterator[Block]:
        """What the router's order is worth, beside length's and chance's, and what that means."""
        low, high = self.outcomes.tiers[0], self.outcomes.tiers[-1]
        named = (ROUTER, LENGTH, RANDOM)
        if not self.arms[ROUTER].order:
            yield (
                f"{high} is no better than {low} on these prompts ({_lead(self.gap)} points), so "
                "there is nothing that routing could recover."
            )
            return
        rows = []
        for key, said in _FIGURES.items():
            form = "{:.3f}" if key == "apgr" else "{:.0%}"
            found = [(self.arms[name].order or {})[key] for name in named]
            rows.append((said, *(_figured(one, form) for one in found)))
        yield [("", *(f"{name} [95%]" for name in named[:-1]), RANDOM), *rows]
        yield ""
        sure = (
            "" if self.gap[1] > 0 else ", and perhaps by nothing, so these figures may mean nothing"
        )
        yield f"{high} is better than {low} by {_points(self.gap)}{sure}."
        yield (
            f"APGR: how much of that is recovered by sending {high} the prompts that want it most, "
            "on average over all shares that may go there; chance recovers half."
        )
        yield f"CPT(50%), CPT(80%): the least share sent to {high} that recovers 50% or 80% of it."
        yield (
            f"Cost at equal quality: the least at which that order does as well as {self.best} "
            f"alone, in percent of {self.best}'s cost. (RouteLLM, arXiv 2406.18665)"
        )

    def _notes(self) -> Iterator[Block]:
        if not self.outcomes.paired:
            shares = {name: mix(self.arms[name].shares) for name in (ROUTER, ORACLE)}
            yield (
                f"{ROUTER}, {RANDOM} and {LENGTH}: {shares[ROUTER]}; {ORACLE} (the cheapest of the "
                f"best, in hindsight): {shares[ORACLE]}."
            )
        money = f"costs in US dollars per 1,000 prompts, {self.outcomes.costs}"
        yield f"{counted(self.n, 'prompt')}; {money}."
        yield from self.outcomes.notes

    def __repr__(self) -> str:
        """The verdict, the tables, what they mean and what to know of them."""
        return plain(self.blocks())


def measure(router: Engine, source: Any, seed: int) -> Quality:
    """As `Router.quality`; SettingsError for a source that cannot be measured on."""
    import numpy as np

    found = read_outcomes(router, source)
    n, tiers, generator = len(found.prompts), found.tiers, np.random.default_rng(seed)
    samples = (generator.integers(0, n, n) for _ in range(_DRAWN))
    once = _means(found, found.scores, np.ones(n))
    drawn = np.array([_means(found, found.scores, np.bincount(s, minlength=n)) for s in samples])
    usd = _means(found, found.usd, np.ones(n))
    at, top = len(tiers), len(tiers) - 1
    names = [*(f"{tier} alone" for tier in tiers), ROUTER, RANDOM, LENGTH, ORACLE]
    columns = dict(zip(names, range(len(names)), strict=True))
    affordable = [tier for tier in range(at) if usd[tier] <= usd[at] * (1 + 1e-9)]
    if affordable:
        columns |= {BEST: max(affordable, key=lambda tier: once[tier])}
    if found.paired:
        at, columns = found.picks[0], dict(zip(tiers, range(2), strict=True))
    best = int(once[: top + 1].argmax())
    orders = _orders(found, best, seed)
    routed = np.bincount(found.picks, minlength=top + 1) / n
    shares = {ORACLE: np.bincount(found.oracle, minlength=top + 1) / n}
    arms = {}
    for name, place in columns.items():
        quality = _with_ends(once[place], drawn[:, place])
        if quality[1] == quality[2] and not (found.defined and place >= top):
            quality = (quality[0], *wilson(quality[0], n))  # no scores spread more than 0 and 1
        of = np.eye(top + 1)[place] if place <= top else shares.get(name, routed)
        ahead = _with_ends(once[at] - once[place], drawn[:, at] - drawn[:, place])
        mix = dict(zip(tiers, of.tolist(), strict=True))
        arms[name] = Arm(name, quality, float(usd[place]), mix, ahead, orders.get(name))
    gap = _with_ends(once[top] - once[0], drawn[:, top] - drawn[:, 0])
    return Quality(arms, found, gap, tiers[best], _curve(found) if orders else ())


def _means(found: Outcomes, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of values (prompts x tiers) of each tier, the router, chance, length, the oracle.

    Each prompt counts `weights` times; chance and length have the router's shares among those.
    """
    import numpy as np

    total, rows, tiers = weights.sum(), np.arange(len(values)), values.shape[1]
    of_tier = weights @ values / total
    shares = np.bincount(found.picks, weights, tiers) / total
    sizes = np.bincount(found.lengths, weights) / total
    ends, cuts = sizes.cumsum()[:, None], np.concatenate([[0], shares.cumsum()])
    # Prompts of one length that are on both sides of a cut count in expectation over their order.
    got = np.minimum(ends, cuts[1:]) - np.maximum(ends - sizes[:, None], cuts[:-1])
    sums = [np.bincount(found.lengths, weights * column) for column in values.T]
    by_length = np.column_stack(sums) / total / np.maximum(sizes, 1e-300)[:, None] * got.clip(0)
    means = (weights @ values[rows, chosen] / total for chosen in (found.picks, found.oracle))
    router, oracle = means
    return np.array([*of_tier, router, shares @ of_tier, by_length.sum(), oracle])


def _orders(found: Outcomes, best: int, seed: int) -> dict[str, dict[str, Figured]]:
    """The figures of each order of the prompts; none where the top tier adds nothing."""
    import numpy as np

    weak, strong = found.scores[:, 0], found.scores[:, -1]
    if found.paired or strong.sum() <= weak.sum():
        return {}
    orders = {ROUTER: found.wants, RANDOM: 0 * weak, LENGTH: found.lengths, ORACLE: strong - weak}
    told = {}
    for name, order in orders.items():
        costs = found.usd[:, [0, -1, best]]
        columns = np.column_stack([order, costs, found.scores[:, best]])
        ends = bootstrap(_of_order, columns, weak, strong, samples=SAMPLES, seed=seed)
        figures = zip(_of_order(columns, weak, strong), *ends, strict=True)
        told[name] = dict(zip(_FIGURES, figures, strict=True))
    return told


def _of_order(columns: Any, weak: Any, strong: Any) -> list[float]:
    """APGR, CPT(50%), CPT(80%), and the cost at the best tier's quality in parts of its own.

    The columns: the order, the cost of weak, strong and best, and best's score.
    """
    import numpy as np

    order, cheap, dear, usd, best = columns.T
    share, recovered = gap_recovered(order, weak, strong)
    wanted = (best.mean() - weak.mean()) / (strong.mean() - weak.mean())
    at, costs = least_share(share, recovered, wanted), math.nan
    if dear.sum() > cheap.sum() and usd.sum() > 0:
        spent = np.interp(at, *gap_recovered(order, cheap, dear))
        costs = (cheap.mean() + spent * (dear.mean() - cheap.mean())) / usd.mean()
    parts = (least_share(share, recovered, part) for part in (0.5, 0.8))
    return [area(share, recovered), *parts, float(costs)]


def _curve(found: Outcomes) -> list[tuple[float, float]]:
    """US dollars per 1,000 prompts and quality, where the router's order is cut elsewhere."""
    import numpy as np

    weak, strong = found.scores[:, 0], found.scores[:, -1]
    cheap, dear = 1000 * found.usd[:, 0], 1000 * found.usd[:, -1]
    if not dear.sum() > cheap.sum():
        return []
    cuts, points = np.linspace(0, 1, _CUTS), []
    for low, high in ((cheap, dear), (weak, strong)):
        part = np.interp(cuts, *gap_recovered(found.wants, low, high))
        points.append((low.mean() + part * (high.mean() - low.mean())).tolist())
    return list(zip(*points, strict=True))


def _with_ends(value: float, drawn: np.ndarray) -> Figured:
    import numpy as np

    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return float(value), low, high


def _points(found: Figured, sign: int = 1) -> str:
    """`4.1 points [1.2, 7.0]`; with the sign -1 of the opposite."""
    value, *ends = (100 * sign * one for one in found)
    low, high = sorted(ends)
    return f"{value:.1f} points [{low:.1f}, {high:.1f}]"


def _lead(found: Figured) -> str:
    return "{:+.1f} [{:.1f}, {:.1f}]".format(*(100 * one for one in found))


def _percent(found: Figured) -> str:
    return "{:.1f}% [{:.1f}, {:.1f}]".format(*(100 * one for one in found))


def _figured(found: Figured, form: str) -> str:
    """`0.608 [0.594, 0.622]`; one end where they are the same, as chance's are."""
    value, low, high = ("unknown" if math.isnan(one) else form.format(one) for one in found)
    return value if low == value == high else f"{value} [{low}, {high}]"


def _most(shares: Mapping[str, float]) -> str:
    return max(shares, key=lambda tier: shares[tier])


def _decimal(usd: float) -> Decimal | None:
    return None if math.isnan(usd) else Decimal(repr(round(usd, 9)))
