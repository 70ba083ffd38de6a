"""The parts of a doctor's examination: findings, and the patient that the checks look at."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from nbroute import pricing
from nbroute.engine.context import Spec
from nbroute.engine.engine import Engine
from nbroute.errors import RecordError
from nbroute.evaluate.past import collect
from nbroute.report.table import columns, fit
from nbroute.settings import Settings
from nbroute.types import Attempt, Cost, Tier

if TYPE_CHECKING:
    import pandas as pd

Colour = Literal["green", "amber", "red"]
_ORDER: tuple[Colour, ...] = ("green", "amber", "red")
_WORDS: dict[Colour, str] = {"green": "ok", "amber": "caution", "red": "wrong"}
_WIDTH, _STATE, _WHAT = 80, 8, 12

#: Tokens for an answer to the doctor: some reasoning models refuse fewer than 16.
_TOKENS = 64
#: With more calls the session's rows are too many to look through.
_MOST_ROWS = 20_000
_MOST_PROMPTS = 100


@dataclass(frozen=True)
class Finding:
    """What was looked at, its state, and the cure: a line to paste.

    If the state could not be found out, it is not `known` and its colour is amber.
    """

    what: str
    colour: Colour
    words: str
    cure: str = ""
    known: bool = True

    @property
    def state(self) -> str:
        """`ok`, `caution`, `wrong` or `unknown`: the colour as a word."""
        return _WORDS[self.colour] if self.known else "unknown"

    def __str__(self) -> str:
        """The finding in one line."""
        return f"{self.state}: {self.what}: {self.words}{self.cure and f': {self.cure}'}"

    def lines(self) -> list[str]:
        """The same in 80 columns, with the cure on its own line, to copy."""
        room, blank = _WIDTH - _STATE - _WHAT - 2, " " * (_STATE + _WHAT + 2)
        wide = room if columns(self.words) == len(self.words) else room // 2
        first, *more = textwrap.wrap(self.words, wide) or [""]
        head = f"{fit(self.state, _STATE)} {fit(self.what, _WHAT)} {first}"
        cure = [f"{' ' * max(min(len(blank), _WIDTH - columns(self.cure)), 2)}{self.cure}"]
        return [head, *(f"{blank}{one}" for one in more), *(cure if self.cure else [])]


def unknown(what: str, words: str, cure: str) -> Finding:
    """A finding that something is not known."""
    return Finding(what, "amber", words, cure, known=False)


@dataclass(frozen=True)
class Examination:
    """The findings, printed one by one with their cures, and the `note` last.

    `cost` is what asking the models cost, None if nothing was sent.
    """

    findings: tuple[Finding, ...]
    cost: Cost | None = None
    note: str = ""

    @property
    def worst(self) -> Colour:
        """The colour of the worst finding."""
        return max((one.colour for one in self.findings), key=_ORDER.index, default="green")

    def frame(self) -> pd.DataFrame:
        """A row for each finding: what, colour, words, cure, known."""
        import pandas as pd

        names = list(Finding.__dataclass_fields__)
        return pd.DataFrame([asdict(one) for one in self.findings], columns=names)

    @property
    def told(self) -> str:
        """How many findings there are of each state, and what sending cost."""
        states = [one.state for one in self.findings]
        kinds = dict.fromkeys([*reversed(_WORDS.values()), "unknown"])
        counts = ", ".join(f"{states.count(kind)} {kind}" for kind in kinds if kind in states)
        sent = "nothing was sent"
        if self.cost is not None:
            asked = "would have cost" if self.cost.source == "equivalent" else "cost"
            sent = f"asking the models {asked} {pricing.format_usd(self.cost.usd)}"
            if self.cost.usd is None:
                sent = "what asking the models cost is not known"
        return f"{counts}; {sent}"

    def __repr__(self) -> str:
        lines = [line for one in self.findings for line in one.lines()]
        below = (textwrap.wrap(one, _WIDTH) for one in (self.told, self.note))
        return "\n".join([*lines, "", *chain.from_iterable(below)])


@dataclass(eq=False)
class Patient:
    """What the checks look at: the router, its settings, and what its models answered.

    `failed` has what went wrong by provider and model, `translated` the translations by prompt.
    """

    router: Engine
    settings: Settings
    classifier: Spec
    failed: dict[tuple[str, str], str] = field(default_factory=dict)
    spent: list[Attempt] = field(default_factory=list)
    translated: dict[str, str] = field(default_factory=dict)
    sent: bool = False
    crowded: bool = False

    @property
    def audited(self) -> Any:
        """The session's last audit; None if there is none."""
        return getattr(self.router, "audited", None)

    @cached_property
    def alone(self) -> dict[tuple[str, str], Tier]:
        """By provider and model, each model of the ladder and the classifier's as a tier."""
        found, parts = dict[tuple[str, str], Tier](), self.router.parts
        plain: dict[str, Any] = {"system": "", "effort": None, "max_tokens": _TOKENS}
        for tier in (*parts.ladder.tiers, parts.classifier_tier):
            for target in tier.targets:
                # If nothing is billed, all models of a tier have the same value.
                alike = parts.providers[target.provider].kind != "remote"
                price = tier.price if alike else target.price
                named = {"provider": target.provider, "model": target.model, "price": price}
                one = replace(tier, fallbacks=(), **plain | named)
                found.setdefault((target.provider, target.model), one)
        return found

    @cached_property
    def heard(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """The session's last call of each model; empty if there are too many to look through."""
        try:
            self.crowded = self.router.spend().calls > _MOST_ROWS
            rows = [] if self.crowded else self.router.ledger.rows(session=self.router.session)
        except RecordError:  # the ledger's check reports it
            return {}
        done = ("ok", "rejected", "unused", "error")
        return {
            (row["provider"], row["model"]): row
            for row in rows
            if (row["status"] in done or row["output_tokens"])
            and not row["cached"]
            and row["purpose"] != "embed"
        }

    @cached_property
    def prompts(self) -> list[str]:
        """The session's last prompts, each once; in a new session, those that the ledger keeps."""
        past = collect(self.router, None, None, None, 1).past
        kept = self.settings.store_text and not past
        if kept and self.router.spend(everything=True).calls <= _MOST_ROWS:
            past = collect(self.router, None, None, None, 1, everything=True).past
        return list(dict.fromkeys(one.prompt for one in past))[-_MOST_PROMPTS:]

    def problem(self, key: tuple[str, str]) -> str:
        """What went wrong in the last call of a model, as `AuthError: words`; "" for nothing."""
        row = self.heard.get(key)
        told = row["error"] if row and row["status"] == "error" else ""
        told = self.failed.get(key, "") or told or ""
        thinks = told.startswith("BadReply") and "raise max_tokens" in told
        return "" if thinks else told  # it does work, and only thought for too long
