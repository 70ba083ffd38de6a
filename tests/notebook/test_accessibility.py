"""axe-core on our own outputs, light and dark, and our controls by keyboard alone."""

from __future__ import annotations

import lab
import pytest
from axe_playwright_python.sync_playwright import Axe

from nbroute.notebook.look import CSS

CALLS = (
    "words = ['fox', 'hen']",
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
    "matrix": ("%%route_compare --over words\n{{words}}", "th button"),
    "failed": ("%route budget 0.0000001\n%route escalate", ".nbr-note strong"),
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

#: A fade is not yet the colour that is looked at.
STILL = """() => Promise.all(document.getAnimations().map(one => one.finished.catch(() => 0)))"""

pytestmark = lab.in_browser()


@pytest.fixture
def show(page, notebooks):
    """Runs a notebook that ends in the cell; that cell."""

    def shown(name):
        source, ready = OURS[name]
        notebooks.run(*CALLS, source)
        cell = page.locator(".jp-Cell").last
        cell.locator(ready).first.wait_for()
        page.evaluate(STILL)
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


def in_both_themes(page):
    """The findings in the light theme, then in the dark one."""
    light = findings(page)
    with lab.in_the_dark(page):
        page.evaluate(STILL)
        return light, findings(page)


@pytest.mark.parametrize("name", OURS)
def test_nothing_that_we_show_bars_anybody_from_it(page, show, name):
    show(name)

    assert ([], []) == in_both_themes(page)


def test_an_open_menu_and_an_opened_row_bar_nobody(page, show):
    show("card").get_by_label("Run at a tier").click()
    assert ([], []) == in_both_themes(page)

    show("matrix").locator("th button").first.click()
    page.locator("section:visible").nth(1).wait_for()
    assert ([], []) == in_both_themes(page)


@pytest.mark.parametrize(
    ("line", "kept"), [("%%route -t FRONTIER", "good"), ("%%route_compare SIMPLE FRONTIER", "Diff")]
)
def test_what_runs_bars_nobody_nor_what_was_interrupted(page, notebooks, line, kept):
    notebooks.slow(10).run(f"{line}\nExplain recursion with an example.", waiting=False)
    page.get_by_text("answering ...").first.wait_for(timeout=60_000)

    assert ([], []) == in_both_themes(page)

    lab.command(page, "notebook:interrupt-kernel")
    page.get_by_text("Interrupted: stopped").last.wait_for()
    page.get_by_role("button", name=kept).first.wait_for()
    assert ([], []) == in_both_themes(page)


#: VS Code and Colab define the light variables of JupyterLab once a widget is there, whatever
#: their own colours; VS Code puts white behind it.
ELSEWHERE = """<!doctype html><html lang=en><title>a notebook</title><style>:root{
--jp-content-font-color1:black;--jp-ui-font-color1:rgba(0,0,0,.8);--jp-border-color2:#e0e0e0;
--jp-layout-color0:white;--jp-layout-color1:white;--jp-layout-color2:#eee;--jp-layout-color3:#bdbdbd;
--jp-brand-color1:#2196f3;--jp-success-color0:#388e3c}
body{background:#1f1f1f;color:#ccc}pre code{background:#3c3c3c}
.cell-output-ipywidget-background{background:white}</style>"""


@pytest.mark.parametrize("name", ["card", "compare", "matrix", "dashboard", "playground"])
def test_words_stay_readable_on_a_dark_page_with_jupyterlabs_light_variables(page, show, name):
    cell = show(name)
    cell.get_by_text("▾").first.click() if name == "card" else None
    ours = cell.locator(".jp-OutputArea-output .nbr").evaluate_all(
        "all => all.map(e => e.outerHTML)"
    )
    page.goto("about:blank")
    widgets = "".join(f'<div class="cell-output-ipywidget-background">{one}</div>' for one in ours)
    page.set_content(f"{ELSEWHERE}<style>{CSS}</style>{''.join(ours)}{widgets}")

    assert [] == findings(page, "body")


def test_the_exported_page_bars_nobody_from_it(page, notebooks):
    notebooks.run(*CALLS, "%route export page.html --force")
    page.goto((notebooks.folder / "page.html").as_uri())
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
            page.evaluate(STILL)
            with_focus = focused.evaluate(LOOK)
            reached.add(focused.evaluate("e => e.outerHTML"))
            focused.evaluate("e => e.blur()")
            page.evaluate(STILL)
            assert with_focus != focused.evaluate(LOOK), focused.evaluate("e => e.outerHTML")
            focused.evaluate("e => e.focus()")

    assert expected == len(reached)
