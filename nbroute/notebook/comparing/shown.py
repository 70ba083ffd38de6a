"""Where a comparison or a matrix is shown, and the widget that replaces it."""

from __future__ import annotations

from collections.abc import Callable

from nbroute.engine.attempts import new_id
from nbroute.notebook import look
from nbroute.notebook.controls import Answer, Row
from nbroute.notebook.screens import Bundle, Kind, Screen


class Output(Screen):
    """A screen with a name, so that a twin can hide what is drawn there."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self.name = f"nbr-{new_id()}"

    def show(self, made: Bundle) -> None:
        """Show the final state, or an update of it."""
        data, metadata = made
        page = (
            f'<div id="{self.name}">{data["text/html"]}</div>' if self.live else data["text/html"]
        )
        super().show(({**data, "text/html": page}, metadata))


class Twin(Row):
    """The widget that shows what an output shows, with buttons, and hides the output.

    Only the output is saved: it needs no kernel, and reappears once the widget cannot be drawn or
    is taken away.
    """

    def __init__(
        self,
        output: Output,
        inside: Callable[[], tuple[str, str]],
        answer: Answer,
        instead: str,
    ) -> None:
        super().__init__(instead, self.page, answer)
        self._name, self._inside = output.name, inside

    def page(self) -> str:
        """What the output shows, with buttons, and what hides the output."""
        place = f"#{self._name}"
        # a front end that shows each output in its own frame shows both
        seen = f"{place},.jp-OutputArea-child:has({place}),body:has({place}) .nbr-again"
        hide = f"<style>{seen}{{display:none}}</style>"
        again = f'<p class="nbr-again">{look.quiet("The same, with buttons:")}</p>'
        page, buttons = self._inside()
        row = f'<div class="nbr-row nbr-wide">{buttons}{self.told()}</div>'
        return f'{hide}<div class="nbr">{again}{page}{row}</div>'
