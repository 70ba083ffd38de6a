"""Makes the README's picture: the quickstart in JupyterLab on the local model.

python tests/picture.py notebooks/quickstart.png [--dark]
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--profile", default="local")
    parser.add_argument("--width", type=int, default=1100)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lab.write(folder, "quickstart.ipynb", *CELLS)
        with (
            lab.jupyterlab(folder, NBROUTE_PROFILE=chosen.profile) as url,
            lab.chromium(chosen.width, 860) as page,
        ):
            take(page, url, chosen)


def take(page, url, chosen) -> None:
    """Run the cells, escalate the last, open what is folded, and look."""
    lab.open_notebook(page, url, "quickstart.ipynb")
    if chosen.dark:
        lab.dark(page)
    lab.command(page, "application:toggle-left-area")
    lab.run_all(page)
    page.get_by_role("button", name="Escalate to MEDIUM").last.click()
    page.get_by_role("button", name="Escalate to COMPLEX").wait_for(timeout=60_000)
    page.locator("details").last.click(position={"x": 5, "y": 8})
    page.wait_for_timeout(500)
    page.screenshot(path=chosen.picture)


if __name__ == "__main__":
    main()
