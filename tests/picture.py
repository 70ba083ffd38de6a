"""Makes the README's pictures: the quickstart in JupyterLab on the local model, a comparison.

python tests/picture.py notebooks/quickstart.png [--dark]
python tests/picture.py notebooks/compare.png --compare --profile simulated
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import lab

CELLS = (
    "%load_ext nbroute",
    "%%route\nWhat is the capital of France?",
    "%%route -t SIMPLE\nName three uses of a paper clip.",
)


COMPARED = (
    "%load_ext nbroute",
    "%%route_compare SIMPLE COMPLEX FRONTIER\nExplain why leaves change their colour in autumn.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--profile", default="local")
    parser.add_argument("--width", type=int, default=1100)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lab.write(folder, "quickstart.ipynb", *(COMPARED if chosen.compare else CELLS))
        with (
            lab.jupyterlab(folder, NBROUTE_PROFILE=chosen.profile) as url,
            lab.chromium(chosen.width, 910) as page,
        ):
            take(page, url, chosen)


def take(page, url, chosen) -> None:
    """Run the cells, escalate the last, open what is folded, and look."""
    lab.open_notebook(page, url, "quickstart.ipynb")
    if chosen.dark:
        lab.dark(page)
    lab.command(page, "application:toggle-left-area")
    lab.run_all(page)
    if chosen.compare:
        page.get_by_role("button", name="Cheapest acceptable: COMPLEX").click()
        page.get_by_text("kept: COMPLEX").wait_for()
        page.locator(".jp-Cell").first.scroll_into_view_if_needed()
        page.screenshot(path=chosen.picture)
        return
    page.get_by_role("button", name="Escalate to MEDIUM").last.click()
    page.get_by_role("button", name="Escalate to COMPLEX").wait_for(timeout=60_000)
    page.locator("details").last.click(position={"x": 5, "y": 8})
    page.wait_for_timeout(500)
    page.screenshot(path=chosen.picture)


if __name__ == "__main__":
    main()
