"""The row of controls under a comparison: votes, and the marking of differences.

They are an output of their own, as those of a card are.
"""

from __future__ import annotations

import html
from functools import partial

import ipywidgets as widgets

from nbroute.errors import NbrouteError
from nbroute.notebook.comparing.card import Card, answered
from nbroute.notebook.comparing.view import LABEL

_ROW = {"flex_flow": "row wrap", "align_items": "center"}
_CHOSEN = "✓ "


class CompareControls(widgets.VBox):
    """A button a contender that says "this one is the cheapest acceptable", and a toggle.

    `%route vote NAME`, `%route differences` and `comparison.vote(NAME)` do the same.
    """

    def __init__(self, card: Card, meter: widgets.Widget) -> None:
        self._card = card
        self.votes = [self._vote_button(choice) for choice, _ in card.choices]
        self.differences = widgets.ToggleButton(
            value=card.state.marked,
            description="Mark differences",
            tooltip="Underline the words that only one answer has",
            layout={"width": "auto"},
        )
        self.said = widgets.HTML()
        super().__init__(
            [
                widgets.HBox(self.votes, layout=_ROW),
                widgets.HBox([self.differences, self.said], layout=_ROW),
                meter,
            ]
        )
        self.differences.observe(self._mark, "value")
        card.watchers.append(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what was kept, and what the buttons now stand for."""
        state = self._card.state
        columns = [self._card.comparison.columns[place] for place in state.order]
        for button, column, choice in zip(self.votes, columns, self._card.choices, strict=True):
            mark = _CHOSEN if column.contender.name == state.voted else ""
            button.description = f"{mark}{LABEL.capitalize()}: {choice[1]}"
            button.disabled = not answered(column)
        if self.differences.value != state.marked:
            self.differences.value = state.marked
        self._say(self._card.kept)

    def _vote_button(self, choice: str) -> widgets.Button:
        button = widgets.Button(
            tooltip="Keep that this is the cheapest answer that you would accept",
            layout={"width": "auto"},
        )
        button.on_click(partial(self._vote, choice))
        return button

    def _vote(self, choice: str, _button: widgets.Button) -> None:
        try:
            self._card.vote(choice)
        except NbrouteError as error:
            self._say(f"{type(error).__name__}: {error}")

    def _mark(self, change: dict[str, bool]) -> None:
        if change["new"] != self._card.state.marked:
            self._card.mark(change["new"])

    def _say(self, text: str) -> None:
        self.said.value = (
            '<span role="status" style="color:var(--jp-ui-font-color1, inherit)">'
            f"{html.escape(text)}</span>"
        )

    def __repr__(self) -> str:
        """What a front end without widgets shows: the magics that do the same."""
        return "<nbroute votes: %route vote NAME and %route differences do the same>"
