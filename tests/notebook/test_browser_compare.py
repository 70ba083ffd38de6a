"""`%%route_compare` in a real JupyterLab, by clicks and keys in headless Chromium."""

from __future__ import annotations

import lab
import pytest
from loopback import Loopback, Reply
from waiting import until

pytestmark = lab.in_browser()

PACE = 0.3
LOOP = """
[nbroute]
profile = "simulated"
[profiles.loop]
[providers.loop]
kind = "openai"
base_url = "{url}"
api_key_env = "LOOP_KEY"
"""
HOSTILE = """# Title
<script>window.harm = 1</script><img src="https://evil.example/a.png" onerror="window.harm = 1">
![pixel](https://evil.example/pixel.png) [x](javascript:window.harm=1)

It costs $5, then $x_1$ and \\(y\\), and $$z = 1$$ שלום 🙂

| a | b |
|---|---|
| $1 | <b onclick="window.harm=1">2</b> |
"""


def votes(notebooks):
    return [row[0] for row in notebooks.rows("SELECT needed FROM labels ORDER BY rowid")]


def live(cell):
    """The widget of a cell's comparison."""
    return cell.locator(".jp-OutputArea-output .nbr").last


def good_enough(cell, name):
    """The button in the column of that contender in the widget."""
    pane = live(cell).locator(f'section[data-pane="{name}"]')
    return pane.get_by_role("button", name="good enough")


def differences(cell):
    return cell.get_by_role("button", name="Differences")


def says(cell, words):
    cell.get_by_role("status").get_by_text(words).wait_for()


def test_answers_stream_while_others_wait_and_differences_are_marked_in_place(notebooks):
    asked = "%%route_compare SIMPLE FRONTIER\nExplain recursion with an example."
    cell = notebooks.run(asked, waiting=False)

    cell.locator("section", has_text="answering ...").get_by_text("Recursion is").wait_for()
    differences(cell).click()
    marked = live(cell).locator("section mark").first
    marked.wait_for()
    assert 0 == cell.get_by_text("answering ...").count()
    assert "true" == differences(cell).get_attribute("aria-pressed")
    differences(cell).click()
    marked.wait_for(state="detached")


def test_a_vote_stands_in_its_column_can_be_taken_back_and_is_saved_without_a_kernel(notebooks):
    cell = notebooks.run("%%route_compare SIMPLE MEDIUM\nhello")
    simple = good_enough(cell, "SIMPLE")
    simple.click()
    says(cell, "your vote: SIMPLE is good enough")
    assert "true" == simple.get_attribute("aria-pressed")
    assert 1 == cell.locator("section:visible", has_text="SIMPLE").count()
    simple.click()
    says(cell, "vote removed")
    assert "false" == simple.get_attribute("aria-pressed")
    good_enough(cell, "MEDIUM").click()
    says(cell, "your vote: MEDIUM is good enough")

    until(lambda: "your vote: MEDIUM" in "".join(notebooks.saved()[0]["data"]["text/plain"]))
    main, controls = notebooks.saved()
    assert "MEDIUM" == votes(notebooks)[-1]
    assert ["SIMPLE", "MEDIUM"] == [one["tier"] for one in main["metadata"]["nbroute"]["compared"]]
    assert "application/vnd.jupyter.widget-view+json" in controls["data"]


def test_a_blind_vote_by_keyboard_reveals_the_tiers(page, notebooks):
    cell = notebooks.run("%%route_compare --blind SIMPLE FRONTIER\nhello")
    good_enough(cell, "B").wait_for()
    hidden = live(cell).locator(".nbr-columns").inner_text()
    good_enough(cell, "B").focus()
    page.keyboard.press("Enter")
    says(cell, "your vote:")
    shown = live(cell).locator(".nbr-columns").inner_text()

    for word in ("SIMPLE", "FRONTIER", "gpt-4o", "opus", "cheapest"):
        assert word not in hidden
        assert word in shown
    assert f"your vote: {votes(notebooks)[-1]} is" in live(cell).inner_text()
    assert "B" == page.evaluate("document.activeElement.dataset.at")


@pytest.fixture
def hostile(tmp_path):
    """Settings with an endpoint whose answers try to do harm."""
    with Loopback() as server:
        server.handler = lambda asked: Reply(text=f"{HOSTILE}\nsaid by {asked['model']}")
        path = tmp_path / "loop.toml"
        path.write_text(LOOP.format(url=server.url))
        yield str(path)


def test_nothing_in_an_answer_or_a_prompt_runs_loads_or_becomes_a_formula(page, notebooks, hostile):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    notebooks.run(
        "%route use loop",
        "%%route_compare --diff SIMPLE MEDIUM\n<script>window.harm = 2</script>",
        "%%route -t SIMPLE\n<script>window.harm = 3</script>",
        LOOP_KEY="sk-test",
        NBROUTE_CONFIG=hostile,
    )
    differences(notebooks.cell(2)).click()
    for shown in (live(notebooks.cell(2)).locator("section"), page.locator(".nbr-card")):
        answer = shown.first
        answer.locator("td").first.wait_for()
        until(lambda answer=answer: answer.locator("mjx-container").count() == 3)
        assert 0 == answer.locator("img, script").count()
        for told in ("costs $5, then", "שלום 🙂", "image not loaded"):
            assert told in answer.inner_text()

    assert not page.evaluate("window.harm")
    assert [] == [address for address in asked if "evil.example" in address]


def test_a_table_of_prompts_is_paged_filtered_opened_and_voted_on(notebooks):
    notebooks.run(
        "words = [f'word {n}' for n in range(25)]",
        "%%route_compare SIMPLE COMPLEX --over words\nDefine {{words}}.",
    )
    cell = notebooks.cell(2)
    rows = cell.locator("tbody tr:visible")
    cell.get_by_text("1 to 20 of 25").wait_for()
    assert 20 == rows.count()
    cell.get_by_role("button", name="›").click()
    cell.get_by_text("21 to 25 of 25").wait_for()
    cell.get_by_label("Show").select_option("most expensive")
    cell.get_by_text("1 to 3 of 3").wait_for()
    assert 3 == rows.count()
    rows.first.locator("th button").click()
    good_enough(cell, "COMPLEX").click()
    says(cell, "COMPLEX is good enough")

    def saved():
        return "".join(notebooks.saved(2)[0]["data"]["text/html"])

    until(lambda: "good enough in 1 of 1" in saved())
    assert "COMPLEX" == votes(notebooks)[-1]
    assert "and 5 more rows" in saved()
