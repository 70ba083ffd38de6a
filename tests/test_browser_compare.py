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
    return [section.bounding_box() for section in cell.locator("section").all()]


def test_columns_stand_beside_one_another_and_below_one_another_where_it_is_narrow(
    page, url, folder
):
    cell = opened(page, url, folder, "wide.ipynb", "%load_ext nbroute", "%%route_compare\nhello")
    cell.get_by_role("button", name="Mark differences").wait_for()

    medium = boxes(cell)
    lab.command(page, "application:toggle-left-area")
    page.wait_for_timeout(500)
    wide = boxes(cell)
    page.set_viewport_size({"width": 700, "height": 1000})
    page.wait_for_timeout(500)
    narrow = boxes(cell)
    page.set_viewport_size({"width": 1400, "height": 1000})

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
    cell.locator("section", has_text="first token 0.3 s").wait_for()
    cell.locator("section", has_text="answering ...").get_by_text("[simulated]").wait_for()
    cell.get_by_role("button", name="Mark differences").wait_for()
    assert 0 == cell.get_by_text("answering ...").count()


def test_a_click_votes_a_second_one_changes_it_and_the_file_keeps_both_outputs(page, url, folder):
    cell = opened(
        page,
        url,
        folder,
        "vote.ipynb",
        "%load_ext nbroute",
        "%%route_compare SIMPLE MEDIUM\nhello",
    )
    cell.get_by_role("button", name="Cheapest acceptable: SIMPLE").click()
    cell.get_by_role("status").get_by_text("kept: SIMPLE is the cheapest acceptable").wait_for()
    cell.get_by_role("button", name="Cheapest acceptable: MEDIUM").click()
    cell.get_by_text("your vote: MEDIUM is the cheapest acceptable").wait_for()
    lab.save(page)

    main, controls = json.loads((folder / "vote.ipynb").read_text())["cells"][1]["outputs"]
    assert ["SIMPLE", "MEDIUM"] == labels(folder)[-2:]
    assert "your vote: MEDIUM" in "".join(main["data"]["text/plain"])
    assert ["SIMPLE", "MEDIUM"] == [one["tier"] for one in main["metadata"]["nbroute"]["compared"]]
    assert "application/vnd.jupyter.widget-view+json" in controls["data"]


def test_a_blind_vote_by_keyboard_reveals_the_tiers(page, url, folder):
    cell = opened(
        page,
        url,
        folder,
        "blind.ipynb",
        "%load_ext nbroute",
        "%%route_compare --blind SIMPLE FRONTIER\nhello",
    )
    vote = cell.get_by_role("button", name="Cheapest acceptable: B")
    vote.wait_for()
    hidden = cell.locator(".jp-RenderedHTML").first.inner_text()
    vote.focus()
    page.keyboard.press("Enter")
    cell.get_by_text("your vote:").wait_for()
    shown = cell.locator(".jp-RenderedHTML").first.inner_text()

    for word in ("SIMPLE", "FRONTIER", "gpt-4o", "opus", "latency"):
        assert word not in hidden
        assert word in shown
    assert f"your vote: {labels(folder)[-1]} is" in shown
    assert 1 == cell.get_by_role("button", name=f"B: {labels(folder)[-1]}").count()


def test_differences_are_marked_in_place_and_taken_back(page, url, folder):
    cell = opened(
        page,
        url,
        folder,
        "differ.ipynb",
        "%load_ext nbroute",
        "%%route_compare SIMPLE MEDIUM\nhello",
    )
    toggle = cell.get_by_role("button", name="Mark differences")
    toggle.click()
    cell.locator("section u").first.wait_for()
    assert "rgba(0, 0, 0, 0)" == cell.locator("section u").first.evaluate(
        "one => getComputedStyle(one).backgroundColor"
    )
    toggle.click()
    cell.locator("section u").first.wait_for(state="detached")


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
    toggle = cell.get_by_role("button", name="Mark differences")
    toggle.wait_for()
    toggle.click()
    cell.locator("section td").first.wait_for()
    page.wait_for_timeout(500)
    shown = cell.locator("section").first.inner_text()

    assert not page.evaluate("window.harm")
    assert [] == [address for address in asked if "evil.example" in address]
    assert 0 == cell.locator("section mjx-container, section img, section script").count()
    for told in ("costs $5, then $x_1$ and \\(y\\), and $$z = 1$$", "שלום 🙂", "image not loaded"):
        assert told in shown
