"""Exercises in a workshop's notebooks: whether one is done, and the solved notebook."""

from __future__ import annotations

import copy
import re
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbroute.errors import SettingsError
from nbroute.providers.simulated import MODELS
from nbroute.providers.simulated_judge import worth
from nbroute.report.table import one_line, shortened
from nbroute.types import Ladder

if TYPE_CHECKING:
    import pandas as pd

Step = tuple[Callable[[], object], str]

_FENCE = re.compile(r"^```[a-z]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check; true if the exercise is done."""

    exercise: str
    hint: str = ""

    def __bool__(self) -> bool:
        return not self.hint

    def __repr__(self) -> str:
        """`✓ Exercise 1: well done`, or what is still missing."""
        return self._repr_markdown_().replace("`", "")

    def _repr_markdown_(self) -> str:
        return (
            f"{self.exercise}: not yet. {self.hint}"
            if self.hint
            else f"✓ {self.exercise}: well done"
        )


def check(exercise: str, *steps: Step) -> Checked:
    """Check the steps in order; the first that is not true gives its hint (Markdown).

    A step is a function without arguments and a hint. One that raises is not true: an answer was
    left at None. If the learner's own function raised the error, the hint names both.
    """
    for is_true, hint in steps:
        try:
            done = bool(is_true())
        except Exception as error:  # noqa: BLE001 - a learner's half-done work can raise anything
            # The learner's own function that raised it, if one did.
            _, *frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
            own = [
                frame.f_code.co_name
                for frame in frames[1:]
                if frame.f_globals is frames[0].f_globals and frame.f_code.co_name.isidentifier()
            ]
            what = shortened(one_line(f"{type(error).__name__}: {error}".replace("`", "'")), 200)
            return Checked(exercise, hint + (f" Your `{own[-1]}` raises `{what}`." if own else ""))
        if not done:
            return Checked(exercise, hint)
    return Checked(exercise)


def solved(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the solution in each exercise's cell.

    A code cell tagged `exercise` is solved by the code in the next Markdown cell tagged
    `solution`: one cell for each block of code. SettingsError for an exercise without one.
    """
    done = copy.deepcopy(notebook)
    instead: dict[int, list[dict[str, Any]]] = {}
    cells = done["cells"]
    places = [place for place, cell in enumerate(cells) if _tagged(cell, "exercise")]
    ends = [*places, len(cells)][1:]
    for number, (start, end) in enumerate(zip(places, ends, strict=True), start=1):
        exercise = cells[start]
        after = (cell for cell in cells[start:end] if _tagged(cell, "solution"))
        source = next(after, {"source": ""})["source"]
        text = (source if isinstance(source, str) else "".join(source)).replace("\r\n", "\n")
        new = instead[id(exercise)] = []
        for place, block in enumerate(_FENCE.findall(text), start=1):
            cell = copy.deepcopy(exercise)  # keeps nbformat's kind of dict
            cell.update({"source": block.rstrip("\n"), "outputs": [], "execution_count": None})
            if place > 1 and "id" in cell:
                cell["id"] = f"{cell['id']}-{place}"
            new.append(cell)
        if not new:
            raise SettingsError(f"exercise {number} of this notebook has no solution with code")
    done["cells"] = [new for cell in done["cells"] for new in instead.get(id(cell), [cell])]
    return done


def truth(prompts: Iterable[str], ladder: Ladder) -> pd.DataFrame:
    """The truth about a simulated ladder: `prompt`, `needed`, and a column for each tier.

    The models' answers were written beforehand, so the worth of each is known, from 0 to 3, where
    nothing counts beyond what is enough: of two tiers, the better has the larger number.
    `needed` is the cheapest tier whose answer is enough, or None. Prompts that are in no lesson
    are NaN. SettingsError for a ladder of other models.
    """
    import pandas as pd

    if other := [tier.model for tier in ladder.tiers if tier.model not in MODELS]:
        raise SettingsError(f"the truth is known only for simulated models, not for {other[0]!r}")
    rows = []
    for prompt in prompts:
        values = {tier.name: worth(prompt, MODELS[tier.model].skill) for tier in ladder.tiers}
        most = worth(prompt, 1.0)
        enough = [name for name, value in values.items() if value is not None and value == most]
        rows.append({"prompt": prompt, "needed": next(iter(enough), None), **values})
    return pd.DataFrame(rows, columns=["prompt", "needed", *ladder.names])


def _tagged(cell: dict[str, Any], tag: str) -> bool:
    return tag in (cell.get("metadata", {}).get("tags") or ())
