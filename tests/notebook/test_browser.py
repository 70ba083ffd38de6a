"""Cards and controls in a real JupyterLab, by clicks in headless Chromium."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import lab
import pytest

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"

pytestmark = lab.in_browser()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("lab")
    shutil.copy(QUICKSTART, made / "quickstart.ipynb")
    lab.simulated(made, pace=0.2)
    return made


def saved_outputs(folder, name, cell):
    return json.loads((folder / name).read_text())["cells"][cell]["outputs"]


def test_escalate_streams_the_next_tiers_answer_in_place_twice_in_a_row(page, url, folder):
    lab.write(
        folder,
        "escalate.ipynb",
        "%load_ext nbroute",
        "%%route -t SIMPLE\nName three uses of a paper clip.",
    )
    lab.open_notebook(page, url, "escalate.ipynb")
    lab.run_all(page)
    cell = page.locator(".jp-Cell").nth(1)

    cell.get_by_role("button", name="Escalate to MEDIUM").click()
    cell.get_by_role("button", name="Escalate to COMPLEX").wait_for()

    shown = cell.locator(".nbr-card").inner_text()
    assert shown.index("MEDIUM") < shown.index("before: SIMPLE")
    assert "+$" in shown
    earlier = cell.locator(".nbr-card summary", has_text="before: ")
    assert 1 == earlier.count()

    cell.get_by_role("button", name="Escalate to COMPLEX").click()
    cell.get_by_role("button", name="Escalate to FRONTIER").wait_for()
    assert 2 == earlier.count()
    lab.save(page)
    first, controls = saved_outputs(folder, "escalate.ipynb", 1)
    record = first["metadata"]["nbroute"]
    assert ("COMPLEX", ["MEDIUM", "SIMPLE"]) == (
        record["tier"],
        [earlier["tier"] for earlier in record["earlier"]],
    )
    assert "\n\nbefore: MEDIUM" in "".join(first["data"]["text/plain"])
    assert "" == "".join(controls["data"]["text/plain"])


def test_at_the_top_the_button_is_off_and_says_so(page, url, folder):
    lab.write(folder, "top.ipynb", "%load_ext nbroute", "%%route -t FRONTIER\nhello")
    lab.open_notebook(page, url, "top.ipynb")
    lab.run_all(page)

    button = page.get_by_role("button", name="Top tier")
    button.wait_for()

    assert button.is_disabled()
    assert "there is no tier above" == button.get_attribute("title")


def test_run_at_a_tier_and_stop_while_it_runs(page, url, folder):
    (folder / "slow").mkdir(exist_ok=True)
    (folder / "slow" / "nbroute.toml").write_text(
        '[nbroute]\nprofile = "simulated"\n[providers.simulated]\nkind = "simulated"\npace = 3.0\n'
    )
    lab.write(folder / "slow", "stop.ipynb", "%load_ext nbroute", "%%route -t SIMPLE\nhello")
    lab.open_notebook(page, url, "slow/stop.ipynb")
    lab.run_all(page)
    cell = page.locator(".jp-Cell").nth(1)

    cell.get_by_label("Run at a tier").click()
    cell.get_by_role("button", name=re.compile("^FRONTIER")).click()
    cell.locator(".nbr-head", has_text="answering ...").wait_for()
    assert cell.get_by_role("button", name="good", exact=True).is_disabled()
    cell.get_by_role("button", name="Stop", exact=True).click()
    cell.get_by_text("interrupted: a partial answer").first.wait_for()

    cell.get_by_role("button", name="Stop", exact=True).wait_for(state="detached")
    assert cell.get_by_role("button", name="good", exact=True).is_enabled()
    cell.get_by_label("Run at a tier").click()
    assert cell.get_by_role("button", name=re.compile("^FRONTIER")).is_enabled()


def test_the_newest_three_cards_have_controls_and_the_newest_the_session(page, url, folder):
    asked = [f"%%route -t SIMPLE\nhello {number}" for number in range(5)]
    lab.write(folder, "meter.ipynb", "%load_ext nbroute", *asked)
    lab.open_notebook(page, url, "meter.ipynb")
    lab.run_all(page)

    page.locator(".nbr-meter", has_text="5 calls").wait_for()

    assert 1 == page.get_by_text("session would have cost").count()
    told = page.locator(".nbr-meter").last.inner_text()
    assert "less than all on FRONTIER (estimate, net, nothing billed)" in told
    assert 5 == page.locator(".nbr-card").count()
    cells = page.locator(".jp-Cell").all()[1:]
    rows = [cell.get_by_role("button", name="Escalate to").count() for cell in cells]
    assert [0, 0, 1, 1, 1] == rows


def test_a_click_after_a_restart_says_that_the_cell_must_be_run_again(page, url, folder):
    lab.write(folder, "restart.ipynb", "%load_ext nbroute", "%%route -t SIMPLE\nHello!")
    lab.open_notebook(page, url, "restart.ipynb")
    lab.run_all(page)
    cell = page.locator(".jp-Cell").nth(1)
    cell.get_by_role("button", name="good", exact=True).click()
    cell.get_by_text("labelled good").wait_for()
    silent = cell.get_by_role("status").filter(has_text="No answer from the kernel")

    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    cell.get_by_role("button", name="bad", exact=True).click()

    silent.wait_for()
    assert "run this cell again" in silent.inner_text()
    lab.run_all(page)
    silent.wait_for(state="detached")


def test_escalate_works_by_keyboard(page, url, folder):
    lab.write(folder, "keys.ipynb", "%load_ext nbroute", "%%route -t SIMPLE\nhello")
    lab.open_notebook(page, url, "keys.ipynb")
    lab.run_all(page)
    page.get_by_role("button", name="Escalate to MEDIUM").focus()

    page.keyboard.press("Enter")

    page.get_by_role("button", name="Escalate to COMPLEX").wait_for()


def test_script_and_remote_images_in_an_answer_do_nothing(page, url, folder):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    evil = "<script>window.hit=1</script> <img src=x onerror='window.hit=1'> ![x](http://evil.test/x.png)"
    lab.write(
        folder,
        "evil.ipynb",
        "%load_ext nbroute",
        "import nbroute\n"
        "from nbroute.types import Chunk, Usage\n"
        "class Evil:\n"
        "    name, kind = 'simulated', 'simulated'\n"
        "    def send(self, request):\n"
        f"        yield Chunk(text={evil!r})\n"
        "        yield Chunk(usage=Usage(1, 1), finish_reason='stop')\n"
        "    def close(self): pass\n"
        "router = nbroute.Router(profile='simulated', provider=Evil())\n"
        "router.route('hello')",
    )
    lab.open_notebook(page, url, "evil.ipynb")
    lab.run_all(page)
    page.get_by_text("window.hit=1").first.wait_for()

    assert page.evaluate("window.hit") is None
    assert [] == [one for one in asked if "evil.test" in one]


def test_the_quickstart_runs_from_top_to_bottom(page, url, folder):
    lab.open_notebook(page, url, "quickstart.ipynb")
    lab.run_all(page)

    page.get_by_role("button", name="Escalate to").first.wait_for()
    lab.save(page)

    cells = json.loads((folder / "quickstart.ipynb").read_text())["cells"]
    kinds = {output["output_type"] for cell in cells for output in cell.get("outputs", [])}
    assert "error" not in kinds


def test_a_dark_theme_leaves_the_meter_readable(page, url, folder):
    lab.write(folder, "dark.ipynb", "%load_ext nbroute", "%%route\nhello")
    lab.open_notebook(page, url, "dark.ipynb")
    lab.run_all(page)
    meter = page.locator(".nbr-meter")
    meter.wait_for()

    lab.dark(page)

    red, green, blue = meter.evaluate(lab.COLOUR)
    assert min(red, green, blue) > 150
    lab.command(page, "apputils:change-theme", {"theme": "JupyterLab Light"})
