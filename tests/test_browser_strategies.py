"""Cascade and parallel cards in a real JupyterLab, by clicks in headless Chromium."""

from __future__ import annotations

import json
import re

import lab
import pytest

pytestmark = lab.in_browser()

HARD = "Derive when a predator-prey model has a stable limit cycle, and discuss each parameter."
#: All clicks are sent before the kernel has answered the first.
CLICKS = "(button) => { for (let i = 0; i < 100; i++) button.click() }"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("lab")
    lab.simulated(made, pace=0.2)
    return made


@pytest.fixture(scope="module")
def page(folder):
    with lab.jupyterlab(folder) as url, lab.chromium() as opened:
        opened.set_default_timeout(30_000)
        opened.lab_url = url
        yield opened


@pytest.fixture
def run(page, folder, request):
    """Run one `%%route` cell in a notebook of its own; the cell on the page."""

    def run_cell(source):
        lab.write(folder, notebook(request), "%load_ext nbroute", source)
        lab.open_notebook(page, page.lab_url, notebook(request))
        lab.run_all(page)
        return page.locator(".jp-Cell").nth(1)

    return run_cell


@pytest.fixture
def saved_record(page, folder, request):
    """Save the notebook; what the metadata of the cell's answer says."""

    def save():
        lab.save(page)
        cell = json.loads((folder / notebook(request)).read_text())["cells"][1]
        return cell["outputs"][0]["metadata"]["nbroute"]

    return save


def notebook(request):
    return f"{request.node.name}.ipynb"


def await_calls(page, number):
    page.wait_for_function(
        "(text) => document.querySelector('[aria-label=session]')?.innerText.includes(text)",
        arg=f"{number} calls",
    )


def test_the_ladder_of_a_cascade_opens_by_a_click_and_names_each_rung(run):
    cell = run(f"%%route -S cascade --start SIMPLE\n{HARD}")
    summary = cell.locator("summary", has_text=re.compile("SIMPLE rejected.*MEDIUM passed"))
    rungs = cell.locator("details li")
    summary.wait_for()
    assert not rungs.first.is_visible()

    summary.click()

    rungs.first.wait_for()
    rejected, kept, not_asked = rungs.all_inner_texts()
    assert rejected.startswith("SIMPLE · simulated/gpt-4o-mini · rejected by unsure: says ")
    assert kept.startswith("MEDIUM · simulated/claude-haiku-3.5 · passed ")
    assert kept.endswith("the answer")
    assert not_asked == "not asked: COMPLEX, FRONTIER"


def test_escalate_from_a_parallel_card_keeps_the_answer_that_was_there(run, page, saved_record):
    cell = run("%%route -S parallel --tiers SIMPLE,COMPLEX\nWhat is the capital of Norway?")
    cell.locator("summary", has_text=re.compile("both tiers: they agree")).wait_for()

    cell.get_by_role("button", name="Escalate to ").click()
    cell.locator("summary", has_text="before that: SIMPLE").wait_for()
    cell.get_by_role("button", name="Escalate to ").and_(cell.locator(":enabled")).wait_for()

    await_calls(page, 3)
    assert "$0 (cached)" in cell.locator(".jp-RenderedMarkdown").inner_text()
    record = saved_record()
    assert record["tier"] != "SIMPLE"
    assert ["SIMPLE"] == [earlier["tier"] for earlier in record["earlier"]]


def test_a_hundred_rapid_clicks_on_escalate_give_one_new_answer(run, page, saved_record):
    cell = run("%%route -t SIMPLE\nName three uses of a paper clip.")

    cell.get_by_role("button", name="Escalate to MEDIUM").evaluate(CLICKS)
    cell.get_by_role("button", name="Escalate to COMPLEX").and_(cell.locator(":enabled")).wait_for()

    # what a click that was still on its way would begin, a second run at a tier would come after
    cell.get_by_label("Tier").select_option("SIMPLE")
    cell.get_by_role("button", name="Run at tier").click()
    cell.locator("summary", has_text="before that: MEDIUM").wait_for()
    await_calls(page, 3)
    record = saved_record()
    assert record["tier"] == "SIMPLE"
    assert ["MEDIUM", "SIMPLE"] == [earlier["tier"] for earlier in record["earlier"]]
