"""A session as one page: complete, safe, readable with no network, and never written by halves."""

from __future__ import annotations

import os
import re
import stat
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cells import error_of, run
from loopback import Reply

from nbroute.errors import NbrouteError, SettingsError
from nbroute.export import MARK
from nbroute.notebook.exporting import export, page
from nbroute.report.colours import tier_colour
from nbroute.router import Router

ALLOWED = (
    "a article b blockquote body br caption code dd del details div dl dt em figcaption figure "
    "h1 h2 h3 h4 h5 h6 head hr html i li line main mark meta ol p pre s section span strong style "
    "summary table tbody td th thead title tr u ul"
)


class Tags(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.names, self.attributes, self.text = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def simulated():
    with_texts = Router(profile="simulated")
    yield with_texts
    with_texts.close()


def words(text):
    return " ".join(" ".join(Tags(text).text).split())


def test_the_page_has_the_report_the_charts_and_every_answer(simulated):
    results = [simulated.route(f"What is {n} + {n}?", feature="sums") for n in range(2)]
    results.append(simulated.route("Prove it.", tier="FRONTIER"))

    text = page(simulated)

    told = words(text)
    assert "profile simulated" in told
    assert "all on FRONTIER (savings are estimates against it)" in told
    assert "3 results from 3 calls" in told
    assert 5 == text.count("<figure ")
    for result in results:
        assert result.prompt in told
        assert result.tier in told
        assert "would have cost" in told
    assert 3 == text.count("<article>")
    assert "no model was asked" in told


def test_it_has_no_script_loads_nothing_and_says_so_to_the_browser(simulated):
    simulated.route("hello")

    text = page(simulated)

    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text
    found = Tags(text)
    assert set() == found.names - set(ALLOWED.split())
    assert [] == [name for name, _ in found.attributes if name.startswith("on")]
    assert [] == [value for name, value in found.attributes if name in ("src", "xlink:href")]
    assert "@import" not in text
    assert "url(" not in text


def test_what_a_prompt_or_an_answer_writes_is_text(simulated):
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)> ![x](https://evil.example/x)"
    simulated.route(attack, feature="<b>feature</b>", system="<i>be brief</i>")

    text = page(simulated)

    found = Tags(text)
    assert set() == found.names & {"script", "img"}
    assert "<script>alert(1)</script>" in words(text)
    assert "<b>feature</b>" in words(text)
    assert "<b>feature" not in text
    assert "<i>be" not in text


def test_an_escalation_is_one_exchange_with_the_earlier_answer_folded(simulated):
    first = simulated.route("What is the capital of France?", tier="SIMPLE")
    simulated.escalate(first)

    text = page(simulated)

    assert 1 == text.count("<article>")
    told = words(text)
    assert told.index("MEDIUM · simulated/") < told.index("before: SIMPLE")
    assert "2 answers together" in told


def test_a_cascade_shows_its_ladder_of_attempts(simulated):
    simulated.allow_code()
    simulated.route("Name a colour.", strategy="cascade", start="SIMPLE", checks=[_never])

    told = words(page(simulated))

    assert "steps: SIMPLE rejected by _never" in told
    assert "FRONTIER" in told


def _never(_reply):
    return False


def test_compared_answers_stand_beside_one_another(simulated):
    for tier in ("SIMPLE", "COMPLEX"):
        simulated.route("Which is best?", tier=tier, comparison="c1")

    text = page(simulated)

    assert 1 == text.count("<article>")
    assert "Prompt 1 (compared)" in text
    assert 1 == text.count('<div class="columns">')
    assert "per 100k calls" not in words(text)


def test_each_prompt_of_a_grid_has_its_own_answers_under_it(simulated):
    simulated.compare(["Name a river.", "Name a hill."], tiers=["SIMPLE", "MEDIUM"], progress=False)

    text = words(page(simulated))

    assert "Prompt 2 (compared)" in text
    first, second = text.split("Prompt 1 (compared)")[1].split("Prompt 2 (compared)")
    assert {"hill", "river"} == {
        word for part in (first, second) for word in ("hill", "river") if word in part
    }
    assert ("hill" in first) != ("river" in first)
    assert ("hill" in second) != ("river" in second)


@pytest.mark.parametrize("many", ["compare", "map"])
def test_many_prompts_are_in_the_order_given_and_not_as_they_finished(make_router, server, many):
    names = ["river", "hill", "lake", "wood"]
    router = make_router()
    router.route("Name a star.")
    server.handler = lambda sent: Reply(
        text="x", delay=0.1 * (4 - next(n for n in range(4) if names[n] in str(sent["messages"])))
    )

    getattr(router, many)([f"Name a {name}." for name in names], progress=False)

    text = words(page(router))
    places = [text.index(f"Name a {name}.") for name in ["star", *names]]
    assert sorted(places) == places


def test_compared_answers_are_in_the_order_asked_for(make_router, server):
    router = make_router()
    server.handler = lambda sent: Reply(
        text=f"{sent['model']} says", delay=0.2 * (sent["model"] == "small")
    )

    router.compare("Which is best?", ["LOW", "TOP"])

    text = words(page(router))
    assert text.index("small says") < text.index("large says")


def test_the_answers_are_the_cards_of_the_notebook_in_their_tiers_colours(simulated):
    result = simulated.route("What is the capital of France?", tier="COMPLEX")

    text = page(simulated)

    colour = tier_colour("COMPLEX", simulated.ladder.names)
    assert f"border-left:4px solid {colour}" in text
    assert "× SIMPLE" in words(text)
    assert f"why {result.tier}" in words(text)


def test_a_key_that_markdown_would_cut_in_pieces_is_taken_out(make_router, server):
    key = "sk-proj-ab_cd_ef0123456789_ab_cd"
    router = make_router()
    server.reply(text=f"**Use** {key} or `{key}` or *{key}*")
    router.route("hello", feature=key)

    text = page(router)

    assert "0123456789" not in words(text)
    assert "[key removed]" in words(text)


def test_a_label_stands_with_its_answer(simulated):
    result = simulated.route("What is the capital of France?", tier="SIMPLE")
    simulated.label(result, "too weak")

    assert "label: too weak (needed MEDIUM)" in words(page(simulated))


def test_a_key_in_a_prompt_is_taken_out(simulated, monkeypatch):
    simulated.route("my key is sk-proj-abcdef0123456789abcdef, is that safe?")

    assert "sk-proj" not in page(simulated)
    assert "[key removed]" in page(simulated)


def test_a_session_with_no_calls_is_a_page_that_says_so(simulated, tmp_path):
    text = export(simulated, tmp_path / "empty.html").read_text()

    assert "no calls recorded yet" in words(text)
    assert "<figure>" not in text


def test_a_very_long_answer_is_folded_and_whole(make_router, server, tmp_path):
    router = make_router()
    server.reply(text="long " * 40_000 + "end")
    router.route("Go on.", max_tokens=100_000)

    path = export(router, tmp_path / "long.html")

    text = path.read_text()
    assert "the answer, 200,003 characters" in text
    assert "long end" in text
    assert path.stat().st_size < 400_000


def test_an_unknown_cost_is_unknown_and_never_zero(make_router, tmp_path):
    router = make_router()
    router.route("hi", model="no-such-model")

    told = words(page(router))

    assert "unknown · no price for this model" in told


def test_letters_of_all_scripts_and_broken_ones_are_written(simulated, tmp_path):
    simulated.route("日本語 العربية 🚀 \u202egnp.exe", feature="naïve")

    text = export(simulated, tmp_path / "日本語 export.html").read_text("utf-8")

    assert "日本語 العربية 🚀 gnp.exe" in words(text)


def test_a_session_that_failed_is_exported_too(make_router, server, tmp_path):
    router = make_router()
    for _ in range(2):
        server.reply(status=500, error="out of order")
    with pytest.raises(NbrouteError):
        router.route("hello")

    assert "failed" in words(export(router, tmp_path / "failed.html").read_text())


def test_calls_of_an_earlier_process_are_listed_without_their_text(tmp_path):
    ledger = tmp_path / "ledger.sqlite"
    first = Router(profile="simulated", ledger=ledger, session="s1")
    first.route("a prompt that is not kept")
    first.close()
    second = Router(profile="simulated", ledger=ledger, session="s1")

    told = words(page(second))
    second.close()

    assert "Earlier calls of this session" in told
    assert "a prompt that is not kept" not in told
    assert "(simulated)" in told


def test_without_vl_convert_the_page_has_its_charts(simulated, monkeypatch):
    simulated.route("hello", tier="SIMPLE")
    simulated.route("hello", tier="COMPLEX")
    monkeypatch.setitem(sys.modules, "vl_convert", None)

    assert "Answers by tier" in words(page(simulated))


def test_an_export_is_written_over_and_another_file_is_not(simulated, tmp_path):
    mine = tmp_path / "session.html"
    export(simulated, mine)
    simulated.route("hello")
    export(simulated, mine)
    assert "hello" in mine.read_text()
    other = tmp_path / "thesis.html"
    other.write_text("<p>three years of work</p>")

    with pytest.raises(SettingsError, match=r"is not an export of nbroute; .*--force"):
        export(simulated, other)

    assert "<p>three years of work</p>" == other.read_text()
    export(simulated, other, force=True)
    assert MARK in other.read_text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("session.pdf", "does not end in .html: say 'session.html'"),
        ("session", "does not end in .html"),
        ("nowhere/session.html", "there is no folder"),
        ("folder.html", "is a folder"),
    ],
)
def test_a_path_that_cannot_be_is_refused_in_a_line(simulated, tmp_path, name, said):
    (tmp_path / "folder.html").mkdir()

    with pytest.raises(SettingsError, match=re.escape(said)):
        export(simulated, tmp_path / name)

    assert ["folder.html", "nbroute"] == sorted(one.name for one in tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_file_as_it_was(simulated, tmp_path, monkeypatch):
    mine = export(simulated, tmp_path / "session.html")
    before = mine.read_text()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SettingsError, match="No space left on device"):
        export(simulated, mine)

    assert before == mine.read_text()
    assert ["nbroute", "session.html"] == sorted(one.name for one in tmp_path.iterdir())


def test_others_may_read_the_page_as_any_new_file(simulated, tmp_path):
    (tmp_path / "usual.txt").touch()

    mode = stat.S_IMODE(export(simulated, tmp_path / "session.html").stat().st_mode)

    assert stat.S_IMODE((tmp_path / "usual.txt").stat().st_mode) == mode


def test_the_page_is_written_without_touching_the_umask_of_other_threads(
    simulated, tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("the umask is the whole process's"))

    assert export(simulated, tmp_path / "session.html").is_file()


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_pages_permissions_are_what_the_umask_leaves(simulated, tmp_path, mask):
    before = os.umask(mask)
    try:
        path = export(simulated, tmp_path / "session.html")
    finally:
        os.umask(before)

    assert 0o666 & ~mask == stat.S_IMODE(path.stat().st_mode)


def test_the_magic_writes_the_page_and_says_where(shell, tmp_path):
    run(shell, "%%route -q\nhello")

    shown, done = run(shell, f"%route export {tmp_path / 'session.html'}")

    assert done.success
    assert "opens with no network" in shown
    assert "hello" in (tmp_path / "session.html").read_text()


@pytest.mark.parametrize("rest", ["", "a.html b.html", "--fore a.html"])
def test_the_magic_refuses_what_it_cannot_read(shell, rest):
    assert "%route export" in error_of(shell, f"%route export {rest}")


def test_the_data_of_the_charts_is_there_as_tables(simulated):
    simulated.route("hello", tier="SIMPLE")
    simulated.route("hello", tier="COMPLEX")

    text = page(simulated)

    assert "Answers by tier: the figures" in text


def test_the_page_tells_no_address_and_no_folder_of_the_machine(tmp_path):
    settings = tmp_path / "nbroute.toml"
    settings.write_text(
        '[nbroute]\nprofile = "inside"\n'
        '[providers.inside]\nbase_url = "https://gateway.corp.example/v1"\n'
        '[tiers.ONE]\nprovider = "inside"\nmodel = "m"\n'
    )

    with_address = page(Router(settings=settings, ledger=tmp_path / "l.sqlite"))

    assert "inside" in with_address
    assert "corp.example" not in with_address
    assert str(tmp_path) not in with_address
