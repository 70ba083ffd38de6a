"""`%%route` and `%route`, and what `%load_ext nbroute` registers."""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from nbroute.errors import SettingsError
from nbroute.notebook import complete
from nbroute.providers.models import ready
from nbroute.settings import load as load_settings

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk

#: By name, so that loading does not import the module.
RESULT = ("nbroute.types.results", "RouteResult")


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
        was broken since then leaves the old ones in force.
        """
        from nbroute.notebook.desk import Desk

        with contextlib.suppress(SettingsError):
            self.settings = load_settings(local_ready=ready)
        return Desk(self.shell, self.settings)

    def display_result(self, result: Any) -> None:
        """Show a result as a card."""
        self.desk.display_result(result)

    def _vocabulary(self) -> complete.Vocabulary:
        return self.desk.vocabulary()

    @no_var_expand
    @line_cell_magic
    def route(self, line: str, cell: str | None = None) -> Any:
        """Route the cell's prompt (`%%route -h`); alone on a line, see `%route help`."""
        return self.desk.run_line(line) if cell is None else self.desk.run_cell(line, cell)


def load(shell: Any) -> None:
    """Register the magics, the display of results and completion; say which profile is used."""
    magics = RouteMagics(shell)
    shell.register_magics(magics)
    shell.display_formatter.ipython_display_formatter.for_type_by_name(
        *RESULT, magics.display_result
    )
    complete.register(shell, magics.matcher)
    print(f"nbroute: {magics.settings.origin}")  # noqa: T201 - the one line of %load_ext


def unload(shell: Any) -> None:
    """Take all of that out again."""
    magics = shell.magics_manager.registry.pop(RouteMagics.__name__, None)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("route", None)
    if magics is None:
        return
    shell.display_formatter.ipython_display_formatter.pop(".".join(RESULT), None)
    complete.unregister(shell, magics.matcher)
    if "desk" in vars(magics):
        magics.desk.router.close()
