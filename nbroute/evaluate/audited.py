"""What an audit found: the share better off one tier up, with its interval and in words."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from nbroute.engine.engine import Engine
from nbroute.engine.feedback import labels_of
from nbroute.errors import SettingsError
from nbroute.evaluate.judging import Leaning, Pair, Ruling, Word, leaning
from nbroute.report.charts import COLOURS
from nbroute.report.drawing import Mark, Panel, in_usd
from nbroute.report.figure import Figure
from nbroute.report.metrics import Spend, kappa, newcombe, wilson
from nbroute.report.table import counted, without_nothing
from nbroute.report.text import Block, money, plain
from nbroute.types import Label

if TYPE_CHECKING:
    import pandas as pd

Direction = Literal["up", "down", "again"]
# The article "Measuring Routing Quality" on the share that prefers the expensive answer:
#: "If that percentage is low (under 10%), your routing is working well"
WELL = 0.10
#: "If it is high (over 20%), tighten your routing rules to send more to the expensive tier"
TIGHTEN = 0.20
#: With fewer judged prompts there is no verdict, as Wilson's interval is too narrow: if 20% need
#: more, two of three are "over 20%" in every tenth audit, and one of one in every fifth.
_FEWEST = 7
#: Nobody will have more prompts than this judged to settle a verdict.
_REASONABLE = 10_000
#: How many different errors are listed.
_SHOWN = 3
_UNJUDGED = Ruling(None, None)
_COLUMNS = (
    *("prompt", "direction", "picked", "confidence", "cheaper", "expensive", "cheaper_text"),
    *("expensive_text", "forward", "backward", "verdict", "forward_reasons", "backward_reasons"),
    *("cheaper_usd", "expensive_usd", "judging_usd", "error"),
)
#: What the judge said, in the order of a bar's parts, with a colour; no difference is grey.
_SAID: Mapping[Word, tuple[str, str]] = {
    "expensive": ("prefers the more expensive", COLOURS[1]),
    "tie": ("no difference", COLOURS[5]),
    "cheaper": ("prefers the cheaper", COLOURS[0]),
}


class Tally(NamedTuple):
    """Judged pairs, counted by verdict."""

    cheaper: int
    tie: int
    expensive: int

    @property
    def n(self) -> int:
        """The pairs that have a verdict."""
        return sum(self)

    def share(self, *words: Word) -> float:
        """The share with one of these verdicts, 0 to 1; NaN where none was judged."""
        return sum(getattr(self, word) for word in words) / self.n if self.n else math.nan

    def interval(self, *words: Word) -> tuple[float, float]:
        """Where that share lies at 95%, by Wilson's interval; 0 to 1 where none was judged."""
        return wilson(self.share(*words), self.n)

    def told(self, *words: Word) -> str:
        """`2 of 12 (17%; 95% interval 5% to 45%)`."""
        share, (low, high) = self.share(*words), self.interval(*words)
        count = sum(getattr(self, word) for word in words)
        return f"{count:,} of {self.n:,} ({share:.0%}; 95% interval {low:.0%} to {high:.0%})"


@dataclass(frozen=True, slots=True)
class Judged:
    """Two answers to one prompt and what the judge said about them: a row of the frame.

    `direction` is "again" for two answers of the more expensive model; `picked` is the tier that
    routing used, `result` the id of its answer in the ledger. Money is NaN if it is not known.
    """

    direction: Direction
    picked: str
    pair: Pair
    ruling: Ruling = _UNJUDGED
    confidence: float = math.nan
    cheaper_usd: float = math.nan
    expensive_usd: float = math.nan
    judging_usd: float = 0.0
    error: str = ""
    result: str = ""

    @property
    def verdict(self) -> Word | None:
        """Which answer the judge prefers; None where it gave no verdict."""
        return self.ruling.verdict

    @property
    def cells(self) -> tuple[Any, ...]:
        """The row of the frame."""
        pair, ruling = self.pair, self.ruling
        return (
            *(pair.prompt, self.direction, self.picked, self.confidence),
            *(pair.cheaper_tier, pair.expensive_tier, pair.cheaper, pair.expensive),
            *(ruling.forward, ruling.backward, ruling.verdict, *ruling.reasons),
            *(self.cheaper_usd, self.expensive_usd, self.judging_usd, self.error),
        )


@dataclass(frozen=True)
class Down:
    """How the same prompts would have done one tier down.

    The cheaper answer would have done (preferred, or a tie) for `share` of them, which would have
    saved `wasted` US dollars of the `spent`; both are NaN if a price is not known.
    """

    share: float
    interval: tuple[float, float]
    n: int
    wasted: float
    spent: float


class Agreement(NamedTuple):
    """How far the judge agrees with your votes: Cohen's kappa, NaN if all say the same."""

    kappa: float
    n: int
    agreed: int


@dataclass(frozen=True)
class Difference:
    """Two audits compared on the prompts that they share: `difference` is `share` minus `other`.

    The 95% interval is Newcombe's for paired shares. `topmost` prompts had the top tier's answer in
    at least one of the audits.
    """

    share: float
    other: float
    interval: tuple[float, float]
    n: int
    topmost: int = 0

    @property
    def difference(self) -> float:
        """Below 0 where the first is better: fewer of its prompts needed a more expensive tier."""
        return self.share - self.other

    def __str__(self) -> str:
        low, high = (f"{100 * end:+.0f}" for end in self.interval)
        sure = "" if self.interval[0] <= 0 <= self.interval[1] else "surely "
        better = "fewer" if self.difference < 0 else "more"
        told = f"{sure}{better}" if self.difference else "no difference"
        count = counted(self.topmost, "prompt")
        top = f"; an answer of the top tier counts as well served ({count})" if self.topmost else ""
        return (
            f"on {counted(self.n, 'prompt')} that both have, {self.share:.0%} against "
            f"{self.other:.0%} would have been better off one tier up: {told} "
            f"({100 * self.difference:+.0f} points; 95% interval {low} to {high}){top}"
        )


def settled_by(share: float) -> int | None:
    """How many judged prompts would put such a share clearly on one side of 10% and of 20%.

    The fewest, at least seven, whose Wilson interval contains neither; None if 10,000 do not.
    """

    def settled(n: int) -> bool:
        low, high = wilson(share, n)
        return n >= _FEWEST and not any(low <= border <= high for border in (WELL, TIGHTEN))

    fewest = bisect_left(range(_REASONABLE + 1), True, key=settled)
    return fewest if fewest <= _REASONABLE else None


@dataclass(frozen=True, eq=False, repr=False)
class Audit:
    """A sample of answers judged against the next tier's: `print` it, or take its parts.

    `rows` has each pair, `topmost` are prompts that the top tier had answered already. `stopped`
    says why it is incomplete; the same call continues it.
    """

    router: Engine
    rows: tuple[Judged, ...]
    judge: str
    source: str
    population: int
    sampled: int
    topmost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    spends: Mapping[tuple[str, str], Spend] = field(default_factory=dict)
    stopped: str = ""
    kept: Any = None

    def tally(self, direction: Direction) -> Tally:
        """The verdicts on the pairs in that direction."""
        found = Counter(row.verdict for row in self.rows if row.direction == direction)
        return Tally(found["cheaper"], found["tie"], found["expensive"])

    @property
    def judged(self) -> list[Judged]:
        """The pairs of two tiers that have a verdict."""
        return [row for row in self.rows if row.verdict and row.direction != "again"]

    @property
    def telling(self) -> bool:
        """Whether the judge gave verdicts, and by what the answers say."""
        return bool(self.judged) and not self._distrust

    @property
    def unheard(self) -> int:
        """The pairs whose answers differ, if the judge gave a verdict on none of them; else 0."""
        differ = {
            row.pair: row.verdict
            for row in self.rows
            if row.direction != "again" and row.pair.cheaper and row.pair.expensive
            if row.pair.cheaper.strip() != row.pair.expensive.strip()
        }
        return len(differ) if self.judged and not any(differ.values()) else 0

    @property
    def share(self) -> float:
        """The share of judged prompts whose answer from one tier up was preferred; NaN for none."""
        return self.tally("up").share("expensive")

    @property
    def interval(self) -> tuple[float, float]:
        """Where that share lies at 95%, by Wilson's interval."""
        return self.tally("up").interval("expensive")

    @property
    def down(self) -> Down:
        """The share for which one tier down would have done, and what that wasted."""
        tally = self.tally("down")
        did: tuple[Word, Word] = ("cheaper", "tie")
        rows = [row for row in self.rows if row.direction == "down" and row.verdict]
        saved = (row.expensive_usd - row.cheaper_usd for row in rows if row.verdict in did)
        spent = math.fsum(row.expensive_usd for row in rows)
        return Down(tally.share(*did), tally.interval(*did), tally.n, math.fsum(saved), spent)

    @property
    def cost(self) -> Spend:
        """What the audit cost, judging included; what was not billed is kept apart."""
        return sum(self.spends.values(), Spend())

    @property
    def verdict(self) -> str:
        """Where the share is relative to the article's 10% and 20%, or that it is too early."""
        if distrust := self._distrust:
            return f"no verdict: {distrust}"
        tally = self.tally("up")
        low, high = self.interval if tally.n >= _FEWEST else (0.0, 1.0)
        if not tally.n:
            down = self.tally("down")
            told = f"one tier down would have done for {down.told('cheaper', 'tie')}"
            return told if down.n else "nothing was judged, so there is nothing to say"
        if high < WELL:
            return f"your routing is working well: under {WELL:.0%} need a more expensive tier"
        if low > TIGHTEN:
            return (
                f"tighten your routing: over {TIGHTEN:.0%} need a more expensive tier, so send "
                "more prompts there (%route calibrate finds the threshold)"
            )
        if low > WELL and high < TIGHTEN:
            return f"fair: between {WELL:.0%} and {TIGHTEN:.0%} need a more expensive tier"
        return self._unsettled()

    @property
    def _distrust(self) -> str:
        """Why the verdicts mean nothing; "" if they mean something."""
        if self.unheard:
            pairs = counted(self.unheard, "pair")
            return f"the judge decided none of the {pairs} whose answers differ"
        blind = self.leaning.blind
        return "this judge goes by the position of an answer, not by what it says" if blind else ""

    def _unsettled(self) -> str:
        """Which borders the interval contains, and how many prompts would settle it."""
        if self.tally("up").n < _FEWEST:
            return (
                f"too few to tell: this needs at least {_FEWEST} judged prompts, and usually many "
                "more; take a larger sample"
            )
        low, high = self.interval
        borders = [f"{one:.0%}" for one in (WELL, TIGHTEN) if low <= one <= high]
        more = settled_by(self.share)
        cure = f"if it stays at {self.share:.0%}, {more or 0:,} judged prompts would settle it"
        if more is None:
            cure = f"a share of {self.share:.0%} is so close that no reasonable number settles it"
        sides = " and ".join(borders)
        return f"too few to tell: the share may be above or below {sides}; {cure}"

    @property
    def leaning(self) -> Leaning:
        """How the judge leans by position and length, and how often the order decided."""
        asked = {row.pair: row.ruling for row in self.rows}
        return leaning([*asked], [*asked.values()])

    def agreement(self) -> Agreement:
        """Whether the judge prefers a more expensive tier when your own votes do.

        A vote counts if it is on the same answer, or on the same prompt and says enough: "too
        weak" or "bad" for that tier or a higher one, or any label that names the tier needed.
        """
        said = labels_of(self.router, everything=True) if isinstance(self.router, Engine) else []
        votes = {one.prompt: one for one in said} | {one.result: one for one in said if one.result}
        tiers, both = self.router.ladder.names, []
        for row in self.rows:
            label = votes.get(row.result) or votes.get(row.pair.prompt)
            weak = _wants_more(label, row.picked, tiers) if label else None
            if row.direction == "up" and row.verdict and weak is not None:
                both.append((row.verdict == "expensive", weak))
        return Agreement(kappa(both), len(both), sum(a == b for a, b in both))

    def frame(self) -> pd.DataFrame:
        """A row for each pair: prompt, tiers, answers, verdict each way and reasons, costs, error.

        Money and confidence are floats, NaN if not known; a missing verdict is None.
        """
        import pandas as pd

        rows = [row.cells for row in self.rows]
        frame = pd.DataFrame(rows, columns=list(_COLUMNS), dtype=object)
        numbers = ("confidence", "cheaper_usd", "expensive_usd", "judging_usd")
        return frame.astype(dict.fromkeys(numbers, "float64"))

    def labels(self) -> pd.DataFrame:
        """Prompts and the cheapest tier known to be good enough, as `router.fit` takes them.

        One tier up where its answer was preferred; one tier down where that would have done;
        otherwise the tier that routing used.
        """
        import pandas as pd

        needed: dict[str, str] = {}
        for direction in ("down", "up"):  # what a prompt needs overrules what would do
            for row in self.rows:
                if row.direction != direction or row.verdict is None:
                    continue
                found = row.pair.expensive_tier
                if row.verdict != "expensive":
                    found = row.pair.cheaper_tier
                if direction == "down" or row.verdict == "expensive":
                    needed[row.pair.prompt] = found
                else:
                    needed.setdefault(row.pair.prompt, found)
        return pd.DataFrame(needed.items(), columns=["prompt", "tier"])

    def pairs(self) -> pd.DataFrame:
        """Prompt, better and worse answer, as `router.fit_check` takes them; no ties."""
        import pandas as pd

        found = []
        for row in self.rows:
            texts = (row.pair.expensive, row.pair.cheaper)
            if row.direction != "again" and row.verdict in ("cheaper", "expensive"):
                better, worse = texts if row.verdict == "expensive" else texts[::-1]
                found.append((row.pair.prompt, better, worse))
        return pd.DataFrame(found, columns=["prompt", "better", "worse"])

    def against(self, other: Audit) -> Difference:
        """This audit's share minus the other's, on the prompts they have in common.

        A prompt that one of them sent to the top tier counts there as well served. SettingsError
        if they have none in common.
        """
        if not isinstance(other, Audit):
            raise SettingsError(f"{other!r:.60} is not an audit; give one, as router.audited is")
        mine, yours = _wanting(self), _wanting(other)
        both = [(mine[one], yours[one]) for one in mine if one in yours]
        if not both:
            cure = "audit the same prompts (frame=...) with the same seed under both settings"
            raise SettingsError(f"the two audits have no judged prompt in common; {cure}")
        share, theirs = (sum(side) / len(both) for side in zip(*both, strict=True))
        top = len({one for one in (*self.topmost, *other.topmost) if one in mine and one in yours})
        return Difference(share, theirs, newcombe(Counter(both)), len(both), top)

    def chart(self) -> Figure:
        """What the judge preferred, tier by tier and for the same model asked twice."""
        marks, ends = [], {}
        for name, tally in self._bars().items():
            for word, (said, colour) in _SAID.items():
                share, count = tally.share(word), getattr(tally, word)
                told = f"{name}: {said} {share:.0%} ({count:,} of {tally.n:,})"
                row = {"pair": name, "judge": said, "pairs": count, "share": share}
                marks.append(Mark(name, share, told, row, colour, said, faint=word == "tie"))
            ends[name] = f"{tally.share('expensive'):.0%} of {tally.n:,}"
        panel = Panel("share of the judged pairs", marks, ends, "share")
        lead = f"{counted(len(self.judged), 'pair')} of two tiers, judged by {self.judge}"
        return Figure("audit", "What the judge preferred", lead, [panel])

    def _bars(self) -> dict[str, Tally]:
        """The verdicts by what was compared: up the ladder, down, and the same model twice."""
        names, found = self.router.ladder.names, dict[str, Counter[str]]()
        for way in get_args(Direction):
            for tier in names:
                for row in self.rows:
                    asked = row.pair.expensive_tier if way == "again" else row.picked
                    if row.verdict and (row.direction, asked) == (way, tier):
                        name = f"{tier} twice" if way == "again" else f"{tier}, {way}"
                        found.setdefault(name, Counter())[row.verdict] += 1
        return {name: Tally(*(n[word] for word in Tally._fields)) for name, n in found.items()}

    def blocks(self, *, brief: bool = False) -> Iterator[Block]:
        """What it says in parts: a line of text, or a table with its heading.

        `brief` leaves out the verdict and two of the shares, if they are shown already.
        """
        of = f"{self.sampled:,} of {counted(self.population, 'prompt')} {self.source}"
        yield f"audit of {of}, judged by {self.judge}"
        if self.stopped:
            yield f"stopped: {self.stopped}; the same call continues it"
        up, down = self.tally("up"), self.tally("down")
        if up.n and not brief:
            yield f"one tier up was preferred for {up.told('expensive')}"
            yield f"verdict: {self.verdict}"
        if down.n:
            yield f"one tier down would have done for {down.told('cheaper', 'tie')}"
            wasted, spent = in_usd(self.down.wasted), in_usd(self.down.spent)
            lost = f"  that would have saved {wasted} of the {spent} that these answers cost"
            none = "  what that would have saved is not known, as a price is missing"
            yield none if math.isnan(self.down.wasted) else lost
        again = self.tally("again")
        if again.n and not brief:
            noise = again.told("cheaper", "expensive")
            yield (
                "noise: asked twice, the judge preferred one of the same model's two answers in "
                f"{noise}"
            )
        yield from self._doubts()
        yield ""
        yield self._costs()
        failed = Counter(row.error for row in self.rows if row.error)
        told = [f"{counted(n, 'pair')} failed: {why}" for why, n in failed.most_common(_SHOWN)]
        if more := failed.total() - sum(n for _, n in failed.most_common(_SHOWN)):
            told.append(f"{more:,} more failed; .frame()['error'] has them all")
        if told or self.notes:
            yield ""
        yield from [*told, *self.notes]

    def _doubts(self) -> Iterator[str]:
        """How far the judge can be trusted."""
        leans, votes = self.leaning, self.agreement()
        if leans.judged:
            yield (
                f"position: swapping the answers changed the verdict on {leans.flipped:,} of "
                f"{counted(leans.judged, 'pair')} (counted as no difference); of the "
                f"{counted(leans.decisive, 'verdict')} for one answer, {leans.first:,} went to the "
                f"one shown first; {leans.ties:,} more were ties"
            )
            yield from (f"  {note}" for note in leans.notes)
        if votes.n:
            kappa = "" if math.isnan(votes.kappa) else f" (kappa {votes.kappa:.2f})"
            yield f"your own votes: the judge agrees on {votes.agreed:,} of {votes.n:,}{kappa}"

    def _costs(self) -> Sequence[tuple[str, ...]]:
        """A row for each tier and kind of call."""
        kinds, names = ("spent", "would have cost"), self.router.ladder.names
        order = sorted(self.spends, key=lambda key: (key[1], (*names, key[0]).index(key[0])))
        spends = [*(self.spends[key] for key in order), self.cost]
        rows = [("what for", "tier", "calls", *kinds)]
        for key, spend, both in zip([*order, ("", "together")], spends, money(spends), strict=True):
            rows.append((key[1], key[0], f"{spend.calls:,}", *both))
        return without_nothing(rows, *kinds)

    def __repr__(self) -> str:
        """The same as plain text, no wider than 80 columns."""
        return plain(self.blocks(), "<<>", hang=2)


def _wants_more(label: Label, tier: str, tiers: Sequence[str]) -> bool | None:
    """Whether the vote says that the tier was too weak; None if it does not say."""
    said = label.feedback
    named = label.picked if said == "bad" else label.needed
    if named not in tiers or tier not in tiers:
        return None
    enough, place = tiers.index(named) + (said == "bad"), tiers.index(tier)
    if place >= enough:
        return False if said != "bad" else None
    return True if said in ("bad", "too weak", "cheapest acceptable") else None


def _wanting(audit: Audit) -> dict[str, bool]:
    """Prompt -> whether its answer from one tier up was preferred; False at the top."""
    up = [row for row in audit.rows if row.direction == "up" and row.verdict]
    top = dict.fromkeys(audit.topmost, False)
    return top | {row.pair.prompt: row.verdict == "expensive" for row in up}
