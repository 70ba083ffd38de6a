"""`%%route` and `%route`, and what `%load_ext nbroute` registers."""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from nbroute.errors import SettingsError
from nbroute.notebook import complete
from nbroute.providers.model_files import ready
from nbroute.settings import load as load_settings

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk

#: By name, so that loading does not import the module.
RESULT = ("nbroute.types", "RouteResult")
REPORT = ("nbroute.report.summary", "Report")
COMPARISON = ("nbroute.compare.comparison", "Comparison")
GRID = ("nbroute.compare.grid", "Grid")
MAGICS = ("route", "route_compare")


@magics_class
class RouteMagics(Magics):
    """`%%route` sends a cell's prompt; `%route` tells and steers."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.settings = load_settings(local_ready=ready)
        self.matcher = complete.make_matcher(self._vocabulary)

    @cached_property
    def desk(self) -> Desk:
        """What does the work; imported and made when it is first needed.

        The settings are read again, as a key may have been set since `%load_ext`; a file that
        was broken since then leaves the old ones in force, one that is to be trusted anew is told.
        """
        from nbroute.notebook.desk import Desk

        before = self.settings.set_aside
        with contextlib.suppress(SettingsError):
            self.settings = load_settings(local_ready=ready)
        if self.settings.set_aside not in ("", before):
            print(f"nbroute: {self.settings.origin}")  # noqa: T201 - as at %load_ext
        desk = Desk(self.shell, self.settings)
        if models := desk.router.settings.origin.removeprefix(self.settings.origin):
            print(f"nbroute:{models.lstrip(';')}")  # noqa: T201 - known once the endpoint is asked
        return desk

    def display_result(self, result: Any) -> None:
        """Show a result as a card."""
        self.desk.display_result(result)

    def display_report(self, report: Any) -> None:
        """Show a report and its charts."""
        from nbroute.notebook.report_view import show

        show(report, self.shell, static=self.settings.static)

    def display_comparison(self, comparison: Any) -> None:
        """Show a comparison's table and its answers."""
        self.desk.comparing.display(comparison)

    def display_grid(self, grid: Any) -> None:
        """Show a grid's first answers and its totals."""
        self.desk.comparing.display_grid(grid)

    def _vocabulary(self) -> complete.Vocabulary:
        from nbroute.notebook.commands import COMMANDS

        return self.desk.vocabulary(tuple(COMMANDS))

    @no_var_expand
    @line_cell_magic
    def route(self, line: str, cell: str | None = None) -> Any:
        """Route the cell's prompt (`%%route -h`); alone on a line, see `%route help`."""
        from nbroute.notebook import commands

        return commands.run(self.desk, line) if cell is None else self.desk.run_cell(line, cell)

    @no_var_expand
    @line_cell_magic
    def route_compare(self, line: str, cell: str | None = None) -> Any:
        """Answer the cell's prompt on several tiers at once (`%%route_compare -h`)."""
        return self.desk.comparing.run_cell(line, cell or "")


def load(shell: Any) -> None:
    """Register the magics, the display of results and completion; say which profile is used."""
    magics = RouteMagics(shell)
    shell.register_magics(magics)
    displays = shell.display_formatter.ipython_display_formatter
    displays.for_type_by_name(*RESULT, magics.display_result)
    displays.for_type_by_name(*REPORT, magics.display_report)
    displays.for_type_by_name(*COMPARISON, magics.display_comparison)
    displays.for_type_by_name(*GRID, magics.display_grid)
    complete.register(shell, magics.matcher)
    print(f"nbroute: {magics.settings.origin}")  # noqa: T201 - the one line of %load_ext


def unload(shell: Any) -> None:
    """Take all of that out again."""
    magics = shell.magics_manager.registry.pop(RouteMagics.__name__, None)
    for kind in ("line", "cell"):
        for name in MAGICS:
            shell.magics_manager.magics[kind].pop(name, None)
    if magics is None:
        return
    for shown in (RESULT, COMPARISON, GRID, REPORT):
        shell.display_formatter.ipython_display_formatter.pop(".".join(shown), None)
    complete.unregister(shell, magics.matcher)
    if "desk" in vars(magics):
        magics.desk.router.close()
