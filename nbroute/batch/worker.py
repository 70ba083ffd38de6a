"""The far side: what a job of a process pool or a cluster carries, and who does it there."""

from __future__ import annotations

import functools
import pickle
import platform
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from nbroute.batch.gathered import twin
from nbroute.batch.outcomes import Asker, Outcome
from nbroute.batch.prompts import Job
from nbroute.engine.engine import Engine
from nbroute.settings import Settings
from nbroute.settings.keys import missing_keys, with_keys
from nbroute.storage.ledger import SqliteLedger


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make the caller's router again: its class, settings without keys, and the rest.

    `given` are the objects that it was made with.
    """

    make: Callable[..., Engine]
    settings: Settings
    given: Mapping[str, Any]
    session: str
    code_allowed: bool
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A job: some prompts, and the recipe as bytes that every parcel of a batch shares.

    `id` keeps a cluster from taking two parcels for one, `allowance_usd` is what they may cost.
    """

    id: str
    recipe: bytes
    jobs: tuple[Job, ...]
    allowance_usd: Decimal | None = None


def deliver(parcel: Parcel) -> list[Outcome]:
    """Route a parcel's prompts, all at once, in this process; runs in a worker.

    Their attempts come back with the outcomes, for the caller's ledger; here they are kept in
    memory. Ctrl-C, which a terminal sends to workers, too, stops the calls and loses none.
    """
    made = _made(parcel.recipe)
    engine = made.engine(parcel.allowance_usd)
    ask = Asker(engine.route, made.recipe.options)
    with ThreadPoolExecutor(len(parcel.jobs)) as pool:
        asked = [pool.submit(ask, job) for job in parcel.jobs]
        try:
            wait(asked)
        except KeyboardInterrupt:
            ask.stop.set()
        return [made.returned(one.result()) for one in asked]


class _Made:
    """A recipe and its router; one a process, as its connections are worth keeping."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        settings = with_keys(recipe.settings)
        self._missing = missing_keys(settings)
        self._router = recipe.make(
            settings, **recipe.given, session=recipe.session, ledger=SqliteLedger(None)
        )

    def engine(self, allowance_usd: Decimal | None) -> Engine:
        """A router on a ledger of its own that may spend so much."""
        limits = replace(
            self._router.limits,
            budget_usd=allowance_usd,
            budget_usd_per_day=None,
            budget_usd_per_feature=None,
        )
        self._router.code_allowed = self.recipe.code_allowed
        engine = twin(self._router, SqliteLedger(None))
        engine.limits = limits
        return engine

    def returned(self, outcome: Outcome) -> Outcome:
        """The outcome with no more in it than the caller's ledger keeps."""
        row, attempts = outcome.row, outcome.attempts
        if not self.recipe.settings.store_text:
            attempts = tuple(replace(one, prompt=None, text=None) for one in attempts)
        if outcome.fate == "hopeless" and self._missing:
            keys = " and no ".join(self._missing)
            row = replace(row, error=f"{row.error} (the worker at {platform.node()} has no {keys})")
        return replace(outcome, row=row, attempts=attempts)


@functools.lru_cache(maxsize=4)
def _made(recipe: bytes) -> _Made:
    return _Made(pickle.loads(recipe))  # noqa: S301 - the caller's own, over the executor's pickle
