"""What an engine keeps while it routes: its record, its budget, what it was told."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from nbroute import pricing
from nbroute.bill import Settled, settle
from nbroute.history import History
from nbroute.limits import with_budget
from nbroute.parts import Parts
from nbroute.plan import find_tier
from nbroute.report import Report, summarise
from nbroute.threads import Threads
from nbroute.types import Ladder, Ledger


class Session:
    """The ladder, the ledger and the limits that all calls of one id share."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.threads = Threads()
        self.history = History()
        self.limits = parts.limits
        self.code_allowed = False

    @property
    def ladder(self) -> Ladder:
        """The tiers, cheapest first."""
        return self.parts.ladder

    @property
    def session(self) -> str:
        """The id that this router's calls have in the ledger."""
        return self.parts.session

    def spend(self, by: str | None = None, *, everything: bool = False) -> Any:
        """This session's `Spend`, or a dict of them `by` tier, model, day, feature, session.

        `everything` takes all sessions in the ledger.
        """
        return self.parts.ledger.spend(by, session=None if everything else self.session)

    def report(self, *, everything: bool = False, baseline: str | None = None) -> Report:
        """What the session did and what it saved, net, against all on the `baseline` tier."""
        tier = find_tier(self.ladder, baseline or self.parts.baseline)
        rows = self.parts.ledger.report_rows(session=None if everything else self.session)
        price = pricing.price_of(tier, tier.model, self.parts.kind(tier))
        return summarise(
            rows,
            tiers=self.ladder.names,
            baseline=tier.name,
            price=price,
            baseline_model=tier.model,
        )

    def set_budget(self, usd: Decimal | float | str | None) -> None:
        """Hold the session to that many US dollars from here on; None lifts the budget."""
        self.limits = with_budget(self.limits, usd)

    def go_on(self, other: Session) -> None:
        """Take over what the other was told in this session: budget, conversations, permission."""
        if other.limits.budget_usd != other.parts.limits.budget_usd:
            self.limits = replace(self.limits, budget_usd=other.limits.budget_usd)
        self.threads, self.history = other.threads, other.history
        self.code_allowed = other.code_allowed

    def allow_code(self) -> None:
        """Let checks run code that a model wrote, in a process of its own, for this session."""
        self.code_allowed = True

    def settle(self) -> Settled:
        """Ask endpoints that keep a bill what this session's calls cost, where not yet known."""
        return settle(self.parts.ledger, self.session, self.parts.dispatcher.providers)

    def close(self) -> None:
        """Shut providers and ledger down; a second call does nothing."""
        for provider in self.parts.dispatcher.providers.values():
            provider.close()
        self.parts.ledger.close()

    @property
    def ledger(self) -> Ledger:
        """The record of every attempt."""
        return self.parts.ledger
