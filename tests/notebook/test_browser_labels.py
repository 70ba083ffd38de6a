"""The row of words under a card, by clicks in a real JupyterLab."""

from __future__ import annotations

import re

import lab
import pytest

from nbroute.storage.ledger import SqliteLedger

pytestmark = lab.in_browser()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("lab")
    lab.simulated(made, pace=0.2)
    return made


def labelled(folder, prompt):
    with SqliteLedger(folder / "ledger.sqlite") as ledger:
        found = [one for one in ledger.labels() if one.prompt == prompt]
    return [(one.feedback, one.picked, one.needed) for one in found]


def test_a_click_keeps_a_label_and_another_click_changes_it(page, url, folder):
    lab.write(folder, "thumbs.ipynb", "%load_ext nbroute", "%%route -t SIMPLE\nhello there")
    lab.open_notebook(page, url, "thumbs.ipynb")
    lab.run_all(page)
    cell = page.locator(".jp-Cell").nth(1)
    word = cell.get_by_role("button", name="good", exact=True)
    assert "kept with the prompt" in word.get_attribute("title")

    word.click()
    cell.get_by_text("labelled good").wait_for()
    cell.get_by_role("button", name="too weak").click()
    cell.get_by_text("labelled too weak (the prompt needs MEDIUM)").wait_for()

    assert ["too weak"] == cell.locator("[aria-pressed=true]").all_inner_texts()
    assert [("good", "SIMPLE", "SIMPLE"), ("too weak", "SIMPLE", "MEDIUM")] == labelled(
        folder, "hello there"
    )


def test_a_second_click_takes_a_label_back(page, url, folder):
    lab.write(folder, "back.ipynb", "%load_ext nbroute", "%%route -t SIMPLE\nhello back")
    lab.open_notebook(page, url, "back.ipynb")
    lab.run_all(page)
    cell = page.locator(".jp-Cell").nth(1)
    cell.get_by_role("button", name="good", exact=True, pressed=False).click()

    cell.get_by_role("button", name="good", exact=True, pressed=True).click()

    cell.get_by_role("status").filter(has_text="label removed").wait_for()
    assert "taken back" == labelled(folder, "hello back")[-1][0]


def test_after_an_escalation_a_click_is_about_the_new_answer(page, url, folder):
    lab.write(folder, "climb.ipynb", "%load_ext nbroute", "%%route -t SIMPLE\nhello again")
    lab.open_notebook(page, url, "climb.ipynb")
    lab.run_all(page)
    cell = page.locator(".jp-Cell").nth(1)
    cell.get_by_role("button", name="bad", exact=True).click()
    cell.get_by_text("labelled bad").wait_for()

    cell.get_by_role("button", name="Escalate to MEDIUM").click()
    cell.get_by_role("button", name="Escalate to COMPLEX").wait_for()
    cell.get_by_text("labelled bad").wait_for(state="detached")
    assert 0 == cell.locator("[aria-pressed=true]").count()
    cell.get_by_role("button", name="good", exact=True).click()

    cell.get_by_text("labelled good (the prompt needs MEDIUM)").wait_for()
    assert ("good", "SIMPLE", "MEDIUM") == labelled(folder, "hello again")[-1]


def test_the_words_are_reached_and_pressed_by_keyboard(page, url, folder):
    lab.write(folder, "keyboard.ipynb", "%load_ext nbroute", "%%route -t SIMPLE\nhello keys")
    lab.open_notebook(page, url, "keyboard.ipynb")
    lab.run_all(page)
    cell = page.locator(".jp-Cell").nth(1)
    cell.get_by_label("Run at a tier").focus()

    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    cell.get_by_role("status").filter(has_text=re.compile("labelled bad")).wait_for()
    page.keyboard.press("b")  # JupyterLab's shortcut for a new cell
    page.keyboard.press("Enter")
    cell.get_by_role("status").filter(has_text="label removed").wait_for()
    assert 2 == page.locator(".jp-Cell").count()


def test_a_label_that_cannot_be_kept_says_so_in_the_row(page, url, folder):
    lab.write(
        folder,
        "unwritable.ipynb",
        "import os\nos.environ['NBROUTE_LEDGER'] = '/dev/null/ledger.sqlite'\n%load_ext nbroute",
        "%%route -t SIMPLE\nhello nobody",
    )
    lab.open_notebook(page, url, "unwritable.ipynb")
    lab.run_all(page)
    cell = page.locator(".jp-Cell").nth(1)

    cell.get_by_role("button", name="good", exact=True).click()

    cell.get_by_text("RecordError: the label could not be recorded").wait_for()
    # it counts until the kernel ends, and so it is down
    assert ["good"] == cell.locator("[aria-pressed=true]").all_inner_texts()


def test_the_session_meter_follows_what_python_routes(page, url, folder):
    lab.write(
        folder,
        "meter_map.ipynb",
        "%load_ext nbroute",
        "%%route\nhello",
        "router = %route router\nrouter.map([f'prompt {n}' for n in range(20)], progress=False);",
    )
    lab.open_notebook(page, url, "meter_map.ipynb")
    lab.run_all(page)

    page.locator(".nbr-meter", has_text="21 calls").wait_for()
