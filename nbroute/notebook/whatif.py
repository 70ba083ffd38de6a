"""The what-if panel: a slider and what it would have cost, with nothing sent."""

from __future__ import annotations

import threading

import ipywidgets as widgets

from nbroute.classify.registry import NAMES
from nbroute.errors import NbrouteError, named
from nbroute.evaluate import whatif_text
from nbroute.evaluate.scenarios import Strategy
from nbroute.evaluate.whatif import WhatIf
from nbroute.ladders import LADDERS
from nbroute.notebook.panels import STYLE, bar, heard, table, text, tile
from nbroute.notebook.pieces import button, dropdown, row
from nbroute.report import counted
from nbroute.router import Router

_AS_IT_IS = "as it is"
_HEAD = ("tier", "share", "prompts", "of all")
_BAR = '<div style="min-width:min(24em, 30vw)">{}</div>'


class WhatIfPanel(widgets.VBox):
    """A threshold to slide, a classifier, a ladder and the cache: costs and tiers at once.

    It works on the prompts that the session had when it was made or read again; classifying
    is done once for a classifier and a ladder. Sends nothing, and no prompt is in it. The
    same in words: `%route whatif threshold=0.6`, and in Python `router.what_if(threshold=0.6)`.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._lock = threading.RLock()
        self._worked: dict[tuple[str | None, str | None], WhatIf] = {}
        self._found: WhatIf | None = None
        self._newer = 0
        self.closed = False
        self._make_controls()
        chosen = (self.classifier, self.ladder, self.cache)
        controls = row(self.threshold, self.typed, *chosen, self.again)
        super().__init__([widgets.HTML(STYLE), controls, self.said, self.shown])
        for control in (self.threshold, *chosen):
            control.observe(lambda _: self.redraw(), "value")
        self.again.on_click(lambda _: self.read_again())
        self.redraw()

    def _make_controls(self) -> None:
        settings, cached = self._router.settings, self._router.parts.cache_mode != "off"
        self.threshold = widgets.FloatSlider(
            settings.classifier.step_up_below,
            min=0,
            max=1,
            step=0.01,
            description="One tier up below a confidence of",
            readout=False,
            style={"description_width": "initial"},
            layout={"width": "min(32em, 95%)"},
        )
        self.typed = widgets.BoundedFloatText(
            self.threshold.value,
            min=0,
            max=1,
            step=0.01,
            description="Confidence",
            style={"description_width": "initial"},
            layout={"width": "10em"},
        )
        widgets.link((self.threshold, "value"), (self.typed, "value"))
        own = self._router.classifier
        kind = own if isinstance(own, str) else "your own"
        self.classifier = dropdown(
            "Classifier", [(f"{_AS_IT_IS} ({kind})", ""), *((n, n) for n in NAMES if n != own)]
        )
        name = self._router.ladder.name
        others = [(n, n) for n in LADDERS if n != name]
        self.ladder = dropdown("Ladder", [(f"{_AS_IT_IS} ({name})", ""), *others])
        self.cache = widgets.Checkbox(cached, description="Cache", indent=False)
        self.cache.layout.width = "auto"
        self.again = button("Read the session again", "Take in what was routed since")
        self.said, self.shown = widgets.HTML(), widgets.HTML()

    def redraw(self) -> None:
        """Show what the controls say; an error takes the figures' place."""
        with self._lock:
            try:
                self._found = self.found()
            except NbrouteError as error:
                self._found = None
                told = named(error)
                self.said.value = heard(told)
                self.shown.value = f'<div class="nbr"><p>{text(told)}</p></div>'
            else:
                self.said.value = heard(_spoken(self._found))
                self.shown.value = body(self._found, self._newer)

    def found(self) -> WhatIf:
        """The what-if that the controls ask for; SettingsError where there is no such one."""
        key = (self.ladder.value or None, self.classifier.value or None)
        if key not in self._worked:
            self._worked[key] = self._router.what_if(*key, threshold=0)
        return self._worked[key].at(threshold=self.threshold.value, cache=self.cache.value)

    def read_again(self) -> None:
        """Take in what was routed since."""
        with self._lock:
            self._worked.clear()
            self._newer = 0
            self.redraw()

    def refresh(self, router: Router) -> None:
        """Say that there is something new; it is read when somebody asks for it."""
        with self._lock:
            if self.closed:
                return
            self._router = router
            self._newer += 1
            if self._found is not None:
                self.shown.value = body(self._found, self._newer)

    def announced(self, _words: str) -> bool:
        """What a provider does is told elsewhere."""
        return False

    def close(self) -> None:
        """Go out of sight."""
        self.closed = True
        super().close()

    def __repr__(self) -> str:
        """What a front end without widgets shows."""
        return "<nbroute what-if; `%route whatif threshold=0.6` says the same in words>"


def body(found: WhatIf, newer: int = 0) -> str:
    """The figures as HTML, all of it escaped."""
    chosen = found.chosen
    new = f"<p>{text(_about_newer(newer))}</p>" if newer else ""
    notes = "".join(f"<p>{text(note)}</p>" for note in found.notes)
    if chosen is None:
        return f'<div class="nbr">{new}<p>{text(whatif_text.EMPTY)}</p>{notes}</div>'
    return (
        f'<div class="nbr">{new}<div class="nbr-tiles">{_tiles(found, chosen)}</div>'
        f"{_mix(found, chosen)}{_strategies(found, chosen)}"
        f'<h4>To have it</h4><div class="nbr-text">{text(found.setting)}</div>'
        f"<h4>What this rests on</h4>{notes}</div>"
    )


def _about_newer(newer: int) -> str:
    return f"{counted(newer, 'cell')} ran since; 'Read the session again' takes them in."


def _tiles(found: WhatIf, chosen: Strategy) -> str:
    dearest = found.strategies[0].name
    return "".join(
        [
            tile("Total cost", whatif_text.cost(chosen), text(whatif_text.kind(chosen))),
            tile("Saved", whatif_text.saved(chosen), text(f"against {dearest}")),
            tile("Average latency", whatif_text.latency(chosen), "estimate"),
        ]
    )


def _mix(found: WhatIf, chosen: Strategy) -> str:
    rows = [
        (text(tier), f"{share:.0%}", f"{round(share * len(found)):,}", _BAR.format(bar(share)))
        for tier, share in chosen.mix.items()
    ]
    return table("Where the prompts would go", _HEAD, rows, numbers=("share", "prompts"))


def _strategies(found: WhatIf, chosen: Strategy) -> str:
    rows = [tuple(map(text, whatif_text.cells(one))) for one in found.strategies]
    place = found.strategies.index(chosen)
    caption = f"{counted(len(found), 'prompt')}, {len(rows)} ways"
    return table(caption, whatif_text.HEAD, rows, wide=("kind of figure", "tiers"), picked=place)


def _spoken(found: WhatIf) -> str:
    chosen = found.chosen
    if chosen is None:
        return whatif_text.EMPTY
    return (
        f"below {found.threshold:g} one tier up: {whatif_text.cost(chosen)}, "
        f"saved {whatif_text.saved(chosen)}, {whatif_text.mix(chosen.mix)}"
    )
