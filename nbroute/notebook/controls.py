"""The row of controls under a card, and the session meter.

They are an output of their own: a saved notebook keeps the answer, and a front end without
a kernel may fail on the controls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import ipywidgets as widgets

from nbroute.errors import NbrouteError, named
from nbroute.notebook import render
from nbroute.notebook.card import Card
from nbroute.notebook.paced import Following, Paced
from nbroute.notebook.panels import text
from nbroute.notebook.pieces import Said, button, dropdown, row
from nbroute.notebook.thumbs import Thumbs
from nbroute.router import Router
from nbroute.types import RouteResult

_REDRAWN_EVERY_S = 0.25


class Meter(widgets.HTML):
    """The session's spend, live; one model, shown under every card.

    It follows whatever this kernel routes, `router.map` and other threads too, at most four
    times a second.
    """

    def __init__(self, router: Router) -> None:
        super().__init__()
        self._router = router
        self._pace = Paced(self._redraw, _REDRAWN_EVERY_S)
        self._following = Following(router, self._pace.ask)
        self._redraw()

    @property
    def router(self) -> Router:
        """The router that the session goes on with."""
        return self._router

    def refresh(self, router: Router) -> None:
        """Read the ledger again, and follow that router from here on."""
        self._router = router
        self._following.follow(router)
        self._redraw()

    def close(self) -> None:
        """Follow no more, and go out of sight."""
        self._following.close()
        self._pace.close()
        super().close()

    def _redraw(self) -> None:
        lines = render.meter_lines(self._router)
        inside = "<br>".join(map(text, lines))
        self.value = (
            '<div role="status" aria-label="session" style="line-height:1.4;'
            f'color:var(--jp-ui-font-color1, inherit)">{inside}</div>'
        )

    def __repr__(self) -> str:
        """Short: a widget's own repr would write out its whole state."""
        return "<nbroute session meter>"


#: The card's router is one that asks models; a replay promises that nothing is sent.
_REPLAYING = "nothing was sent: a replay is on, and this answer is from before; run its cell again"


class Controls(widgets.VBox):
    """Escalate, run at a tier, stop, a word on the answer, and the session meter, under it.

    A button starts a thread, so that the kernel stays free; `escalated` is told of each new
    result. Each button has a magic that does the same: `%route escalate [TIER]`.
    """

    def __init__(
        self,
        card: Card,
        router: Router,
        meter: Meter,
        escalated: Callable[[RouteResult], None],
    ) -> None:
        self._card, self._router, self._meter, self._escalated = card, router, meter, escalated
        self._cancel: threading.Event | None = None
        self._busy = threading.Lock()
        self.up = button("", "Answer the same prompt on the next tier")
        self.tier = dropdown("Tier", router.ladder.names)
        self.run = button("Run at tier", "Answer the same prompt on the tier chosen beside")
        self.stop = button("Stop", "Stop the answer that is on its way")
        self.said = Said()
        self.thumbs = Thumbs(card, router)
        buttons = row(self.up, self.tier, self.run, self.stop, self.said)
        super().__init__([buttons, self.thumbs, meter])
        self.up.on_click(lambda _: self.start(None))
        self.run.on_click(lambda _: self.start(self.tier.value))
        self.stop.on_click(lambda _: self.cancel())
        self._idle()

    def start(self, tier: str | None) -> threading.Thread | None:
        """Answer again in a thread; None where an answer is on its way, or a replay would send."""
        standing = self._meter.router
        if standing.replaying is not None and standing is not self._router:
            self.said.say(_REPLAYING)
            return None
        if not self._busy.acquire(blocking=False):
            return None
        self._cancel = threading.Event()
        for one in (self.up, self.run):
            one.disabled = True
        self.stop.disabled = False
        self.said.say("answering ...")
        thread = threading.Thread(target=self._work, args=(tier,), name="nbroute-escalate")
        thread.daemon = True
        thread.start()
        return thread

    def cancel(self) -> None:
        """Stop what is on its way."""
        if self._cancel is not None:
            self._cancel.set()

    def _work(self, tier: str | None) -> None:
        said = ""
        try:
            self._escalated(self._card.escalate(tier, self._cancel))
        except NbrouteError as error:  # the card shows it
            if error.result is not None and error.result.text:
                self._escalated(error.result)
        except Exception as error:  # noqa: BLE001 - a thread's error has no other place to show
            said = named(error)
        finally:
            self._meter.refresh(self._meter.router)
            self.thumbs.renew()
            self._idle(said)
            self._busy.release()

    def _idle(self, said: str = "") -> None:
        result = self._card.result
        above = self._router.above(result)
        self.up.description = f"Escalate to {above.name}" if above else "Top tier: no escalation"
        self.up.disabled = above is None
        self.run.disabled = False
        self.stop.disabled = True
        self.tier.value = above.name if above else result.tier
        self.said.say(said)

    def __repr__(self) -> str:
        """What a front end without widgets shows: the magic that does the same."""
        return f"<nbroute controls: {self.up.description}; %route escalate [TIER] does the same>"
