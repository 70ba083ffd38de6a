"""`%%route` and `%route`, and what `%load_ext nbroute` registers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from decimal import Context, localcontext
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.inputtransformer2 import (
    EscapedCommand,
    MagicAssign,
    TransformerManager,
    assemble_continued_line,
    find_end_of_continued_line,
)
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from nbroute.errors import Interrupted, SettingsError
from nbroute.notebook import complete
from nbroute.providers.model_files import ready
from nbroute.settings import load as load_settings

if TYPE_CHECKING:
    from nbroute.notebook.desk import Desk
    from nbroute.settings import Settings

#: What we display, by name, so that loading imports none of it -> the method that displays it.
DISPLAYS = {
    ("nbroute.types", "RouteResult"): "display_result",
    ("nbroute.report.summary", "Report"): "display_report",
    ("nbroute.evaluate.audited", "Audit"): "display_audit",
    ("nbroute.evaluate.calibration", "Calibration"): "display_calibration",
    ("nbroute.evaluate.quality", "Quality"): "display_quality",
    ("nbroute.compare.comparison", "Comparison"): "display_comparison",
    ("nbroute.evaluate.findings", "Examination"): "display_examination",
    ("nbroute.compare.grid", "Grid"): "display_comparison",
}
_OURS = re.compile(r"\??%%?(route(?:_compare)?)(?!\w|\?\?)")
_WITHIN = re.compile(r"%\w+\s.*?(?<=\s)%route(?!\w)")
_NO_WIDTH = "\u200b\u2060\ufeff\xa0 \t"


def _written() -> int:
    """When this file was written: `pip install -U` writes it again."""
    with contextlib.suppress(OSError):
        return Path(__file__).stat().st_mtime_ns
    return 0


_LOADED = _written()


class RouteLine(EscapedCommand):
    """A `%route` line as a call, before IPython takes its `?` for a request for help."""

    priority = 0

    def __init__(self, start: tuple[int, int]) -> None:
        super().__init__(start)  # type: ignore[no-untyped-call]
        self.column, self.start_col = self.start_col, -1  # so that it comes before IPython's help

    @classmethod
    def find(cls, tokens_by_line: Any) -> RouteLine | None:
        """The first one, even if its result is assigned or another magic times it."""
        for tokens in tokens_by_line:
            found = MagicAssign.find([tokens]) or EscapedCommand.find([tokens])
            for token in tokens if found else ():
                line, column = token.start
                if (line - 1, column) == (found.start_line, found.start_col):
                    ours = _OURS.match(token.line, column) or _WITHIN.match(token.line, column)
                    return cls(token.start) if ours else None
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """The lines, with that one as a call; `%route?` asks for our own help."""
        last = find_end_of_continued_line(lines, self.start_line)
        text = assemble_continued_line(lines, (self.start_line, self.column), last)
        magic = _OURS.match(text)
        if magic:
            name, said = magic[1], text[magic.end() :].strip()
        else:  # `%time %route ...`: what is timed is read as a cell of its own
            name, said = text[1:].split(None, 1)
        if text[0] == "?" or said == "?":
            said = "help" if name == "route" else "-h"
        elif said.endswith("?") and len(said.split()) == 1:
            said = f"help {said.rstrip('?')}"
        before = lines[self.start_line][: self.column]
        call = f"{before}get_ipython().run_line_magic({name!r}, {said!r})\n"
        return [*lines[: self.start_line], call, *lines[last + 1 :]]


def keep_texts(lines: list[str]) -> list[str]:
    """Let `%%route -h` do without a cell body, and a text after `%route WORD` keep its `?`.

    An input transformer; it changes only cells that have such lines.
    """
    first = lines[0].lstrip(_NO_WIDTH) if lines else ""
    magic = _OURS.match(first)
    if magic and first.startswith("%%"):
        said = first[magic.end() :].strip()
        said = "-h" if said == "?" else said
        # without a body a terminal would wait for the lines of a prompt
        helps = {"-h", "--help"} & set(said.split())
        return [f"%%{magic[1]} {said}\n", *(lines[1:] or (["\n"] if helps else []))]
    if first.startswith("%%") or not any("%route" in line for line in lines):
        return lines
    manager = TransformerManager()
    manager.token_transformers.insert(0, RouteLine)
    shown: list[str] = manager.do_token_transforms([first, *lines[1:]] if magic else lines)
    return shown


def give_body(lines: list[str]) -> list[str]:
    """Give a `%%route` that is alone in its cell a body, so that our error is shown."""
    alone = len(lines) == 1 and lines[0].startswith("%%") and _OURS.match(lines[0])
    return [*lines, "\n"] if alone else lines


# so IPython skips it when it asks whether a cell is complete: a terminal waits for the prompt
give_body.has_side_effects = True  # type: ignore[attr-defined]


@contextlib.contextmanager
def _in_a_line() -> Iterator[None]:
    """Report an interrupt that nothing else handled in one line, without a traceback.

    Money is counted exactly, whatever precision the user has set for decimals.
    """
    try:
        with localcontext(Context()):
            yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Interrupted("stopped; the answers and the spend so far are kept") from None


class Kept:
    """The display hook: a result that its cell has shown is kept, but not printed as `Out[n]:`."""

    def __init__(self, shell: Any, was_shown: Callable[[Any], bool]) -> None:
        self._hook, self._was_shown = shell.displayhook, was_shown
        self.undo = partial(setattr, shell.display_trap, "hook", self._hook)
        shell.display_trap.hook = self

    def __call__(self, result: Any = None) -> None:
        """Show the result of a cell."""
        if not self._was_shown(result):
            self._hook(result)
        elif not self._hook.quiet():
            self._hook.update_user_ns(result)
            self._hook.fill_exec_result(result)


@magics_class
class RouteMagics(Magics):
    """`%%route` sends a cell's prompt; `%route` runs a command."""

    def __init__(self, shell: Any, settings: Settings) -> None:
        super().__init__(shell)
        self.settings = settings
        self.matcher = complete.make_matcher(self._vocabulary)
        self.hook: Kept | None = None

    @cached_property
    def desk(self) -> Desk:
        """What does the work; imported and made when it is first needed.

        The settings are read again, as a key may have been set since `%load_ext`. If the file is
        broken now, the old ones stay in force; if it has to be trusted again, that is said.
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

    def go_on(self, settings: Settings) -> None:
        """Be loaded again: the same session, with settings that may have changed."""
        changed, self.settings = settings != self.settings, settings
        if "desk" in vars(self):
            self.desk.reopen(anew=changed)
            settings = self.desk.router.settings
        print(f"nbroute: your session continues; {settings.origin}")  # noqa: T201 - as at %load_ext
        if _written() != _LOADED:
            print("nbroute has been updated: restart the kernel to use it")  # noqa: T201

    def display_result(self, result: Any) -> None:
        """Show a result as a card, but not twice in its own cell."""
        if not self.was_shown(result):
            self.desk.display_result(result)

    def was_shown(self, result: Any) -> bool:
        """Whether the running cell has shown this result as its card."""
        return "desk" in vars(self) and self.desk.was_shown(result)

    def display_report(self, report: Any) -> None:
        """Show a report and its charts."""
        from nbroute.report.charts import telling
        from nbroute.report.text import blocks_of

        self._show(report, blocks_of(report), telling(report), "%route report")

    def display_audit(self, audit: Any) -> None:
        """Show an audit and what the judge preferred."""
        from nbroute.notebook.report_view import audit_page

        html = audit_page(audit)
        self._show(audit, audit.blocks(), [audit.chart()], "%route audit", html=html)

    def display_calibration(self, found: Any) -> None:
        """Show a calibration, the setting to keep, and how reliable the confidence is."""
        asked = "%route calibrate"
        self._show(found, found.blocks(), [found.chart()], asked, code=found.setting)

    def display_quality(self, found: Any) -> None:
        """Show quality against cost: the figures and the chart."""
        figures = [one for one in [found.chart()] if one.compares]
        self._show(found, found.blocks(), figures, "%route quality")

    def _show(self, found: Any, blocks: Any, figures: Any, asked: str, **more: str) -> None:
        from nbroute.notebook.report_view import show

        static = self.settings.static
        show(found, blocks, figures, self.shell, static=static, asked=asked, **more)

    def display_comparison(self, compared: Any) -> None:
        """Show a comparison's table and its answers, or a grid's first ones and its totals."""
        self.desk.comparing.display(compared)

    def display_examination(self, found: Any) -> None:
        """Show what the doctor found."""
        from IPython.display import display

        from nbroute.notebook.doctor import bundle

        display(bundle(found), raw=True)

    def _vocabulary(self) -> complete.Vocabulary:
        from nbroute.notebook.commands.base import COMMANDS

        follow = {f"after:{name}": one.choices for name, one in COMMANDS.items()}
        return self.desk.vocabulary(tuple(COMMANDS)) | follow

    @no_var_expand
    @line_cell_magic
    def route(self, line: str, cell: str | None = None) -> Any:
        """Route the cell's prompt (`%%route -h`); alone on a line, see `%route help`."""
        with _in_a_line():
            from nbroute.notebook import commands

            return commands.run(self.desk, line) if cell is None else self.desk.run_cell(line, cell)

    @no_var_expand
    @line_cell_magic
    def route_compare(self, line: str, cell: str | None = None) -> Any:
        """Answer the cell's prompt on several tiers at once (`%%route_compare -h`)."""
        with _in_a_line():
            return self.desk.comparing.run_cell(line, cell or "")


def load(shell: Any) -> None:
    """Register the magics, the display of results and completion; say which profile is used.

    A session that this kernel had before continues.
    """
    settings = load_settings(local_ready=ready)
    before = shell.magics_manager.registry.get(RouteMagics.__name__)
    magics = before or RouteMagics(shell, settings)
    shell.register_magics(magics)
    displays = shell.display_formatter.ipython_display_formatter
    for shown, method in DISPLAYS.items():
        displays.for_type_by_name(*shown, getattr(magics, method))
    shell.Completer.custom_matchers.append(magics.matcher)
    magics.hook = Kept(shell, magics.was_shown)
    shell.input_transformers_cleanup.extend([keep_texts, give_body])
    if before:
        magics.go_on(settings)
    else:
        print(f"nbroute: {settings.origin}")  # noqa: T201 - the one line of %load_ext


def unload(shell: Any) -> None:
    """Undo all of that, except for the session: a later load continues it."""
    magics = shell.magics_manager.registry.get(RouteMagics.__name__)
    for kind in ("line", "cell"):
        for name in ("route", "route_compare"):
            shell.magics_manager.magics[kind].pop(name, None)
    if magics is None:
        return
    for shown in DISPLAYS:
        shell.display_formatter.ipython_display_formatter.pop(".".join(shown), None)
    shell.Completer.custom_matchers.remove(magics.matcher)
    magics.hook.undo()
    for transformer in (keep_texts, give_body):
        shell.input_transformers_cleanup.remove(transformer)
    if "desk" in vars(magics):
        magics.desk.close()
