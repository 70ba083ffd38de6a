"""A judged grid: each contender's answers against those of the most expensive one."""

from __future__ import annotations

import threading
from decimal import Decimal

from nbroute.batch.jobs import described, text_of
from nbroute.batch.run import Bar, Progress
from nbroute.batch.store import Batch, Store, open_store
from nbroute.compare import Contender, Grid
from nbroute.compare.grid import Judged, file_in
from nbroute.compare.matrix import answered
from nbroute.engine.attempts import hash_text
from nbroute.engine.engine import Engine
from nbroute.errors import Interrupted, SettingsError
from nbroute.evaluate.judging import (
    WORTH,
    Judge,
    Pair,
    Ruling,
    judge_options,
    judge_pairs,
    kin,
    leaning,
)
from nbroute.evaluate.purse import Asking, Purse


def judge_grid(
    router: Engine,
    grid: Grid,
    judge: Judge | None = None,
    *,
    max_cost: object = None,
    progress: bool | Progress | None = None,
    cancel: threading.Event | None = None,
) -> Grid:
    """Have a judge compare each answer; the same grid, with the verdicts: see `Router.judge`.

    What a model said is kept with the grid, in its folder if it has one, and not asked again; a
    function is called again.
    """
    if not isinstance(grid, Grid):
        raise SettingsError(
            f"{grid!r:.60} is not a grid; give what router.compare(prompts) returns"
        )
    top = most_expensive(grid)
    others = [one for one in grid.contenders if one is not top]
    if not others:
        raise SettingsError("a judge compares two contenders or more, and this grid has one")
    stores = {one.name: _store(router, grid, f"{one.name} judged", judge) for one in others}
    related = kin(router, judge, [one.tier for one in grid.contenders])
    seen: dict[Pair, Ruling] = {}
    grid.judged.clear()
    grid.judged[top.name] = {
        row.place: Judged(0.5, top.name) for row in grid.batches[top.name] if answered(row)
    }
    with Bar(router, 2 * len(grid) * len(others), shown=progress, unit="verdict") as bar:
        asking = Asking(router, bar, Purse(max_cost), cancel=cancel)
        for one in others:
            pairs, (name, store) = _pairs(grid, one, top), stores[one.name]
            stopped = None
            try:
                rulings = judge_pairs(asking, pairs, judge, store)
            except Interrupted as error:
                stopped, rulings = error, error.result
            grid.judging[name] = Batch(store)
            grid.judged[one.name] = {
                place: Judged(
                    ruling.verdict and WORTH[ruling.verdict],
                    top.name,
                    ruling.error or "\n\n".join(ruling.reasons),
                )
                for place, ruling in enumerate(rulings)
            }
            seen.update(zip(pairs, rulings, strict=True))
            told = [*leaning([*seen], [*seen.values()]).notes, related]
            grid.notes[:] = filter(None, told)
            if stopped:
                stopped.result = grid
                stopped.args = (f"{one.name}: {stopped}; the same call continues",)
                raise stopped
    return grid


def most_expensive(grid: Grid) -> Contender:
    """The contender highest on the ladder; of several, the one that cost most."""

    def rank(one: Contender) -> tuple[int, Decimal]:
        cost = grid.batches[one.name].cost
        return grid.router.ladder.index(one.tier), cost.usd + cost.equivalent_usd

    return max(grid.contenders, key=rank)


def _store(router: Engine, grid: Grid, name: str, judge: Judge | None) -> tuple[str, Store]:
    """The name and the store of that judge's verdicts, by its options and prompt."""
    if callable(judge):  # it may have changed since
        return name, Store()
    about = described(router, judge_options(router, judge))
    name = f"{name} {hash_text(repr(sorted(about.items())))}"
    known = grid.judging.get(name)
    return name, known.store if known else open_store(file_in(grid.to, name), None, fresh=False)


def _pairs(grid: Grid, one: Contender, top: Contender) -> list[Pair]:
    """Each prompt with both answers; "" for one that is missing."""
    mine, tops = (
        {row.place: row.text for row in grid.batches[who.name] if answered(row)}
        for who in (one, top)
    )
    return [
        Pair(text_of(prompt), mine.get(place, ""), tops.get(place, ""), one.name, top.name)
        for place, prompt in enumerate(grid.prompts)
    ]
