"""The cards and controls in Jupyter Notebook 7, by clicks in headless Chromium."""

from __future__ import annotations

import shutil
from pathlib import Path

import lab
import pytest

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"
PACE = 0.5
#: A line for each text that the answer has shown, so that a test sees that it grew.
WATCH = """() => {
  window.lengths = new Set();
  new MutationObserver(() => {
    const answer = document.querySelectorAll('.jp-Cell')[1]?.querySelector('.jp-OutputArea');
    if (answer) window.lengths.add(answer.innerText.length);
  }).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""

pytestmark = lab.in_browser()


def open_watched(page, url, name):
    lab.open_in_notebook7(page, url, name)
    page.evaluate(WATCH)


@pytest.fixture(scope="module")
def notebooks(page, tmp_path_factory):
    """Notebooks of this module in a server of their own."""
    folder = tmp_path_factory.mktemp("notebook7")
    lab.simulated(folder, PACE)
    with lab.notebook7(folder) as url:
        yield lab.Notebooks(page, url, folder, folder, open_watched)


def test_a_card_streams_escalates_in_place_is_saved_and_readable_in_the_dark(page, notebooks):
    cell = notebooks.run("%%route -t SIMPLE\nName three paper clips.")
    escalate = cell.get_by_role("button", name="Escalate to MEDIUM")
    escalate.wait_for()

    assert page.evaluate("window.lengths.size") > 3
    assert "SIMPLE" in cell.locator(".nbr-card").inner_text()
    assert "1 call" in cell.locator(".nbr-meter").inner_text()
    escalate.click()
    cell.get_by_role("button", name="Escalate to COMPLEX").wait_for()

    shown = cell.locator(".nbr-card").inner_text()
    assert shown.index("MEDIUM") < shown.index("before: SIMPLE")
    assert "MEDIUM" == notebooks.saved()[0]["metadata"]["nbroute"]["tier"]
    with lab.in_the_dark(page):
        assert min(cell.locator(".nbr-meter").evaluate(lab.COLOUR)) > 150


def test_the_quickstart_runs_from_top_to_bottom(page, notebooks):
    path = notebooks.folder / "quickstart.ipynb"
    shutil.copy(QUICKSTART, path)
    lab.open_in_notebook7(page, notebooks.url, path.name)

    assert "error" not in lab.kinds_of_outputs(page, path)


def test_the_slider_takes_the_arrow_keys_and_the_playground_answers_in_a_card(page, notebooks):
    notebooks.run("%%route\nHi", "%route whatif", "%route playground Hello there")
    slider = page.get_by_role("slider")
    slider.focus()

    for _ in range(12):
        page.keyboard.press("ArrowRight")
    page.locator("input[type=number][value='12']").wait_for()
    box = page.get_by_role("textbox", name="Prompt")
    box.press("Control+Enter")

    notebooks.cell(3).locator(".nbr-card", has_text="why SIMPLE").wait_for()
    assert "12" == slider.input_value()
    assert "Hello there" == box.input_value()
