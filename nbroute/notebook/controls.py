"""What stands under a card: its row of controls, and the shelf that keeps the newest three."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from nbroute.engine.feedback import labels_of
from nbroute.errors import NbrouteError, RecordError, named
from nbroute.notebook import look
from nbroute.notebook.card import Card
from nbroute.notebook.lines import MEANS, kept
from nbroute.notebook.live import Live
from nbroute.notebook.paced import Following, Paced
from nbroute.notebook.session import session_text
from nbroute.pricing import call_usd, cost_of
from nbroute.router import Router

if TYPE_CHECKING:
    from nbroute.types import Feedback, RouteResult, Tier

#: Cards that have controls at one time.
MOST = 3
_REDRAWN_EVERY_S = 0.25
#: The card's router is one that asks models; a replay promises that nothing is sent.
_REPLAYING = "Nothing was sent: a replay is on, and this answer is from before. Run its cell again."


class Row(Protocol):
    """Controls of a card or a comparison: a widget that can be drawn again."""

    live: Live

    def redraw(self, meter: str | None = None) -> None:
        """Draw it as things are now; `meter` is the session's line, empty on all but the newest."""


class Shelf:
    """The controls on the screen: those of the newest three cards, the meter under the newest.

    An older card's are taken away, so that a notebook that is opened again is not full of
    widgets whose kernel is gone. The meter follows whatever this kernel routes, `router.map`
    and other threads too, at most four times a second.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._rows: dict[int, tuple[Row, Any]] = {}
        self._lock = threading.RLock()
        self._pace = Paced(self.redraw, _REDRAWN_EVERY_S)
        self._following = Following(router, self._pace.ask)

    def put(self, number: int, row: Row) -> None:
        """Show these controls, here and now, and take away the oldest."""
        from IPython.display import display

        with self._lock:
            self._take_away(number)
            for older in list(self._rows)[: 1 - MOST or None]:
                self._take_away(older)
            for other, _ in self._rows.values():
                other.redraw("")
            row.redraw(session_text(self._router))
            bundle: Any = row.live._repr_mimebundle_()
            data = dict(bundle[0] if isinstance(bundle, tuple) else bundle)
            data["text/plain"] = ""  # a page made of the notebook has no controls
            self._rows[number] = row, display(data, raw=True, display_id=True)

    def row(self, number: int) -> Row | None:
        """The controls of that card, where they are on the screen."""
        return self._rows.get(number, (None, None))[0]

    def refresh(self, router: Router) -> None:
        """Read the session again, and follow that router from here on."""
        self._router = router
        self._following.follow(router)
        self.redraw()

    def redraw(self) -> None:
        """Have each show what was said of its answer, and the newest the session, as it is now."""
        with self._lock:
            rows = [row for row, _ in self._rows.values()]
            for row in rows:
                row.redraw(session_text(self._router) if row is rows[-1] else "")

    def close(self) -> None:
        """Take all of them away and follow no more."""
        self._following.close()
        self._pace.close()
        with self._lock:
            for number in list(self._rows):
                self._take_away(number)

    def _take_away(self, number: int) -> None:
        row, handle = self._rows.pop(number, (None, None))
        if handle is not None:
            handle.update({"text/plain": ""}, raw=True)
        if row is not None:
            row.live.close()


class Desk(Protocol):
    """What the controls of a card ask of the notebook."""

    router: Router

    def took(self, result: RouteResult, card: Card) -> None:
        """The card has a new answer."""

    def source(self, card: Card) -> str:
        """The cell that would ask the same again."""

    def compared(self, card: Card) -> str:
        """The prompt on all tiers, as HTML; asks models."""

    def versions(self, card: Card) -> str:
        """This answer beside the one before it, as HTML."""

    def why(self, card: Card) -> str:
        """How the tier was found, step by step, as HTML."""


class Controls:
    """Escalate, run at a tier, say how good the answer is; more in a menu.

    A button that asks a model starts a thread, so that the kernel stays free. Each has a magic
    that does the same: `%route escalate 7`, `%route label 7 good`, `%route why 7`.
    """

    def __init__(self, card: Card, router: Router, desk: Desk) -> None:
        self._card, self._router, self._desk = card, router, desk
        self._cancel: threading.Event | None = None
        self._busy = threading.Lock()
        self._said = self._below = self._meter = ""
        self._pressed: Feedback | None = None
        number = card.view.number
        again = f"%route escalate {number} [TIER], %route label {number} WORD"
        self.live = Live(act=self.act, instead=f"controls of answer {number}; {again} do the same")

    def act(self, do: str, at: str, _value: str) -> None:
        """Answer a click."""
        actions: dict[str, Callable[[], object]] = {
            "up": lambda: self._up(at),
            "run": lambda: self.start(at),
            "stop": self.cancel,
            "label": lambda: self._label(at),
            "copy": self._copy,
            "compare": lambda: self._work(lambda: self._show(self._desk.compared(self._card))),
            "versions": lambda: self._show(self._desk.versions(self._card)),
            "why": lambda: self._show(self._desk.why(self._card)),
            "close": lambda: self._show(""),
        }
        self._said = ""
        try:
            actions[do]()
        except NbrouteError as error:
            self._said = named(error)
        self.redraw()

    def _up(self, tier: str) -> None:
        """Escalate to the tier that the button named: a click that comes late names another."""
        above = self._router.above(self._card.result)
        if above is not None and tier in ("", above.name):
            self.start(None)

    def start(self, tier: str | None) -> threading.Thread | None:
        """Answer again in a thread; None where an answer is on its way, or a replay would send."""
        standing = self._desk.router
        if standing.replaying is not None and standing is not self._router:
            self._said = _REPLAYING
            return None
        return self._work(lambda: self._answer(tier))

    def cancel(self) -> None:
        """Stop what is on its way."""
        if self._cancel is not None:
            self._cancel.set()

    def redraw(self, meter: str | None = None) -> None:
        """Draw the row as things are now."""
        self._meter = self._meter if meter is None else meter
        html = f'<div class="nbr">{self._row()}{self._under()}</div>'
        if html != self.live.html:
            self.live.html = html

    def _row(self) -> str:
        result, ladder = self._card.result, self._router.ladder
        busy = self._busy.locked()
        above = self._router.above(result)
        up = look.button(
            f"Escalate to {above.name}{self._about(above, result)}" if above else "Top tier",
            "up",
            above.name if above else "",
            key="up",
            title="answer the same prompt on the next tier" if above else "there is no tier above",
            kind="nbr-go" if above else "",
            disabled=busy or above is None,
        )
        tint = look.tinted(above.name, ladder.names) if above else ""
        tiers = (
            look.button(f"{tier.name}{self._about(tier, result)}", "run", tier.name, disabled=busy)
            for tier in ladder.tiers
        )
        self._pressed = self._word_on(result)
        stop = look.button("Stop", "stop", kind="nbr-go") if busy else ""
        version = self._card.view.version
        older = look.button(f"v{version}, compare with v{version - 1}", "versions")
        pieces = [
            f'<span style="{tint}">{up}</span>',
            look.menu("Run at ▾", *tiers, title="Run at a tier"),
            stop,
            *(self._word(word, busy=busy) for word in MEANS),
            older if version > 1 else "",
            look.menu("…", *self._more(busy=busy), title="More"),
            look.heard(self._said),
            f'<span class="nbr-quiet nbr-meter">{look.text(self._meter)}</span>',
        ]
        return f'<div class="nbr-row">{"".join(pieces)}</div>'

    def _word(self, word: Feedback, *, busy: bool) -> str:
        pressed = word == self._pressed
        title = f"{MEANS[word]}; kept with the prompt"
        return look.button(word, "label", word, title=title, pressed=pressed, disabled=busy)

    def _more(self, *, busy: bool) -> list[str]:
        return [
            look.button("Copy as cell", "copy"),
            look.button("Compare on all tiers", "compare", disabled=busy),
            look.button("Why", "why"),
        ]

    def _under(self) -> str:
        if not self._below:
            return ""
        return f'<div class="nbr-under">{look.button("Close", "close")}{self._below}</div>'

    def _about(self, tier: Tier, result: RouteResult) -> str:
        """What the same tokens would cost there."""
        cost = cost_of(result.usage, tier, tier.model, self._router.parts.kind(tier)).usd
        return f"  ~{call_usd(cost)}" if cost else ""

    def _label(self, word: str) -> None:
        result = self._card.result
        if self._pressed == word:
            self._router.take_back(result)
            self._said = "taken back"
        else:
            self._said = kept(self._router.label(result, word))

    def _word_on(self, result: RouteResult) -> Feedback | None:
        """What was last said of the answer, here or by `%route label`."""
        try:
            said = (one for one in labels_of(self._router) if one.result == result.id)
            return next((one.feedback for one in reversed([*said])), None)
        except RecordError:  # the session's line tells
            return None

    def _copy(self) -> None:
        self.live.send({"copy": self._desk.source(self._card)})
        self._said = "copied: paste it into a cell"

    def _show(self, html: str) -> None:
        self._below = html

    def _work(self, work: Callable[[], object]) -> threading.Thread | None:
        """Do what asks a model in a thread of its own; one at a time."""
        if not self._busy.acquire(blocking=False):
            return None
        self._cancel = threading.Event()
        self._said = "answering ..."
        thread = threading.Thread(target=self._done, args=(work,), name="nbroute-controls")
        thread.daemon = True
        thread.start()
        return thread

    def _done(self, work: Callable[[], object]) -> None:
        said = ""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a thread's error has no other place to show
            said = named(error)
        finally:
            self._busy.release()
            self._said = said
            self.redraw()

    def _answer(self, tier: str | None) -> None:
        try:
            result = self._card.escalate(tier, self._cancel)
        except NbrouteError as error:  # the card shows it
            if error.result is not None and error.result.text:
                self._desk.took(error.result, self._card)
        else:
            self._desk.took(result, self._card)
