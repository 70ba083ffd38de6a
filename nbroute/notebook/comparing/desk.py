"""The work behind `%%route_compare` and the commands that follow it."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from nbroute.compare import Comparison, Filled, Grid, filled
from nbroute.compare.contenders import find_contenders
from nbroute.compare.estimate import Estimate, asking, estimates
from nbroute.errors import Interrupted, RecordError, SettingsError
from nbroute.interpolate import body_of, hints, prompt_of
from nbroute.notebook import names, options, tables
from nbroute.notebook.comparing import columns
from nbroute.notebook.comparing.card import Card
from nbroute.notebook.comparing.matrix import Matrix, progress_page
from nbroute.notebook.comparing.shown import Output, Twin
from nbroute.notebook.comparing.view import State, view_of
from nbroute.notebook.screens import front_end
from nbroute.pricing import describe
from nbroute.report import counted
from nbroute.router import Router
from nbroute.types import TierEstimate

if TYPE_CHECKING:
    from nbroute.notebook.controls import Shelf
    from nbroute.report import Spend

_MAGIC = "%%route_compare"
#: With more calls than this a matrix needs a budget, if they cost money.
_MANY = 2_000


class Notebook(Protocol):
    """The notebook that the comparisons are in: its variables, its router, its controls."""

    shell: Any
    router: Router

    @property
    def is_live(self) -> bool:
        """Whether somebody may be looking at a front end that can be redrawn."""

    @property
    def shelf(self) -> Shelf:
        """The controls of the newest cards."""

    def new_number(self) -> int:
        """The number of the next card."""

    def showed(self, result: Comparison | Grid) -> None:
        """Note that the running cell has shown this."""

    def was_shown(self, result: object) -> bool:
        """Whether the running cell has shown this."""

    def refresh(self) -> None:
        """Something was asked: update what shows the session."""


class Comparing:
    """The comparisons of one notebook: the last can be voted on, any can be shown again."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._last: Card | None = None
        self._matrix: Matrix | None = None
        self._stopped: Grid | None = None
        self._states: dict[str, State] = {}

    @property
    def last(self) -> Card:
        """The newest comparison; SettingsError if this session has none."""
        if self._last is None:
            raise SettingsError(
                "there is no comparison in this session (a restart of the kernel forgets them): "
                f"run the {_MAGIC} cell again"
            )
        return self._last

    @property
    def matrix(self) -> Matrix:
        """The newest comparison of many prompts; SettingsError if this session has none."""
        if self._matrix is None:
            raise SettingsError(
                f"no table of prompts has been compared yet; {_MAGIC} --over TABLE does that"
            )
        return self._matrix

    @property
    def choices(self) -> tuple[str, ...]:
        """What `%route vote` takes now."""
        return tuple(self._last.choices) if self._last else ()

    def run_cell(self, line: str, cell: str) -> Any:
        """Compare the answers to the cell's prompt, or show what that would cost."""
        wanted = options.COMPARE.read(line)
        if wanted.help:
            return tables.Told(options.COMPARE.format_help())
        space, router = self._notebook.shell.user_ns, self._notebook.router
        systems = names.systems(space, wanted)
        asked = {**names.answering(space, wanted), "systems": systems}
        if wanted.over:
            with names.used(wanted.over, "a table"):
                table = names.table(space, wanted.over)
                prompts: Any = filled(body_of(cell, _MAGIC), table, space)
        else:
            prompts = prompt_of(cell, space, _MAGIC)
        for told in () if wanted.quiet else hints(cell, space):
            from IPython.display import display

            display(tables.Said(f"note: {told}"))
        if wanted.dry_run:
            many = [one for one in prompts if isinstance(one, str)] if wanted.over else [prompts]
            del asked["systems"]
            found = estimates(router, many, wanted.tiers, systems, asked)
            return _estimated(many, found, asking(router, many, asked))
        if wanted.over:
            return self._compare_many(prompts, wanted, asked)
        return self._compare(prompts, wanted, asked)

    def display(self, shown: Comparison | Grid) -> None:
        """Show a comparison, but not twice in its own cell."""
        if self._notebook.was_shown(shown):
            return
        output = Output("live" if self._notebook.is_live else "once")
        if isinstance(shown, Grid):
            self._show_matrix(shown, output)
        else:
            card = self._card(output, State())
            card.resume(shown, self._state(shown))
            self._follow(card)

    def page_of(self, comparison: Comparison) -> str:
        """A comparison that a card asked for, as HTML; `%route vote` means it from now on."""
        card = self._card(Output("quiet"), State())
        card.resume(comparison, self._state(comparison))
        self._follow(card)
        return columns.inside(view_of(comparison, card.state))

    def _compare(self, prompt: str, wanted: Any, asked: dict[str, Any]) -> Comparison | None:
        output = self._output(wanted)
        seed = prompt.encode("utf-8", "surrogatepass")
        state = State(blind=wanted.blind, marked=wanted.diff, table=wanted.table)
        chance = random.SystemRandom() if output.live else random.Random(seed)  # noqa: S311 - a saved notebook that is run again must show the same order
        card = self._card(output, state, chance)
        try:
            found = self._notebook.router.compare(prompt, wanted.tiers, observe=card, **asked)
        except BaseException as error:
            so_far = getattr(error, "result", None)
            if isinstance(so_far, Comparison) and so_far.attempts:
                self._keep(card, so_far, wanted)
            else:
                output.give_up()
            raise
        finally:
            self._notebook.refresh()
        self._keep(card, found, wanted)
        return None if wanted.quiet else found

    def _keep(self, card: Card, comparison: Comparison, wanted: Any) -> None:
        card.finish(comparison)
        self._assign(wanted, comparison)
        self._follow(card)

    def _follow(self, card: Card) -> None:
        """Make this the one that `%route vote` means, and remember how it is shown."""

        def remember() -> None:
            self._states[card.comparison.id] = card.state

        self._last = card
        remember()
        twin = self._twin(card.output, card.inside, card.act, "%route vote NAME")
        card.watchers += [remember, *([twin.redraw] if twin else [])]

    def _compare_many(self, prompts: Filled, wanted: Any, asked: dict[str, Any]) -> Grid | None:
        for name in ("blind", "diff"):
            if getattr(wanted, name):
                raise SettingsError(f"--{name} is for one prompt; leave out --{name} or --over")
        router, output, began = self._notebook.router, self._output(wanted), time.monotonic()
        self._check_size(len(prompts), wanted, asked)

        def progress(done: int, total: int | None, cost: Spend) -> None:
            elapsed = time.monotonic() - began
            page = progress_page(done, total or 0, cost, elapsed)
            output.running(lambda: ({"text/plain": "", "text/html": page}, {}))

        shown = {"live": progress, "terminal": None}.get(output.kind, False)
        resume = self._stopped if wanted.resume else None
        if wanted.resume and resume is None:
            raise SettingsError("there is nothing to resume; run the cell without --resume")
        told = {"progress": shown, "to": wanted.to, "resume": resume}
        try:
            grid = router.compare(prompts, wanted.tiers, **told, **asked)
        except Interrupted as error:
            self._stopped = grid = error.result
            self._show_matrix(grid, output)
            self._assign(wanted, grid)
            again = "the same cell" if wanted.to else "the same cell with --resume"
            stopped = Interrupted(f"stopped; {again} asks only what is missing")
            stopped.result = grid
            raise stopped from None
        except BaseException:
            output.give_up()
            raise
        finally:
            self._notebook.refresh()
        self._stopped = None
        self._assign(wanted, grid)
        self._show_matrix(grid, output)
        return None if wanted.quiet else grid

    def _check_size(self, count: int, wanted: Any, asked: dict[str, Any]) -> None:
        """SettingsError for many calls that cost money with no bound on it."""
        router = self._notebook.router
        who = find_contenders(router.ladder, wanted.tiers, asked["systems"])
        calls, limits = count * len(who), router.limits
        free = all(router.parts.kind(router.ladder[one.tier]) != "remote" for one in who)
        bounded = limits.budget_usd is not None or wanted.max_cost or wanted.over_budget
        if calls > _MANY and not (free or bounded):
            raise SettingsError(
                f"{count:,} rows × {counted(len(who), 'column')} are {calls:,} calls; set a budget "
                "first (%route budget 5.00), or take fewer rows, as in sample = table.head(200); "
                "-n shows what all of them would cost"
            )

    def _show_matrix(self, grid: Grid, output: Output) -> None:
        self._matrix = matrix = Matrix(grid, output)
        matrix.show()
        self._twin(output, matrix.inside, matrix.act, "%route matrix FILE")
        self._notebook.showed(grid)

    def _twin(self, output: Output, inside: Any, act: Any, same: str) -> Twin | None:
        """The output with buttons, where someone is watching."""
        if not output.live:
            return None
        twin = Twin(output, inside, act, f"the buttons of a comparison; {same} does the same")
        self._notebook.shelf.put(self._notebook.new_number(), twin)
        return twin

    def _state(self, comparison: Comparison) -> State:
        """How it was last shown; a vote from Python counts too."""
        order = tuple(range(len(comparison.columns)))
        state = self._states.get(comparison.id) or State(order)
        with suppress(RecordError):
            voted = comparison.voted
            return replace(state, voted=voted, revealed=True) if voted else state
        return state

    def _card(self, output: Output, state: State, chance: Any = random) -> Card:
        return Card(output, state, chance.shuffle, self._notebook.router.ladder.names)

    def _output(self, wanted: Any) -> Output:
        static = self._notebook.router.settings.static
        return Output("quiet" if wanted.quiet else front_end(self._notebook.shell, static=static))

    def _assign(self, wanted: Any, found: Comparison | Grid) -> None:
        if wanted.output:
            self._notebook.shell.user_ns[wanted.output] = found
        self._notebook.showed(found)


def _estimated(
    prompts: list[str], found: list[Estimate], asks: TierEstimate | None
) -> tables.Table:
    """What it would cost, including a model that is asked for the tiers; nothing was sent."""
    table = tables.estimates({one.contender.name: one for one in found}, "contender")
    size, calls = counted(len(prompts), "prompt"), counted(len(prompts) * len(found), "call")
    asked = f"{size} × {counted(len(found), 'column')}: {calls}"
    first = [f"first {asks.model} is asked for the tier, for {describe(asks.high)}"] if asks else []
    costs = [one.high for one in found] + ([asks.high] if asks else [])
    refused = dict.fromkeys(one.refusal for one in found if one.refusal)
    below = [*table.below, *first, f"together at most {tables.together(costs)}", *refused]
    return replace(table, above=[f"dry run, nothing was sent; {asked}"], below=below)
