"""Exercises in a workshop's notebooks: whether a learner has got it, and the solved notebook."""

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
    """What came of a check; true where the exercise is done."""

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
    """Whether the steps hold, in order; the first that does not gives its hint (Markdown).

    A step is a function of nothing and a hint. One that raises does not hold: an answer was left
    at None. Where a function of the learner's raised it, the hint says which and with what.
    """
    for holds, hint in steps:
        try:
            done = bool(holds())
        except Exception as error:  # noqa: BLE001 - a learner's half-done work can raise anything
            # Which function of the learner's raised it, if one did.
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
    `solution`: one cell for each block of code. SettingsError for an exercise that has none.
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
            cell = copy.deepcopy(exercise)  # a notebook's own kind of dict stays one
            cell.update({"source": block.rstrip("\n"), "outputs": [], "execution_count": None})
            if place > 1 and "id" in cell:
                cell["id"] = f"{cell['id']}-{place}"
            new.append(cell)
        if not new:
            raise SettingsError(f"exercise {number} of this notebook has no solution with code")
    done["cells"] = [new for cell in done["cells"] for new in instead.get(id(cell), [cell])]
    return done


def truth(prompts: Iterable[str], ladder: Ladder) -> pd.DataFrame:
    """What is true of a simulated ladder: `prompt`, `needed`, and a column for each tier.

    The models' answers were written beforehand, so it is known what each is worth, from 0 to 3,
    counting nothing above what is enough: of two tiers the better one has the larger number.
    `needed` is the cheapest tier whose answer is enough, None where none is. Prompts that no
    lesson has are NaN. SettingsError for a ladder of other models.
    """
    import pandas as pd

    if other := [tier.model for tier in ladder.tiers if tier.model not in MODELS]:
        raise SettingsError(f"only of simulated models is the truth known, not of {other[0]!r}")
    rows = []
    for prompt in prompts:
        values = {tier.name: worth(prompt, MODELS[tier.model].skill) for tier in ladder.tiers}
        most = worth(prompt, 1.0)
        enough = [name for name, value in values.items() if value is not None and value == most]
        rows.append({"prompt": prompt, "needed": next(iter(enough), None), **values})
    return pd.DataFrame(rows, columns=["prompt", "needed", *ladder.names])


def _tagged(cell: dict[str, Any], tag: str) -> bool:
    return tag in (cell.get("metadata", {}).get("tags") or ())
