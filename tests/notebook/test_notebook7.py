"""The cards and controls in Jupyter Notebook 7, by clicks in headless Chromium."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import lab
import pytest

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"
#: A line for each text that the answer has shown, so that a test sees that it grew.
WATCH = """() => {
  window.lengths = new Set();
  new MutationObserver(() => {
    const answer = document.querySelectorAll('.jp-Cell')[1].querySelector('.jp-OutputArea');
    if (answer) window.lengths.add(answer.innerText.length);
  }).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""

pytestmark = lab.in_browser()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("notebook7")
    shutil.copy(QUICKSTART, made / "quickstart.ipynb")
    lab.simulated(made, pace=0.5)
    return made


@pytest.fixture(scope="module")
def url(folder):
    with lab.notebook7(folder) as address:
        yield address


@pytest.fixture
def card(page, url, folder):
    """A notebook with one card, run; its cell."""
    lab.write(
        folder, "card.ipynb", "%load_ext nbroute", "%%route -t SIMPLE\nName three paper clips."
    )
    lab.open_in_notebook7(page, url, "card.ipynb")
    page.evaluate(WATCH)
    lab.run_all(page)
    cell = page.locator(".jp-Cell").nth(1)
    cell.get_by_role("button", name="Escalate to MEDIUM").wait_for()
    return cell


def test_a_card_streams_and_ends_with_its_controls_and_the_meter(page, card):
    assert page.evaluate("window.lengths.size") > 3
    assert "SIMPLE" in card.locator(".nbr-card").inner_text()
    assert "1 call" in card.locator(".nbr-meter").inner_text()


def test_escalate_answers_in_place_and_is_saved(page, card, folder):
    card.get_by_role("button", name="Escalate to MEDIUM").click()
    card.get_by_role("button", name="Escalate to COMPLEX").wait_for()

    shown = card.locator(".nbr-card").inner_text()
    assert shown.index("MEDIUM") < shown.index("before: SIMPLE")
    lab.save(page)
    first = json.loads((folder / "card.ipynb").read_text())["cells"][1]["outputs"][0]
    assert "MEDIUM" == first["metadata"]["nbroute"]["tier"]


def test_a_dark_theme_leaves_the_meter_readable(page, card):
    lab.dark(page)

    try:
        red, green, blue = card.locator(".nbr-meter").evaluate(lab.COLOUR)
    finally:
        lab.command(page, "apputils:change-theme", {"theme": "JupyterLab Light"})
    assert min(red, green, blue) > 150


def test_the_quickstart_runs_from_top_to_bottom(page, url, folder):
    lab.open_in_notebook7(page, url, "quickstart.ipynb")
    lab.run_all(page)

    page.get_by_role("button", name="Escalate to").first.wait_for()
    lab.save(page)

    cells = json.loads((folder / "quickstart.ipynb").read_text())["cells"]
    kinds = {output["output_type"] for cell in cells for output in cell.get("outputs", [])}
    assert "error" not in kinds


def test_the_slider_takes_the_arrow_keys_and_the_playground_answers_in_a_card(page, url, folder):
    cells = ("%load_ext nbroute", "%%route\nHi", "%route whatif", "%route playground Hello there")
    lab.write(folder, "rooms.ipynb", *cells)
    lab.open_in_notebook7(page, url, "rooms.ipynb")
    lab.run_all(page)
    slider = page.get_by_role("slider")
    slider.focus()

    for _ in range(12):
        page.keyboard.press("ArrowRight")
    page.locator("input[type=number][value='12']").wait_for()
    box = page.get_by_role("textbox", name="Prompt")
    box.press("Control+Enter")

    page.locator(".jp-Cell").nth(3).locator(".nbr-card", has_text="why SIMPLE").wait_for()
    assert "12" == slider.input_value()
    assert "Hello there" == box.input_value()
