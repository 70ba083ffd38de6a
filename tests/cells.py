"""Cells run in a real InteractiveShell, as a user would, and the controls under a card."""

from __future__ import annotations

import html
import re

from IPython.utils.capture import capture_output

from nbroute.notebook.card import Card
from nbroute.notebook.comparing.shown import Output
from nbroute.notebook.controls import Controls
from nbroute.notebook.screens import Screen

#: Two tiers with prices at a loopback server.
SETTINGS = """
[nbroute]
classifier = "ngrams"
{options}
[providers.loop]
base_url = "{url}"
{loop}
[tiers.LOW]
provider = "loop"
model = "small"
max_tokens = 64
price = {{ input = 1.00, output = 2.00 }}
{low}
[tiers.TOP]
provider = "loop"
model = "large"
max_tokens = 1024
price = {{ input = 10.00, output = 30.00 }}
"""


def run(shell, source):
    """Run a cell as a user would; what it printed, and its result."""
    with capture_output() as shown:
        done = shell.run_cell(source, store_history=True)
    text = (
        shown.stdout
        + shown.stderr
        + "".join(output.data.get("text/plain", "") for output in shown.outputs)
    )
    return text, done


def desk_of(shell):
    """What is behind the magics of that shell."""
    return shell.magics_manager.registry["RouteMagics"].desk


def error_of(shell, source):
    """The one line that a failing cell shows."""
    text, done = run(shell, source)
    assert not done.success
    lines = [line for line in text.split("\n") if line.strip()]
    assert 1 == len(lines), text
    return lines[0]


def outputs(shell, source):
    """What a cell displays, each as (data, metadata), without what follows a terminal's `Out:`."""
    with capture_output() as shown:
        assert shell.run_cell(source, store_history=True).success
    shown = [(output.data, output.metadata or {}) for output in shown.outputs]
    return [one for one in shown if not one[0]["text/plain"].startswith("<Comparison of")]


class Shown(Output):
    """A live output that keeps what it would send to a front end."""

    def __init__(self):
        super().__init__("live")
        self.pages = []

    def running(self, page, *, now=False):
        self.pages.append(page()[0]["text/html"])

    def show(self, made):
        self.pages.append(made[0]["text/html"])


class Row:
    """The controls under a card of its own, as a person has them: buttons by name, words.

    It is the notebook that the controls ask, too: `kept` are the answers that it was given.
    """

    def __init__(self, router):
        self.router, self.kept = router, []
        self.card = Card(router, Screen(), number=1, took=self.took)
        self.card.route("hello", tier="LOW")
        self.kept.clear()
        self.controls = Controls(self.card, self)
        self.controls.redraw("")

    def took(self, result, card):
        assert card is self.card
        self.kept.append(result)

    @property
    def html(self):
        return self.controls.html

    @property
    def words(self):
        """What can be read there."""
        return " ".join(re.sub("<[^>]+>", " ", self.html).split())

    @property
    def buttons(self):
        """The buttons by name, each with its attributes."""
        found = re.findall("<button (.*?)>(.*?)</button>", self.html)
        return {
            html.unescape(re.sub("<[^>]+>", "", name)).strip(): {
                key: html.unescape(value) for key, value in re.findall('([\\w-]+)="(.*?)"', facts)
            }
            for facts, name in found
        }

    def _named(self, name):
        (found,) = [facts for label, facts in self.buttons.items() if label.startswith(name)]
        return found

    def click(self, name):
        """Press the button whose name begins so; nothing where it is off."""
        if not self.is_off(name):
            self.controls.act(self._named(name)["data-do"], self._named(name).get("data-at", ""))

    def is_off(self, name):
        return self._named(name).get("aria-disabled") == "true"

    @property
    def pressed(self):
        """The labels that are down."""
        return [name for name, it in self.buttons.items() if it.get("aria-pressed") == "true"]
