"""A comparison under a cell: drawn while its answers come, and again when its state changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from nbroute.compare import Column, Comparison, Contender
from nbroute.compare.comparison import VOTE
from nbroute.errors import RecordError, SettingsError, did_you_mean
from nbroute.notebook.comparing.boards import Board
from nbroute.notebook.comparing.lanes import Lanes
from nbroute.notebook.comparing.view import State, letter_of, view_of
from nbroute.types import Decision, Done, Event

Shuffle = Callable[[list[int]], object]


class Card:
    """One comparison, drawn on its board; an observer of the calls that it is made of.

    `watchers` are called after a vote and when the marks change. A lock keeps two threads
    from drawing over one another.
    """

    def __init__(self, board: Board, state: State, shuffle: Shuffle) -> None:
        self.board = board
        self.state = state
        self.watchers: list[Callable[[], None]] = []
        self._shuffle = shuffle
        self._lanes = Lanes(blind=state.blind)
        self._lock = threading.RLock()
        self._comparison: Comparison | None = None

    @property
    def comparison(self) -> Comparison:
        """The finished comparison; SettingsError where it never came to that."""
        if self._comparison is None:
            raise SettingsError("the comparison did not come to an end; run its cell again")
        return self._comparison

    def start(self, contenders: Sequence[Contender], decision: Decision) -> None:
        """Learn who is asked, and show it."""
        with self._lock:
            self._lanes.start(contenders, decision)
            self.board.draw(self._lanes)

    def __call__(self, place: int, event: Event) -> None:
        """Take an event of one of the calls and redraw."""
        with self._lock:
            lane = self._lanes.take(place, event)
            if isinstance(event, Done) and not self.state.blind:
                self.board.ended(lane.pane)
            self.board.draw(self._lanes)

    def finish(self, comparison: Comparison) -> None:
        """Show the whole; the order of a blind one is left to chance."""
        order = list(range(len(comparison.columns)))
        if self.state.blind:
            self._shuffle(order)
        with self._lock:
            self._comparison = comparison
            self.state = replace(self.state, order=tuple(order))
            self.board.finish(view_of(comparison, self.state), comparison)

    def resume(self, comparison: Comparison) -> None:
        """Show a comparison that has ended, in the state that this card was made with."""
        with self._lock:
            self._comparison = comparison
            self.board.finish(view_of(comparison, self.state), comparison)

    def give_up(self) -> None:
        """There is no comparison: an error says why."""
        with self._lock:
            self.board.give_up()

    def vote(self, said: str) -> None:
        """Keep that this answer is the cheapest acceptable one, and show which it was.

        `said` is a contender's name, or its letter where the comparison was blind. A vote that
        cannot be written (RecordError) counts until the kernel ends, and so is shown, too.
        """
        with self._lock:
            name = self._named(said)
            self._check_answered(name, said)
            voted = replace(self.state, voted=name, revealed=True)
            tell = self.state.hidden
            try:
                self.comparison.vote(name)
            except RecordError:
                self._change(voted, tell=tell)
                raise
            self._change(voted, tell=tell)

    def mark(self, marked: bool) -> None:
        """Mark the words that only one answer has, or no longer."""
        with self._lock:
            self._change(replace(self.state, marked=marked), tell=True)

    @property
    def choices(self) -> list[tuple[str, str]]:
        """What a vote can say, and what a button calls it, in the order shown."""
        names = [self.comparison.columns[place].contender.name for place in self.state.order]
        if not self.state.blind:
            return [(name, name) for name in names]
        letters = [letter_of(place) for place in range(len(names))]
        if self.state.hidden:
            return [(letter, letter) for letter in letters]
        return [(letter, f"{letter}: {name}") for letter, name in zip(letters, names, strict=True)]

    @property
    def kept(self) -> str:
        """What was kept, in words; empty before a vote."""
        return f"kept: {self.state.voted} is the {VOTE}" if self.state.voted else ""

    def _named(self, said: str) -> str:
        place = self.state.column(said)
        if place is not None:
            return self.comparison.columns[place].contender.name
        names = [column.contender.name for column in self.comparison.columns]
        known = {name.casefold(): name for name in names}
        if self.state.hidden or said.casefold() not in known:
            allowed = [choice for choice, _ in self.choices]
            msg = f"{said!r:.80} is none of the answers compared: {did_you_mean(said, allowed)}"
            raise SettingsError(msg)
        return known[said.casefold()]

    def _check_answered(self, name: str, said: str) -> None:
        """A hidden contender's error must not tell which it is."""
        if self.state.hidden and not answered(self.comparison.column(name)):
            raise SettingsError(f"{said!r:.80} has no answer to vote for; vote for another")

    def _change(self, state: State, *, tell: bool) -> None:
        """Redraw in place; where that cannot be, show it again if there is something to `tell`."""
        comparison = self.comparison
        self.state = state
        if tell or self.board.live:
            self.board.again(view_of(comparison, state), comparison)
        for changed in self.watchers:
            changed()


def answered(column: Column) -> bool:
    """Whether there is an answer to vote for."""
    return column.result is not None and column.error is None
