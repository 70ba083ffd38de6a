"""The what-if panel in a real JupyterLab: the slider by keyboard redraws costs and tiers."""

from __future__ import annotations

from pathlib import Path

import lab
import pytest

pytestmark = lab.in_browser()

PROMPTS = f"""router = %route router
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from benchmarks.workload import development_prompts
for one in development_prompts(60):
    _ = router.route(one.text)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("lab")
    lab.simulated(made)
    return made


@pytest.fixture(scope="module")
def page(url, folder):
    lab.write(folder, "whatif.ipynb", "%load_ext nbroute", PROMPTS, "%route whatif")
    with lab.chromium() as opened:
        opened.set_default_timeout(30_000)
        lab.open_notebook(opened, url, "whatif.ipynb")
        lab.run_all(opened)
        yield opened


def test_the_slider_moved_by_keyboard_redraws_cost_and_tiers(page):
    panel = page.locator(".jp-Cell").nth(2)
    panel.get_by_text("Where the prompts would go").first.wait_for()
    shown = panel.locator(".nbr").first
    before = shown.inner_text()

    panel.get_by_role("slider").press("End")
    panel.get_by_text("step_up_below = 1").wait_for()

    after = shown.inner_text()
    assert before != after
    assert "SIMPLE\t0%\t0" in after
    assert "SIMPLE\t0%\t0" not in before
    panel.get_by_role("slider").press("Home")
    panel.get_by_text("nothing to write").wait_for()
    assert before == shown.inner_text()


def test_ladder_classifier_and_cache_are_labelled_and_redraw_it(page):
    panel = page.locator(".jp-Cell").nth(2)

    panel.get_by_label("Ladder").select_option("two-tier")
    panel.get_by_text('ladder = "two-tier"').wait_for()
    panel.get_by_label("Classifier").select_option("rules:two-tier")
    panel.get_by_text('classifier = "rules:two-tier"').wait_for()
    panel.get_by_label("Cache").uncheck()
    panel.get_by_text('cache = "off"').wait_for()

    assert "all on expensive" in panel.locator(".nbr").first.inner_text()


def test_an_error_takes_the_figures_place_and_goes_again(page):
    panel = page.locator(".jp-Cell").nth(2)

    panel.get_by_label("Classifier").select_option("learned")
    panel.get_by_text("there is no learned classifier").last.wait_for()
    panel.get_by_label("Classifier").select_option(index=0)

    panel.get_by_text("Where the prompts would go").first.wait_for()
