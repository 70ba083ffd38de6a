"""The what-if panel in a real JupyterLab: the slider by keyboard redraws costs and tiers."""

from __future__ import annotations

from pathlib import Path

import lab
import pytest

pytestmark = lab.in_browser()

PROMPTS = f"""router = %route router
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
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
    shown = panel.get_by_role("region", name="where the prompts would go")
    shown.wait_for()
    before = shown.inner_text()

    panel.get_by_role("slider").press("End")
    panel.get_by_role("button", name="Copy for nbroute.toml").wait_for()

    after = shown.inner_text()
    assert "SIMPLE\t0% (0)" in " ".join(after.split(" "))
    assert "SIMPLE\t0% (0)" not in before
    assert "100" == panel.get_by_role("spinbutton").input_value()
    panel.get_by_role("slider").press("Home")
    panel.get_by_text("This is what is in force now.").wait_for()
    assert before == shown.inner_text()


def test_arrows_held_down_end_where_the_finger_left_the_key(page):
    panel = page.locator(".jp-Cell").nth(2)
    slider = panel.get_by_role("slider")
    slider.focus()

    for _ in range(60):
        page.keyboard.press("ArrowRight")

    panel.locator("input[type=number][value='60']").wait_for()
    assert "60" == slider.input_value()
    ticks = panel.locator(".nbr-tick")
    assert 3 < ticks.count()
    assert 0 < panel.locator(".nbr-moves").count() < ticks.count()
    slider.press("Home")
    panel.get_by_text("This is what is in force now.").wait_for()


def test_apply_this_has_the_session_go_on_with_it(page):
    panel = page.locator(".jp-Cell").nth(2)
    panel.get_by_role("slider").press("End")

    panel.get_by_role("button", name="Apply this").click()
    panel.get_by_text("applied for this session").wait_for()

    panel.get_by_role("slider").press("Home")
    panel.get_by_role("button", name="Apply this").click()
    panel.get_by_text("applied for this session").wait_for()


def test_ladder_classifier_and_cache_are_labelled_and_redraw_it(page):
    panel = page.locator(".jp-Cell").nth(2)
    panel.locator("summary", has_text="For nbroute.toml").click()

    panel.get_by_label("Ladder").select_option("two-tier")
    panel.get_by_text('ladder = "two-tier"').wait_for()
    panel.get_by_label("Classifier").select_option("rules:two-tier")
    panel.get_by_text('classifier = "rules:two-tier"').wait_for()
    panel.get_by_label("Cache").uncheck()
    panel.get_by_text('cache = "off"').wait_for()

    panel.get_by_text("against all on expensive, comparing left out", exact=True).wait_for()


def test_an_error_takes_the_figures_place_and_goes_again(page):
    panel = page.locator(".jp-Cell").nth(2)

    panel.get_by_label("Classifier").select_option("learned")
    panel.get_by_text("there is no learned classifier").last.wait_for()
    panel.get_by_label("Classifier").select_option(index=0)

    panel.get_by_role("region", name="where the prompts would go").wait_for()
