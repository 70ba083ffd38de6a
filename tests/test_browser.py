"""Cards and controls in a real JupyterLab, by clicks in headless Chromium."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import lab
import pytest

QUICKSTART = Path(__file__).parent.parent / "notebooks" / "01_quickstart.ipynb"

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

    shown = cell.locator(".jp-RenderedMarkdown").inner_text()
    assert shown.index("MEDIUM") < shown.index("before that: SIMPLE")
    assert "for this step" in shown
    assert 1 == cell.locator("details").count()

    cell.get_by_role("button", name="Escalate to COMPLEX").click()
    cell.get_by_role("button", name="Escalate to FRONTIER").wait_for()
    assert 2 == cell.locator("details").count()
    lab.save(page)
    first, controls = saved_outputs(folder, "escalate.ipynb", 1)
    record = first["metadata"]["nbroute"]
    assert ("COMPLEX", ["MEDIUM", "SIMPLE"]) == (
        record["tier"],
        [earlier["tier"] for earlier in record["earlier"]],
    )
    assert "before that: MEDIUM" in "".join(first["data"]["text/plain"])
    assert "escalate" in "".join(controls["data"]["text/plain"])


def test_at_the_top_the_button_is_off_and_says_so(page, url, folder):
    lab.write(folder, "top.ipynb", "%load_ext nbroute", "%%route -t FRONTIER\nhello")
    lab.open_notebook(page, url, "top.ipynb")
    lab.run_all(page)

    button = page.get_by_role("button", name="Top tier: no escalation")
    button.wait_for()

    assert button.is_disabled()


def test_run_at_a_tier_and_stop_while_it_runs(page, url, folder):
    (folder / "slow").mkdir(exist_ok=True)
    (folder / "slow" / "nbroute.toml").write_text(
        '[nbroute]\nprofile = "simulated"\n[providers.simulated]\nkind = "simulated"\npace = 3.0\n'
    )
    lab.write(folder / "slow", "stop.ipynb", "%load_ext nbroute", "%%route -t SIMPLE\nhello")
    lab.open_notebook(page, url, "slow/stop.ipynb")
    lab.run_all(page)
    cell = page.locator(".jp-Cell").nth(1)
    cell.get_by_label("Tier").select_option("FRONTIER")

    cell.get_by_role("button", name="Run at tier").click()
    page.wait_for_function(
        "() => document.querySelectorAll('.jp-Cell')[1]"
        ".querySelector('.jp-RenderedMarkdown').innerText.includes('answering ...')"
    )
    cell.get_by_role("button", name="Stop", exact=True).click()
    cell.get_by_text("interrupted: a partial answer").wait_for()

    assert cell.get_by_role("button", name="Stop", exact=True).is_disabled()
    assert cell.get_by_role("button", name="Run at tier").is_enabled()


def test_the_session_meter_is_one_and_live_under_every_card(page, url, folder):
    lab.write(folder, "meter.ipynb", "%load_ext nbroute", "%%route\nhello", "%%route\nhello again")
    lab.open_notebook(page, url, "meter.ipynb")
    lab.run_all(page)

    meters = page.get_by_role("status", name="session")
    page.wait_for_function(
        "() => [...document.querySelectorAll('[aria-label=session]')]"
        ".filter(e => e.innerText.includes('2 calls')).length === 2"
    )

    assert meters.nth(0).inner_text() == meters.nth(1).inner_text()
    assert "less than all on FRONTIER (estimate, net, nothing billed)" in meters.nth(0).inner_text()
    assert "by tier: SIMPLE" in meters.nth(0).inner_text()


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
    meter = page.get_by_role("status", name="session")
    meter.wait_for()

    lab.dark(page)

    red, green, blue = meter.evaluate(
        "e => getComputedStyle(e).color.match(/[\\d.]+/g).slice(0, 3).map(Number)"
    )
    assert min(red, green, blue) > 150
    lab.command(page, "apputils:change-theme", {"theme": "JupyterLab Light"})
