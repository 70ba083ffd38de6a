"""Conversations over several cells, the tier of a turn in one, and the results of a session."""

from __future__ import annotations

import contextlib
import logging
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from nbroute.errors import SettingsError, did_you_mean
from nbroute.locks import Lock
from nbroute.types import Classifier, Decision, Ladder, RouteResult


class Threads:
    """The conversations of a session by name, one result for each turn; thread-safe."""

    def __init__(self) -> None:
        self._turns: dict[str, tuple[RouteResult, ...]] = {}
        self._lock = Lock()

    def turns(self, name: str, again: RouteResult | None = None) -> tuple[RouteResult, ...]:
        """The turns so far; only those before the turn that is answered `again`, if one is."""
        found = self._turns.get(name, ())
        place = _place(found, again)
        return found if place is None else found[:place]

    def keep(self, name: str, result: RouteResult) -> None:
        """Add the turn; one that is answered again is replaced."""
        with self._lock:
            found = self._turns.get(name, ())
            place = _place(found, result)
            after = () if place is None else found[place + 1 :]
            self._turns[name] = (*found[:place], result, *after)

    def names(self) -> tuple[str, ...]:
        """The conversations, the oldest first."""
        return tuple(self._turns)

    def forget(self, name: str) -> None:
        """Drop the conversation; SettingsError where there is none of that name."""
        with self._lock:
            if name not in self._turns:
                hint = did_you_mean(name, self._turns)
                raise SettingsError(f"there is no thread {name!r:.80}: {hint}")
            del self._turns[name]


def _place(turns: tuple[RouteResult, ...], result: RouteResult | None) -> int | None:
    ids = {one.id for one in result.chain} if result else set()
    return next((place for place, turn in enumerate(turns) if turn.id in ids), None)


#: Longer prompts stand alone, whatever they begin with.
FOLLOW_UP_WORDS = 12
#: How a follow-up begins, and what in it refers to what was said before.
_BEGINS = re.compile(
    r"""(?:and|but|so|also|then|why|how\ so|what\ about|how\ about|now|again|ok(?:ay)?|yes|no|go\ on
    |continue|more|shorter|longer|simpler|please\ (?:continue|go\ on|explain)|und|aber|auch
    |warum|wieso|weiter|kürzer|nochmal|et|mais|aussi|pourquoi|continue[zr]?|plus\ (?:court|long
    |simple)|y|pero|también|por\ qué|sigue|más\ (?:corto|largo|simple)|e|ma|anche|perché
    |continua)\b|(?:为什么|继续|那|再|なぜ|続け|もっと)""",
    re.VERBOSE | re.IGNORECASE,
)
_REFERS = re.compile(
    r"""\b(?:it|its|that|this|those|these|them|they|he|she|the\ (?:same|above|first|second|last
    |previous|latter|former)|instead|previous(?:ly)?|above|earlier|you\ (?:said|wrote|mentioned)
    |your\ (?:answer|last|previous)|das|dies(?:e[rsnm]?)?|davon|dazu|cela|ça|eso|esto)\b
    |[它这那](?:个|些)?|それ|これ""",
    re.VERBOSE | re.IGNORECASE,
)


def _is_follow_up(prompt: str) -> bool:
    """Whether a short prompt refers to what was said before."""
    text = prompt.strip()
    if len(text.split()) > FOLLOW_UP_WORDS:
        return False
    return bool(_BEGINS.match(text) or _REFERS.search(text))


def classify_turn(
    classifier: Classifier, prompt: str, earlier: Sequence[RouteResult], ladder: Ladder
) -> Decision:
    """The decision for the next turn, with the turns before it in view.

    A follow-up is classified together with the prompts that it goes back to, and is not
    asked of a lower tier than the one a person chose for the turn before. Any other prompt
    stands alone, so that a conversation may come down again.
    """
    if not earlier or not _is_follow_up(prompt):
        return _decision(classifier, prompt, ladder)
    # The prompts back to the last one that stands alone, oldest first.
    subject: list[str] = []
    for turn in reversed(earlier):
        subject.insert(0, turn.prompt)
        if not _is_follow_up(turn.prompt):
            break
    made = _decision(classifier, "\n\n".join([*subject, prompt]), ladder)
    what = "the turn" if len(subject) == 1 else f"the {len(subject)} turns"
    reason = f"{made.reason}; read with {what} before it"
    made, last = replace(made, reason=reason, signals=()), earlier[-1]
    if last.options.tier is None or last.tier not in ladder.names:
        return made
    if ladder.index(made.tier) >= ladder.index(last.tier):
        return made
    reason = f"{reason}; a follow-up stays on {last.tier}, which you chose"
    return replace(made, tier=last.tier, reason=reason)


def _decision(classifier: Classifier, prompt: str, ladder: Ladder) -> Decision:
    made: object = classifier.classify(prompt, ladder)
    if not isinstance(made, Decision):
        what = f"the classifier {classifier.name!r} returned {made!r:.60}"
        raise SettingsError(f"{what}; return a Decision(tier, name, reason)")
    return made


Changed = Callable[[], None]
#: Results that are kept; of a long run over many prompts, the last ones.
KEPT = 2_000

_log = logging.getLogger("nbroute")


class History:
    """What was routed since the kernel started, and who watches it; thread-safe."""

    def __init__(self, kept: int = KEPT) -> None:
        self._results: deque[RouteResult] = deque(maxlen=kept)
        self._watchers: list[Changed] = []
        self._lock = Lock()

    def add(self, result: RouteResult) -> None:
        """Keep the result, dropping the oldest if need be, and tell the watchers."""
        with self._lock:
            self._results.append(result)
        self.changed()

    def arrange(self, ids: Iterable[str]) -> None:
        """Put the results of those ids in that order: threads add them as they finish."""
        with self._lock:
            known = {one.id: one for one in self._results}
            ordered = {id_: known[id_] for id_ in ids if id_ in known}
            places = [at for at, one in enumerate(self._results) if one.id in ordered]
            for place, one in zip(places, ordered.values(), strict=False):
                self._results[place] = one

    def results(self) -> tuple[RouteResult, ...]:
        """The last results, oldest first."""
        with self._lock:
            return tuple(self._results)

    def watch(self, watcher: Changed) -> Callable[[], None]:
        """Call `watcher` after each prompt, on its thread, until the returned function is called.

        A watcher must be quick: the prompt's caller waits for it.
        """
        with self._lock:
            self._watchers.append(watcher)

        def forget() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._watchers.remove(watcher)

        return forget

    def changed(self) -> None:
        """Tell the watchers; one that fails is logged and breaks nothing."""
        with self._lock:
            watchers = tuple(self._watchers)
        for watcher in watchers:
            try:
                watcher()
            except Exception:  # noqa: BLE001 - watchers do not steer
                _log.exception("a watcher of the session failed")
