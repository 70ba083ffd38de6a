"""A comparison under a cell: drawn while its answers come, and again when its state changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from nbroute.compare import Comparison, Contender
from nbroute.errors import RecordError, SettingsError, did_you_mean
from nbroute.notebook import look
from nbroute.notebook.comparing import columns
from nbroute.notebook.comparing.shown import Output
from nbroute.notebook.comparing.view import Running, State, letter_of, view_of
from nbroute.notebook.screens import Bundle, put
from nbroute.types import Decision, Done, Event

Shuffle = Callable[[list[int]], object]


class Card:
    """One comparison, drawn on its output; an observer of the calls that it is made of.

    `watchers` are called after a vote and when the marks change. A lock keeps two threads
    from drawing over each other.
    """

    def __init__(
        self, output: Output, state: State, shuffle: Shuffle, tiers: tuple[str, ...]
    ) -> None:
        self.output, self.state = output, state
        self.watchers: list[Callable[[], None]] = []
        self._shuffle, self._tiers = shuffle, tiers
        self._running: Running | None = None
        self._printed: set[str] = set()
        self._lock = threading.RLock()
        self._comparison: Comparison | None = None

    @property
    def comparison(self) -> Comparison:
        """The finished comparison; SettingsError if it never finished."""
        if self._comparison is None:
            raise SettingsError("the comparison did not finish; run its cell again")
        return self._comparison

    def start(self, contenders: Sequence[Contender], decision: Decision) -> None:
        """Show who is asked."""
        with self._lock:
            self._running = running = Running(contenders, decision)
            self._draw(running, now=True)

    def __call__(self, place: int, event: Event) -> None:
        """Take an event of one of the calls and redraw."""
        with self._lock:
            if self._running is None:
                return
            self._running.take(place, event)
            ended = isinstance(event, Done)
            if ended and self.output.kind == "terminal" and not self.state.blind:
                pane = self._running.pane(place)
                self._printed.add(pane.says)
                put(columns.pane_plain(pane) + "\n\n")
            self._draw(self._running, now=ended)

    def finish(self, comparison: Comparison) -> None:
        """Show all of it; a blind one in random order."""
        order = list(range(len(comparison.columns)))
        if self.state.blind:
            self._shuffle(order)
        self.resume(comparison, replace(self.state, order=tuple(order)))

    def resume(self, comparison: Comparison, state: State) -> None:
        """Show a finished comparison in that state."""
        with self._lock:
            self._comparison, self.state = comparison, state
            self._show()

    def inside(self) -> tuple[str, str]:
        """The comparison with its buttons, and the row below."""
        view = view_of(self.comparison, self.state)
        page = columns.inside(view, live=True, twin=self.output.name)
        return page, look.button("Differences", "differences", pressed=self.state.marked)

    def act(self, do: str, at: str, _value: str) -> str:
        """Answer a click; returns what to say about it."""
        if do == "differences":
            self.mark(not self.state.marked)
            return ""
        return self.vote(at, again=True)

    def vote(self, said: str, *, again: bool = False) -> str:
        """Record that this answer is good enough, and show whose it was; returns what to say.

        `said` is a contender's name, or its letter if the comparison was blind. A vote that is
        given `again` is taken back. One that cannot be written (RecordError) counts until the
        kernel ends, and so is shown as well.
        """
        with self._lock:
            name = self._named(said)
            column = self.comparison.column(name)
            if column.result is None or column.error is not None:
                if self.state.hidden:  # its error must not reveal which it is
                    raise SettingsError(f"{said!r:.80} has no answer to vote for; vote for another")
                self.comparison.vote(name)  # it says why
            back = again and name == self.state.voted
            voted = replace(self.state, voted="" if back else name, revealed=True)
            tell = self.state.hidden
            try:
                self.comparison.take_back() if back else self.comparison.vote(name)
            except RecordError:
                self._change(voted, tell=tell)
                raise
            self._change(voted, tell=tell)
            return "vote removed" if back else f"your vote: {name} is {columns.GOOD}"

    def mark(self, marked: bool) -> None:
        """Highlight what no other answer says, or stop doing so."""
        with self._lock:
            self._change(replace(self.state, marked=marked), tell=True)

    @property
    def choices(self) -> list[str]:
        """What a vote can say, in the order shown."""
        if self.state.blind:
            return [letter_of(place) for place in range(len(self.state.order))]
        return [self.comparison.columns[place].contender.name for place in self.state.order]

    def _named(self, said: str) -> str:
        place = self.state.column(said)
        if place is not None:
            return self.comparison.columns[place].contender.name
        names = [column.contender.name for column in self.comparison.columns]
        known = {name.casefold(): name for name in names}
        if self.state.hidden or said.casefold() not in known:
            hint = did_you_mean(said, self.choices)
            raise SettingsError(f"{said!r:.80} is not one of the answers compared: {hint}")
        return known[said.casefold()]

    def _draw(self, running: Running, *, now: bool) -> None:
        def page() -> Bundle:
            view = running.view(self._tiers, blind=self.state.blind)
            return {"text/plain": "", "text/html": columns.page(view)}, {}

        self.output.running(page, now=now)

    def _show(self) -> None:
        view = view_of(self.comparison, self.state)
        data, metadata = columns.bundle(view, self.comparison)
        if self._printed:
            data["text/plain"] = columns.rest_plain(view, self._printed)
            self._printed = set()
        self.output.show((data, metadata))

    def _change(self, state: State, *, tell: bool) -> None:
        """Redraw in place; if that is impossible, show it again if there is something to `tell`."""
        self.state = state
        if tell or self.output.live:
            self._show()
        for changed in self.watchers:
            changed()
