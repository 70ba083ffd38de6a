"""One prompt on several contenders at once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nbroute.compare.ballot import Ballot
from nbroute.compare.columns import Column, NotSent
from nbroute.compare.comparison import Comparison
from nbroute.compare.contenders import find_contenders
from nbroute.compare.picks import column_of, routing_of, unpicked
from nbroute.compare.race import Race, Watcher, watched
from nbroute.engine.context import Spec
from nbroute.engine.engine import Engine
from nbroute.errors import (
    BudgetExceeded,
    Interrupted,
    NbrouteError,
    PromptError,
    RecordError,
    ReplayMiss,
    SettingsError,
)

#: Contenders that are asked at once, if nothing else is said.
_AT_ONCE = 8
#: Options of `route` that make no sense here, and why.
_REFUSED = {
    "strategy": "every contender answers by itself",
    "tier": "name those to compare in tiers",
    "model": "name it in tiers, as 'TIER:model' where the ladder does not have it",
    "start": "name the tiers to compare in tiers",
    "agreement": "mark differences with comparison.differences",
    "thread": "each answer would become a turn of that one conversation",
    "comparison": "a comparison has an id of its own",
}
#: Options that say how a classifier is asked, too.
ASKING = ("feature", "cache", "max_cost", "over_budget")
_BEFORE_SENDING = (SettingsError, PromptError, BudgetExceeded, ReplayMiss, RecordError)


def compare_prompt(
    router: Engine,
    prompt: str,
    tiers: Sequence[str] | None = None,
    *,
    observe: Watcher | None = None,
    cancel: threading.Event | None = None,
    workers: int | None = None,
    classifier: Spec | None = None,
    **options: Any,
) -> Comparison:
    """The answers of several contenders to one prompt, asked at the same time.

    `tiers` names them: tiers, models that stand on the ladder, and any other model as
    "TIER:model", with that tier's prompt and budget; None is every tier. The options are those
    of `route` and hold for each (`max_cost`, too), without `strategy` and `thread`.

    The prompt is classified first, so that each column says whether routing would have picked
    it. A contender that fails is a column with its `error`; it is raised where all fail alike
    before anything was sent. `observe(place, event)` is told each contender's events, one at a
    time and on this thread; if it has a `start(contenders, decision)`, that comes first.

    Raises SettingsError, PromptError and BudgetExceeded, and Interrupted on Ctrl-C or once
    `cancel` is set; its `result` is the comparison so far, and the ledger has every call.
    """
    contenders = find_contenders(router.ladder, tiers)
    options = checked_options(options)
    at_once = checked_workers(workers, min(len(contenders), _AT_ONCE))
    router.explain(prompt, tier=contenders[0].tier, **options)
    name = router.parts.new_id()
    options["comparison"] = name
    blank = unpicked("not known: it was stopped")
    columns = tuple(column_of(one, blank, router.ladder) for one in contenders)
    comparison = Comparison(name, prompt, blank, columns, Ballot(router, name))
    try:
        asked = {key: options[key] for key in (*ASKING, "comparison") if key in options}
        decision = routing_of(router, prompt, classifier, cancel=cancel, **asked)
        watched(getattr(observe, "start", _nobody), contenders, decision)
    except KeyboardInterrupt as raised:
        raise _stopped(comparison) from raised.__cause__
    columns = tuple(column_of(one, decision, router.ladder) for one in contenders)
    comparison = replace(comparison, decision=decision, columns=columns)
    race = Race(router.route, comparison, options, observe or _nobody)
    ended = race.carry_out(at_once, cancel)
    _raise_if_nothing_was_sent(ended.columns)
    return ended


def checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that hold for each contender; SettingsError for one that makes no sense here."""
    for name, why in _REFUSED.items():
        if options.get(name) not in (None, "direct" if name == "strategy" else None):
            raise SettingsError(f"{name} = {options[name]!r:.60} is not for a comparison: {why}")
    return {name: value for name, value in options.items() if name not in _REFUSED}


def checked_workers(workers: Any, default: int) -> int:
    """How many calls may be out at once; SettingsError for what is no number of them."""
    if workers is None:
        return default
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise SettingsError(f"workers is {workers!r}; it takes a whole number from 1 up")
    return workers


def _stopped(comparison: Comparison) -> Interrupted:
    error = NotSent("stopped before it was sent")
    columns = tuple(replace(column, error=error) for column in comparison.columns)
    stopped = Interrupted("stopped before any contender was asked")
    stopped.result = replace(comparison, columns=columns)
    return stopped


def _raise_if_nothing_was_sent(columns: Iterable[Column]) -> None:
    """What would have been raised for any of them, where it hit all alike."""
    errors = [_early(column) for column in columns]
    if errors[0] is not None and len({type(error) for error in errors}) == 1:
        raise errors[0]


def _early(column: Column) -> NbrouteError | None:
    early = column.result is None and isinstance(column.error, _BEFORE_SENDING)
    return column.error if early else None


def _nobody(*_: object) -> None:
    """An observer that does not look."""
