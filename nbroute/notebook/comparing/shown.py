"""Where a comparison or a matrix is shown, and the widget that stands in for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbroute.engine.attempts import new_id
from nbroute.errors import NbrouteError, named
from nbroute.notebook import look
from nbroute.notebook.live import Live
from nbroute.notebook.screens import Redrawn, put

Bundle = tuple[dict[str, str], dict[str, Any]]


class Output:
    """One output: redrawn in place ("live"), printed ("terminal"), or shown "once" at the end.

    "quiet" shows nothing.
    """

    def __init__(self, kind: str) -> None:
        self.kind, self.name = kind, f"nbr-{new_id()}"
        self._redrawn = Redrawn(0.16, 200_000)

    @property
    def live(self) -> bool:
        """Whether a later state can be drawn in place."""
        return self.kind == "live"

    def running(self, page: Callable[[], str], *, now: bool = False) -> None:
        """Something arrived: at most about six times a second that is drawn."""
        if self.live and (now or self._redrawn.is_due):
            made = page()
            self._redrawn.show({"text/plain": "", "text/html": made}, {}, len(made))

    def show(self, made: Bundle) -> None:
        """Show what is final, or what it has become since."""
        from IPython.display import display

        data, metadata = made
        if self.live:
            page = f'<div id="{self.name}">{data["text/html"]}</div>'
            self._redrawn.final({**data, "text/html": page}, metadata)
        elif self.kind == "once":
            display(data, metadata=metadata, raw=True)
        elif self.kind == "terminal":
            put(data["text/plain"] + "\n")

    def give_up(self) -> None:
        """Take back what was drawn: an error says why there is no more."""
        self._redrawn.take_back()


class Twin:
    """The widget that shows what an output shows, with buttons, and hides it meanwhile.

    What is saved is the output alone: it needs no kernel, and comes to sight again where the
    widget cannot be drawn any more or is taken away.
    """

    def __init__(
        self,
        output: Output,
        inside: Callable[[], tuple[str, str]],
        act: Callable[[str, str, str], str],
        instead: str,
    ) -> None:
        self._name, self._inside, self._act = output.name, inside, act
        self._said = self._meter = ""
        self.live = Live(act=self.act, instead=instead)

    def act(self, do: str, at: str, value: str) -> None:
        """Answer a click with what it says."""
        try:
            self._said = self._act(do, at, value)
        except NbrouteError as error:
            self._said = named(error)
        self.redraw()

    def redraw(self, meter: str | None = None) -> None:
        """Draw it as things are now."""
        self._meter = self._meter if meter is None else meter
        place = f"#{self._name}"
        hide = f"<style>{place},.jp-OutputArea-child:has({place}){{display:none}}</style>"
        page, buttons = self._inside()
        line = f'<span class="nbr-quiet nbr-meter">{look.text(self._meter)}</span>'
        row = f'<div class="nbr-row nbr-wide">{buttons}{look.heard(self._said)}{line}</div>'
        html = f'{hide}<div class="nbr">{page}{row}</div>'
        if html != self.live.html:
            self.live.html = html
