"""The buttons, menus, rows and lines that our widgets are made of."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from nbroute.notebook.panels import status


class Said(widgets.HTML):
    """The line beside the buttons; a screen reader says it when it changes."""

    def __init__(self) -> None:
        # Without a basis a long line is squeezed beside the buttons, a word a line.
        super().__init__(layout={"flex": "1 1 20em", "min_width": "0"})

    def say(self, words: str) -> None:
        """Show the words in place of what stands there."""
        self.value = status(words)


def button(description: str, tooltip: str) -> widgets.Button:
    """A button as wide as its words."""
    return widgets.Button(description=description, tooltip=tooltip, layout={"width": "auto"})


def dropdown(description: str, options: Any) -> widgets.Dropdown:
    """A menu with its description whole."""
    return widgets.Dropdown(
        options=options,
        description=description,
        style={"description_width": "initial"},
        layout={"width": "auto"},
    )


def row(*children: widgets.Widget) -> widgets.HBox:
    """The controls beside one another, and below where there is no room."""
    made = widgets.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center"})
    made.add_class("nbr-row")
    return made
