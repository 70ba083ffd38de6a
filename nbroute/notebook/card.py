"""The card under a cell: its answers, drawn on a `Screen` as the events come."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nbroute.notebook import render
from nbroute.notebook.screens import Screen
from nbroute.router import Router
from nbroute.types import (
    NO_ANSWER,
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
)


class Card:
    """One cell's answers, drawn as they come; an observer of the calls that it makes.

    A lock keeps a button's thread and the kernel's from drawing over one another.
    """

    def __init__(
        self, router: Router, screen: Screen, earlier: tuple[RouteResult, ...] = ()
    ) -> None:
        self.view = render.View(earlier)
        self.screen = screen
        self._router = router
        self._lock = threading.RLock()

    @property
    def result(self) -> RouteResult:
        """The newest answer."""
        return self.view.results[0]

    def route(self, prompt: str, **options: Any) -> RouteResult:
        """Route the prompt and show it; an error is shown with what had arrived, and raised."""
        return self._shown(lambda: self._router.route(prompt, observe=self, **options))

    def escalate(
        self, tier: str | None = None, cancel: threading.Event | None = None
    ) -> RouteResult:
        """Answer again on the next tier, or on that one, above the answers so far."""
        last = self.result
        return self._shown(lambda: self._router.escalate(last, tier, observe=self, cancel=cancel))

    def say(self, doing: str) -> None:
        """Show what the answer waits for: a model that is being loaded."""
        with self._lock:
            running = replace(self.view.running or render.Running(), doing=doing)
            self.view = replace(self.view, running=running)
            self.screen.finish(self.view)

    def __call__(self, event: Event) -> None:
        """Take an event of a call and redraw."""
        with self._lock:
            before = self.view.running
            self.view = _after(self.view, event)
            if isinstance(event, Text):
                self.screen.text(event.text)
            elif isinstance(event, Sent) and before and before.text:
                self.screen.rejected(f"{before.model} failed; next: {event.model}")
            elif isinstance(event, Escalated):
                self.screen.rejected(_between(event))
            elif isinstance(event, Notice) and event.waits:
                self.screen.waits(event.text)
            if not isinstance(event, Done):
                self.screen.draw(self.view)

    def _shown(self, call: Callable[[], RouteResult]) -> RouteResult:
        with self._lock:
            self.view = replace(self.view, running=render.Running(), error="", notices=())
        try:
            result = call()
        except BaseException as error:
            self._end(getattr(error, "result", None), error)
            raise
        self._end(result)
        return result

    def _end(self, result: RouteResult | None, raised: BaseException | None = None) -> None:
        """Show the last state. With no answer at all, the error speaks for itself."""
        with self._lock:
            earlier = self.view.results
            told = result and (result.text.strip() or result.cost_usd or result.notices)
            answered = (result,) if result and (told or not raised) else ()
            stopped = isinstance(raised, KeyboardInterrupt) and answered
            error = f"{type(raised).__name__}: {raised}" if raised else ""
            session = render.session_text(self._router, saving=not self.screen.has_meter)
            self.view = render.View(
                (*answered, *earlier),
                error=error if earlier and not stopped else "",
                session=session,
            )
            if self.view.results:
                self.screen.finish(self.view)
            else:
                self.screen.give_up()


def _between(event: Escalated) -> str:
    """What is said between an answer that is not kept and the next one."""
    verdict = event.verdict
    if verdict.check == "agreement":
        return f"the answers differ: {verdict.reason}; {event.tier}'s is kept"
    if verdict.check == NO_ANSWER:
        return f"{event.rejected.tier} could not answer; next: {event.tier}"
    return (
        f"{event.rejected.tier} rejected by {verdict.check}: {verdict.reason}; next: {event.tier}"
    )


def _after(view: render.View, event: Event) -> render.View:
    running = view.running or render.Running()
    match event:
        case Classified(decision, plan):
            both = " and ".join(step.tier.name for step in plan.steps)
            doing = f"asking {both} at once ..." if plan.strategy == "parallel" else ""
            first = plan.steps[0].tier.name
            running = replace(running, tier=first, decision=decision, doing=doing)
        case Sent(tier, model):
            running = replace(running, tier=tier, model=model, text="")
        case Thinking():
            running = replace(running, doing="thinking ...")
        case Text(text):
            running = replace(running, text=running.text + text)
        case Escalated(tier=tier):
            running = replace(running, tier=tier, model="", text="")
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
