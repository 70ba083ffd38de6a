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
    page.locator(".nbr-meter", has_text=f"{number} calls").wait_for()


def test_the_steps_of_a_cascade_open_by_a_click_and_name_each_tier(run):
    cell = run(f"%%route -S cascade --start SIMPLE\n{HARD}")
    summary = cell.locator("summary", has_text=re.compile("2 steps: SIMPLE rejected.*MEDIUM used"))
    steps = cell.locator("tbody tr")
    summary.wait_for()
    assert not steps.first.is_visible()

    summary.click()

    steps.first.wait_for()
    rejected, used, *rest = [step.split("\t") for step in steps.all_inner_texts()]
    assert ["SIMPLE", "simulated/gpt-4o-mini"] == rejected[:2]
    assert rejected[2].startswith("rejected by unsure: says ")
    assert ["MEDIUM", "simulated/claude-haiku-3.5"] == used[:2]
    assert used[2].startswith("used · passed ")
    assert [("COMPLEX", "not asked"), ("FRONTIER", "not asked")] == [
        (step[0], step[2]) for step in rest
    ]


def test_escalate_from_a_parallel_card_keeps_the_answer_that_was_there(run, page, saved_record):
    cell = run("%%route -S parallel --tiers SIMPLE,COMPLEX\nWhat is the capital of Norway?")
    cell.locator("summary", has_text=re.compile("both tiers: they agree")).wait_for()

    cell.get_by_role("button", name="Escalate to ").click()
    cell.locator("summary", has_text="before: SIMPLE").wait_for()
    cell.get_by_role("button", name="Escalate to ", disabled=False).wait_for()

    await_calls(page, 3)
    shown = cell.locator(".nbr-card").inner_text()
    assert re.search(r"\$0\b.*\bcached\b", shown, re.DOTALL)
    record = saved_record()
    assert record["tier"] != "SIMPLE"
    assert ["SIMPLE"] == [earlier["tier"] for earlier in record["earlier"]]


def test_a_hundred_rapid_clicks_on_escalate_give_one_new_answer(run, page, saved_record):
    cell = run("%%route -t SIMPLE\nName three uses of a paper clip.")

    cell.get_by_role("button", name="Escalate to MEDIUM").evaluate(CLICKS)
    cell.get_by_role("button", name="Escalate to COMPLEX", disabled=False).wait_for()

    # what a click that was still on its way would begin, a second run at a tier would come after
    cell.get_by_label("Run at a tier").click()
    cell.get_by_role("button", name=re.compile("^SIMPLE")).click()
    cell.locator("summary", has_text="before: MEDIUM").wait_for()
    await_calls(page, 3)
    record = saved_record()
    assert record["tier"] == "SIMPLE"
    assert ["MEDIUM", "SIMPLE"] == [earlier["tier"] for earlier in record["earlier"]]
