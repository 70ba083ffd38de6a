"""Charts and the exported page in headless Chromium, with everything but this machine cut off."""

from __future__ import annotations

import os
from pathlib import Path

import lab
import pytest
from waiting import until

from nbroute.notebook.explorer import CLOSE, EXPLORE
from nbroute.notebook.exporting import export
from nbroute.router import Router

pytest.importorskip("altair")

pytestmark = lab.in_browser()

SHOTS = os.environ.get("NBROUTE_SCREENSHOTS")
CELLS = (
    "%%route -q\nWhat is the capital of France?",
    "%%route -q --feature bot\nDesign a rate limiter for a public API, step by step.",
    "%%route -q --feature search -t FRONTIER\nhello",
    "%route report",
    "%route charts savings",
)


@pytest.fixture(scope="module")
def charts(page, notebooks):
    """The page, with the notebook's charts on it."""
    page.set_default_timeout(60_000)
    cut_off(page)
    notebooks.run(*CELLS)
    lab.command(page, "application:toggle-left-area")
    page.locator(".jp-Cell").nth(5).get_by_role("button", name=EXPLORE).wait_for()
    return page


def cut_off(page):
    """Let nothing through to the network; what was asked of it."""
    asked = []

    def decide(route):
        if route.request.url.startswith(("http://127.0.0.1", "file://", "data:", "blob:")):
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    page.route("**/*", decide)
    page.asked = asked
    return asked


def shot(page, name):
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def bars(cell):
    return cell.locator(".vega-embed svg .mark-rect.role-mark path")


def static(cell):
    return cell.locator("figure:has(table)")


def test_a_report_is_words_charts_and_a_button(charts):
    cell = charts.locator(".jp-Cell").nth(4)

    assert static(cell).first.get_by_text("Saving against all on FRONTIER").is_visible()
    assert 0 == charts.locator(".jp-Cell img").count()
    assert "saving" in cell.locator(".jp-RenderedMarkdown").inner_text()
    assert cell.get_by_role("button", name=EXPLORE).is_visible()
    cell.scroll_into_view_if_needed()
    shot(charts, "report_light")


@pytest.mark.parametrize(("width", "columns"), [(1400, 2), (1000, 2), (700, 1)])
def test_charts_stand_in_two_columns_where_there_is_room(charts, width, columns):
    charts.set_viewport_size({"width": width, "height": 1000})
    places = static(charts.locator(".jp-Cell").nth(4))
    lefts = "all => new Set(all.map(one => one.getBoundingClientRect().left)).size"
    until(lambda: places.evaluate_all(lefts) == columns)
    wide = "all => all.some(one => one.scrollWidth > one.clientWidth + 1)"
    overflows = places.evaluate_all(wide)
    charts.set_viewport_size({"width": 1400, "height": 1000})

    assert not overflows


def test_charts_take_the_pages_ink(charts):
    name = static(charts.locator(".jp-Cell").nth(4)).locator("th").first
    ink = (
        "name => [getComputedStyle(name), getComputedStyle(name.closest('.jp-OutputArea-output'))]"
    )
    light = name.evaluate(f"name => ({ink})(name).map(style => style.color)")
    with lab.in_the_dark(charts):
        dark = name.evaluate(f"name => ({ink})(name).map(style => style.color)")

    assert light[0] == light[1]
    assert dark[0] == dark[1]
    assert light[0] != dark[0]


def test_the_button_opens_live_charts_with_tooltips_and_no_network(charts):
    cell = charts.locator(".jp-Cell").nth(4)
    cell.get_by_role("button", name=EXPLORE).click()
    cell.get_by_role("button", name=CLOSE).wait_for()
    bars(cell).first.wait_for()

    bar = cell.locator('.vega-embed svg path[aria-label^="FRONTIER: "]').first
    bar.scroll_into_view_if_needed()
    bar.hover()
    tooltip = charts.locator("#vg-tooltip-element")
    tooltip.wait_for(state="visible")

    assert "FRONTIER" in tooltip.inner_text()
    assert "share" in tooltip.inner_text()
    assert [] == charts.asked
    assert 0 == cell.locator("figure:has(table):visible").count()
    shot(charts, "report_explored")


def test_a_click_on_a_bar_picks_it_and_the_others_fade(charts):
    cell = charts.locator(".jp-Cell").nth(4)
    bar = cell.locator('.vega-embed svg path[aria-label^="FRONTIER: "]').first
    faded = '.vega-embed svg path[aria-label^="COMPLEX: "][opacity="0.25"]'

    bar.click()

    cell.locator(faded).first.wait_for(state="attached")
    assert "1" == bar.get_attribute("opacity")
    bar.dblclick()
    cell.locator(faded).first.wait_for(state="detached")


def test_a_name_in_the_legend_picks_its_bars(charts):
    cell = charts.locator(".jp-Cell").nth(5)
    cell.get_by_role("button", name=EXPLORE).click()
    bars(cell).first.wait_for()

    cell.locator(".vega-embed svg .role-legend-label text", has_text="estimate").click()

    cell.locator('.vega-embed svg path[opacity="0.25"]').first.wait_for(state="attached")
    assert [] == charts.asked


def test_the_button_closes_what_it_opened_and_the_charts_are_back(charts):
    cell = charts.locator(".jp-Cell").nth(5)

    cell.get_by_role("button", name=CLOSE).click()
    cell.locator(".vega-embed").first.wait_for(state="detached")

    assert cell.get_by_role("button", name=EXPLORE).is_visible()
    assert static(cell).first.is_visible()


@pytest.mark.parametrize("trusted", [True, False])
def test_saved_and_opened_with_no_kernel_the_charts_are_there(charts, notebooks, trusted):
    notebooks.saved()
    saved = notebooks.folder / f"saved_{trusted}.ipynb"
    text = notebooks.path.read_text()
    # what nobody has signed is not trusted
    saved.write_text(text if trusted else text.replace("all on FRONTIER", "all on Frontier"))
    with lab.another(charts, 700) as other:
        cut_off(other)
        other.goto(f"{notebooks.url}/lab/tree/{saved.relative_to(notebooks.root)}?reset")
        charts = static(other)
        charts.first.wait_for()

        widths = charts.locator("td:first-of-type > span").evaluate_all(
            "all => all.map(bar => bar.getBoundingClientRect().width)"
        )
        lab.dark(other)
        charts.first.scroll_into_view_if_needed()
        shot(other, f"report_dark_700_{trusted}")

    assert 4 < len(widths)
    assert max(widths) > 60


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBROUTE_LEDGER", str(folder / "ledger.sqlite"))
        router = Router(profile="simulated")
    first = router.route("What is the capital of <b>France</b>?", tier="SIMPLE")
    router.escalate(first)
    router.route("Write fib(n) in Python, with a table.", feature="bot")
    for tier in ("SIMPLE", "MEDIUM", "COMPLEX"):
        router.route("Explain recursion to a child.", tier=tier, comparison="c1", feature="search")
    path = export(router, folder / "session.html")
    router.close()
    return path


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1400), ("dark", 1400), ("light", 700), ("dark", 700)]
)
def test_the_exported_page_opens_with_no_network_and_fits(charts, exported, scheme, width):
    with lab.another(charts, width) as opened:
        asked, said = cut_off(opened), []
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.emulate_media(color_scheme=scheme)
        opened.goto(exported.as_uri())
        ground, ink = opened.evaluate(
            "() => { const s = getComputedStyle(document.body);"
            " return [s.backgroundColor, s.color] }"
        )
        label = opened.locator("figure th").first.evaluate("t => getComputedStyle(t).color")
        overflow = opened.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        opened.locator("summary", has_text="before: SIMPLE").click()
        shown = opened.get_by_text("capital of <b>France</b>").first.is_visible()
        shot(opened, f"export_{scheme}_{width}")

    assert ([], []) == (asked, said)
    assert ("rgb(255, 255, 255)" if scheme == "light" else "rgb(13, 17, 23)") == ground
    assert ink == label
    assert 0 == overflow
    assert shown


def test_on_paper_what_is_folded_is_there(charts, exported):
    with lab.another(charts, 800) as opened:
        opened.goto(exported.as_uri())
        opened.emulate_media(media="print")
        folded = opened.locator("details .nbr-body").first

        height = folded.evaluate("one => one.getBoundingClientRect().height")

    assert height > 20
