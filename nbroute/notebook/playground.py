"""The playground: a prompt is explained while it is typed, and sent when a button says so."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nbroute.classify.registry import NAMES
from nbroute.errors import named
from nbroute.notebook import look, playing
from nbroute.notebook.card import Card
from nbroute.notebook.live import Room
from nbroute.notebook.screens import Live, is_live
from nbroute.router import Router
from nbroute.types import Decision, Explanation, RouteResult

_CLASSIFIERS = {"": "as the settings say"} | {n: n for n in NAMES if n not in playing.ASKING}
_HINT = "Nothing is sent before you press Send or Ctrl+Enter."


class Playground(Room):
    """A prompt's tier, signals and costs as it is typed, with nothing sent; then Send.

    Send asks the tier that is shown, with the decision that is shown. The answer is a card
    below, an output of its own with a `number`, and `sent` is told of its result. `options`
    are those of `router.route`, for all that is explained and sent. `%route playground TEXT` and
    `router.explain` say the same in words.
    """

    def __init__(
        self,
        router: Router,
        prompt: str = "",
        *,
        sent: Callable[[RouteResult, Card], None] | None = None,
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
        self._screen: Live | None = None
        self._cancel = threading.Event()
        self._busy = threading.Lock()
        self._explain()

    def act(self, do: str, at: str = "", value: str = "") -> None:
        """Answer what was typed or pressed."""
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
            self.send({"copy": self.cell})
            self._said = "copied: paste it into a cell"
        self.redraw()

    @property
    def cell(self) -> str:
        """The cell that asks the same."""
        chosen = f" -c {self._classifier}" if self._classifier else ""
        return f"%%route{chosen}\n{self.prompt}"

    def start(self, tier: str | None = None) -> threading.Thread | None:
        """Send the text to that tier, or to the one shown; None where nothing can be sent now."""
        if self._explained is None or not self._busy.acquire(blocking=False):
            return None
        self._cancel.clear()
        self._said = "answering ..."
        thread = threading.Thread(target=self._work, args=(tier,), name="nbroute-playground")
        thread.daemon = True
        thread.start()
        return thread

    def announced(self, words: str) -> bool:
        """Show what the answer waits for, a model's loading say; False where none is awaited."""
        if self._card is None or not self._busy.locked():
            return False
        self._card.say(words)
        return True

    def refresh(self, router: Router) -> None:
        """Explain and send with that router from here on."""
        if router is not self.router:
            self.router = router
            self._explain()

    def words(self) -> object:
        """What is said of the text."""
        return playing.printed(self.router, self.prompt, **self._options)

    def redraw(self) -> None:
        """Draw it as things are now."""
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
            self.html = look.room(
                "playground",
                f"{_field(self.prompt)}<div>{self._told or playing.INVITATION}</div>",
                look.heard(tier and f"would go to {tier}", seen=False),
                f'<div class="nbr-row">{"".join(row)}</div>',
            )

    def _explain(self) -> None:
        """Say what routing would do with the text as it is now; sends nothing."""
        prompt, router = self.prompt, self.router
        explained, told = None, ""
        if prompt.strip():
            try:
                explained, told = self._explanation(router, prompt)
            except Exception as error:  # noqa: BLE001 - a classifier of one's own may fail in any way
                told = f"<p><b>This cannot be routed.</b> {look.text(named(error))}</p>"
        with self.lock:
            self._explained, self._told = explained, told
            self.redraw()

    def _explanation(self, router: Router, prompt: str) -> tuple[Explanation, str]:
        chosen = self._classifier or self._options.get("classifier")
        standing = router.given["classifier"] or router.settings.classifier.name
        sending = playing.would_send(router, chosen or standing, prompt)
        asked = {**self._options, "classifier": "rules" if sending else chosen}
        explained = router.explain(prompt, **asked)
        note = playing.STANDS_IN if sending else ""
        return explained, playing.told(explained, prompt, router.ladder.names, note)

    def _work(self, tier: str | None) -> None:
        said = ""
        try:
            self._ask(tier)
        except Exception as error:  # noqa: BLE001 - a thread's error has no other place to show
            said = named(error)
        finally:
            self._busy.release()
            self._said = said
            self.redraw()

    def _ask(self, tier: str | None) -> None:
        with self.lock:
            prompt, explained, router = self.prompt, self._explained, self.router
        decided = _as_shown(explained.decision) if explained else None
        asked = {**self._options, **({"tier": tier} if tier else {"classifier": decided})}
        known = self._card.view.results if self._card else ()
        earlier = tuple(one for one in known if one.prompt == known[0].prompt == prompt)
        card = Card(router, self._below(), earlier, number=self._number())
        card.view = replace(card.view, asked=playing.shortened(prompt))
        self._card = card
        try:
            card.route(prompt, cancel=self._cancel, **asked)
        finally:
            if self._sent and len(card.view.results) > len(earlier):
                self._sent(card.result, card)

    def _below(self) -> Live:
        """The output below, where the answers are drawn."""
        if self._screen is None:
            self._screen = Live()
            self._screen.place()
        return self._screen

    def _ipython_display_(self) -> None:
        from IPython import get_ipython
        from IPython.display import display

        if is_live(get_ipython(), static=self.router.settings.static):
            display(self.bundle(), raw=True)
            self._below()
        else:
            display(self.words())


def _field(prompt: str) -> str:
    """The text field; HTML drops a line end that it begins with."""
    facts = f'data-do="prompt" data-key="prompt" data-enter="send" title="{_HINT}"'
    return (
        f'<label class="nbr-field">Prompt<textarea rows=8 spellcheck=false {facts} '
        f'placeholder="Type a prompt ... {_HINT}">\n{html.escape(prompt)}</textarea></label>'
    )


def _as_shown(decision: Decision) -> Callable[[str], Decision]:
    """A classifier that says again what was shown."""
    return lambda _: decision
