"""The cards and controls in Jupyter Notebook 7, by clicks in headless Chromium."""

from __future__ import annotations

from dataclasses import replace

import lab

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


def test_a_card_streams_escalates_in_place_and_is_saved(page, notebooks):
    in_notebook7 = replace(notebooks, open=open_watched)
    cell = in_notebook7.run("%%route -t SIMPLE\nName three paper clips.")
    escalate = cell.get_by_role("button", name="Escalate to MEDIUM")
    escalate.wait_for()

    assert "/notebooks/" in page.url
    assert page.evaluate("window.lengths.size") > 3
    assert "SIMPLE" in cell.locator(".nbr-card").inner_text()
    assert "1 call" in cell.locator(".nbr-meter").inner_text()
    escalate.click()
    cell.get_by_role("button", name="Escalate to COMPLEX").wait_for()

    shown = cell.locator(".nbr-card").inner_text()
    assert shown.index("MEDIUM") < shown.index("before: SIMPLE")
    assert "MEDIUM" == in_notebook7.saved()[0]["metadata"]["nbroute"]["tier"]
