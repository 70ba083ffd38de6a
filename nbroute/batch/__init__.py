"""Many prompts: results in order, one failure a row and not the end, on threads or a cluster.

- `prompts`   what can be mapped
- `rows`      a `Row`: what became of one prompt
- `outcomes`  what came back, and what it means for the others
- `spool`     where rows are kept as they come
- `batch`     the rows as a sequence
- `parquet`   the same as a Parquet file
- `about`     what a batch is made with, to go on with it
- `places`    the file that it goes into
- `pace`      how many at once, and when to stop
- `progress`  the bar
- `gathered`  a ledger that one thread writes
- `landing`   where outcomes land
- `crew`      threads that share the router
- `purse`     what workers elsewhere may spend
- `worker`    what they do
- `cluster`   how it gets there
- `run`       from prompts to rows
- `waiting`   all that for an event loop
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nbroute.batch.about import describe
from nbroute.batch.batch import Batch
from nbroute.batch.cluster import ClusterCrew, packed
from nbroute.batch.crew import Crew, ThreadCrew
from nbroute.batch.gathered import GatheredLedger, twin
from nbroute.batch.places import Place, find_place, interrupted
from nbroute.batch.progress import Bar, is_static
from nbroute.batch.prompts import count_of, read_prompts
from nbroute.batch.purse import Purse, left_of
from nbroute.batch.rows import Row
from nbroute.batch.run import Run
from nbroute.batch.spool import ALL
from nbroute.batch.waiting import in_thread, on_loop, refuse_cancel
from nbroute.engine.engine import Engine
from nbroute.engine.plan import check_options, read_options
from nbroute.errors import Interrupted, SettingsError
from nbroute.types import Attempt, Observer, RouteResult

__all__ = ["Batch", "Row", "amap", "aroute", "map_prompts"]


def map_prompts(
    router: Engine,
    prompts: Iterable[str],
    *,
    executor: Executor | None = None,
    workers: int = 16,
    to: str | Path | None = None,
    resume: Batch | None = None,
    fresh: bool = False,
    progress: bool | None = None,
    cancel: threading.Event | None = None,
    **options: Any,
) -> Batch:
    """Route every prompt, `workers` at once; a `Batch` with a row each, in order.

    `prompts` is any iterable of texts, also a generator or a DataFrame's column; it is read as
    it is needed. The options are those of `route`, the same for all, without `thread`.

    A prompt that fails is a row with its error. Sending stops where it cannot help any more:
    with the first prompt that alone does not fit in the budget, and after 20 calls in a row
    that ended with a refused key or a setting. The rows left then say "not sent", and
    `Batch.stopped` why.

    Rows go into a file as they come: `to` (a .sqlite or .parquet file), or a temporary one. The
    same call on the same `to` does only what has no answer yet, after Ctrl-C, after a crash, or
    for the rows that failed; a prompt that has changed is asked anew, other options are a
    SettingsError, and `fresh` begins anew. Without `to`, `resume` takes the interrupted batch.

    `executor` is any of `concurrent.futures`. A thread pool shares this router. Others (a
    process pool, Dask's `client.get_executor()`) make it again in each worker, with the keys of
    the worker's own environment; what they cost comes back into this ledger, except what a
    worker paid that died in the middle.

    Raises SettingsError before anything is sent, and Interrupted, whose `result` is the batch
    so far, on Ctrl-C or once `cancel` is set. Nothing more is sent then; a whole answer that is
    on its way is paid for, so it is let come, and takes the place of its interrupted row.
    """
    items = read_prompts(prompts)
    _check(router, options, executor, workers)
    options = {"stream": False, **options}
    recipe = None
    if executor is not None and not isinstance(executor, ThreadPoolExecutor):
        recipe = packed(router, options)
    place = find_place(to, resume, fresh=fresh)
    place.begin(describe(router, options))
    total = count_of(items)
    shown = progress if progress is not None else total is None or total > 1
    bar = Bar(total, shown=shown, plain=is_static(router))
    with bar, place.spool.filling(), GatheredLedger(router.ledger) as ledger:
        crew = _crew(twin(router, ledger), options, executor, recipe, workers)
        return _carried_out(Run(items, crew, place.spool, bar, cancel), place)


async def aroute(
    router: Engine, prompt: str, *, observe: Observer | None = None, **options: Any
) -> RouteResult:
    """`route` for an event loop: in a thread, at most 64 at once, cancelled with its task.

    `observe` is told on the loop's thread. A cancelled call is in the ledger by the time the
    cancellation goes on.
    """
    refuse_cancel(options)
    told = on_loop(observe)
    return await in_thread(
        lambda cancel: router.route(prompt, observe=told, cancel=cancel, **options)
    )


async def amap(router: Engine, prompts: Iterable[str], **options: Any) -> Batch:
    """`map` for an event loop: in a thread, cancelled with its task.

    Takes what `map` takes, without `cancel`. With `to`, a cancelled batch can be gone on with.
    """
    refuse_cancel(options)
    return await in_thread(lambda cancel: map_prompts(router, prompts, cancel=cancel, **options))


def _check(router: Engine, options: dict[str, Any], executor: Any, workers: int) -> None:
    """Refuse what can be refused before anything is sent."""
    if options.get("thread") is not None:
        raise SettingsError("thread is for one conversation; many prompts have none in common")
    check_options(read_options(options), router.ladder)
    if not isinstance(workers, int) or workers < 1:
        raise SettingsError(f"workers is {workers!r}; it takes a whole number from 1 up")
    if executor is not None and not isinstance(executor, Executor):
        cure = "give client.get_executor()" if hasattr(executor, "get_executor") else "give one"
        raise SettingsError(f"executor is {executor!r:.60}, no concurrent.futures.Executor; {cure}")


def _crew(
    router: Engine,
    options: dict[str, Any],
    executor: Executor | None,
    recipe: bytes | None,
    workers: int,
) -> Crew:
    if executor is None or isinstance(executor, ThreadPoolExecutor):
        return ThreadCrew(router.route, options, workers, executor)
    free = options.get("over_budget")
    purse = Purse(None if free else left_of(router, options.get("feature")))

    def record(attempt: Attempt) -> None:
        router.ledger.append(attempt)
        router.history.changed()

    return ClusterCrew(executor, recipe or b"", record, purse, workers)


def _carried_out(run: Run, place: Place) -> Batch:
    try:
        run.carry_out()
    except Interrupted:
        batch = Batch(place.spool, ALL, stopped="interrupted", to=place.to)
        raise interrupted(f"stopped after {run.read:,} prompts", place.to, batch) from None
    place.finish(run.read)
    return Batch(place.spool, run.read, stopped=run.pace.stopped, to=place.to)
