"""The row of controls under a comparison: votes, and the marking of differences.

They are an output of their own, as those of a card are.
"""

from __future__ import annotations

from functools import partial

import ipywidgets as widgets

from nbroute.compare.comparison import VOTE
from nbroute.errors import NbrouteError, named
from nbroute.notebook.comparing.card import Card, answered
from nbroute.notebook.pieces import Said, button, row

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
        self.said = Said()
        super().__init__([row(*self.votes), row(self.differences, self.said), meter])
        self.differences.observe(self._mark, "value")
        card.watchers.append(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what was kept, and what the buttons now stand for."""
        state = self._card.state
        columns = [self._card.comparison.columns[place] for place in state.order]
        for vote, column, choice in zip(self.votes, columns, self._card.choices, strict=True):
            mark = _CHOSEN if column.contender.name == state.voted else ""
            vote.description = f"{mark}{VOTE.capitalize()}: {choice[1]}"
            vote.disabled = not answered(column)
        if self.differences.value != state.marked:
            self.differences.value = state.marked
        self.said.say(self._card.kept)

    def _vote_button(self, choice: str) -> widgets.Button:
        made = button("", "Keep that this is the cheapest answer that you would accept")
        made.on_click(partial(self._vote, choice))
        return made

    def _vote(self, choice: str, _button: widgets.Button) -> None:
        try:
            self._card.vote(choice)
        except NbrouteError as error:
            self.said.say(named(error))

    def _mark(self, change: dict[str, bool]) -> None:
        if change["new"] != self._card.state.marked:
            self._card.mark(change["new"])

    def __repr__(self) -> str:
        """What a front end without widgets shows: the magics that do the same."""
        return "<nbroute votes: %route vote NAME and %route differences do the same>"
