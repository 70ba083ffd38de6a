"""The playground: a prompt is explained while it is typed, and sent when a button says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from nbroute.classify.registry import NAMES
from nbroute.errors import NbrouteError, named
from nbroute.notebook import playing
from nbroute.notebook.answer import escape_markdown
from nbroute.notebook.card import Card
from nbroute.notebook.panels import STYLE, heard, text
from nbroute.notebook.pieces import Said, button, dropdown, row
from nbroute.notebook.render import View
from nbroute.notebook.screens import Live, is_live
from nbroute.router import Router
from nbroute.types import Decision, Explanation, RouteResult

#: A click may come before the last letters, which wait where the kernel was busy.
_SETTLE_S = 0.2
_AS_ROUTED = "as the settings say"
_KEPT = "Explained as you type, nothing is sent; the text is saved with the notebook."


class Playground(widgets.VBox):
    """A prompt's tier, signals and costs as it is typed, with nothing sent; then buttons.

    "Send to ..." asks the tier that is shown, with the decision that is shown. The answer
    stands below, an output of its own, and `sent` is told of its result. `options` are those of
    `router.route`, for all that is explained and sent. What is typed is a widget's state, which
    front ends save with the notebook. `%route playground TEXT` and `router.explain` say the same.
    """

    def __init__(
        self,
        router: Router,
        prompt: str = "",
        *,
        sent: Callable[[RouteResult], None] | None = None,
        **options: Any,
    ) -> None:
        self._router, self._sent, self._options = router, sent or _nobody, options
        self._explained: Explanation | None = None
        self._card: Card | None = None
        self._screen: Any = None
        self._asked: Any = None
        self._cancel = threading.Event()
        self._busy = threading.Lock()
        self._lock = threading.RLock()
        self._make_controls(prompt)
        hint = widgets.HTML(f'<span class="nbr">{text(_KEPT)}</span>')
        how = row(self.classifier, hint)
        top = [widgets.HTML(STYLE), self.prompt, how, self.heard, self.verdict]
        sends = row(self.send, self.tier, self.send_at, self.stop, self.said)
        super().__init__([*top, sends, self.details])
        self.prompt.observe(lambda _: self.explain(), "value")
        self.classifier.observe(lambda _: self.explain(), "value")
        self.send.on_click(lambda _: self.start(None))
        self.send_at.on_click(lambda _: self.start(self.tier.value))
        self.stop.on_click(lambda _: self.cancel())
        self.explain()

    def _make_controls(self, prompt: str) -> None:
        self.prompt = widgets.Textarea(
            prompt,
            description="Prompt",
            placeholder="Type a prompt ...",
            rows=5,
            style={"description_width": "initial"},
            layout={"width": "auto"},
        )
        self.prompt.add_class("nbr-prompt")
        self.heard, self.verdict, self.details = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.send = button("Send", "Ask the tier that is shown")
        self.tier = dropdown("Tier", self._router.ladder.names)
        self.send_at = button("Send at tier", "Ask the tier chosen beside")
        self.stop = button("Stop", "Stop the answer that is on its way")
        self.stop.disabled = True
        self.said = Said()
        named = [name for name in NAMES if name not in playing.ASKING]
        self.classifier = dropdown("Classifier", [(_AS_ROUTED, ""), *((n, n) for n in named)])

    def explain(self) -> None:
        """Show what routing would do with the text as it is now; sends nothing."""
        with self._lock:
            self._explained, told = None, playing.INVITATION
            if self.prompt.value.strip():
                told = self._told(self.prompt.value)
            self.verdict.value, self.details.value = told.verdict, told.details
            self.heard.value = heard(told.spoken)
            self._idle()

    def start(self, tier: str | None) -> threading.Thread | None:
        """Send the text to that tier, or to the one shown; None where an answer is on its way."""
        if not self._busy.acquire(blocking=False):
            return None
        self._cancel.clear()
        self._idle()
        self.said.say("answering ...")
        thread = threading.Thread(target=self._work, args=(tier,), name="nbroute-playground")
        thread.daemon = True
        thread.start()
        return thread

    def cancel(self) -> None:
        """Stop what is on its way."""
        self._cancel.set()

    def announced(self, words: str) -> bool:
        """Show what the answer waits for, a model's loading say; False where none is awaited."""
        if self._card is None or not self._busy.locked():
            return False
        self._card.say(words)
        return True

    def refresh(self, router: Router) -> None:
        """Explain and send with that router from here on."""
        if router is self._router:
            return
        with self._lock:
            self._router = router
            self.tier.options = router.ladder.names
        self.explain()

    def _told(self, prompt: str) -> playing.Told:
        router = self._router
        chosen = self.classifier.value or self._options.get("classifier")
        standing = router.given["classifier"] or router.settings.classifier.name
        try:
            sending = playing.would_send(router, chosen or standing, prompt)
            asked = {**self._options, "classifier": "rules" if sending else chosen}
            self._explained = router.explain(prompt, **asked)
        except Exception as error:  # noqa: BLE001 - a classifier of the user's own may fail in any way
            return playing.failed(error)
        note = playing.STANDS_IN if sending else ""
        return playing.told(self._explained, prompt, router.ladder.names, note)

    def _work(self, tier: str | None) -> None:
        said = ""
        try:
            time.sleep(_SETTLE_S)
            self._sent(self._ask(tier))
        except NbrouteError as error:
            said = named(error)
            if error.result is not None and error.result.text:
                self._sent(error.result)
        except Exception as error:  # noqa: BLE001 - a thread's error has no other place to show
            said = named(error)
        finally:
            self._busy.release()
            with self._lock:
                self._idle()
            self.said.say(said)

    def _ask(self, tier: str | None) -> RouteResult:
        with self._lock:
            prompt, explained, router = self.prompt.value, self._explained, self._router
        asked = dict(self._options)
        if tier is not None:
            asked["tier"] = tier
        elif explained is not None:
            asked["classifier"] = _as_shown(explained.decision)
        card = Card(router, self._below(prompt), self._earlier(prompt))
        self._card = card
        return card.route(prompt, cancel=self._cancel, **asked)

    def _earlier(self, prompt: str) -> tuple[RouteResult, ...]:
        """The answers to the same prompt, which fold under the next one."""
        known = self._card.view.results if self._card else ()
        return tuple(one for one in known if one.prompt == known[0].prompt == prompt)

    def _below(self, prompt: str) -> Any:
        if self._screen is None:
            self._place_answer()
        told = playing.shortened(prompt)
        data = {
            "text/plain": f"prompt: {told}",
            "text/markdown": f"> {escape_markdown(told)}",
        }
        if self._asked is not None:  # outside IPython there is nothing to update
            self._asked.update(data, raw=True)
        return self._screen

    def _place_answer(self) -> None:
        """Two outputs below the widget: what was asked, and its answer."""
        from IPython.display import display

        nothing = {"text/plain": "", "text/markdown": ""}
        self._asked = display(nothing, raw=True, display_id=True)
        self._screen = Live()
        self._screen.finish(View())

    def _idle(self) -> None:
        """Set what the buttons say and whether they can be pressed."""
        shown, busy = self._explained, self._busy.locked()
        tier = shown.plan.steps[0].tier.name if shown else ""
        self.send.description = f"Send to {tier}" if tier else "Send"
        self.send.disabled = busy or shown is None
        self.send_at.disabled = busy or shown is None
        self.stop.disabled = not busy

    def _ipython_display_(self) -> None:
        from IPython import get_ipython
        from IPython.display import display

        if not is_live(get_ipython(), static=self._router.settings.static):
            display(playing.printed(self._router, self.prompt.value, **self._options))
            return
        data: Any = self._repr_mimebundle_()
        display(data, raw=True)
        self._place_answer()

    def __repr__(self) -> str:
        """Short, and without the text."""
        return "<nbroute playground; %route playground TEXT says the same in words>"


def _as_shown(decision: Decision) -> Callable[[str], Decision]:
    """A classifier that says again what was shown."""
    return lambda _: decision


def _nobody(result: RouteResult) -> None:
    """Who is told where nobody asked to be."""
