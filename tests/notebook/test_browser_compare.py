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


def shape(cell):
    """How many rows and columns the answers stand in."""
    boxes = [section.bounding_box() for section in live(cell).locator("section").all()]
    return len({box["y"] for box in boxes}), len({box["x"] for box in boxes})


def test_columns_stand_side_by_side_and_below_one_another_where_it_is_narrow(page, notebooks):
    cell = notebooks.run("%%route_compare\nhello")
    differences(cell).wait_for()

    until(lambda: shape(cell) == (2, 2))
    lab.command(page, "application:toggle-left-area")
    until(lambda: shape(cell) == (1, 4))
    heights = live(cell).locator("section").evaluate_all("all => all.map(one => one.offsetHeight)")
    page.set_viewport_size({"width": 520, "height": 1000})
    until(lambda: shape(cell) == (4, 1))

    page.set_viewport_size({"width": 1400, "height": 1000})
    assert 1 == len(set(heights))


def test_answers_stream_while_others_still_wait(notebooks):
    asked = "%%route_compare SIMPLE FRONTIER\nExplain recursion with an example."
    cell = notebooks.run(asked, waiting=False)

    cell.locator("section", has_text="answering ...").get_by_text("Recursion is").wait_for()
    differences(cell).wait_for()

    assert 0 == cell.get_by_text("answering ...").count()


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

    def told():
        return "".join(notebooks.saved()[0]["data"]["text/plain"])

    until(lambda: "your vote: MEDIUM" in told())
    main, controls = notebooks.saved()
    assert "MEDIUM" == votes(notebooks)[-1]
    assert ["SIMPLE", "MEDIUM"] == [one["tier"] for one in main["metadata"]["nbroute"]["compared"]]
    assert "application/vnd.jupyter.widget-view+json" in controls["data"]


def test_opened_without_trust_a_comparison_keeps_its_borders_bars_and_highlights(page, notebooks):
    asked = "%%route_compare --diff SIMPLE MEDIUM\nWhat is the capital of Australia?"
    differences(notebooks.run(asked)).wait_for()
    notebooks.saved()
    unsigned = notebooks.folder / "unsigned.ipynb"
    # what nobody has signed is not trusted
    unsigned.write_text(notebooks.path.read_text().replace("Australia", "Austria"))
    lab.open_next(page, notebooks.url, str(unsigned.relative_to(notebooks.root)))
    shown = page.locator(".jp-RenderedHTML section").last
    shown.wait_for()

    seen = shown.evaluate("""pane => [
      getComputedStyle(pane).borderTopWidth, getComputedStyle(pane).borderLeftWidth,
      ...['.nbr-filled', 'mark'].map(
        name => getComputedStyle(pane.querySelector(name)).backgroundColor)]""")
    assert ["4px", "1px"] == seen[:2]
    assert not {"rgba(0, 0, 0, 0)", "rgb(255, 255, 0)"} & set(seen[2:])


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


def test_differences_are_marked_in_place_and_taken_back(notebooks):
    cell = notebooks.run("%%route_compare COMPLEX FRONTIER\nhello")
    marked = live(cell).locator("section mark").first
    differences(cell).click()
    marked.wait_for()
    assert "rgb(255, 255, 0)" != marked.evaluate("one => getComputedStyle(one).backgroundColor")
    assert "true" == differences(cell).get_attribute("aria-pressed")
    differences(cell).click()
    marked.wait_for(state="detached")


@pytest.fixture
def hostile(tmp_path):
    """Settings with an endpoint whose answers try to do harm."""
    with Loopback() as server:
        server.handler = lambda asked: Reply(text=f"{HOSTILE}\nsaid by {asked['model']}")
        path = tmp_path / "loop.toml"
        path.write_text(LOOP.format(url=server.url))
        yield str(path)


def test_nothing_in_an_answer_runs_loads_or_becomes_a_formula(page, notebooks, hostile):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    compared = "%%route_compare --diff SIMPLE MEDIUM\nhello"
    notebooks.run("%route use loop", compared, LOOP_KEY="sk-test", NBROUTE_CONFIG=hostile)
    cell = notebooks.cell(2)
    differences(cell).click()
    pane = live(cell).locator("section").first
    pane.locator("td").first.wait_for()
    until(lambda: pane.locator("mjx-container").count() == 3)

    assert not page.evaluate("window.harm")
    assert [] == [address for address in asked if "evil.example" in address]
    assert 0 == cell.locator("section img, section script").count()
    for told in ("costs $5, then", "שלום 🙂", "image not loaded"):
        assert told in pane.inner_text()


def test_only_the_newest_three_comparisons_have_buttons_and_the_rest_stay_to_be_read(notebooks):
    notebooks.run(*(f"%%route_compare SIMPLE\nhello {n}" for n in range(4)))
    cells = [notebooks.cell(n) for n in range(1, 5)]
    cells[-1].get_by_role("button", name="good enough").wait_for()

    buttons = [cell.get_by_role("button", name="good enough").count() for cell in cells]

    assert [0, 1, 1, 1] == buttons
    assert [1] * 4 == [cell.locator("section:visible").count() for cell in cells]


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
