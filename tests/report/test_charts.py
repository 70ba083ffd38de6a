"""Charts of a report: what they show, that they are drawn offline, and how they are displayed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
import zlib
from dataclasses import replace
from html.parser import HTMLParser

import nbformat
import pytest
from cells import error_of, run
from reports import DAY, NOON, busy, label, labelled, report, row

from nbroute.errors import SettingsError
from nbroute.report import bars
from nbroute.report.charts import CHARTS, telling
from nbroute.report.colours import tier_colour
from nbroute.report.metrics import votes_of

pytest.importorskip("altair")

NAMES = list(CHARTS)
NO_CALLS = "no calls recorded yet"
UNKNOWN = {"cost_usd": None, "cost_source": "unknown"}


class Told(HTMLParser):
    """A page's words without its tags, and its styles."""

    def __init__(self, page):
        super().__init__()
        self.words, self.styles, self.tags = [], [], set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.styles.append(dict(attrs).get("style", ""))

    def handle_data(self, data):
        self.words.append(data)

    def __contains__(self, words):
        return words in "".join(self.words)


def texts(svg):
    """All that can be read in the picture."""
    root = ET.fromstring(svg)  # noqa: S314 - our own picture
    return [t.text for t in root.iter("{http://www.w3.org/2000/svg}text") if t.text]


def pixels(png):
    """The bytes of the picture, unpacked; its checksums are looked at on the way."""
    body, place = b"", 8
    while place < len(png):
        size = int.from_bytes(png[place : place + 4], "big")
        chunk = png[place + 4 : place + 8 + size]
        assert zlib.crc32(chunk) == int.from_bytes(png[place + 8 + size : place + 12 + size], "big")
        if chunk[:4] == b"IDAT":
            body += chunk[4:]
        place += 12 + size
    return zlib.decompress(body)


@pytest.mark.parametrize("name", NAMES)
def test_each_chart_is_drawn_offline_told_in_words_and_can_be_explored(name):
    figure, empty = labelled().chart(name), report().chart(name)
    svg, spec = figure.svg(), figure.chart.to_dict()

    assert figure.title in texts(svg)
    assert len(set(pixels(figure.png()))) > 20
    assert "altair-viz" not in svg
    assert figure.alt.startswith(figure.title)
    assert len(figure.rows) == len(figure.frame())
    assert figure.title == repr(figure).split("\n")[0]
    assert '"tooltip"' in json.dumps(spec)
    assert [] != [one["name"] for one in spec["params"] if "select" in one]
    assert all(one["name"].startswith(name) for one in spec["params"])
    assert NO_CALLS in texts(empty.svg())
    assert empty.alt.endswith(f"{NO_CALLS}.")
    assert [] == empty.rows
    assert NO_CALLS in repr(empty)
    assert svg == labelled().chart(name).svg()  # whatever was drawn before


def test_three_kinds_of_money_have_three_axes_and_are_never_added():
    figure = busy().chart("cost_by_feature")

    kinds = {(r["feature"], r["money"]): r["usd"] for r in figure.rows}
    assert kinds["search", "cost unknown"] is None
    assert kinds["local", "would have cost"] == pytest.approx(0.0012)
    assert ("local", "spent") not in kinds
    assert {
        "US dollars spent",
        "US dollars that it would have cost (nothing was billed)",
        "calls whose cost is unknown",
    } <= set(texts(figure.svg()))
    assert "search: 1 call of unknown cost" in figure.alt


def test_an_unknown_cost_has_a_bar_of_calls_and_what_the_cache_answered_cost_nothing():
    unknown = report(row(**UNKNOWN)).chart("cost_by_tier")
    cached = report(row(cached=True, cost_usd=0.0)).chart("cost_by_tier")

    assert [("cost unknown", None, 1)] == [(r["money"], r["usd"], r["calls"]) for r in unknown.rows]
    assert "US dollars spent" not in texts(unknown.svg())
    assert "$0" not in "".join(texts(unknown.svg()))
    assert "$0" in texts(cached.svg())
    assert "SIMPLE: $0 spent, 1 call" in cached.alt


def test_tiers_stand_in_the_order_of_the_ladder_each_in_its_colour():
    figure = busy().chart("tiers")
    shown = texts(figure.svg())

    order = ["SIMPLE", "MEDIUM", "FRONTIER"]
    assert order == [r["tier"] for r in figure.rows] == sorted(order, key=shown.index)
    for tier in order:
        assert tier_colour(tier, busy().tiers) in figure.svg()
        assert tier_colour(tier, busy().tiers) in figure._repr_html_()
    assert "over 50% is usual for support and Q&A" in figure.alt
    along = figure.spec["vconcat"][0]["layer"][0]["encoding"]["x"]
    assert {"domain": [0, 1.25], "nice": False} == along["scale"]  # with room for the words
    assert "63% (29)" in Told(figure._repr_html_())


@pytest.mark.parametrize(
    ("escalated", "word"), [(0, "good, under 10%"), (3, "over 20%"), (10, "over 20%")]
)
def test_the_escalation_rate_is_a_sentence_and_not_a_bar(escalated, word):
    rows = [row(f"r{n}") for n in range(10)]
    rows += [row(f"u{n}", parent=f"r{n}", tier="MEDIUM", escalated=True) for n in range(escalated)]
    figure = report(*rows).chart("escalation")
    page = Told(figure._repr_html_())

    rate = escalated / 10
    assert {"answered": 10, "escalated": escalated, "rate": rate}.items() <= figure.rows[0].items()
    assert word in figure.alt
    assert word in page
    assert "table" not in page.tags


def test_what_the_cache_answered_has_no_latency_and_is_counted_apart_by_day():
    rows = row("r1", latency_ms=1500.0), row("r2", cached=True)
    latency = report(*rows).chart("latency")
    cache = report(*rows, row("r3", ts=NOON + DAY)).chart("cache")

    assert [("p50", 1.5, 1), ("p95", 1.5, 1)] == [
        (r["percentile"], r["seconds"], r["calls"]) for r in latency.rows
    ]
    assert "seconds" in texts(latency.svg())
    assert "no call of a model recorded yet" in report(rows[1]).chart("latency").alt
    assert [
        {"day": "2026-11-21", "answered": "sent to a model", "calls": 1},
        {"day": "2026-11-21", "answered": "from the cache", "calls": 1},
        {"day": "2026-11-22", "answered": "sent to a model", "calls": 1},
    ] == list(cache.rows)
    assert "1 of 3 calls from the cache (33%)" in cache.alt


def test_a_saving_is_net_names_its_baseline_is_called_an_estimate_or_says_why_it_is_not_known():
    figure = report(row(), row(purpose="classify", cost_usd=0.03)).chart("savings")

    uses = {r["use"]: r["usd"] for r in figure.rows}
    spent = {"answering, rejected answers too": 0.01, "classifying": 0.03}
    assert spent | {"all on FRONTIER": 0.2} == uses
    assert "$0.16 less than all on FRONTIER" in figure.alt
    assert "(estimate)" in figure.title
    assert "all on FRONTIER: $0.20 (estimate)" in figure.alt

    others = [row(purpose="embed"), row(status="unused"), row("c", comparison="x")]
    figure = report(row(), *others, row("a", purpose="audit")).chart("savings")
    words = ["answering, rejected answers too", "embedding", "answers that were not used"]
    words += ["comparing", "auditing and judging", "all on FRONTIER"]
    assert words == [r["use"] for r in figure.rows]

    costs = report(row("r1"), row("r2", **UNKNOWN)).chart("savings")
    price = report(row(), price=None).chart("savings")
    assert "unknown, 1 call of unknown cost" in costs.alt
    assert "unknown, FRONTIER has no known price" in price.alt
    assert ["as routed"] == [r["bar"] for r in price.rows]


def test_of_many_features_the_most_expensive_and_of_many_days_the_last_31_are_shown():
    rows = [row(f"r{n}", feature=f"feature {n}", cost_usd=0.01 * (n + 1)) for n in range(100)]
    figure = report(*rows).chart("cost_by_feature")
    assert ["feature 99", "feature 98"] == [r["feature"] for r in figure.rows[:2]]
    assert "85 others" == figure.rows[-1]["feature"]
    assert sum(r["usd"] for r in figure.rows) == pytest.approx(50.5)

    rows = [row(f"r{n}", ts=NOON + DAY * n, feature=f"f{n % 9}") for n in range(60)]
    figure = report(*rows).chart("cost_by_day")
    assert 31 == len({r["day"] for r in figure.rows})
    assert "3 others" in {r["feature"] for r in figure.rows}
    assert figure.svg()


def test_names_with_markup_are_shown_as_they_are():
    name = "<script>alert('&\"x')</script>"
    rows = row(feature=name, model=name), row("r2", feature="日本語 🚀")
    figure = report(*rows).chart("cost_by_feature")

    ET.fromstring(figure.svg())  # noqa: S314 - our own picture
    assert "<script" not in figure.svg(card=False)
    assert "script" not in Told(figure._repr_html_()).tags
    assert name in Told(figure._repr_html_())
    assert figure.png()


def test_a_picture_has_words_and_tooltips_and_a_page_needs_no_colour_style_or_script_of_ours():
    figure = busy().chart("tiers")
    bare, page = figure.svg(card=False), Told(bars.page(telling(labelled())))

    assert "<title>MEDIUM: " in figure.svg()
    assert 'role="img" aria-label="Answers by tier' in figure.svg()
    assert 'fill="currentColor"' in bare
    assert 'fill="white"' not in bare
    assert {"table", "caption", "th", "figure"} <= page.tags
    assert set() == page.tags & {"style", "script", "img", "svg", "a"}
    assert not re.search(r"(?<![-\w])color:(?!inherit)", ";".join(page.styles))


def test_a_chart_is_saved_by_its_suffix_and_loads_nothing_and_another_is_refused(tmp_path):
    figure = busy().chart("tiers")
    begins = {".svg": b"<svg ", ".png": b"\x89PNG", ".html": b"<!DOCTYPE html>", ".json": b"{"}
    for suffix, begin in begins.items():
        page = figure.save(tmp_path / f"tiers{suffix}").read_bytes()
        assert page.strip().startswith(begin)
        assert b"<script src=" not in page
        assert b'type="text/css" href=' not in page

    with pytest.raises(SettingsError, match=r"cannot be saved as 'tiers\.gif'"):
        figure.save("tiers.gif")
    with pytest.raises(SettingsError, match="No such file or directory"):
        figure.save("nowhere/tiers.svg")
    with pytest.raises(SettingsError, match=r"'latncy' is not a chart: did you mean 'latency'\?"):
        report().chart("latncy")


@pytest.mark.parametrize(
    ("module", "missing", "works"),
    [
        ("vl_convert", lambda figure: figure.svg(), lambda figure: figure._repr_html_()),
        ("altair", lambda figure: figure.chart, lambda figure: figure.png()),
    ],
)
def test_without_a_library_the_rest_works_and_the_error_says_the_cure(
    monkeypatch, module, missing, works
):
    monkeypatch.setitem(sys.modules, module, None)
    figure = busy().chart("tiers")

    assert works(figure)
    with pytest.raises(SettingsError, match=rf"needs {module}.*: pip install 'nbroute\[charts\]'"):
        missing(figure)


def test_bars_are_as_long_as_their_amounts_and_two_prices_are_not_a_formula():
    figure = report(row("a", cost_usd=1.0), row("b", tier="MEDIUM", cost_usd=0.25))
    page = figure.chart("cost_by_tier")._repr_html_()

    assert ["100.0", "25.0"] == re.findall(r"width:([\d.]+)%;background", page)
    shown = re.sub('title="[^"]*"', "", page)
    assert shown.count("<span>$</span>") == shown.count("$") >= 2


def test_labels_are_points_of_quality_against_cost_with_their_intervals():
    figure = labelled().chart("quality")

    rows = {r["tier"]: (r["good"], r["judged"]) for r in figure.rows if r["money"] == "spent"}
    assert {"SIMPLE": (5, 14), "MEDIUM": (8, 10), "FRONTIER": (15, 15)} == rows
    assert "MEDIUM: 8 of 10 (49% to 94%), a call: $0.0012 spent" in figure.alt
    assert [] == telling(report())
    assert ["savings"] == [one.name for one in telling(report(row()))]  # no chart of one bar
    assert "quality" in [one.name for one in telling(labelled())]
    assert "quality" not in [one.name for one in telling(busy())]
    assert "nothing labelled yet" in busy().chart("quality").alt


def test_names_of_points_do_not_run_into_one_another_and_all_are_in_the_legend():
    costs = {"SIMPLE": 0.010, "MEDIUM": 0.011, "FRONTIER": 0.1}
    rows = [row(tier, tier=tier, cost_usd=usd) for tier, usd in costs.items()]
    votes = votes_of([label("one", "good", "SIMPLE")], tuple(costs))

    page = replace(report(*rows), votes=votes).chart("quality")._repr_html_()

    assert ["MEDIUM", "FRONTIER"] == re.findall(r'white-space:nowrap">([A-Z]+)</span>', page)
    assert list(costs) == re.findall(r'scope="row">([A-Z]+)<', page)


def test_a_word_taken_back_and_a_prompt_judged_again_count_once():
    again = [label("one", "too weak", "MEDIUM"), label("one", "good", "SIMPLE")]
    gone = [label("two", "good", "SIMPLE"), label("two", "taken back", "SIMPLE")]
    bad = [label("three", "bad", None), label("four", "good", "ELSEWHERE")]

    votes = votes_of([*again, *gone, *bad], ("SIMPLE", "MEDIUM"))

    assert {"SIMPLE": (1, 2), "MEDIUM": (1, 1)} == votes


def test_what_a_user_sets_in_altair_changes_no_chart_of_ours():
    import altair as alt

    plain = labelled().chart("quality")
    before = plain.svg(), plain._repr_html_(), plain.chart.to_dict()["vconcat"]
    with (
        alt.theme.enable("dark"),
        alt.renderers.enable("png"),
        alt.data_transformers.enable("default", max_rows=1),
    ):
        after = labelled().chart("quality")
        kept = after.chart.to_dict()

    assert before == (after.svg(), after._repr_html_(), kept["vconcat"])
    assert "white" == kept["config"]["background"]


# In a notebook


def test_a_report_shows_its_words_and_a_chart_by_name_in_a_terminal(shell):
    for line in ("%route report", "%route charts", "%route report text"):
        shown, done = run(shell, line)
        assert done.success
        assert NO_CALLS == re.sub(r"^Out\[\d+\]: ", "", shown.strip()).strip()

    run(shell, "%%route -q\nhello")

    shown, done = run(shell, "%route report")
    assert done.success
    assert "saving" in shown
    assert shown.count("tier ") >= 1
    shown, _ = run(shell, "%route charts tiers latency")
    assert shown.index("Answers by tier") < shown.index("Latency by tier")
    assert "did you mean 'tiers'?" in error_of(shell, "%route charts tier")
    assert "did you mean 'text'?" in error_of(shell, "%route report txt")


NOTEBOOK = (
    "%load_ext nbroute",
    "%%route -q\nWhat is the capital of France?",
    "%%route -q --feature bot\nDesign a rate limiter for a public API and explain each choice.",
    "%route report",
    "%route charts tiers savings",
    "router = %route router\nrouter.report().chart('latency')",
    "router.report()",
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_report_is_words_tables_and_charts_that_stay_in_the_notebook_and_convert(tmp_path):
    import nbconvert

    path = tmp_path / "report.ipynb"
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in NOTEBOOK])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(made, path)
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "notebook", "--execute"]
    done = subprocess.run(
        [*command, "--inplace", str(path)],
        env=os.environ | {"NBROUTE_PROFILE": "simulated", "PYTHONWARNINGS": "ignore"},
        cwd=path.parent,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    cells = json.loads(path.read_text())["cells"]

    for cell in (3, 6):
        words, charts = (one["data"] for one in cells[cell]["outputs"])
        assert "| tier | results |" in "".join(words["text/markdown"])
        assert "saving" in "".join(words["text/plain"])
        assert "Saving against all on FRONTIER (estimate)" in Told("".join(charts["text/html"]))
        assert "Answers by tier\ntier" in "".join(charts["text/plain"])
    assert "widget-view" not in path.read_text()  # nobody is watching
    for form in (nbconvert.HTMLExporter, nbconvert.MarkdownExporter):
        page, _ = form().from_filename(str(path))
        assert 3 == page.count("<strong>Answers by tier</strong>")
        assert '<img src="data:' not in page
