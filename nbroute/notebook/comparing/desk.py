"""What stands behind `%%route_compare` and the commands that follow it."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from nbroute.compare import Comparison, Grid
from nbroute.errors import RecordError, SettingsError
from nbroute.interpolate import prompt_of
from nbroute.notebook import names, options, tables
from nbroute.notebook.comparing import columns
from nbroute.notebook.comparing.boards import Live, Once, Quiet, board_for
from nbroute.notebook.comparing.card import Card
from nbroute.notebook.comparing.estimate import estimate_table
from nbroute.notebook.comparing.grids import grid_table
from nbroute.notebook.comparing.view import State, view_of
from nbroute.report import counted
from nbroute.router import Router

if TYPE_CHECKING:
    import ipywidgets as widgets


class Notebook(Protocol):
    """The notebook that the comparisons are in: its variables, its router, its meter."""

    shell: Any
    router: Router

    @property
    def is_live(self) -> bool:
        """Whether somebody may be looking at a front end that can be redrawn."""

    def meter(self) -> widgets.Widget:
        """The session meter."""

    def refresh(self) -> None:
        """Something was asked: have what shows the session read it again."""


class Comparing:
    """The comparisons of one notebook: the last can be voted on, each be shown again."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._last: Card | None = None
        self._states: dict[str, State] = {}
        self._just_shown: tuple[str, int] | None = None

    @property
    def last(self) -> Card:
        """The newest comparison; SettingsError where this session has none."""
        if self._last is None:
            raise SettingsError(
                "there is no comparison in this session (a restart of the kernel forgets them): "
                "run the `%%route_compare` cell again"
            )
        return self._last

    @property
    def flags(self) -> tuple[str, ...]:
        """The options of `%%route_compare`."""
        return options.flags(options.make_compare_parser())

    @property
    def choices(self) -> tuple[str, ...]:
        """What `%route vote` can say now."""
        return tuple(choice for choice, _ in self._last.choices) if self._last else ()

    def run_cell(self, line: str, cell: str) -> Any:
        """Compare the answers to the cell's prompt, or show what that would cost."""
        wanted = options.parse_compare(line)
        if wanted.help:
            return tables.Told(options.make_compare_parser().format_help())
        prompt = prompt_of(cell, self._notebook.shell.user_ns, "%%route_compare")
        if wanted.dry_run:
            return estimate_table(self._notebook.router, prompt, wanted.tiers, self._asked(wanted))
        return self._compare(prompt, wanted)

    def display(self, comparison: Comparison) -> None:
        """Show a comparison; in its own cell, which has just done so, no second time."""
        from IPython.display import display

        if self._just_shown == (comparison.id, self._notebook.shell.execution_count):
            if not hasattr(self._notebook.shell, "kernel"):  # a terminal has printed `Out[n]: `
                told = f"<Comparison of {counted(len(comparison.columns), 'answer')}>"
                display({"text/plain": told}, raw=True)
            return
        self._show_again(comparison)

    def display_grid(self, grid: Grid) -> None:
        """Show a grid's first answers and its totals."""
        from IPython.display import display

        display(grid_table(grid))

    def page_of(self, comparison: Comparison) -> str:
        """A comparison that a card asked for as HTML; `%route vote` means it from here on."""
        card = Card(Quiet(), self._state(comparison), random.shuffle)
        card.resume(comparison)
        self._follow(card)
        return columns.page(view_of(comparison, card.state))

    def _show_again(self, comparison: Comparison) -> None:
        """Show it as it was last shown, with controls of its own where someone is watching."""
        board = Live() if self._notebook.is_live else Once()
        card = Card(board, self._state(comparison), random.shuffle)
        card.resume(comparison)
        self._follow(card)

    def _follow(self, card: Card) -> None:
        """Have `%route vote` mean this one, and remember how it is shown."""
        self._last = card
        card.watchers.append(lambda: self._remember(card))
        self._remember(card)
        if card.board.live:
            self._show_controls(card)

    def _state(self, comparison: Comparison) -> State:
        """How it was last shown; a vote that came from Python counts, too."""
        state = self._states.get(comparison.id) or State(tuple(range(len(comparison.columns))))
        with suppress(RecordError):
            voted = comparison.voted
            return replace(state, voted=voted, revealed=True) if voted else state
        return state

    def _compare(self, prompt: str, wanted: Any) -> Comparison | None:
        card = self._card(prompt, wanted)
        try:
            comparison = self._notebook.router.compare(
                prompt, wanted.tiers, observe=card, **self._asked(wanted)
            )
        except BaseException as error:
            self._stopped(card, wanted, getattr(error, "result", None))
            raise
        finally:
            self._notebook.refresh()
        self._keep(card, comparison, wanted)
        return None if wanted.quiet else comparison

    def _stopped(self, card: Card, wanted: Any, so_far: Any) -> None:
        """Keep the answers that had arrived; without any, the error speaks for itself."""
        if isinstance(so_far, Comparison) and so_far.attempts:
            self._keep(card, so_far, wanted)
        else:
            card.give_up()

    def _card(self, prompt: str, wanted: Any) -> Card:
        static = self._notebook.router.settings.static
        board = Quiet() if wanted.quiet else board_for(self._notebook.shell, static=static)
        seed = prompt.encode("utf-8", "surrogatepass")
        chance = random.SystemRandom() if board.live else random.Random(seed)  # noqa: S311 - a saved notebook that is run again must show the same order
        return Card(board, State((), blind=wanted.blind, marked=wanted.diff), chance.shuffle)

    def _keep(self, card: Card, comparison: Comparison, wanted: Any) -> None:
        card.finish(comparison)
        if wanted.output:
            self._notebook.shell.user_ns[wanted.output] = comparison
        self._follow(card)
        self._just_shown = (comparison.id, self._notebook.shell.execution_count)

    def _asked(self, wanted: Any) -> dict[str, Any]:
        return names.answering(self._notebook.shell.user_ns, wanted)

    def _remember(self, card: Card) -> None:
        self._states[card.comparison.id] = card.state

    def _show_controls(self, card: Card) -> None:
        from IPython.display import display

        from nbroute.notebook.comparing.controls import CompareControls

        display(CompareControls(card, self._notebook.meter()))
