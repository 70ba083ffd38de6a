"""Playground, dashboard and what-if in a real JupyterLab: typed and clicked in Chromium."""

from __future__ import annotations

import re

import lab
import pytest
from waiting import until

pytestmark = lab.in_browser()

PACE = 0.1
PROOF = "Prove that the root of 2 is irrational, briefly.\nSay why it matters."
CARD = ".nbr-card"


@pytest.fixture
def playground(page, notebooks):
    """Opens a playground; its prompt's box."""

    def opened(text="", *, pace=PACE):
        notebooks.slow(pace).run(f"%route playground {text}")
        box = page.get_by_role("textbox", name="Prompt")
        box.wait_for()
        return box

    return opened


def answer(page, words):
    return page.locator(CARD, has_text=words)


def send_at(page, tier):
    """Send to that tier."""
    page.locator("summary", has_text="Send to another tier").click()
    page.get_by_role("button", name=tier, exact=True).click()


def send(page, tier):
    return page.get_by_role("button", name=f"Send to {tier}")


def stop(page):
    return page.get_by_role("button", name="Stop", exact=True)


def idle(page):
    """Wait until nothing is on its way."""
    stop(page).wait_for(state="detached")


# Playground


def test_typing_changes_the_tier_and_the_marks_sends_nothing_and_is_copied(page, playground):
    box = playground()
    page.get_by_text("No prompt yet").wait_for()

    box.press_sequentially("What is the capital of France?")
    send(page, "SIMPLE").wait_for()
    page.locator("mark", has_text="capital").wait_for()

    box.fill(PROOF)
    send(page, "FRONTIER").wait_for()

    page.locator("mark", has_text="matters").wait_for()
    marks = {text.rstrip("0123456789") for text in page.locator("mark").all_inner_texts()}
    assert {"Prove", "matters"} <= marks
    shown = page.get_by_role("group", name="the prompt, signals marked")
    assert "irrational, briefly.\n" in shown.inner_text()
    page.locator("summary", has_text="Cost on every tier").click()
    assert "$1.2" in page.locator("tr", has_text="◂ routing picks this").inner_text()
    assert PROOF == box.input_value()
    assert 0 == page.locator(CARD).count()

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as cell").click()
    page.get_by_text("copied: paste it into a cell").wait_for()
    assert f"%%route\n{PROOF}" == page.evaluate("navigator.clipboard.readText()")


def test_send_streams_the_answer_below_saves_it_and_the_magics_go_on_from_it(
    page, notebooks, playground
):
    box = playground()
    box.press_sequentially(PROOF)

    send(page, "FRONTIER").click()
    answer(page, "why FRONTIER").wait_for()
    idle(page)

    widget, shown = notebooks.slow(PACE).saved()
    assert "application/vnd.jupyter.widget-view+json" in widget["data"]
    assert "FRONTIER" == shown["metadata"]["nbroute"]["tier"]
    told = "".join(shown["data"]["text/plain"])
    assert told.startswith("prompt: Prove that the root of 2")
    assert "FRONTIER · simulated/" in told
    lab.command(page, "notebook:insert-cell-below")
    page.keyboard.press("Enter")
    page.keyboard.type("%route escalate SIMPLE")
    lab.command(page, "notebook:run-cell")
    page.locator("summary", has_text="before: FRONTIER").wait_for()


def test_what_is_typed_while_an_answer_streams_stays_with_the_cursor_and_stop_ends_it(
    page, playground
):
    box = playground("prove that the square root of 2 is irrational.", pace=1.0)
    send_at(page, "FRONTIER")
    page.locator(".nbr-head:has-text('answering ...') + .nbr-body").wait_for()

    box.press("Home")
    box.press_sequentially("Please ", delay=30)
    assert box.input_value().startswith("Please prove that")
    assert "7" == box.evaluate("e => String(e.selectionStart)")
    assert box.evaluate("e => e === document.activeElement")

    stop(page).click()
    answer(page, "interrupted: a partial answer").wait_for()
    idle(page)


def test_ctrl_enter_sends_the_last_letters_and_another_tier_folds_the_answer_before(
    page, playground
):
    box = playground()

    box.press_sequentially("Name a colour, please")
    box.press("Control+Enter")
    answer(page, "Name a colour, please").filter(has_text="why ").wait_for()  # it is complete
    assert "Name a colour, please" == box.input_value()
    idle(page)
    send_at(page, "COMPLEX")

    page.locator("summary", has_text="before: ").wait_for()


def test_what_an_input_method_composes_is_told_once_it_is_whole(page, playground):
    box = playground()
    box.focus()
    session = page.context.new_cdp_session(page)

    for part in ("に", "にほ", "にほん"):
        session.send(
            "Input.imeSetComposition", {"text": part, "selectionStart": 3, "selectionEnd": 3}
        )
    until(lambda: box.input_value() == "にほん")
    assert 1 == page.get_by_text("No prompt yet").count()
    session.send("Input.insertText", {"text": "日本"})

    page.locator(".nbr-text, .nbr-head").first.wait_for()
    assert "日本" == box.input_value()


# Dashboard


def test_the_dashboard_is_live_shows_tags_as_they_are_and_goes_on_under_another_profile(
    page, notebooks
):
    routing = "router = %route router\nfor n in range(6): router.route(f'hello {n}')"
    notebooks.slow(1.0).run(
        "%route dashboard",
        f"{routing}\nprint('all', 'done')",
        "%route use simulated",
        "%%route --feature '<img src=x onerror=window.hit=1>'\nhello again",
        waiting=False,
    )
    board = page.get_by_role("region", name="session dashboard")

    board.get_by_text(re.compile("[1-9][0-9]* answers?")).first.wait_for()
    assert 0 == page.get_by_text("all done", exact=True).count()

    board.get_by_text("7 answers", exact=True).wait_for()
    assert "SIMPLE" in board.get_by_role("region", name="tiers").inner_text()
    board.get_by_text("feature <img src=x onerror=window.hit=1>").wait_for()
    assert page.evaluate("window.hit") is None


# What if


@pytest.fixture(scope="module")
def panel(notebooks):
    """One what-if panel, which each test leaves at what is in force now."""
    prompts = "hello", "What is the capital of France?", PROOF, "Summarise the plot of Hamlet."
    routing = f"router = %route router\nfor one in {prompts * 5}: _ = router.route(one)"
    notebooks.slow(0.0).run(routing, "%route whatif")
    return notebooks.cell(2)


def at(panel, slider, key, words):
    slider.press(key)
    panel.get_by_text(words).wait_for()


IN_FORCE = "This is what is in force now."


def test_the_slider_moved_by_keyboard_redraws_cost_and_tiers(panel):
    shown = panel.get_by_role("region", name="where the prompts would go")
    slider = panel.get_by_role("slider")
    shown.wait_for()
    before = shown.inner_text()

    slider.press("End")
    panel.get_by_role("button", name="Copy for nbroute.toml").wait_for()

    assert "SIMPLE\t0% (0)" in shown.inner_text()
    assert "SIMPLE\t0% (0)" not in before
    assert "100" == panel.get_by_role("spinbutton").input_value()
    at(panel, slider, "Home", IN_FORCE)
    assert before == shown.inner_text()


def test_apply_this_has_the_session_go_on_with_it(panel):
    slider, apply = panel.get_by_role("slider"), panel.get_by_role("button", name="Apply this")
    for key, away in (("End", "Home"), ("Home", "End")):
        slider.press(key)
        apply.click()
        panel.get_by_text("applied for this session").wait_for()

        slider.press(away)
        apply.wait_for()
        assert not panel.get_by_text(IN_FORCE).is_visible()
        at(panel, slider, key, IN_FORCE)
        assert not apply.is_visible()


def test_ladder_classifier_and_cache_are_labelled_and_an_error_goes_again(panel):
    panel.locator("summary", has_text="For nbroute.toml").click()

    panel.get_by_label("Ladder").select_option("two-tier")
    panel.get_by_text('ladder = "two-tier"').wait_for()
    panel.get_by_label("Cache").uncheck()
    panel.get_by_text('cache = "off"').wait_for()

    panel.get_by_label("Classifier").select_option("learned")
    panel.get_by_text("there is no learned classifier").last.wait_for()
    panel.get_by_label("Classifier").select_option(index=0)
    panel.get_by_role("region", name="where the prompts would go").wait_for()
