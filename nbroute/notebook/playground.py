"""The playground: a prompt is explained while it is typed, and sent at the press of a button."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nbroute.budgets import clean
from nbroute.classify.registry import DEFAULT, NAMES, READY
from nbroute.classify.wording import confident
from nbroute.errors import SettingsError, named
from nbroute.notebook import look, marked, tables
from nbroute.notebook.card import Card
from nbroute.notebook.live import Room
from nbroute.notebook.screens import Screen, is_live
from nbroute.report.table import counted, ends
from nbroute.router import Router
from nbroute.types import Explanation, RouteResult

#: These ask a model, or may do so.
_ASKING = ("model", "hybrid", "hybrid:four-tier")
_CLASSIFIERS = {"": "as the settings say"} | {n: n for n in NAMES if n not in _ASKING}
_HINT = "Nothing is sent before you press Send or Ctrl+Enter."
_STANDS_IN = (
    "<p>With %%route the classifier may ask a model or an endpoint. Nothing is sent while you "
    "type, so this is based on the words alone, and so is Send.</p>"
)
_INVITATION = (
    "<p><b>No prompt yet.</b> Type one above: its tier, the words that decide it and its cost on "
    "every tier will appear here.</p>"
)


class Playground(Room):
    """A prompt's tier, signals and costs as it is typed, with nothing sent; then Send.

    Send asks the tier that is shown, with the decision that is shown. The answer is a card in its
    own output below, with a `number`, and `sent` is given its result. `options` are those of
    `router.route`, for everything explained and sent. `%route playground TEXT` and
    `router.explain` say the same in words.
    """

    def __init__(
        self,
        router: Router,
        prompt: str = "",
        *,
        sent: Callable[[RouteResult, Card], None] = lambda *_: None,
        number: Callable[[], int] = int,
        **options: Any,
    ) -> None:
        instead = "playground; %route playground TEXT says the same in words"
        super().__init__(router, instead, self.words)
        self.prompt = prompt.replace("\r\n", "\n")
        self._sent, self._number, self._options = sent, number, options
        self._classifier = self._said = self._told = ""
        self._explained: Explanation | None = None
        self._card: Card | None = None
        self._screen: Screen | None = None
        self._cancel = threading.Event()
        self._busy = threading.Lock()
        self._explain()

    def act(self, do: str, at: str = "", value: str = "") -> None:
        """Respond to what was typed or pressed."""
        self._said = ""
        if do == "prompt" or (do == "send" and value):
            self.prompt = value
            self._explain()
        elif do == "classifier":
            self._classifier = value
            self._explain()
        if do in ("send", "run"):
            self.start(at or None)
        elif do == "stop":
            self._cancel.set()
        elif do == "copy":
            chosen = f" -c {self._classifier}" if self._classifier else ""
            self.send({"copy": f"%%route{chosen}\n{self.prompt}"})
            self._said = "copied: paste it into a cell"
        self.redraw()

    def start(self, tier: str | None = None) -> threading.Thread | None:
        """Send the text to that tier, or to the one shown; None if nothing can be sent now."""
        if self._explained is None or not self._busy.acquire(blocking=False):
            return None
        self._cancel.clear()
        self._said = "answering ..."
        thread = threading.Thread(target=self._work, args=(tier,), name="nbroute-playground")
        thread.daemon = True
        thread.start()
        return thread

    def announced(self, words: str) -> bool:
        """Show what the answer is waiting for; False if no answer is on its way."""
        if self._card is None or not self._busy.locked():
            return False
        self._card.say(words)
        return True

    def refresh(self, router: Router) -> None:
        """Explain and send with that router from now on."""
        if router is not self.router:
            self.router = router
            self._explain()

    def words(self) -> object:
        """The same in words."""
        return tables.tried(self.router, self.prompt, **self._options)

    def redraw(self) -> None:
        """Draw the current state."""
        with self.lock:
            shown, busy = self._explained, self._busy.locked()
            tiers = self.router.ladder.names
            tier = shown.plan.steps[0].tier.name if shown else ""
            resting = busy or shown is None
            send = look.button(
                f"Send to {tier}" if tier else "Send",
                "send",
                title="Ctrl+Enter in the text does the same",
                kind="nbr-go",
                disabled=resting,
            )
            others = (look.button(name, "run", name, disabled=resting) for name in tiers)
            row = [
                f'<span style="{look.tinted(tier, tiers)}">{send}</span>',
                look.menu("Send to another tier ▾", *others, title="Send to another tier"),
                look.button("Stop", "stop", kind="nbr-go") if busy else "",
                look.button("Copy as cell", "copy", disabled=shown is None),
                look.choice("Classifier", "classifier", _CLASSIFIERS, self._classifier),
                look.heard(self._said),
            ]
            facts = f'data-do="prompt" data-key="prompt" data-enter="send" title="{_HINT}"'
            field = (  # HTML drops a first line break
                f'<label class="nbr-field">Prompt<textarea rows=8 spellcheck=false {facts} '
                f'placeholder="Type a prompt ... {_HINT}">\n{html.escape(self.prompt)}</textarea>'
            )
            self.html = look.room(
                "playground",
                f"{field}</label><div>{self._told or _INVITATION}</div>",
                look.heard(tier and f"would go to {tier}", seen=False),
                f'<div class="nbr-row">{"".join(row)}</div>',
            )

    def _explain(self) -> None:
        """Say what routing would do with the text as it is now; sends nothing."""
        prompt, router = self.prompt, self.router
        explained, told = None, ""
        if prompt.strip():
            try:
                chosen = self._classifier or self._options.get("classifier")
                standing = router.given["classifier"] or router.settings.classifier.name
                sending = _would_send(router, chosen or standing, prompt)
                asked = {**self._options, "classifier": DEFAULT if sending else chosen}
                explained = router.explain(prompt, **asked)
                told = _told(explained, prompt, router.ladder.names, _STANDS_IN * sending)
            except Exception as error:  # noqa: BLE001 - a user's own classifier may fail in any way
                explained = None
                told = f"<p><b>This cannot be routed.</b> {look.text(named(error))}</p>"
        with self.lock:
            self._explained, self._told = explained, told
            self.redraw()

    def _work(self, tier: str | None) -> None:
        with self.lock:
            prompt, explained, router = self.prompt, self._explained, self.router
        asked = {**self._options, "tier": tier}
        if explained and not tier:  # by the decision that is shown
            asked = {**self._options, "classifier": lambda _: explained.decision}
        known, said = self._card.view.results if self._card else (), ""
        earlier = tuple(one for one in known if one.prompt == known[0].prompt == prompt)
        try:
            number = self._number()
            self._card = card = Card(router, self._below(), earlier, number=number, took=self._sent)
            card.view = replace(card.view, asked=ends(" ".join(prompt.split()), 1_900, 100))
            card.route(prompt, cancel=self._cancel, **asked)
        except Exception as error:  # noqa: BLE001 - a thread's error has no other place to show
            said = named(error)
        finally:
            self._busy.release()
            self._said = said
            self.redraw()

    def _below(self) -> Screen:
        """The output below, where the answers are drawn."""
        if self._screen is None:
            self._screen = Screen("live")
            self._screen.show(({"text/plain": ""}, {}))
        return self._screen

    def _ipython_display_(self) -> None:
        from IPython import get_ipython
        from IPython.display import display

        if is_live(get_ipython(), static=self.router.settings.static):
            display(self.bundle(), raw=True)
            self._below()
        else:
            display(self.words())


def _would_send(router: Router, chosen: Any, prompt: str) -> bool:
    """Whether classifying the prompt might send something; a function is taken not to."""
    if not isinstance(chosen, str) or chosen == DEFAULT or chosen in READY:
        return False
    if chosen in _ASKING:
        return True
    try:
        embedder = router.parts.embedder()
    except SettingsError:  # explaining says so
        return False
    free = chosen == "learned" and embedder.kind == "remote"  # which it does not use
    return not free and bool(embedder.missing([prompt]))


def _told(explained: Explanation, prompt: str, tiers: tuple[str, ...], note: str) -> str:
    """The tier and why, the prompt with its signals marked, the cost on every tier; HTML."""
    made, sent, picked = explained.decision, clean(prompt)[0], explained.plan.steps[0].tier.name
    sure = confident(made.confidence) or f"{made.classifier} does not say how confident it is"
    parts = [look.head([look.pill(picked, tiers), look.text(sure), look.quiet(made.reason)]), note]
    if made.signals:
        rows = marked.signal_rows(sent, made.signals)
        cells, less = [[*map(look.text, row)] for row in rows], {"where": "less"}
        table = look.table("signals in the text", marked.HEAD, cells, hidden=less)
        parts.append(marked.marked(sent, made.signals))
        parts.append(look.folded(counted(len(rows), "signal"), table, key="signals"))
    costs = tables.estimates({one.tier: one for one in explained.estimates})
    here = " <b>◂ routing picks this</b>"
    rows = [
        [look.pill(tier, tiers) + here * (tier == picked), *map(look.text, rest)]
        for tier, *rest in costs.rows
    ]
    less = dict.fromkeys(costs.head[1:4], "less")
    table = look.table("cost on every tier", costs.head, rows, numbers=costs.head[2:], hidden=less)
    below = "".join(f"<p>{look.text(line)}</p>" for line in costs.below)
    parts.append(look.folded("Cost on every tier", table + below, key="costs"))
    return "".join(parts)
