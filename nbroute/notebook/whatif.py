"""The what-if: a slider and what it would have cost, with nothing sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from nbroute.classify.registry import NAMES
from nbroute.errors import NbrouteError, named
from nbroute.evaluate import whatif_text
from nbroute.evaluate.whatif import Rerouted, WhatIf
from nbroute.ladders import LADDERS
from nbroute.notebook import look, tables
from nbroute.notebook.live import Room
from nbroute.report import counted
from nbroute.router import Router

#: The height in pixels of a tick for one prompt, and of the highest one.
_TICK, _HIGHEST = 6, 28


class WhatIfPanel(Room):
    """A confidence to slide, a classifier, a ladder and the cache: costs and tiers at once.

    Each prompt is a tick over the slider, at the confidence of its decision. It uses the prompts
    that the session had when it was made or read again, and classifies them once for each
    classifier and ladder. Nothing is sent, and the page has no prompt in it. `apply` makes the
    session continue with what is chosen, and says so. `%route whatif threshold=0.6` and
    `router.what_if(threshold=0.6)` say the same in words.
    """

    def __init__(self, router: Router, apply: Callable[[WhatIf], str] | None = None) -> None:
        instead = "what-if; %route whatif threshold=0.6 says the same in words"
        super().__init__(router, instead, self.words)
        self._apply = apply
        self._worked: dict[tuple[str, str], tuple[WhatIf, list[Rerouted]]] = {}
        self._newer = 0
        self._said = ""
        self.chosen = {
            "threshold": f"{router.settings.classifier.step_up_below:g}",
            "cache": str(router.parts.cache_mode != "off").lower(),
            "classifier": "",
            "ladder": "",
        }
        self.redraw()

    def act(self, do: str, at: str = "", value: str = "") -> None:  # noqa: ARG002
        """Respond to what was moved, chosen or pressed."""
        self._said = ""
        if do == "percent":
            with suppress(ValueError):  # a field that was emptied
                self.chosen["threshold"] = f"{min(100.0, max(0.0, float(value))) / 100:g}"
        elif do in self.chosen:
            self.chosen[do] = value
        elif do == "again":
            self._read_again()
        elif do == "copy":
            self.send({"copy": self.found().setting})
            self._said = "copied: paste it into nbroute.toml"
        elif do == "apply" and self._apply:
            try:
                self._said = self._apply(self.found())
                self.chosen |= {"classifier": "", "ladder": ""}
                self._read_again()
            except NbrouteError as error:
                self._said = named(error)
        self.redraw()

    def found(self) -> WhatIf:
        """The what-if that is chosen; SettingsError if there is none."""
        threshold, cache = float(self.chosen["threshold"]), self.chosen["cache"] == "true"
        return self._bare()[0].at(threshold=threshold, cache=cache)

    def words(self) -> object:
        """The table in words."""
        return tables.what_if(self.found())

    def refresh(self, router: Router) -> None:
        """Say that there is something new; it is read only on request."""
        if not self.closed:
            self.router = router
            self._newer += 1
            self.redraw()

    def redraw(self) -> None:
        """Show what is chosen, or an error instead of the figures."""
        with self.lock:
            below = ""
            try:
                found = self.found()
                spoken, shown = _figures(found)
                below = self._below(found)
            except NbrouteError as error:
                spoken = named(error)
                shown = f"<p>{look.text(spoken)}</p>"
            heard = look.heard(spoken, seen=False)
            self.html = look.room("what if", heard, self._controls(), f"<div>{shown}</div>", below)

    def _bare(self) -> tuple[WhatIf, list[Rerouted]]:
        """What is worked out for a ladder and a classifier, with no prompt moved up."""
        key = (self.chosen["ladder"], self.chosen["classifier"])
        if key not in self._worked:
            ladder, classifier = (name or None for name in key)
            made = self.router.what_if(ladder, classifier, threshold=0, cache=False)
            self._worked[key] = made, made.rows()
        return self._worked[key]

    def _read_again(self) -> None:
        self._worked.clear()
        self._newer = 0

    def _controls(self) -> str:
        own, ladder = self.router.classifier, self.router.ladder.name
        kind = own if isinstance(own, str) else "your own"
        classifiers = {"": f"as it is ({kind})"} | {n: n for n in NAMES if n != own}
        ladders = {"": f"as it is ({ladder})"} | {n: n for n in LADDERS if n != ladder}
        percent = f"{100 * float(self.chosen['threshold']):g}"
        ticked = " checked" if self.chosen["cache"] == "true" else ""
        new = f"{counted(self._newer, 'cell')} ran since."
        again = look.button("Read the session again", "again", title="include what is new")
        row = [
            look.choice("Classifier", "classifier", classifiers, self.chosen["classifier"]),
            look.choice("Ladder", "ladder", ladders, self.chosen["ladder"]),
            f'<label><input type=checkbox data-do="cache" data-key="cache"{ticked}> Cache</label>',
            f"<span>{look.text(new)} {again}</span>" if self._newer else "",
        ]
        slider = f'min=0 max=100 step=1 value="{percent}" data-do="percent"'
        return (
            "<label>One tier up when the classifier is less confident than "
            f'<input type=number {slider} data-key="percent" aria-label="percent">%</label>'
            f'<div class="nbr-slider">{self._ticks()}<input type=range {slider} data-key="slider" '
            f'aria-label="One tier up below a confidence of"></div>'
            f'<div class="nbr-row">{"".join(row)}</div>'
        )

    def _ticks(self) -> str:
        """A tick at each confidence that prompts have, in the tier's colour, higher for more."""
        try:
            bare, rows = self._bare()
        except NbrouteError:
            return ""
        tiers, threshold = bare.ladder.names, float(self.chosen["threshold"])
        at = Counter(
            (round(row.confidence, 2), row.would_be) for row in rows if row.confidence is not None
        )
        tallest = max(Counter(sure for sure, _ in at.elements()).values(), default=1)
        pixels = min(_TICK, _HIGHEST / tallest)
        ticks, below = [], Counter[float]()
        for (sure, tier), number in sorted(at.items()):
            moves = sure < threshold and tier != tiers[-1]
            style = f"left:{sure:.0%};bottom:{pixels * below[sure]:.3g}px"
            style += f";height:{pixels * number:.3g}px;{look.tinted(tier, tiers)}"
            ticks.append(f'<i class="nbr-tick{" nbr-moves" * moves}" style="{style}"></i>')
            below[sure] += number
        title = "each prompt of the session, at the confidence of its decision"
        return f'<span class="nbr-track" aria-hidden="true" title="{title}">{"".join(ticks)}</span>'

    def _below(self, found: WhatIf) -> str:
        """The buttons, and what can be opened below."""
        new = replace(found.asked, ladder_name="") != found.in_force
        hint = "from here on, in this session"
        apply = look.button("Apply this", "apply", title=hint, kind="nbr-go")
        copy = look.button("Copy for nbroute.toml", "copy", title=found.setting)
        told = look.quiet("This is what is in force now.")
        row = [apply if new and self._apply else "", copy if new else ""]
        row += ["" if new or self._said else told, look.heard(self._said)]
        rows = [[*map(look.text, line)] for line in whatif_text.table(found.strategies)]
        parts = {
            "Other ways to send them": rows and look.table("other ways", whatif_text.HEAD, rows),
            "Assumptions": "".join(f"<p>{look.text(note)}</p>" for note in found.notes),
            "For nbroute.toml": f'<div class="nbr-text">{look.text(found.setting)}</div>',
        }
        folds = (look.folded(name, str(one), key=name) for name, one in parts.items() if one)
        return f'<div class="nbr-row">{"".join(row)}</div>{"".join(folds)}'


def _figures(found: WhatIf) -> tuple[str, str]:
    """The result: in a sentence, and as tiles and a table of the tiers."""
    chosen, tiers = found.chosen, found.ladder.names
    if chosen is None:
        return whatif_text.EMPTY, f"<p>{look.text(whatif_text.EMPTY)}</p>"
    before = found.at(threshold=0).rows()
    moved = sum(a.would_be != b.would_be for a, b in zip(before, found.rows(), strict=True))
    cost, saved = whatif_text.cost(chosen), whatif_text.saved(chosen)
    took = whatif_text.latency(chosen)
    against = f"against {found.strategies[0].name}, comparing left out"
    spoken = (
        f"{counted(len(found), 'prompt')}, {moved:,} of them one tier up, would have cost {cost}; "
        f"saved {against}: {saved}; {took} an answer"
    )
    tiles = {
        "Would have cost": [look.Fact(cost, whatif_text.kind(chosen))],
        "Saved": [look.Fact(saved, against)],
        "Average time": [look.Fact(took, "an estimate")],
        "One tier up": [look.Fact(counted(moved, "prompt"), f"of {len(found):,}")],
    }
    rows = [
        [
            look.pill(tier, tiers),
            look.share(f"{share:.0%} ({round(share * len(found)):,})", share, tier, tiers),
        ]
        for tier, share in chosen.mix.items()
    ]
    table = look.table("where the prompts would go", ("tier", "prompts"), rows)
    return spoken, look.tiles(tiles) + table
