"""The answers of a comparison while they are on their way; pure but for being filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nbroute.compare.contenders import Contender
from nbroute.notebook.comparing.view import Pane, View, figures_of, routed, title_of
from nbroute.notebook.lines import marks, model_name
from nbroute.types import (
    Attempted,
    Decision,
    Done,
    Escalated,
    Event,
    Notice,
    RouteResult,
    Sent,
    Text,
)

_WAITING = "waiting for the first token ..."


@dataclass
class Lane:
    """One contender's answer as far as it came."""

    contender: Contender
    model: str = ""
    pieces: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    result: RouteResult | None = None

    def take(self, event: Event) -> None:
        """Take an event of the call."""
        match event:
            case Sent(model=model):
                self.model = model
                self.pieces = []
            case Text(text):
                self.pieces.append(text)
            case Escalated(verdict=verdict):
                self.remarks.append(f"rejected by {verdict.check}: {verdict.reason}")
                self.pieces = []
            case Notice(text):
                self.remarks.append(f"note: {text}")
            case Attempted(attempt) if attempt.error:
                self.remarks.append(f"{attempt.model}: {attempt.error}")
            case Done(result):
                self.result = result

    @property
    def text(self) -> str:
        """What arrived so far; joined once for many pieces."""
        self.pieces = ["".join(self.pieces)]
        return self.pieces[0]

    @property
    def pane(self) -> Pane:
        """The lane as it is shown."""
        result, text = self.result, self.text
        if result is None:
            doing = "answering ..." if text else _WAITING
            title = title_of(self.contender, self.model)
            return Pane(title, remarks=(*self.remarks, doing), text=text)
        return Pane(
            title_of(self.contender, model_name(result.answer)),
            figures=figures_of(result),
            remarks=tuple(marks(result)),
            text=result.text,
        )


class Lanes:
    """All of them; while they are `blind` only how many have ended is shown."""

    def __init__(self, *, blind: bool = False) -> None:
        self._blind = blind
        self._decision: Decision | None = None
        self._lanes: list[Lane] = []

    def start(self, contenders: Sequence[Contender], decision: Decision) -> None:
        """Learn who is asked."""
        self._lanes = [Lane(contender) for contender in contenders]
        self._decision = decision

    def take(self, place: int, event: Event) -> Lane:
        """Take an event of one of the calls."""
        self._lanes[place].take(event)
        return self._lanes[place]

    @property
    def size(self) -> int:
        """The characters that a redraw sends."""
        return 0 if self._blind else sum(len(lane.text) for lane in self._lanes)

    @property
    def view(self) -> View:
        """All of it as it is shown now."""
        if self._decision is None:
            return View((), ("classifying ...",), streaming=True)
        if self._blind:
            ended = sum(lane.result is not None for lane in self._lanes)
            said = f"blind: {ended} of {len(self._lanes)} answers are there; shown when all are"
            return View((), (said,), streaming=True)
        panes = tuple(lane.pane for lane in self._lanes)
        return View(panes, (routed(self._decision),), streaming=True)
