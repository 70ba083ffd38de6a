"""Answers to one prompt, side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from nbroute.batch.rows import Task, row_of, without_answer
from nbroute.classify.wording import confident
from nbroute.compare.contenders import Contender
from nbroute.compare.differences import Piece, difference, each_against_others
from nbroute.engine.engine import Engine
from nbroute.engine.feedback import keep_label, labels_of, take_back
from nbroute.errors import (
    BudgetExceeded,
    Interrupted,
    NbrouteError,
    SettingsError,
    did_you_mean,
    named,
)
from nbroute.pricing import describe
from nbroute.report.table import seconds, text_table, with_effort
from nbroute.storage.database import typed_frame
from nbroute.types import (
    Attempt,
    Cost,
    Decision,
    Label,
    Ladder,
    RouteResult,
    Status,
    equivalent_cost,
    total_cost,
)

if TYPE_CHECKING:
    import pandas as pd

#: The feedback that is a vote.
VOTE = "cheapest acceptable"

ColumnStatus = Status | Literal["not sent"]

#: A comparison's frame: column -> kind.
_KINDS = {
    **dict.fromkeys(("contender", "tier", "model"), "str"),
    "picked": "bool",
    "note": "str",
    "status": "str",
    "error": "str",
    "input_tokens": "int",
    "output_tokens": "int",
    "cost_usd": "Decimal",
    "cost_source": "str",
    "latency_ms": "float",
    "ttft_ms": "float",
    "cached": "bool",
    "text": "str",
}
_HEAD = ("contender", "model", "status", "tokens", "cost", "latency", "routing")
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class NotSent(Interrupted):
    """It was stopped before this contender was asked."""


@dataclass(frozen=True, slots=True)
class Column:
    """What one contender answered, or the error that it ended in.

    `picked` says whether routing would have asked it, `note` why or why not. With an error,
    `result` is what had arrived and was paid for, if anything. While the answer is on its way
    there is neither.
    """

    contender: Contender
    picked: bool
    note: str
    result: RouteResult | None = field(default=None, repr=False)
    error: NbrouteError | None = None

    @property
    def status(self) -> ColumnStatus:
        """The result's, or how the call ended without an answer."""
        if self.error is None:
            return self.result.status if self.result else "running"
        if self.result is None and isinstance(self.error, NotSent | BudgetExceeded):
            return "not sent"
        return "interrupted" if isinstance(self.error, Interrupted) else "error"

    @property
    def model(self) -> str:
        """The model that answered, else the one to be asked."""
        return self.result.model if self.result else self.contender.model

    @property
    def asked(self) -> str:
        """The same with its effort: `gpt-5.4-mini, high effort`."""
        effort = self.result.answer.effort if self.result else self.contender.effort
        return with_effort(self.model, effort)

    @property
    def text(self) -> str:
        """The answer as far as it came."""
        return self.result.text if self.result else ""


def unpicked(why: str) -> Decision:
    """The decision if routing's pick is not known."""
    return Decision("", "", why)


def column_of(contender: Contender, decision: Decision, ladder: Ladder) -> Column:
    """The contender's column before it is asked: whether routing would have, and why or why not."""
    tier, made = contender.tier, decision.tier
    if made not in ladder.names:
        return Column(contender, picked=False, note=f"routing's pick is {decision.reason}")
    first, usual = ladder[tier].model, ladder[tier].effort
    why = ", ".join(filter(None, [decision.reason, confident(decision.confidence)]))
    is_first, effort = contender.model == first, contender.effort or usual
    if tier != made:
        steps = ladder.index(tier) - ladder.index(made)
        count = abs(steps)
        distance = f"{_NUMBERS[count] if count < len(_NUMBERS) else count} "
        distance += "tier " if count == 1 else "tiers "
        distance += "more expensive" if steps > 0 else "cheaper"
        other = "" if is_first else f", and {tier} asks {first!r} first"
        note = f"routing would not: it picks {made} ({why}); this is {distance}{other}"
    elif is_first and effort != usual:
        note = f"routing picks this tier ({why}), but asks {first!r} with "
        note += f"{usual} effort" if usual else "no effort set"
    elif is_first:
        note = f"routing picks this: {why}"
    else:
        note = f"routing picks this tier ({why}), but asks {first!r}: "
        note += "this is not the tier's first model"
    picked = tier == made and is_first and effort == usual
    return Column(contender, picked=picked, note=note)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One prompt on several tiers or models; the columns are in the order asked for.

    `decision` is what routing says about the prompt; if that is not known, its tier is empty and
    its reason says why. Votes go into the `router`'s ledger.
    """

    id: str
    prompt: str = field(repr=False)
    decision: Decision = field(repr=False)
    columns: tuple[Column, ...]
    router: Engine | None = field(default=None, repr=False, compare=False)

    def column(self, name: str) -> Column:
        """The column of that contender, in any case; SettingsError with the close names."""
        for column in self.columns:
            if column.contender.name.casefold() == str(name).casefold():
                return column
        names = [column.contender.name for column in self.columns]
        raise SettingsError(f"no contender is called {name!r:.80}: {did_you_mean(name, names)}")

    @property
    def picked(self) -> str | None:
        """The tier that routing picks, compared or not; None if unknown."""
        return self.decision.tier or None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every call made for it; those that picked the tier come first."""
        results = [column.result for column in self.columns if column.result]
        return sum((result.attempts for result in results), self.decision.attempts)

    @property
    def cost(self) -> Cost:
        """What all of it cost; if only some of it was billed, that part alone."""
        return total_cost(self.attempts)

    @property
    def equivalent(self) -> Cost:
        """What the calls that were not billed would have cost; never added to `cost`."""
        return equivalent_cost(self.attempts)

    def frame(self) -> pd.DataFrame:
        """One row for each column; money as floats (NaN if unknown)."""
        rows, task = [], Task(0, self.prompt)
        for one in self.columns:
            result, open_ = one.result, one.status in ("running", "interrupted")
            row = row_of(task, result) if result else without_answer(task, "error", "", sent=open_)
            found = {name: getattr(row, name, None) for name in _KINDS}
            found |= {name: getattr(one, name) for name in ("model", "picked", "note", "status")}
            found |= {"contender": one.contender.name, "tier": one.contender.tier}
            found |= {"error": one.error and named(one.error), "ttft_ms": result and result.ttft_ms}
            rows.append(tuple(found.values()))
        return typed_frame(rows, _KINDS)

    def vote(self, name: str, feedback: str = VOTE) -> Label:
        """Say that this contender's answer is the cheapest acceptable one; the last word counts.

        It is kept as a label in the ledger. `feedback` is any word that `router.label` takes.
        SettingsError for an unknown name and for an answer that did not come.
        """
        column = self.column(name)
        if column.result is None or column.error is not None:
            why = column.error or "it is still on its way"
            raise SettingsError(f"{column.contender.name!r} has no answer to vote for: {why}")
        if not isinstance(self.router, Engine):
            raise SettingsError("this comparison has no ledger for votes; use router.compare()")
        return keep_label(self.router, column.result, feedback, picked=self.picked)

    def take_back(self) -> None:
        """Take the session's votes on these answers back."""
        votes = votes_of(self.router, self.id) if isinstance(self.router, Engine) else []
        for one in self.columns:
            if self.router is not None and one.result and one.result.id in votes:
                take_back(self.router, one.result)

    @property
    def voted(self) -> str | None:
        """The contender that was voted for last, as the ledger has it; a copy has no ledger."""
        names = {one.result.id: one.contender.name for one in self.columns if one.result}
        votes = votes_of(self.router, self.id) if isinstance(self.router, Engine) else []
        return next((names[result] for result in reversed(votes) if result in names), None)

    @property
    def differences(self) -> tuple[tuple[Piece, ...], ...]:
        """Each column's text in pieces, marked where no other answer has the same words."""
        return each_against_others([column.text for column in self.columns])

    def difference(self, name: str, reference: str) -> tuple[Piece, ...]:
        """That contender's text in pieces, marked where the reference's lacks the words."""
        return difference(self.column(name).text, self.column(reference).text)

    def __repr__(self) -> str:
        """The contenders and how each ended: no prompt, no answers."""
        told = ", ".join(f"{one.contender.name} {one.status}" for one in self.columns)
        return f"<Comparison {self.id} of {told}>"

    def __str__(self) -> str:
        """A table, then each answer under its heading."""
        parts = ["\n".join(text_table([_HEAD, *map(_table_row, self.columns)]))]
        for column in self.columns:
            who = column.contender
            names = dict.fromkeys((who.name, who.tier, column.asked))
            error = named(column.error) if column.error else ""
            heading = f"== {' · '.join(names)} ==\n{column.note}"
            parts += filter(None, (heading, column.text, error))
        return "\n\n".join(parts)


def votes_of(router: Engine, comparison: str) -> list[str]:
    """The ids of the results in it that were voted for, oldest first, in any session."""
    return [
        label.result
        for label in labels_of(router, everything=True)
        if label.comparison == comparison and label.feedback == VOTE
    ]


def _table_row(column: Column) -> tuple[str, ...]:
    """The column's cells under `_HEAD`."""
    result, head = column.result, (column.contender.name, column.asked, column.status)
    picks = "picks this" if column.picked else ""
    if result is None:
        return (*head, "", "", "", picks)
    return (
        *head,
        f"{result.usage.input_tokens} in, {result.usage.output_tokens} out",
        "$0 (cached)" if result.cached else describe(result.cost),
        seconds(result.latency_ms),
        picks,
    )
