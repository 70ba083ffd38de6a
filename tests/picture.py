"""Makes the pictures of the documents: six scenes in a real JupyterLab, on the simulated ladder.

python tests/picture.py docs/pictures [--dark] [--width 1100] [SCENE ...]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import lab

SKY = "%%route\nSummarise in two sentences why the sky is blue during the day and red at sunset."
MERGE = "Write a Python function that merges two sorted lists, and explain why it is correct."
LEAVES = "%%route_compare\nExplain why leaves change their colour in autumn."
QUESTIONS = """questions = [
    {"thing": "a mutex", "reader": "a child"},
    {"thing": "inflation", "reader": "a student"},
    {"thing": "photosynthesis", "reader": "a gardener"},
]"""
OVER = "%%route_compare SIMPLE MEDIUM COMPLEX --over questions\nExplain {{thing}} to {{reader}}."

#: Scene -> its cells, and what is clicked in the last one before the picture is taken.
SCENES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "first": ((SKY,), ()),
    "escalated": ((SKY,), ("Escalate to",)),
    "cascade": ((f"%%route -S cascade --start SIMPLE --check length\n{MERGE}",), ()),
    "comparison": ((LEAVES,), ()),
    "report": ((SKY, f"%%route\n{MERGE}", "%%route\nHello!", "%route report"), ()),
    "matrix": ((QUESTIONS, OVER), ()),
}
#: Longer than any scene takes to draw.
SETTLED_MS = 3_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("scenes", nargs="*", choices=[*SCENES, []], default=[])
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1100)
    chosen = parser.parse_args()
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
        page.get_by_role("button", name=name).last.click()
    page.wait_for_timeout(SETTLED_MS)
    dark = "-dark" if chosen.dark else ""
    page.locator(".jp-Cell").last.screenshot(path=chosen.folder / f"{scene}{dark}.png")


if __name__ == "__main__":
    main()
