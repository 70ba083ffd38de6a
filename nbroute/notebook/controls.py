"""What is under a card: its row of controls, and the shelf that keeps the newest three."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from nbroute.engine.feedback import labels_of
from nbroute.errors import NbrouteError, RecordError, shown
from nbroute.notebook import look
from nbroute.notebook.lines import MEANS, labelled, session_text
from nbroute.notebook.live import Live
from nbroute.notebook.paced import Following, Paced
from nbroute.notebook.screens import message_of
from nbroute.pricing import call_usd, cost_of

if TYPE_CHECKING:
    from nbroute.notebook.card import Card
    from nbroute.router import Router
    from nbroute.types import RouteResult, Tier

#: How many cards have controls at a time.
MOST = 3
_REDRAWN_EVERY_S = 0.25

Answer = Callable[[str, str, str], str | None]


class Row(Live):
    """The controls of a card or a comparison: a `page` that is redrawn after each click.

    `answer` does what was clicked and returns what to say, which is then `said`. `meter` is the
    session's line, empty on all but the newest; `where` is the cell that shows it and its run.
    """

    def __init__(self, instead: str, page: Callable[[], str], answer: Answer) -> None:
        self.said = self.meter = ""
        self.where = "", ""
        self._page, self._answer = page, answer
        self._drawing = threading.RLock()
        super().__init__(instead=instead)

    def act(self, do: str, at: str = "", value: str = "") -> None:
        """Answer a click."""
        self.said = ""
        try:
            self.said = self._answer(do, at, value) or self.said
        except NbrouteError as error:
            self.said = shown(error)
        self.redraw()

    def redraw(self, meter: str | None = None) -> None:
        """Draw the current state, from any thread: an older one never comes later."""
        with self._drawing:
            self.meter = self.meter if meter is None else meter
            if (page := self._page()) != self.html:
                self.html = page

    def told(self) -> str:
        """The end of the row: what to say about the click, and the session."""
        line = f'<span class="nbr-quiet nbr-meter">{look.text(self.meter)}</span>'
        return look.heard(self.said) + line


class Shelf:
    """The controls on the screen: those of the newest three cards, with the meter on the newest.

    Those of older cards are removed, so that a reopened notebook is not full of widgets whose
    kernel is gone. The meter follows whatever this kernel routes, including `router.map` and
    other threads, at most four times a second.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._rows: dict[int, tuple[Row, Any]] = {}
        self._lock = threading.RLock()
        self._pace = Paced(self.redraw, _REDRAWN_EVERY_S)
        self._following = Following(router, self._pace.ask)

    def put(self, number: int, row: Row) -> None:
        """Show these controls here, and remove the oldest.

        Those of the same cell's last run are off the screen already, so they go first.
        """
        from IPython import get_ipython
        from IPython.display import display

        request = message_of(get_ipython())
        cell = request.get("metadata", {}).get("cellId", "")
        run = request.get("header", {}).get("msg_id", "")
        row.where = cell, run
        with self._lock:
            for older, (other, _) in list(self._rows.items()):
                if older == number or (cell == other.where[0] != "" and run != other.where[1]):
                    self._take_away(older)
            for older in list(self._rows)[: 1 - MOST or None]:
                self._take_away(older)
            for other, _ in self._rows.values():
                other.redraw("")
            row.redraw(session_text(self._router))
            self._rows[number] = row, display(row.bundle(), raw=True, display_id=True)

    def row(self, number: int) -> Row | None:
        """The controls of that card, if they are on the screen."""
        return self._rows.get(number, (None, None))[0]

    def refresh(self, router: Router) -> None:
        """Read the session again, and follow that router from now on."""
        self._router = router
        self._following.follow(router)
        self.redraw()

    def redraw(self) -> None:
        """Redraw each with the latest word on its answer, and the newest with the session."""
        with self._lock:
            rows = [row for row, _ in self._rows.values()]
            for row in rows:
                row.redraw(session_text(self._router) if row is rows[-1] else "")

    def close(self) -> None:
        """Remove all of them and stop following."""
        self._following.close()
        self._pace.close()
        with self._lock:
            for number in list(self._rows):
                self._take_away(number)

    def _take_away(self, number: int) -> None:
        if number in self._rows:
            row, handle = self._rows.pop(number)
            if handle is not None:
                handle.update({"text/plain": ""}, raw=True)
            row.close()


class Desk(Protocol):
    """The notebook that the controls of a card are in."""

    router: Router

    def panel(self, asked: str, card: Card, cancel: threading.Event) -> str:
        """Why, the previous version, or the prompt on all tiers (which asks models), as HTML."""


class Controls(Row):
    """Escalate, run at a tier, say how good the answer is; more in a menu.

    A button that asks a model does so in a thread, to keep the kernel free, and asks the router
    that the notebook has at that moment. Each has a magic that does the same: `%route escalate 7`,
    `%route label 7 good`, `%route why 7`.
    """

    def __init__(self, card: Card, desk: Desk) -> None:
        number = card.view.number
        again = f"%route escalate {number} [TIER], %route label {number} WORD"
        instead = f"controls of answer {number}; {again} do the same"
        super().__init__(instead, self.page, self.answer)
        self._card, self._desk = card, desk
        self._cancel = threading.Event()
        self._busy = threading.Lock()
        self._below = ""
        self._pressed: str | None = None

    def answer(self, do: str, at: str, _value: str) -> None:
        """Do what was clicked; a late click names the tier that the button showed then."""
        match do:
            case "up":
                above = self._desk.router.above(self._card.result)
                if above is not None and at in ("", above.name):
                    self.start(None)
            case "run":
                self.start(at)
            case "stop":
                self._cancel.set()
            case "label":
                self._label(at)
            case "copy":
                self.send({"copy": self._card.cell})
                self.said = "copied: paste it into a cell"
            case "compare":
                self._work(lambda: self._open(do))
            case "close":
                self._below = ""
            case _:
                self._open(do)

    def start(self, tier: str | None) -> threading.Thread | None:
        """Answer again in a thread; None if an answer is already on its way."""
        return self._work(lambda: self._ask(tier))

    def page(self) -> str:
        """The row, and below it what was opened."""
        result, router, card = self._card.result, self._desk.router, self._card.view
        busy = self._busy.locked()
        above, names = router.above(result), router.ladder.names
        up = look.button(
            f"Escalate to {above.name}{self._about(above, result)}" if above else "Top tier",
            "up",
            above.name if above else "",
            key="up",
            title="answer the same prompt on the next tier" if above else "there is no tier above",
            kind="nbr-go" if above else "",
            disabled=busy or above is None,
        )
        tint = look.tinted(above.name, names) if above else ""
        tiers = (
            look.button(f"{tier.name}{self._about(tier, result)}", "run", tier.name, disabled=busy)
            for tier in router.ladder.tiers
        )
        if (word := self._word_on(result)) != self._pressed:  # `%route label` said something else
            self._pressed, self.said = word, ""
        words = (
            look.button(
                word,
                "label",
                word,
                title=f"{means}; kept with the prompt",
                pressed=word == self._pressed,
                disabled=busy,
            )
            for word, means in MEANS.items()
        )
        more = [
            look.button("Copy as cell", "copy"),
            look.button("Compare on all tiers", "compare", disabled=busy),
            look.button("Why", "why"),
        ]
        older = f"v{card.version}, compare with v{card.version - 1}"
        pieces = [
            f'<span style="{tint}">{up}</span>' if result.tier in names else "",
            look.menu("Run at ▾", *tiers, title="Run at a tier"),
            look.button("Stop", "stop", kind="nbr-go") if busy else "",
            *words,
            look.button(older, "versions") if card.version > 1 else "",
            look.menu("…", *more, title="More"),
            self.told(),
        ]
        close = look.button("Close", "close")
        under = f'<div class="nbr-under">{close}{self._below}</div>' if self._below else ""
        return f'<div class="nbr"><div class="nbr-row">{"".join(pieces)}</div>{under}</div>'

    def _about(self, tier: Tier, result: RouteResult) -> str:
        """What the same tokens would cost on that tier."""
        kind = self._desk.router.parts.kind(tier)
        cost = cost_of(result.usage, tier, tier.model, kind).usd
        return f"  ~{call_usd(cost)}" if cost else ""

    def _label(self, word: str) -> None:
        result, router = self._card.result, self._desk.router
        try:
            if self._pressed == word:
                router.take_back(result)
                self.said = "label removed"
            else:
                self.said = labelled(router.label(result, word))
        finally:  # what is said now is about this word, even if it cannot be written
            self._pressed = self._word_on(result)

    def _word_on(self, result: RouteResult) -> str | None:
        """The answer's last label, given here or by `%route label`."""
        try:
            said = [one.feedback for one in labels_of(self._desk.router) if one.result == result.id]
        except RecordError:  # the session's line says so
            return None
        return said[-1] if said else None

    def _open(self, asked: str) -> None:
        self._below = self._desk.panel(asked, self._card, self._cancel)

    def _work(self, work: Callable[[], object]) -> threading.Thread | None:
        """Do what asks a model in its own thread; one at a time."""
        if not self._busy.acquire(blocking=False):
            return None
        self._cancel = threading.Event()
        self.said = "answering ..."
        thread = threading.Thread(target=self._done, args=(work,), name="nbroute-controls")
        thread.daemon = True
        thread.start()
        return thread

    def _done(self, work: Callable[[], object]) -> None:
        said = ""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a thread's error has no other place to show
            said = shown(error)
        finally:
            self._busy.release()
            self.said = said
            self.redraw()

    def _ask(self, tier: str | None) -> None:
        with suppress(NbrouteError):  # the card shows it
            self._card.escalate(self._desk.router, tier, self._cancel)
