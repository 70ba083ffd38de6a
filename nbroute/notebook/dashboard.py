"""The session dashboard: a widget that is redrawn while prompts are routed."""

from __future__ import annotations

from nbroute.notebook import overview
from nbroute.notebook.live import Room
from nbroute.notebook.paced import Following, Paced
from nbroute.router import Router

_REDRAWN_EVERY_S = 0.35
_SAID_EVERY_S = 5.0


class Dashboard(Room):
    """Spend, budget, tiers, times, savings and the last calls, live; reads, sends nothing.

    It is redrawn about three times a second while there is something new, from any thread;
    with a long session less often. `close` ends that. Of a prompt it shows the first words, and
    of a key in them nothing. `%route dashboard` does the same.
    """

    def __init__(self, router: Router) -> None:
        super().__init__(router, "session dashboard; %route dashboard shows it", self.words)
        self._said = ""
        self._redraw = Paced(self.redraw, _REDRAWN_EVERY_S)
        self._say = Paced(self._tell, _SAID_EVERY_S)
        self._following = Following(router, self._changed)
        self.redraw()

    def redraw(self) -> None:
        """Read the ledger again and show what it says."""
        with self.lock:
            self._seen = overview.read(self.router)
            self.html = overview.page(self._seen, self.router.ladder.names, self._said)

    def words(self) -> object:
        """The session as a table."""
        return overview.snapshot(overview.read(self.router))

    def refresh(self, router: Router) -> None:
        """Read again, and show that router's session from here on."""
        if not self.closed:
            self.router = router
            self._following.follow(router)
            self._changed()

    def close(self) -> None:
        """Watch no more, and go out of sight."""
        if not self.closed:  # a widget that is collected is closed again
            self._following.close()
            self._redraw.close()
            self._say.close()
        super().close()

    def _changed(self) -> None:
        self._redraw.ask()
        self._say.ask()

    def _tell(self) -> None:
        self._said = self._seen.status
        self.redraw()
