"""The card under a cell: its answers, drawn on a `Screen` as the events come."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from nbroute.errors import shown
from nbroute.notebook.answer import safe_plain
from nbroute.notebook.lines import Scale, session_text
from nbroute.notebook.render import Running, View, bundle, written
from nbroute.notebook.screens import Screen
from nbroute.pricing import cost_of, estimate_tokens
from nbroute.report.table import with_effort
from nbroute.router import Router
from nbroute.types import (
    NO_ANSWER,
    UNCOMPARED,
    Attempted,
    Classified,
    Done,
    Escalated,
    Event,
    Notice,
    RouteResult,
    Sent,
    Text,
    Thinking,
    Usage,
)

#: Seconds between two drawings while nothing arrives, so that the clock keeps running.
TICK_S = 0.5


class Origin(NamedTuple):
    """Where a card comes from: a cell, its source, the variable that keeps the result."""

    cell: str = ""
    source: str = ""
    output: str | None = None


Took = Callable[[RouteResult, "Card"], None]


class Card:
    """One cell's answers, drawn as they arrive; an observer of the calls that it makes.

    `took` is given each answer; a failed escalation leaves the previous one in place. A lock keeps
    a button's thread and the kernel's from drawing over each other.
    """

    def __init__(
        self,
        router: Router,
        screen: Screen,
        earlier: tuple[RouteResult, ...] = (),
        *,
        number: int = 0,
        version: int = 0,
        origin: Origin | None = None,
        took: Took = lambda *_: None,
    ) -> None:
        self.view = View(earlier, number=number, version=version, scale=Scale.of(router))
        self.screen, self.origin = screen, origin or Origin()
        self._router, self._took = router, took
        self._lock = threading.RLock()
        self._asked = ""
        self._began = 0.0
        self._printed = False

    @property
    def result(self) -> RouteResult:
        """The newest answer."""
        return self.view.results[0]

    @property
    def cell(self) -> str:
        """The source of a cell that asks the same again."""
        return self.origin.source or f"%%route\n{self.result.prompt}"

    def route(self, prompt: str, **options: Any) -> RouteResult:
        """Route the prompt and show it; an error is shown with what had arrived, and raised."""
        return self._shown(prompt, lambda: self._router.route(prompt, observe=self, **options))

    def escalate(
        self, router: Router, tier: str | None = None, cancel: threading.Event | None = None
    ) -> RouteResult:
        """Answer again on the router's next tier, or on `tier`, above the answers so far."""
        last, self._router = self.result, router
        self.view = replace(self.view, scale=Scale.of(router))
        return self._shown(
            last.prompt, lambda: router.escalate(last, tier, observe=self, cancel=cancel)
        )

    def say(self, doing: str) -> None:
        """Show what the answer is waiting for, such as a model that is being loaded."""
        with self._lock:
            running = replace(self.view.running or Running(), doing=doing)
            self.view = replace(self.view, running=running)
            self._draw(now=True)

    def __call__(self, event: Event) -> None:
        """Take an event of a call and redraw."""
        with self._lock:
            before = self.view.running or Running()
            self.view = after(self.view, event)
            told = ""
            match event:
                case Text(text):
                    self._printed = self.screen.kind == "terminal"
                    self.screen.put(safe_plain(text))
                case Sent(model=model) if before.text:
                    told = f"{before.model} failed; next: {model}"
                case Escalated():
                    told = self.view.notices[-1]
                case Notice(text, waits=True):
                    told = text
            if told:
                gap = "\n\n" if before.text else ""
                self.screen.put(f"{gap}--- {safe_plain(told)} ---\n\n")
            if not isinstance(event, Done):
                self._draw(now=isinstance(event, Notice) and event.waits)

    def _draw(self, *, now: bool = False) -> None:
        if self.view.running is not None:
            self.screen.running(lambda: bundle(self._view_now()), now=now)

    def _view_now(self) -> View:
        """The view with the time taken and the cost so far."""
        running, ladder = self.view.running or Running(), self._router.ladder
        tokens = estimate_tokens(running.text) if running.text else 0
        cost = None
        if tokens and running.model and running.tier in ladder.names:
            tier, usage = ladder[running.tier], Usage(estimate_tokens(self._asked), tokens)
            cost = cost_of(usage, tier, running.model, self._router.parts.kind(tier))
        elapsed = time.monotonic() - self._began
        now = replace(running, elapsed_s=elapsed, tokens=tokens, cost=cost)
        return replace(self.view, running=now)

    def _shown(self, prompt: str, call: Callable[[], RouteResult]) -> RouteResult:
        with self._lock:
            self._asked, self._began, self._printed = prompt, time.monotonic(), False
            self.view = replace(self.view, running=Running(), error="", notices=())
        ended = threading.Event()
        result, raised = None, None
        try:
            if self.screen.live:
                threading.Thread(target=self._tick, args=(ended,), daemon=True).start()
            result = call()
        except BaseException as error:
            result, raised = getattr(error, "result", None) or result, error
            raise
        finally:
            with unbroken():
                ended.set()
                self._end(result, raised)
        return result

    def _tick(self, ended: threading.Event) -> None:
        """Keep the clock running while nothing arrives."""
        while not ended.wait(TICK_S):
            with self._lock:
                if not ended.is_set():
                    self._draw()

    def _end(self, result: RouteResult | None, raised: BaseException | None) -> None:
        """Show the last state. If there is no answer at all, the error speaks for itself."""
        with self._lock:
            earlier = self.view.results
            told = result and (result.text.strip() or result.cost_usd or result.notices)
            answered = (result,) if result and (told or not raised) else ()
            stopped = isinstance(raised, KeyboardInterrupt) and answered
            error = shown(raised) if raised else ""
            self.view = view = replace(
                self.view,
                results=(*answered, *earlier),
                running=None,
                error=error if earlier and not stopped else "",
                session="" if self.screen.live else session_text(self._router),
                notices=(),
            )
            if view.results:
                data, metadata = bundle(view)
                if self._printed:
                    data["text/plain"] = f"\n\n{written(view, printed=True)}"
                self.screen.show((data, metadata))
            else:
                self.screen.give_up()
        for one in answered:
            if not raised or one.text or not one.parent:
                self._took(one, self)


@contextlib.contextmanager
def unbroken() -> Iterator[None]:
    """Let a drawing be finished: a first Ctrl-C is raised after it, a second one at once.

    If something is being raised already, the first adds nothing.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came: list[Any] = []

    def hold(*told: Any) -> None:
        came.append(told)
        signal.signal(signal.SIGINT, before)

    raising = sys.exc_info()[1]
    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came and raising is None:
        before(*came[0])


def _between(event: Escalated) -> str:
    """What is said between an answer that is not used and the next one."""
    verdict, rejected = event.verdict, event.rejected.tier
    if verdict.check == "agreement":
        told = "" if verdict.reason == UNCOMPARED else "the answers differ: "
        return f"{told}{verdict.reason}; {event.tier} decides"
    if verdict.check == NO_ANSWER:
        return f"{rejected} could not answer; next: {event.tier}"
    return f"{rejected} rejected by {verdict.check}: {verdict.reason}; next: {event.tier}"


def after(view: View, event: Event) -> View:
    """The view after the event."""
    running = view.running or Running()
    match event:
        case Classified(decision, plan):
            both = " and ".join(step.tier.name for step in plan.at_once)
            doing = f"asking {both} at once ..." if len(plan.at_once) > 1 else ""
            doing = f"asking {both} {plan.times} times ..." if plan.times > 1 else doing
            first = plan.steps[0].tier.name
            running = replace(running, tier=first, decision=decision, doing=doing)
        case Sent(tier, model, effort):
            asked = with_effort(model, effort)
            running = replace(running, tier=tier, model=model, asked=asked, text="", doing="")
        case Thinking():
            running = replace(running, doing="thinking ...")
        case Text(text):
            running = replace(running, text=running.text + text, doing="")
        case Escalated(tier=tier):
            running = replace(running, tier=tier, model="", asked="", text="", doing="")
            return replace(view, running=running, notices=(*view.notices, _between(event)))
        case Notice(text, waits=True):
            running = replace(running, doing=text)
        case Notice(text):
            running = replace(running, doing="")
            return replace(view, running=running, notices=(*view.notices, text))
        case Attempted(attempt) if attempt.error:
            note = f"{attempt.model}: {attempt.error}"
            return replace(view, running=running, notices=(*view.notices, note))
    return replace(view, running=running)
