"""axe-core on our own outputs, light and dark, and our controls by keyboard alone."""

from __future__ import annotations

import lab
import pytest
from axe_playwright_python.sync_playwright import Axe

CALLS = (
    "%load_ext nbroute",
    "%%route -t SIMPLE --feature faq\nName three uses of a paper clip.",
    "%%route -S cascade\nhello",
)
#: What is looked at -> the last cell, and what stands in it when it is ready.
OURS = {
    "card": ("%%route -t MEDIUM\nWrite a table of two rows.", "button:has-text('Escalate to')"),
    "compare": ("%%route_compare SIMPLE MEDIUM\nWhat is 2 + 2?", "button"),
    "dashboard": ("%route budget 1.00\n%route dashboard", ".nbr-tile"),
    "playground": ("%route playground Prove that 2 is even, briefly.", "textarea"),
    "whatif": ("%route whatif", "input[type=range]"),
    "report": ("%route report", "table, .jp-RenderedHTMLCommon"),
    "charts": ("%route charts", "button:has-text('Explore')"),
    "blind": ("%%route_compare --blind SIMPLE MEDIUM\nWhat is 2 + 2?", "button"),
    "labels": ("%route label too weak MEDIUM\n%route labels", ".jp-OutputArea-output"),
    "why": ("%route why", ".jp-OutputArea-output"),
}
FOCUSABLE = """cell => [...cell.querySelectorAll(
  'button, input, select, textarea, summary, a[href], [tabindex="0"]')]
  .filter(e => !e.disabled && e.offsetParent !== null && e.closest('.jp-OutputArea-output'))
  .filter(e => e.type !== 'radio' || e.checked)
  .filter(e => !e.closest('details:not([open])') || e.matches('summary')).length"""
#: What the eye sees of an element; focus has to change some of it.
LOOK = """e => { const s = getComputedStyle(e);
  return ['outline', 'boxShadow', 'border', 'backgroundColor'].map(n => s[n]).join() }"""
REACHED = """() => { const e = document.activeElement;
  return e.closest('.jp-Cell:last-child .jp-OutputArea-output') ? e.outerHTML : null }"""

pytestmark = lab.in_browser()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("axe")
    lab.simulated(made)
    return made


@pytest.fixture
def show(page, url, folder):
    """Runs a notebook that ends in the cell; that cell."""

    def shown(name):
        source, ready = OURS[name]
        lab.write(folder, f"{name}.ipynb", *CALLS, source)
        lab.open_notebook(page, url, f"{name}.ipynb")
        lab.run_all(page)
        cell = page.locator(".jp-Cell").last
        cell.locator(ready).first.wait_for()
        page.wait_for_timeout(500)  # a fade is not yet the colour that is looked at
        return cell

    yield shown
    page.keyboard.press("Escape")


def findings(page, where=".jp-OutputArea-output"):
    """What axe-core finds serious or critical there: rule, impact, count, the first element."""
    found = Axe().run(page, context={"include": [[where]]}).response
    assert found["passes"], "axe-core has looked at nothing"
    return [
        (one["id"], one["impact"], len(one["nodes"]), one["nodes"][0]["html"][:200])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("name", OURS)
def test_nothing_that_we_show_bars_anybody_from_it(page, show, name):
    show(name)

    light = findings(page)
    lab.dark(page)
    page.wait_for_timeout(500)
    try:
        dark = findings(page)
    finally:
        lab.command(page, "apputils:change-theme", {"theme": "JupyterLab Light"})
        page.wait_for_selector('body[data-jp-theme-light="true"]', state="attached")

    assert ([], []) == (light, dark)


def test_the_exported_page_bars_nobody_from_it(page, url, folder):
    lab.write(folder, "export.ipynb", *CALLS, "%route export page.html --force")
    lab.open_notebook(page, url, "export.ipynb")
    lab.run_all(page)

    page.goto((folder / "page.html").as_uri())
    page.locator("h1, h2").first.wait_for()

    light = findings(page, "body")
    page.emulate_media(color_scheme="dark")
    dark = findings(page, "body")
    page.emulate_media(color_scheme=None)
    assert ([], []) == (light, dark)


@pytest.mark.parametrize("name", ["card", "compare", "playground", "whatif", "dashboard"])
def test_every_control_is_reached_by_tab_and_shows_that_it_is(page, show, name):
    cell = show(name)
    expected = cell.evaluate(FOCUSABLE)
    reached = set()

    cell.evaluate("cell => cell.querySelector('.jp-OutputArea').setAttribute('tabindex', -1)")
    cell.locator(".jp-OutputArea").first.focus()
    for _ in range(expected + 10):
        page.keyboard.press("Tab")
        if page.evaluate(REACHED):
            focused = page.evaluate_handle("document.activeElement")
            page.wait_for_timeout(50)
            with_focus = focused.evaluate(LOOK)
            reached.add(focused.evaluate("e => e.outerHTML"))
            focused.evaluate("e => e.blur()")
            page.wait_for_timeout(50)
            assert with_focus != focused.evaluate(LOOK), focused.evaluate("e => e.outerHTML")
            focused.evaluate("e => e.focus()")

    assert expected == len(reached)
