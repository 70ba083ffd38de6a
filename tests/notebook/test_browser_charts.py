"""Charts and the exported page in headless Chromium, with everything but this machine cut off."""

from __future__ import annotations

import lab
import pytest

from nbroute.notebook.explorer import CLOSE, EXPLORE
from nbroute.notebook.exporting import export

pytest.importorskip("altair")

pytestmark = lab.in_browser()

CELLS = (
    "%%route\nWhat is the capital of France?",
    "%%route -q --feature bot\nDesign a rate limiter for a public API, step by step.",
    "%%route -q --feature search -t FRONTIER\nhello",
    "%route report",
)


@pytest.fixture(scope="module")
def report(page, notebooks):
    """The cell of a report."""
    cut_off(page)
    notebooks.run(*CELLS)
    cell = notebooks.cell(4)
    cell.get_by_role("button", name=EXPLORE).wait_for()
    return cell


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


def test_a_report_is_words_and_charts_that_a_button_makes_live_with_no_network(page, report):
    static = report.locator("figure:has(table)")
    assert static.first.get_by_text("Saving against all on FRONTIER").is_visible()
    assert "saving" in report.locator(".jp-RenderedMarkdown").inner_text()

    report.get_by_role("button", name=EXPLORE).click()
    report.get_by_role("button", name=CLOSE).wait_for()
    bar = report.locator('.vega-embed svg path[aria-label^="FRONTIER: "]').first
    bar.wait_for()
    assert not static.first.is_visible()
    bar.scroll_into_view_if_needed()
    bar.hover()
    tooltip = page.locator("#vg-tooltip-element")
    tooltip.wait_for(state="visible")
    assert "FRONTIER" in tooltip.inner_text()
    bar.click()
    faded = '.vega-embed svg path[aria-label^="COMPLEX: "][opacity="0.25"]'
    report.locator(faded).first.wait_for(state="attached")

    report.get_by_role("button", name=CLOSE).click()
    report.locator(".vega-embed").first.wait_for(state="detached")
    assert static.first.is_visible()
    assert [] == page.asked


def test_reopened_with_neither_kernel_nor_trust_answers_and_charts_are_there(
    page, notebooks, report
):
    notebooks.saved()
    saved = notebooks.folder / "unsigned.ipynb"
    # what nobody has signed is not trusted
    saved.write_text(notebooks.path.read_text().replace("all on FRONTIER", "all on Frontier"))
    with lab.another(page, 700) as other:
        cut_off(other)
        other.goto(f"{notebooks.url}/lab/tree/{saved.relative_to(notebooks.root)}?reset")
        charts = other.locator("figure:has(table)")
        charts.first.wait_for()

        widths = charts.locator("td:first-of-type > span").evaluate_all(
            "all => all.map(bar => bar.getBoundingClientRect().width)"
        )
        assert 4 < len(widths)
        assert max(widths) > 60
        assert other.get_by_text("The capital of France is Paris.").is_visible()


@pytest.fixture
def exported(opened, tmp_path):
    router = opened(profile="simulated")
    first = router.route("What is the capital of <b>France</b>?", tier="SIMPLE")
    router.escalate(first)
    for tier in ("SIMPLE", "MEDIUM", "COMPLEX"):
        router.route("Explain recursion to a child.", tier=tier, comparison="c1", feature="search")
    return export(router, tmp_path / "session.html")


def test_the_exported_page_opens_with_no_network_fits_unfolds_and_prints_whole(page, exported):
    with lab.another(page, 700) as opened:
        asked, said = cut_off(opened), []
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.goto(exported.as_uri())
        overflow = opened.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        opened.emulate_media(media="print")
        folded = opened.locator("details .nbr-body").first
        height = folded.evaluate("one => one.getBoundingClientRect().height")
        opened.emulate_media(media="screen")
        opened.locator("summary", has_text="before: SIMPLE").click()

        assert opened.get_by_text("capital of <b>France</b>").first.is_visible()
        assert ([], []) == (asked, said)
        assert 0 == overflow
        assert height > 20
