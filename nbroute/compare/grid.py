"""Many prompts on several tiers or models: the batches of a comparison, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from nbroute.batch import Batch, Row
from nbroute.batch.jobs import text_of
from nbroute.compare.ballot import VOTE, Ballot
from nbroute.compare.cells import cell_of, decision_of
from nbroute.compare.columns import Contender
from nbroute.compare.comparison import Comparison
from nbroute.engine.engine import Engine
from nbroute.report import Spend
from nbroute.types import Label

if TYPE_CHECKING:
    import pandas as pd

_FIGURES = (
    *("input_tokens", "output_tokens", "cost_usd", "cost_source"),
    *("latency_ms", "cached", "picked", "voted"),
)
FIELDS = ("row", "prompt", "contender", "tier", "model", "text", "status", "error", *_FIGURES)


@dataclass(frozen=True, eq=False)
class Grid(Sequence[Comparison]):
    """Prompts x contenders; `grid[i]` is the `Comparison` of the prompt at place i.

    The answers stay in files (in the folder `to`, or temporary ones) and are read when they
    are looked at: what a row does not keep (the time to first token, rejected attempts) is in
    the ledger. `batches` has the rows by contender, `routing` those of the picks, if any. All
    its comparisons have the grid's `id`. Votes are in the ledger, also of earlier kernels.
    """

    id: str
    prompts: Sequence[Any] = field(repr=False)
    contenders: tuple[Contender, ...]
    batches: Mapping[str, Batch] = field(repr=False)
    routing: Batch | None = field(repr=False)
    router: Engine = field(repr=False)
    options: Mapping[str, Any] = field(repr=False)
    index: Any = field(default=None, repr=False)
    to: Path | None = None

    def __len__(self) -> int:
        return len(self.prompts)

    @overload
    def __getitem__(self, place: int) -> Comparison: ...
    @overload
    def __getitem__(self, place: slice) -> list[Comparison]: ...
    def __getitem__(self, place: int | slice) -> Comparison | list[Comparison]:
        if isinstance(place, slice):
            return [self._comparison(one) for one in range(*place.indices(len(self)))]
        number = place + len(self) if place < 0 else place
        if not 0 <= number < len(self):
            raise IndexError(f"row {place} of a grid of {len(self):,} prompts")
        return self._comparison(number)

    @property
    def stopped(self) -> str:
        """Why prompts were left out (the budget, a refused key, Ctrl-C); empty otherwise."""
        found = {name: batch.stopped for name, batch in self.batches.items() if batch.stopped}
        return "; ".join(f"{name}: {why}" for name, why in found.items())

    @property
    def cost(self) -> Spend:
        """What all of it cost, classifying included; real and equivalent money apart."""
        batches = [*self.batches.values(), *([self.routing] if self.routing else [])]
        return sum((batch.cost for batch in batches), Spend())

    def vote(self, place: int, name: str, feedback: str = VOTE) -> Label:
        """Say which contender's answer is the cheapest acceptable one: see `Comparison.vote`."""
        return self[place].vote(name, feedback)

    def frame(self) -> pd.DataFrame:
        """One line an answer, by prompt and contender, with the prompts' own index.

        Money is in floats, NaN where it is not known; `picked` is NA where routing's pick is
        not, `voted` whether the answer has the vote of its prompt.
        """
        import pandas as pd

        picks, voted = self._picks(), self._voted()
        found = [self._answers(one, picks, voted) for one in self.contenders]
        frame = pd.concat(found).sort_values("row", kind="stable")[list(FIELDS)]
        return frame.set_axis(self._index().take(frame["row"]), axis=0)

    def costs(self) -> pd.DataFrame:
        """Prompts x contenders: US dollars each, NaN where unknown or never asked.

        `totals` adds them up, with what was billed apart from what was not.
        """
        import pandas as pd

        columns = {name: _by_place(batch, "cost_usd") for name, batch in self.batches.items()}
        wide = pd.DataFrame(columns, dtype="float64").reindex(range(len(self)))
        return wide.set_axis(self._index(), axis=0)

    def totals(self) -> pd.DataFrame:
        """One line a contender: answers, failures, US dollars billed and, apart, equivalent ones.

        `unknown` counts calls whose cost is in neither. The last line is what picking cost.
        """
        import pandas as pd

        batches = {**self.batches, **({"(routing)": self.routing} if self.routing else {})}
        rows = {name: _total(batch) for name, batch in batches.items()}
        names = ["answered", "failed", "usd", "equivalent_usd", "unknown"]
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=names)
        return frame.rename_axis("contender")

    def votes(self) -> pd.DataFrame:
        """One line a prompt: the tier that routing picks, the contender voted for, its tier.

        None where the pick is not known, or nobody has voted.
        """
        import pandas as pd

        voted, tiers = self._voted(), {one.name: one.tier for one in self.contenders}
        picked = self._picks()
        rows = [
            (text_of(prompt), picked.get(at), voted.get(at), tiers.get(voted.get(at, "")))
            for at, prompt in enumerate(self.prompts)
        ]
        names = ["prompt", "picked", "voted", "needed"]
        return pd.DataFrame(rows, columns=names, index=self._index(), dtype=object)

    def labels(self) -> pd.DataFrame:
        """The votes as `router.fit` takes them: `prompt` and `tier`, the last word on each."""
        votes = self.votes().dropna(subset=["needed"])
        return votes.rename(columns={"needed": "tier"})[["prompt", "tier", "picked", "voted"]]

    def __repr__(self) -> str:
        """How it went, in a line: no prompts, no answers."""
        told = ", ".join(f"{name} {ended(batch)}" for name, batch in self.batches.items())
        place = f"; in {str(self.to)!r}" if self.to else ""
        stopped = f"; {self.stopped}" if self.stopped else ""
        return f"<Grid of {len(self):,} prompts: {told}; {self.cost}{place}{stopped}>"

    def _comparison(self, place: int) -> Comparison:
        decision = decision_of(_row(self.routing, place))
        options = {**self.options, "comparison": self.id}
        columns = tuple(
            cell_of(_row(self.batches[one.name], place), one, decision, self.router, options)
            for one in self.contenders
        )
        prompt, ballot = text_of(self.prompts[place]), Ballot(self.router, self.id)
        return Comparison(self.id, prompt, decision, columns, ballot)

    def _answers(
        self, contender: Contender, picks: Mapping[int, str], voted: Mapping[int, str]
    ) -> pd.DataFrame:
        """The contender's batch as part of `frame`."""
        frame = self.batches[contender.name].frame().rename(columns={"place": "row"})
        frame["contender"] = contender.name
        frame["tier"] = frame["tier"].mask(frame["tier"] == "", contender.tier)
        frame["model"] = frame["model"].mask(frame["model"] == "", contender.model)
        first = self.router.ladder[contender.tier].model == contender.model
        known = frame["row"].map(picks)
        frame["picked"] = ((known == contender.tier) & first).astype("boolean").mask(known.isna())
        frame["voted"] = frame["row"].map(voted) == contender.name
        return frame

    def _picks(self) -> dict[int, str]:
        """The tier that routing picks for each prompt, by place."""
        rows = self.routing or ()
        return {row.place: row.tier for row in rows if row.error is None}

    def _voted(self) -> dict[int, str]:
        """The contender that each prompt's last vote is for, by place."""
        votes = Ballot(self.router, self.id).votes()
        if not votes:
            return {}
        cells = {
            result: (place, name)
            for name, batch in self.batches.items()
            for place, result in _by_place(batch, "result").items()
        }
        return dict(cells[result] for result in votes if result in cells)

    def _index(self) -> Any:
        import pandas as pd

        return pd.RangeIndex(len(self)) if self.index is None else self.index


def _row(batch: Batch | None, place: int) -> Row | None:
    return batch.store.row(place) if batch is not None else None


def _by_place(batch: Batch, name: str) -> dict[int, Any]:
    """One field of the batch's rows by their place."""
    return {row.place: getattr(row, name) for row in batch}


def _total(batch: Batch) -> list[Any]:
    spend, failed = batch.cost, len(batch.failed())
    real, equivalent = float(spend.usd), float(spend.equivalent_usd)
    return [len(batch) - failed, failed, real, equivalent, spend.unknown_calls]


def ended(batch: Batch) -> str:
    """`17 answered, 1 failed`."""
    failed = len(batch.failed())
    answered = f"{len(batch) - failed:,} answered"
    return f"{answered}, {failed:,} failed" if failed else answered
