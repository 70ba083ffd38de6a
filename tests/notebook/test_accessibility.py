"""axe-core on our own outputs, light and dark, and our controls by keyboard alone."""

from __future__ import annotations

import lab
import pytest
from axe_playwright_python.sync_playwright import Axe

from nbroute.notebook.look import CSS

#: What is looked at -> its cell, and what is in it when it is ready.
OURS = {
    "feature": ("%%route -t FRONTIER --feature faq\nExplain recursion with an example.", ".c1"),
    "cascade": ("%%route -S cascade\nhello", ".nbr-card"),
    "card": ("%%route -t MEDIUM\nWrite a table of two rows.", "button:has-text('Escalate to')"),
    "compare": ("%%route_compare SIMPLE MEDIUM\nWhat is 2 + 2?", "button"),
    "why": ("%route why", ".jp-OutputArea-output"),
    "dashboard": ("%route budget 1.00\n%route dashboard", ".nbr-tile"),
    "playground": ("%route playground Prove that 2 is even, briefly.", "textarea"),
    "whatif": ("%route whatif", "input[type=range]"),
    "report": ("%route report", "table, .jp-RenderedHTMLCommon"),
    "charts": ("%route charts", "button:has-text('Explore')"),
    "blind": ("%%route_compare --blind SIMPLE MEDIUM\nWhat is 2 + 2?", "button"),
    "labels": ("%route label too weak MEDIUM\n%route labels", ".jp-OutputArea-output"),
    "export": ("%route export page.html --force", ".jp-OutputArea-output"),
    "failed": ("%route budget 0.0000001\n%route escalate", ".nbr-note strong"),
}
FOCUSABLE = """cell => [...cell.querySelectorAll(
  'button, input, select, textarea, summary, a[href], [tabindex="0"]')]
  .filter(e => !e.disabled && e.offsetParent !== null && e.closest('.jp-OutputArea-output'))
  .filter(e => e.type !== 'radio' || e.checked)
  .filter(e => !e.closest('details:not([open])') || e.matches('summary')).length"""
#: A fade is not yet the colour that is looked at.
STILL = "() => Promise.all(document.getAnimations().map(one => one.finished.catch(() => 0)))"
#: axe-core skips what is outside a clipped box, and the body of JupyterLab has no height.
UNCLIPPED = "body, .jp-LabShell { overflow: visible !important }"
#: Which element of the cell has the focus, and whether the eye sees it: some of its look changes.
FOCUSED = f"""async cell => {{
  const e = document.activeElement, still = {STILL};
  if (!cell.contains(e) || !e.closest('.jp-OutputArea-output')) return null;
  const look = () => ['outline', 'boxShadow', 'border', 'backgroundColor']
    .map(name => getComputedStyle(e)[name]).join();
  await still();
  const html = e.outerHTML, focused = look();
  e.blur();
  await still();
  const seen = focused !== look();
  e.focus();
  return [html, seen];
}}"""

pytestmark = lab.in_browser()


@pytest.fixture(scope="module")
def cells(page, notebooks):
    """All of ours in one notebook: name -> cell."""
    notebooks.run(*(source for source, _ in OURS.values()))
    found = {name: notebooks.cell(number) for number, name in enumerate(OURS, 1)}
    for name, (_, ready) in OURS.items():
        found[name].locator(ready).first.wait_for()
    return found


def findings(page, where=".jp-OutputArea-output"):
    """What axe-core finds serious or critical there: rule, impact, count, the first element."""
    page.add_style_tag(content=UNCLIPPED)
    page.evaluate(STILL)
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
    lab.dark(page)
    dark = findings(page)
    lab.dark(page, name="Light")
    return light, dark


#: VS Code and Colab define the light variables of JupyterLab once a widget is there, whatever
#: their own colours; VS Code puts white behind it.
ELSEWHERE = """<!doctype html><html lang=en><title>a notebook</title><style>:root{
--jp-content-font-color1:black;--jp-ui-font-color1:rgba(0,0,0,.8);--jp-border-color2:#e0e0e0;
--jp-layout-color0:white;--jp-layout-color1:white;--jp-layout-color2:#eee;--jp-layout-color3:#bdbdbd;
--jp-brand-color1:#2196f3;--jp-success-color0:#388e3c}
body{background:#1f1f1f;color:#ccc}pre code{background:#3c3c3c}
.cell-output-ipywidget-background{background:white}</style>"""


def findings_elsewhere(page):
    """The same in another editor, on its dark page and in its white box."""
    ours = page.locator(".jp-OutputArea-output .nbr")
    ours = ours.evaluate_all("all => all.map(e => e.outerHTML)")
    widgets = "".join(f'<div class="cell-output-ipywidget-background">{one}</div>' for one in ours)
    with lab.another(page) as opened:
        opened.set_content(f"{ELSEWHERE}<style>{CSS}</style>{''.join(ours)}{widgets}")
        return findings(opened, "body")


PALE = ".jp-OutputArea-output * { color: #bbb !important; background: white !important }"


def test_nothing_that_we_show_bars_anybody_closed_or_open_here_or_elsewhere(page, cells):
    pale = page.add_style_tag(content=PALE)
    (rule, _, count, _), *_ = findings(page)
    assert "color-contrast" == rule, "words that are too pale would be found"
    assert count > 100
    pale.evaluate("style => style.remove()")
    assert [] == findings(page)

    cells["card"].get_by_label("Run at a tier").click()
    assert ([], []) == in_both_themes(page)
    assert [] == findings_elsewhere(page)
    page.keyboard.press("Escape")


def test_the_exported_page_bars_nobody_from_it(page, notebooks, cells):
    with lab.another(page) as opened:
        opened.goto((notebooks.folder / "page.html").as_uri())
        opened.locator("h1, h2").first.wait_for()
        light = findings(opened, "body")
        opened.emulate_media(color_scheme="dark")

        assert ([], []) == (light, findings(opened, "body"))


@pytest.mark.parametrize("name", ["card", "compare", "playground", "whatif", "dashboard"])
def test_every_control_is_reached_by_tab_and_shows_that_it_is(page, cells, name):
    cell = cells[name]
    expected = cell.evaluate(FOCUSABLE)
    reached = set()

    cell.evaluate("cell => cell.querySelector('.jp-OutputArea').setAttribute('tabindex', -1)")
    cell.locator(".jp-OutputArea").first.focus()
    for _ in range(expected + 10):
        page.keyboard.press("Tab")
        if focused := cell.evaluate(FOCUSED):
            html, seen = focused
            assert seen, html
            reached.add(html)

    assert expected == len(reached) > 1


def test_a_table_of_prompts_with_an_open_row_bars_nobody(page, notebooks):
    notebooks.run("words = ['fox', 'hen']", "%%route_compare --over words\n{{words}}")
    cell = notebooks.cell(2)
    opens = cell.locator("th button").first
    opens.click()
    cell.locator("section:visible").nth(1).wait_for()
    assert ([], []) == in_both_themes(page)
    assert [] == findings_elsewhere(page)


def test_what_runs_bars_nobody_nor_what_was_interrupted(page, notebooks):
    asked = "%%route_compare SIMPLE FRONTIER\nExplain recursion with an example."
    cell = notebooks.slow(4).run(asked, waiting=False)
    cell.get_by_text("answering ...").first.wait_for(timeout=60_000)
    assert ([], []) == in_both_themes(page)

    lab.command(page, "notebook:interrupt-kernel")
    cell.get_by_text("Interrupted: stopped").last.wait_for()
    cell.get_by_role("button", name="Differences").first.wait_for()
    assert [] == findings(page)
