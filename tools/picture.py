"""Makes the pictures of the documents: five scenes in a real JupyterLab, on the simulated ladder.

python tools/picture.py docs/pictures [--dark] [--width 1180] [SCENE ...]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import lab  # type: ignore[import-not-found] # the JupyterLab of the tests

SKY = "%%route\nSummarise in two sentences why the sky is blue during the day and red at sunset."
MERGE = """%%route
Write a Python function that merges two sorted lists, and explain why it is correct."""
CLIMB = """%%route -S cascade --start SIMPLE --check rating=8
What is the last digit of 7 to the power of 222?"""
LEAVES = "%%route_compare\nExplain why leaves change their colour in autumn."
TICKETS = """tickets = {
    "ticket": [
        "Translate into German: the parcel has arrived.",
        "How do I reset my password?",
        "Draft a friendly reply to a customer whose order is two weeks late.",
        "Compare our two service plans for a family of five, with the trade-offs.",
    ]
}"""
OVER = "%%route_compare SIMPLE MEDIUM COMPLEX --over tickets\n{{ticket}}"

#: Scene -> its cells, and what is clicked in the last one before the picture is taken.
SCENES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "first": ((SKY,), ()),
    "cascade": ((CLIMB,), ("3 steps",)),
    "comparison": ((LEAVES,), ()),
    "report": ((SKY, MERGE, "%%route\nHello!", "%route report"), ()),
    "matrix": ((TICKETS, OVER), ()),
}
#: Longer than any scene takes to draw.
SETTLED_MS = 3_000


def main() -> None:
    """Take the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("scenes", nargs="*", choices=[*SCENES, []], default=[])
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1180)
    chosen = parser.parse_intermixed_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            lab.jupyterlab(folder, NBROUTE_PROFILE="simulated") as url,
            lab.chromium(chosen.width, 1400) as page,
        ):
            for scene in chosen.scenes or SCENES:
                take(page, url, folder, scene, chosen)


def take(page: Any, url: str, folder: Path, scene: str, chosen: argparse.Namespace) -> None:
    """Run the scene's cells, click, and keep a picture of the last cell."""
    cells, clicks = SCENES[scene]
    lab.write(folder, f"{scene}.ipynb", "%load_ext nbroute", *cells)
    lab.open_notebook(page, url, f"{scene}.ipynb")
    if chosen.dark:
        lab.dark(page)
    lab.command(page, "application:toggle-left-area")
    lab.run_all(page)
    for name in clicks:
        page.locator(".jp-Cell").last.get_by_text(name).first.click()
    page.wait_for_timeout(SETTLED_MS)
    dark = "-dark" if chosen.dark else ""
    page.locator(".jp-Cell").last.screenshot(path=chosen.folder / f"{scene}{dark}.png")


if __name__ == "__main__":
    main()
