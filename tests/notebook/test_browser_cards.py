"""Cards, their controls and labels in a real JupyterLab, by clicks in headless Chromium."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import lab

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"
PACE = 0.2
HARD = "Derive when a predator-prey model has a stable limit cycle, and discuss each parameter."
#: All clicks are sent before the kernel has answered the first.
CLICKS = "(button) => { for (let i = 0; i < 100; i++) button.click() }"
PAPER_CLIP = "%%route -t SIMPLE\nName three uses of a paper clip."

pytestmark = lab.in_browser()


def labelled(notebooks):
    return notebooks.rows("SELECT feedback, picked, needed FROM labels ORDER BY rowid")


def button(cell, name, **options):
    return cell.get_by_role("button", name=name, exact=name in ("good", "bad", "Stop"), **options)


def test_escalate_streams_the_next_tiers_answer_in_place_twice_in_a_row(page, notebooks):
    cell = notebooks.run(PAPER_CLIP)
    earlier = cell.locator(".nbr-card summary", has_text="before: ")
    button(cell, "Escalate to MEDIUM").focus()

    page.keyboard.press("Enter")
    button(cell, "Escalate to COMPLEX").wait_for()

    shown = cell.locator(".nbr-card").inner_text()
    assert shown.index("MEDIUM") < shown.index("before: SIMPLE")
    assert "+$" in shown
    assert 1 == earlier.count()

    button(cell, "Escalate to COMPLEX").click()
    button(cell, "Escalate to FRONTIER").wait_for()
    assert 2 == earlier.count()
    first, controls = notebooks.saved()
    record = first["metadata"]["nbroute"]
    assert "COMPLEX" == record["tier"]
    assert ["MEDIUM", "SIMPLE"] == [one["tier"] for one in record["earlier"]]
    assert "\n\nbefore: MEDIUM" in "".join(first["data"]["text/plain"])
    assert "" == "".join(controls["data"]["text/plain"])


def test_a_hundred_rapid_clicks_on_escalate_give_one_new_answer(page, notebooks):
    cell = notebooks.run(PAPER_CLIP)

    button(cell, "Escalate to MEDIUM").evaluate(CLICKS)
    button(cell, "Escalate to COMPLEX", disabled=False).wait_for()

    # what a click that was still on its way would begin, a second run at a tier would come after
    cell.get_by_label("Run at a tier").click()
    button(cell, re.compile("^SIMPLE")).click()
    cell.locator("summary", has_text="before: MEDIUM").wait_for()
    page.locator(".nbr-meter", has_text="3 calls").wait_for()
    record = notebooks.saved()[0]["metadata"]["nbroute"]
    assert ["SIMPLE", "MEDIUM", "SIMPLE"] == [one["tier"] for one in (record, *record["earlier"])]


def test_at_the_top_the_button_is_off_and_says_so(notebooks):
    top = button(notebooks.run("%%route -t FRONTIER\nhello"), "Top tier")
    top.wait_for()

    assert top.is_disabled()
    assert "there is no tier above" == top.get_attribute("title")


def test_run_at_a_tier_and_stop_while_it_runs(notebooks):
    cell = notebooks.slow(3.0).run("%%route -t SIMPLE\nhello")

    cell.get_by_label("Run at a tier").click()
    button(cell, re.compile("^FRONTIER")).click()
    cell.locator(".nbr-head", has_text="answering ...").wait_for()
    assert button(cell, "good").is_disabled()
    button(cell, "Stop").click()
    cell.get_by_text("interrupted: a partial answer").first.wait_for()

    button(cell, "Stop").wait_for(state="detached")
    assert button(cell, "good").is_enabled()
    cell.get_by_label("Run at a tier").click()
    assert button(cell, re.compile("^FRONTIER")).is_enabled()


def test_the_newest_three_cards_have_controls_and_the_newest_the_session(page, notebooks):
    asked = [f"%%route -t SIMPLE\nhello {number}" for number in range(5)]
    more = "router = %route router\nrouter.map([f'prompt {n}' for n in range(20)], progress=False);"
    notebooks.run(*asked, more)

    page.locator(".nbr-meter", has_text="25 calls").wait_for()  # what Python routes counts, too

    assert 1 == page.get_by_text("session would have cost").count()
    told = page.locator(".nbr-meter").last.inner_text()
    assert "less than all on FRONTIER (estimate, net, nothing billed)" in told
    assert 5 == page.locator(".nbr-card").count()
    rows = [button(notebooks.cell(n), "Escalate to").count() for n in range(1, 6)]
    assert [0, 0, 1, 1, 1] == rows
    with lab.in_the_dark(page):
        assert min(page.locator(".nbr-meter").last.evaluate(lab.COLOUR)) > 150


def test_a_click_after_a_restart_says_that_the_cell_must_be_run_again(page, notebooks):
    cell = notebooks.run("%%route -t SIMPLE\nHello!")
    button(cell, "good").click()
    cell.get_by_text("labelled good").wait_for()
    silent = cell.get_by_role("status").filter(has_text="No answer from the kernel")

    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    button(cell, "bad").click()

    silent.wait_for()
    assert "run this cell again" in silent.inner_text()
    lab.run_all(page)
    silent.wait_for(state="detached")


EVIL = """import nbroute
from nbroute.types import Chunk, Usage
class Evil:
    name, kind = 'simulated', 'simulated'
    def send(self, request):
        yield Chunk(text="<script>window.hit=1</script> <img src=x onerror='window.hit=1'> "
                    "![x](http://evil.test/x.png)")
        yield Chunk(usage=Usage(1, 1), finish_reason='stop')
    def close(self): pass
router = nbroute.Router(profile='simulated', provider=Evil())
router.route('hello')"""


def test_script_and_remote_images_in_an_answer_do_nothing(page, notebooks):
    asked = []
    page.on("request", lambda request: asked.append(request.url))

    notebooks.run(EVIL).get_by_text("window.hit=1").first.wait_for()

    assert page.evaluate("window.hit") is None
    assert [] == [one for one in asked if "evil.test" in one]


def test_the_quickstart_runs_from_top_to_bottom(page, notebooks):
    path = notebooks.folder / "quickstart.ipynb"
    shutil.copy(QUICKSTART, path)
    lab.open_next(page, notebooks.url, str(path.relative_to(notebooks.root)))

    assert "error" not in lab.kinds_of_outputs(page, path)


# Strategies


def test_the_steps_of_a_cascade_open_by_a_click_and_name_each_tier(notebooks):
    cell = notebooks.run(f"%%route -S cascade --start SIMPLE\n{HARD}")
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
    assert [["COMPLEX", "not asked"], ["FRONTIER", "not asked"]] == [
        [step[0], step[2]] for step in rest
    ]


def test_escalate_from_a_parallel_card_keeps_the_answer_that_was_there(page, notebooks):
    cell = notebooks.run(
        "%%route -S parallel --tiers SIMPLE,COMPLEX\nWhat is the capital of Norway?"
    )
    cell.locator("summary", has_text=re.compile("both tiers: they agree")).wait_for()

    button(cell, "Escalate to ").click()
    cell.locator("summary", has_text="before: SIMPLE").wait_for()
    button(cell, "Escalate to ", disabled=False).wait_for()

    page.locator(".nbr-meter", has_text="3 calls").wait_for()
    shown = cell.locator(".nbr-card").inner_text()
    assert re.search(r"\$0\b.*\bcached\b", shown, re.DOTALL)
    record = notebooks.saved()[0]["metadata"]["nbroute"]
    assert record["tier"] != "SIMPLE"
    assert ["SIMPLE"] == [earlier["tier"] for earlier in record["earlier"]]


# Labels


def test_a_click_keeps_a_label_another_changes_it_and_a_second_takes_it_back(notebooks):
    cell = notebooks.run("%%route -t SIMPLE\nhello there")
    assert "kept with the prompt" in button(cell, "good").get_attribute("title")

    button(cell, "good").click()
    cell.get_by_text("labelled good").wait_for()
    button(cell, "too weak").click()
    cell.get_by_text("labelled too weak (the prompt needs MEDIUM)").wait_for()
    assert ["too weak"] == cell.locator("[aria-pressed=true]").all_inner_texts()
    button(cell, "too weak", pressed=True).click()
    cell.get_by_role("status").filter(has_text="label removed").wait_for()

    assert [
        ("good", "SIMPLE", "SIMPLE"),
        ("too weak", "SIMPLE", "MEDIUM"),
        "taken back",
    ] == [*labelled(notebooks)[:2], labelled(notebooks)[2][0]]


def test_after_an_escalation_a_click_is_about_the_new_answer(notebooks):
    cell = notebooks.run("%%route -t SIMPLE\nhello again")
    button(cell, "bad").click()
    cell.get_by_text("labelled bad").wait_for()

    button(cell, "Escalate to MEDIUM").click()
    button(cell, "Escalate to COMPLEX").wait_for()
    cell.get_by_text("labelled bad").wait_for(state="detached")
    assert 0 == cell.locator("[aria-pressed=true]").count()
    button(cell, "good").click()

    cell.get_by_text("labelled good (the prompt needs MEDIUM)").wait_for()
    assert ("good", "SIMPLE", "MEDIUM") == labelled(notebooks)[-1]


def test_the_words_are_reached_and_pressed_by_keyboard(page, notebooks):
    cell = notebooks.run("%%route -t SIMPLE\nhello keys")
    cell.get_by_label("Run at a tier").focus()

    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    cell.get_by_role("status").filter(has_text=re.compile("labelled bad")).wait_for()
    page.keyboard.press("b")  # JupyterLab's shortcut for a new cell
    page.keyboard.press("Enter")
    cell.get_by_role("status").filter(has_text="label removed").wait_for()
    assert 2 == page.locator(".jp-Cell").count()


def test_a_label_that_cannot_be_kept_says_so_in_the_row(notebooks):
    cell = notebooks.run(
        "%%route -t SIMPLE\nhello nobody", NBROUTE_LEDGER="/dev/null/ledger.sqlite"
    )

    button(cell, "good").click()

    cell.get_by_text("RecordError: the label could not be recorded").wait_for()
    # it counts until the kernel ends, and so it is down
    assert ["good"] == cell.locator("[aria-pressed=true]").all_inner_texts()
