"""Dashboard and playground in a real JupyterLab: typed and clicked in headless Chromium."""

from __future__ import annotations

import json
import sqlite3

import lab
import pytest

pytestmark = lab.in_browser()

PROOF = "Prove that the root of 2 is irrational, briefly.\nSay why it matters."
CARD = ".nbr-card"
DASHBOARD = ".jp-OutputArea-output:has([aria-label='session dashboard'])"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("lab")
    lab.simulated(made, 0.1)
    (made / "slow").mkdir()
    lab.simulated(made / "slow", 1.0)
    return made


@pytest.fixture(scope="module")
def page(folder):
    with lab.jupyterlab(folder) as url, lab.chromium() as opened:
        opened.set_default_timeout(30_000)
        opened.lab_url = url
        yield opened


def start(page, folder, name, *cells):
    """Open a notebook of these cells and run them all, without waiting for their end."""
    lab.write(folder, name, *cells)
    lab.open_notebook(page, page.lab_url, name)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")


def playground(page, folder, name, text="", *, slow=False):
    """A notebook with a playground; its prompt's box."""
    path = f"{'slow/' if slow else ''}{name}.ipynb"
    start(page, folder, path, "%load_ext nbroute", f"%route playground {text}")
    box = page.get_by_role("textbox", name="Prompt")
    box.wait_for()
    return box


def send_at(page, tier):
    """Send to that tier."""
    page.locator("summary", has_text="Send to another tier").click()
    page.get_by_role("button", name=tier, exact=True).click()


def idle(page):
    """Wait until nothing is on its way."""
    page.get_by_role("button", name="Stop", exact=True).wait_for(state="detached")


def calls_in_ledger(folder):
    """The answers that the ledger has, of every session."""
    file = folder / "ledger.sqlite"
    if not file.exists():
        return 0
    with sqlite3.connect(file) as connection:
        return connection.execute("SELECT count(DISTINCT id) FROM attempts").fetchone()[0]


# --- playground


def test_typing_changes_the_tier_and_the_marks_and_sends_nothing(page, folder):
    box = playground(page, folder, "typing")
    page.get_by_text("No prompt yet").wait_for()
    before = calls_in_ledger(folder)

    box.press_sequentially("What is the capital of France?")
    page.get_by_role("button", name="Send to SIMPLE").wait_for()
    shown = page.get_by_role("group", name="the prompt, signals marked")
    page.locator("mark", has_text="capital").wait_for()
    assert any("capital" in text for text in page.locator("mark").all_inner_texts())

    box.fill("")
    box.press_sequentially(PROOF)
    page.get_by_role("button", name="Send to FRONTIER").wait_for()

    page.locator("mark", has_text="matters").wait_for()
    marks = {text.rstrip("0123456789") for text in page.locator("mark").all_inner_texts()}
    assert {"Prove", "matters"} <= marks
    assert "irrational, briefly.\n" in shown.inner_text()
    row = page.locator("tr", has_text="◂ routing picks this")
    page.locator("summary", has_text="Cost on every tier").click()
    assert "$1.2" in row.inner_text()
    assert PROOF == box.input_value()
    assert before == calls_in_ledger(folder)


def test_send_streams_the_answer_below_and_it_is_saved(page, folder):
    box = playground(page, folder, "send")
    box.press_sequentially(PROOF)

    page.get_by_role("button", name="Send to FRONTIER").click()
    page.locator(CARD, has_text="why FRONTIER").wait_for()
    idle(page)
    lab.save(page)

    outputs = json.loads((folder / "send.ipynb").read_text())["cells"][1]["outputs"]
    widget, answer = outputs
    assert "application/vnd.jupyter.widget-view+json" in widget["data"]
    assert "FRONTIER" == answer["metadata"]["nbroute"]["tier"]
    told = "".join(answer["data"]["text/plain"])
    assert told.startswith("prompt: Prove that the root of 2")
    assert "FRONTIER · simulated/" in told


def test_what_is_typed_stays_while_answers_stream_and_the_cursor_with_it(page, folder):
    box = playground(page, folder, "typed", "hello", slow=True)
    send_at(page, "FRONTIER")
    page.get_by_role("button", name="Stop", exact=True).wait_for()

    box.press("Home")
    box.press_sequentially("Please say ", delay=30)
    page.locator(CARD, has_text="why FRONTIER").wait_for()

    assert "Please say hello" == box.input_value()
    assert "11" == box.evaluate("e => String(e.selectionStart)")
    assert box.evaluate("e => e === document.activeElement")


def test_ctrl_enter_sends_the_last_letters_too(page, folder):
    box = playground(page, folder, "enter")

    box.press_sequentially("Name a colour, please")
    box.press("Control+Enter")

    page.locator(CARD, has_text="Name a colour, please").wait_for()
    assert "Name a colour, please" == box.input_value()


def test_what_an_input_method_composes_is_told_once_it_is_whole(page, folder):
    box = playground(page, folder, "ime")
    box.focus()
    session = page.context.new_cdp_session(page)

    for part in ("に", "にほ", "にほん"):
        session.send(
            "Input.imeSetComposition", {"text": part, "selectionStart": 3, "selectionEnd": 3}
        )
        page.wait_for_timeout(200)
    assert 1 == page.get_by_text("No prompt yet").count()
    session.send("Input.insertText", {"text": "日本"})

    page.locator(".nbr-text, .nbr-head").first.wait_for()
    assert "日本" == box.input_value()


def test_twenty_thousand_characters_are_typed_in_without_a_wait(page, folder):
    box = playground(page, folder, "long")
    box.fill("Prove that there are infinitely many primes.\n\n" + "word " * 4_000)
    page.get_by_role("button", name="Send to FRONTIER").wait_for()
    page.evaluate(
        "() => { window.slow = 0; new PerformanceObserver(list => list.getEntries().forEach("
        "e => { window.slow = Math.max(window.slow, e.duration) })).observe("
        "{ type: 'longtask', buffered: false }) }"
    )

    box.press_sequentially(" more words at its end, and briefly", delay=20)
    page.locator(".nbr-text", has_text="and briefly").wait_for()

    assert box.input_value().endswith("and briefly")
    assert page.evaluate("window.slow") < 1_000  # an idle machine takes a tenth of it


def test_copy_as_cell_puts_a_cell_on_the_clipboard(page, folder):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    playground(page, folder, "copy", "hello")

    page.get_by_role("button", name="Copy as cell").click()

    page.get_by_text("copied: paste it into a cell").wait_for()
    assert "%%route\nhello" == page.evaluate("navigator.clipboard.readText()")


def test_send_at_another_tier_folds_the_answer_before(page, folder):
    playground(page, folder, "tier", "Name three uses of a paper clip.")
    send_at(page, "COMPLEX")
    page.locator(CARD, has_text="why").wait_for()
    idle(page)
    page.get_by_role("button", name="Send to").click()

    page.locator("summary", has_text="before: COMPLEX").wait_for()


def test_stop_ends_the_answer_that_is_on_its_way(page, folder):
    playground(page, folder, "stop", "Prove that the square root of 2 is irrational.", slow=True)
    send_at(page, "FRONTIER")
    page.locator(CARD, has_text="answering ...").wait_for()
    page.get_by_role("button", name="Stop", exact=True).click()

    page.locator(CARD, has_text="interrupted: a partial answer").wait_for()
    idle(page)


def test_what_was_typed_while_a_cell_ran_is_sent_whole(page, folder):
    start(
        page,
        folder,
        "busy.ipynb",
        "%load_ext nbroute",
        "%route playground hello",
        "import time; time.sleep(6); print('slept')",
    )
    box = page.get_by_role("textbox", name="Prompt")
    box.wait_for()
    box.fill("")
    box.press_sequentially(PROOF)

    page.get_by_role("button", name="Send to SIMPLE").click()
    assert 0 == page.get_by_text("slept", exact=True).count()  # the kernel was busy all along

    page.locator(CARD, has_text="Say why it matters.").wait_for()
    page.locator(CARD, has_text="why FRONTIER").wait_for()


def test_the_playground_works_by_keyboard(page, folder):
    box = playground(page, folder, "keys", "hello")
    button = page.get_by_role("button", name="Send to SIMPLE")
    button.wait_for()
    box.focus()
    for _ in range(10):
        page.keyboard.press("Tab")
        if button.evaluate("e => e === document.activeElement"):
            break

    page.keyboard.press("Enter")

    page.locator(CARD, has_text="why SIMPLE").wait_for()


def test_a_sent_prompt_is_the_last_one_for_the_magics(page, folder):
    playground(page, folder, "last", "hello")
    page.get_by_role("button", name="Send to SIMPLE").click()
    page.locator(CARD, has_text="why SIMPLE").wait_for()
    idle(page)

    lab.command(page, "notebook:insert-cell-below")
    page.keyboard.press("Enter")
    page.keyboard.type("%route escalate")
    lab.command(page, "notebook:run-cell")

    page.locator("summary", has_text="before: SIMPLE").wait_for()


# --- dashboard


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("map", "router.map([f'hello {n}' for n in range(40)], workers=2, progress=False)"),
        ("loop", "for n in range(12): router.route(f'hello {n}')"),
    ],
)
def test_the_dashboard_is_live_while_a_cell_runs(page, folder, name, cell):
    start(
        page,
        folder,
        f"slow/{name}.ipynb",
        "%load_ext nbroute",
        "%route dashboard",
        f"router = %route router\n{cell}\nprint('all', 'done')",
    )
    board = page.get_by_role("region", name="session dashboard")
    board.wait_for()

    page.wait_for_function(
        "() => { const shown = document.querySelector('[aria-label=\"session dashboard\"]');"
        " return /[1-9][0-9]* answers?/.test(shown.innerText) }"
    )
    assert 0 == page.get_by_text("all done", exact=True).count()

    page.get_by_text("all done", exact=True).wait_for()
    expected = "40 answers" if name == "map" else "12 answers"
    board.get_by_text(expected, exact=True).wait_for()
    assert "SIMPLE" in board.get_by_role("region", name="tiers").inner_text()


def test_the_dashboard_goes_on_under_another_profile(page, folder):
    start(
        page,
        folder,
        "use.ipynb",
        "%load_ext nbroute",
        "%route dashboard",
        "%%route\nhello",
        "%route use simulated",
        "%%route\nhello again",
    )

    page.get_by_role("region", name="session dashboard").get_by_text(
        "2 answers", exact=True
    ).wait_for()


def test_a_feature_with_tags_in_it_is_shown_as_it_is(page, folder):
    start(
        page,
        folder,
        "evil.ipynb",
        "%load_ext nbroute",
        "%route dashboard",
        "%%route --feature '<img src=x onerror=window.hit=1>'\nhello",
    )

    page.get_by_text("feature <img src=x onerror=window.hit=1>").wait_for()

    assert page.evaluate("window.hit") is None


# --- on a narrow page


def test_neither_widget_is_wider_than_a_narrow_page(page, folder):
    page.set_viewport_size({"width": 700, "height": 1000})
    start(
        page,
        folder,
        "narrow.ipynb",
        "%load_ext nbroute",
        "%route dashboard",
        f"%%route --feature {'a_long_feature_' * 3} -t COMPLEX\nSee https://example.org/{'x' * 60}",
        "%route escalate",
        "%%route\nمرحبا بالعالم 🚀🚀 " + "日本語" * 20,
        f"%route playground {PROOF.replace(chr(10), ' ')}",
    )
    page.get_by_role("button", name="Send to FRONTIER").wait_for()
    page.get_by_role("region", name="session dashboard").get_by_text("3 answers").wait_for()

    wide = page.evaluate(
        "() => [...document.querySelectorAll('.nbr, .nbr-scroll')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )

    page.set_viewport_size({"width": 1400, "height": 1000})
    assert 0 == wide
