"""The row of words under a card that keeps what a person says of its answer."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from nbroute.errors import named
from nbroute.notebook.card import Card
from nbroute.notebook.feedback import MEANS, WORDS, kept
from nbroute.notebook.pieces import Said
from nbroute.router import Router


class Thumbs(widgets.HBox):
    """A word on the card's newest answer, kept as a label; the last click counts.

    `%route label WORD` does the same.
    """

    def __init__(self, card: Card, router: Router) -> None:
        self._card, self._router = card, router
        self._about = card.result.id
        self.word = widgets.ToggleButtons(
            options=WORDS,
            value=None,
            description="This answer is",
            tooltip="what you say is kept in the ledger as a label, with the prompt",
            tooltips=[f"{MEANS[word]}; keeps the prompt with the label" for word in WORDS],
            style={"description_width": "initial", "button_width": "auto"},
        )
        self.word.add_class("widget-inline-hbox")  # the description beside the words
        self.said = Said()
        super().__init__(
            [self.word, self.said], layout={"flex_flow": "row wrap", "align_items": "center"}
        )
        self.word.observe(self._clicked, "value")

    def renew(self) -> None:
        """Begin anew where the card has another answer than the one spoken of."""
        if self._card.result.id != self._about:
            self._about = self._card.result.id
            self.word.value = None
            self.said.say("")

    def _clicked(self, change: Any) -> None:
        if change["new"] is None:
            return
        try:
            label = self._router.label(self._card.result, change["new"])
        except Exception as error:  # noqa: BLE001 - a click's error has no other place to show
            self.said.say(named(error))
            self.word.value = None  # so that the same word can be clicked again
        else:
            self.said.say(kept(label))

    def __repr__(self) -> str:
        """What a front end without widgets shows: the magic that does the same."""
        return f"<nbroute feedback: %route label {self.word.value or '|'.join(WORDS)}>"
