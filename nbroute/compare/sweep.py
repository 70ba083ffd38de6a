"""Many prompts on several contenders, a pass after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nbroute.batch import Batch
from nbroute.batch.jobs import ClassifyJob, RouteJob, read_prompts
from nbroute.batch.run import Bar, interrupted, run
from nbroute.batch.workers import ThreadWorkers
from nbroute.compare.asking import checked_options, checked_workers
from nbroute.compare.contenders import find_contenders
from nbroute.compare.grid import Grid
from nbroute.compare.passes import ROUTING, Pass, begin, find_home, plan_passes
from nbroute.engine.context import Spec
from nbroute.engine.engine import Engine

#: Calls that are out at once, if nothing else is said.
_AT_ONCE = 16
#: Stands for the prompts where the options are tried, with nothing sent.
_ANY = "Hello"


def compare_prompts(
    router: Engine,
    prompts: Iterable[str],
    tiers: Sequence[str] | None = None,
    *,
    to: str | Path | None = None,
    resume: Grid | None = None,
    fresh: bool = False,
    picks: bool = True,
    progress: bool | None = None,
    workers: int | None = None,
    cancel: threading.Event | None = None,
    classifier: Spec | None = None,
    **options: Any,
) -> Grid:
    """The answers of several contenders to many prompts: a `Grid`, prompts x contenders.

    `tiers` and the options are as in `compare_prompt`, prompts and failures as in
    `router.map`: a prompt that fails is a row with its error. The contenders are asked one
    after the other, `workers` prompts at once. Before them every prompt is classified, which
    costs what the classifier costs; `picks` false leaves that out.

    `to` is a folder, with a file for each contender. The same call goes on where it stopped,
    after Ctrl-C or a crash, for rows that failed, and with contenders that are new; `fresh`
    begins anew. Without `to`, `resume` takes the interrupted grid.

    Raises SettingsError before anything is sent, and Interrupted on Ctrl-C or once `cancel` is
    set, whose `result` is the grid so far.
    """
    index, items = _index_of(prompts), list(read_prompts(prompts, "router.compare"))
    contenders = find_contenders(router.ladder, tiers)
    options = {"stream": False, **checked_options(options)}
    at_once = checked_workers(workers, _AT_ONCE)
    for one in contenders:
        router.explain(_ANY, **{**options, **one.options})
    if picks:
        router.parts.classifier_for(classifier, None)
    asked = [*([None] if picks else []), *contenders]
    home = find_home(to, resume, fresh=fresh)
    passes = plan_passes(router, asked, options, classifier, home)
    name = begin(passes, router.parts.new_id())
    batches = {one.name: one.batch(len(items), "interrupted") for one in passes}
    sweep = Sweep(router, items, {"comparison": name}, classifier, batches)
    ended = sweep.carry_out(passes, at_once, progress, cancel)
    kept = {one.name: batches[one.name] for one in contenders}
    folder, routing = home.folder, batches.get(ROUTING)
    grid = Grid(name, items, contenders, kept, routing, router, options, index, folder)
    if not ended:
        raise interrupted("stopped", folder, grid)
    return grid


class Sweep:
    """The passes over the prompts, one after the other; `batches` takes what comes of them."""

    def __init__(
        self,
        router: Engine,
        items: Sequence[Any],
        options: Mapping[str, Any],
        classifier: Spec | None,
        batches: dict[str, Batch],
    ) -> None:
        self._router = router
        self._items = items
        self._options = options
        self._classifier = classifier
        self._batches = batches

    def carry_out(
        self,
        passes: Sequence[Pass],
        workers: int,
        progress: bool | None,
        cancel: threading.Event | None,
    ) -> bool:
        """Whether it came to its end; stopped, what was not reached stays as it is."""
        total = len(self._items) * len(passes)
        with Bar(self._router, total, shown=progress, unit="call") as bar:
            try:
                for one in passes:
                    self._batches[one.name] = self._done(one, bar, workers, cancel)
            except KeyboardInterrupt:
                self._batches[one.name] = one.batch(len(self._items), "interrupted")
                return False
        return True

    def _done(self, one: Pass, bar: Bar, workers: int, cancel: threading.Event | None) -> Batch:
        options = {**one.options, **self._options}
        job = RouteJob(options) if one.contender else ClassifyJob(self._classifier, options)
        return run(self._items, ThreadWorkers(self._router, job, workers), one.store, bar, cancel)


def _index_of(prompts: Any) -> Any:
    """A Series' own index; None for what has none."""
    index = getattr(prompts, "index", None)
    return None if callable(index) else index
