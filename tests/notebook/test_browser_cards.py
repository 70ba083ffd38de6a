"""Cards and their controls in a real JupyterLab and Notebook 7, by clicks in headless Chromium."""

from __future__ import annotations

import re
from dataclasses import replace

import lab
from waiting import until

PACE = 0.2

pytestmark = lab.in_browser()


def button(cell, name, **options):
    return cell.get_by_role("button", name=name, exact=name in ("good", "bad", "Stop"), **options)


def test_escalate_streams_the_next_tiers_answer_in_place_twice_in_a_row(page, notebooks):
    cell = notebooks.run("%%route -t SIMPLE\nName three uses of a paper clip.")
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

    page.keyboard.press("Shift+Enter")  # runs the cell again, and does not escalate
    button(cell, "Escalate to MEDIUM").wait_for()
    assert [] == notebooks.rows("SELECT * FROM attempts WHERE tier = 'FRONTIER'")


def test_run_at_a_tier_and_compare_and_stop_while_they_run(notebooks):
    slow = notebooks.slow(3.0)
    cell = slow.run("%%route -t SIMPLE\nhello")

    cell.get_by_label("Run at a tier").click()
    button(cell, re.compile("^FRONTIER")).click()
    begun = cell.locator(".nbr-head:has-text('answering ...') + .nbr-body")
    until(lambda: begun.count() and len(begun.inner_text().split()) > 1)
    assert button(cell, "good").is_disabled()
    button(cell, "Stop").click()
    cell.get_by_text("interrupted: a partial answer").first.wait_for()

    button(cell, "Stop").wait_for(state="detached")
    assert button(cell, "good").is_enabled()
    cell.get_by_label("Run at a tier").click()
    assert button(cell, re.compile("^FRONTIER")).is_enabled()

    cell.get_by_label("More").click()
    button(cell, "Compare on all tiers").click()
    button(cell, "Stop").click()
    cell.get_by_role("status").filter(has_text="Interrupted").wait_for()
    statuses = slow.rows("SELECT status FROM attempts WHERE comparison != ''")
    assert ("interrupted",) in statuses


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


def test_a_click_keeps_a_label_another_changes_it_and_a_second_takes_it_back(page, notebooks):
    cell = notebooks.run("%%route -t SIMPLE\nhello there")
    assert "kept with the prompt" in button(cell, "good").get_attribute("title")

    button(cell, "good").click()
    cell.get_by_text("labelled good").wait_for()
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("b")  # JupyterLab's shortcut for a new cell
    page.keyboard.press("Enter")
    cell.get_by_text("labelled too weak (the prompt needs MEDIUM)").wait_for()
    assert ["too weak"] == cell.locator("[aria-pressed=true]").all_inner_texts()
    button(cell, "too weak", pressed=True).click()
    cell.get_by_role("status").filter(has_text="label removed").wait_for()

    kept = notebooks.rows("SELECT feedback, picked, needed FROM labels ORDER BY rowid")
    assert [("good", "SIMPLE", "SIMPLE"), ("too weak", "SIMPLE", "MEDIUM")] == kept[:2]
    assert "taken back" == kept[2][0]
    assert 2 == page.locator(".jp-Cell").count()


def test_in_notebook_7_a_card_escalates_in_place_and_is_saved(page, notebooks):
    in_notebook7 = replace(
        notebooks.slow(0.0),
        open=lambda page, url, name: lab.open_page(page, f"{url}/notebooks/{name}"),
    )
    cell = in_notebook7.run("%%route -t SIMPLE\nName three paper clips.")
    escalate = button(cell, "Escalate to MEDIUM")
    escalate.wait_for()

    assert "/notebooks/" in page.url
    assert "1 call" in cell.locator(".nbr-meter").inner_text()
    escalate.click()
    button(cell, "Escalate to COMPLEX").wait_for()

    shown = cell.locator(".nbr-card").inner_text()
    assert shown.index("MEDIUM") < shown.index("before: SIMPLE")
    assert "MEDIUM" == in_notebook7.saved()[0]["metadata"]["nbroute"]["tier"]
