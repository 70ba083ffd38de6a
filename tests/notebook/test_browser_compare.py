"""`%%route_compare` in a real JupyterLab, by clicks and keys in headless Chromium."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import lab
import pytest
from loopback import Loopback, Reply

pytestmark = lab.in_browser()

SETTINGS = """
[nbroute]
profile = "simulated"
[providers.simulated]
kind = "simulated"
pace = 0.3
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def url(folder):
    with Loopback() as server:
        server.handler = lambda asked: Reply(text=f"{HOSTILE}\nsaid by {asked['model']}")
        (folder / "nbroute.toml").write_text(SETTINGS.format(url=server.url))
        with lab.jupyterlab(
            folder, LOOP_KEY="sk-test", NBROUTE_CONFIG=str(folder / "nbroute.toml")
        ) as address:
            yield address


def opened(page, url, folder, name, *cells, waiting=True):
    """A notebook of those cells, run; its second cell."""
    lab.write(folder, name, *cells)
    lab.open_notebook(page, url, name)
    if waiting:
        lab.run_all(page)
    else:
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    return page.locator(".jp-Cell").nth(1)


def labels(folder):
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as file:
        return [row[0] for row in file.execute("SELECT needed FROM labels ORDER BY rowid")]


def boxes(cell):
    return [section.bounding_box() for section in live(cell).locator("section").all()]


def live(cell):
    """The widget of a cell's comparison."""
    return cell.locator(".jp-OutputArea-output .nbr").last


def pane(cell, name):
    """The column of that contender in the widget."""
    return live(cell).locator(f'section[data-pane="{name}"]')


def test_columns_stand_beside_one_another_and_below_one_another_where_it_is_narrow(
    page, url, folder
):
    cell = opened(page, url, folder, "wide.ipynb", "%load_ext nbroute", "%%route_compare\nhello")
    cell.get_by_role("button", name="Differences").wait_for()

    medium = boxes(cell)
    lab.command(page, "application:toggle-left-area")
    page.wait_for_timeout(500)
    wide = boxes(cell)
    page.set_viewport_size({"width": 520, "height": 1000})
    page.wait_for_timeout(500)
    narrow = boxes(cell)
    page.set_viewport_size({"width": 1400, "height": 1000})

    assert 1 == len({round(box["height"]) for box in wide})
    assert (2, 2) == (len({box["y"] for box in medium}), len({box["x"] for box in medium}))
    assert (1, 4) == (len({box["y"] for box in wide}), len({box["x"] for box in wide}))
    assert (4, 1) == (len({box["y"] for box in narrow}), len({box["x"] for box in narrow}))


def test_answers_stream_while_others_still_wait(page, url, folder):
    cell = opened(
        page,
        url,
        folder,
        "stream.ipynb",
        "%load_ext nbroute",
        "%%route_compare SIMPLE FRONTIER\nExplain recursion with an example.",
        waiting=False,
    )
    cell.locator("section", has_text="answering ...").get_by_text("Recursion is").wait_for()
    cell.get_by_role("button", name="Differences").wait_for()
    assert 0 == cell.get_by_text("answering ...").count()


def test_a_vote_stands_in_its_column_can_be_taken_back_and_is_saved_without_a_kernel(
    page, url, folder
):
    cell = opened(
        page,
        url,
        folder,
        "vote.ipynb",
        "%load_ext nbroute",
        "%%route_compare SIMPLE MEDIUM\nhello",
    )
    simple = pane(cell, "SIMPLE").get_by_role("button", name="good enough")
    simple.click()
    cell.get_by_role("status").get_by_text("your vote: SIMPLE is good enough").wait_for()
    assert "true" == simple.get_attribute("aria-pressed")
    assert 1 == cell.locator("section:visible", has_text="SIMPLE").count()
    simple.click()
    cell.get_by_role("status").get_by_text("vote removed").wait_for()
    assert "false" == simple.get_attribute("aria-pressed")
    pane(cell, "MEDIUM").get_by_role("button", name="good enough").click()
    cell.get_by_role("status").get_by_text("your vote: MEDIUM is good enough").wait_for()
    page.wait_for_timeout(300)
    lab.save(page)

    main, controls = json.loads((folder / "vote.ipynb").read_text())["cells"][1]["outputs"]
    assert "MEDIUM" == labels(folder)[-1]
    assert "your vote: MEDIUM" in "".join(main["data"]["text/plain"])
    assert ["SIMPLE", "MEDIUM"] == [one["tier"] for one in main["metadata"]["nbroute"]["compared"]]
    assert "application/vnd.jupyter.widget-view+json" in controls["data"]


def test_opened_without_trust_a_comparison_keeps_its_borders_bars_and_highlights(page, url, folder):
    asked = "%%route_compare --diff SIMPLE MEDIUM\nWhat is the capital of Australia?"
    cell = opened(page, url, folder, "signed.ipynb", "%load_ext nbroute", asked)
    cell.get_by_role("button", name="Differences").wait_for()
    lab.save(page)
    text = (folder / "signed.ipynb").read_text()
    # what nobody has signed is not trusted
    (folder / "unsigned.ipynb").write_text(text.replace("Australia", "Austria"))
    lab.open_notebook(page, url, "unsigned.ipynb")
    shown = page.locator(".jp-RenderedHTML section").last
    shown.wait_for()

    seen = shown.evaluate("""pane => [
      getComputedStyle(pane).borderTopWidth, getComputedStyle(pane).borderLeftWidth,
      ...['.nbr-filled', 'mark'].map(
        name => getComputedStyle(pane.querySelector(name)).backgroundColor)]""")
    assert ["4px", "1px"] == seen[:2]
    assert not {"rgba(0, 0, 0, 0)", "rgb(255, 255, 0)"} & set(seen[2:])


def test_a_blind_vote_by_keyboard_reveals_the_tiers(page, url, folder):
    cell = opened(
        page,
        url,
        folder,
        "blind.ipynb",
        "%load_ext nbroute",
        "%%route_compare --blind SIMPLE FRONTIER\nhello",
    )
    vote = pane(cell, "B").get_by_role("button", name="good enough")
    vote.wait_for()
    hidden = live(cell).locator(".nbr-columns").inner_text()
    vote.focus()
    page.keyboard.press("Enter")
    cell.get_by_role("status").get_by_text("your vote:").wait_for()
    shown = live(cell).locator(".nbr-columns").inner_text()

    for word in ("SIMPLE", "FRONTIER", "gpt-4o", "opus", "cheapest"):
        assert word not in hidden
        assert word in shown
    assert f"your vote: {labels(folder)[-1]} is" in live(cell).inner_text()
    assert "B" == page.evaluate("document.activeElement.dataset.at")


def test_differences_are_marked_in_place_and_taken_back(page, url, folder):
    cell = opened(
        page,
        url,
        folder,
        "differ.ipynb",
        "%load_ext nbroute",
        "%%route_compare COMPLEX FRONTIER\nhello",
    )
    toggle = cell.get_by_role("button", name="Differences")
    toggle.click()
    marked = live(cell).locator("section mark").first
    marked.wait_for()
    assert "rgb(255, 255, 0)" != marked.evaluate("one => getComputedStyle(one).backgroundColor")
    assert "true" == toggle.get_attribute("aria-pressed")
    toggle.click()
    live(cell).locator("section mark").first.wait_for(state="detached")


def test_nothing_in_an_answer_runs_loads_or_becomes_a_formula(page, url, folder):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    cell = opened(
        page,
        url,
        folder,
        "hostile.ipynb",
        "%load_ext nbroute",
        "%route use loop",
        "%%route_compare --diff SIMPLE MEDIUM\nhello",
    )
    cell = page.locator(".jp-Cell").nth(2)
    toggle = cell.get_by_role("button", name="Differences")
    toggle.wait_for()
    toggle.click()
    live(cell).locator("section td").first.wait_for()
    page.wait_for_timeout(500)
    shown = live(cell).locator("section").first.inner_text()

    assert not page.evaluate("window.harm")
    assert [] == [address for address in asked if "evil.example" in address]
    assert 0 == cell.locator("section img, section script").count()
    assert 3 == live(cell).locator("section").first.locator("mjx-container").count()
    for told in ("costs $5, then", "שלום 🙂", "image not loaded"):
        assert told in shown


def test_only_the_newest_three_comparisons_have_buttons_and_the_rest_stay_to_be_read(
    page, url, folder
):
    cells = [f"%%route_compare SIMPLE\nhello {n}" for n in range(4)]
    opened(page, url, folder, "many.ipynb", "%load_ext nbroute", *cells)
    page.locator(".jp-Cell").nth(4).get_by_role("button", name="good enough").wait_for()

    votes = [
        page.locator(".jp-Cell").nth(n + 1).get_by_role("button", name="good enough").count()
        for n in range(4)
    ]
    assert [0, 1, 1, 1] == votes
    assert [1] * 4 == [
        page.locator(".jp-Cell").nth(n + 1).locator("section:visible").count() for n in range(4)
    ]


def test_a_table_of_prompts_is_paged_filtered_opened_and_voted_on(page, url, folder):
    cell = opened(
        page,
        url,
        folder,
        "matrix.ipynb",
        "%load_ext nbroute\nwords = [f'word {n}' for n in range(25)]",
        "%%route_compare SIMPLE COMPLEX --over words\nDefine {{words}}.",
    )
    rows = cell.locator("tbody tr:visible")
    cell.get_by_text("1 to 20 of 25").wait_for()
    assert 20 == rows.count()
    cell.get_by_role("button", name="›").click()
    cell.get_by_text("21 to 25 of 25").wait_for()
    cell.get_by_label("Show").select_option("most expensive")
    cell.get_by_text("1 to 3 of 3").wait_for()
    assert 3 == rows.count()
    rows.first.locator("th button").click()
    cell.locator("section:visible").nth(1).wait_for()
    cell.locator('section[data-pane="COMPLEX"]').get_by_role("button", name="good enough").click()
    cell.get_by_role("status").get_by_text("COMPLEX is good enough").wait_for()
    page.wait_for_timeout(300)
    lab.save(page)

    saved = json.loads((folder / "matrix.ipynb").read_text())["cells"][1]["outputs"]
    assert "COMPLEX" == labels(folder)[-1]
    assert "and 5 more rows" in "".join(saved[0]["data"]["text/html"])
    assert "good enough in 1 of 1" in "".join(saved[0]["data"]["text/html"])
