"""A session as one page: complete, safe, readable with no network, and never written by halves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cells import error_of, run
from loopback import Reply
from markup import Rendered

from nbroute.errors import NbrouteError, SettingsError
from nbroute.export import MARK
from nbroute.notebook.exporting import export, page

ALLOWED = (
    "a article b blockquote body br caption code dd del details div dl dt em figcaption figure "
    "h1 h2 h3 h4 h5 h6 head hr html i li line main mark meta ol p pre s section span strong style "
    "summary table tbody td th thead title tr u ul"
)


def words(text):
    return " ".join(" ".join(Rendered(text).shown).split())


def test_the_page_has_the_report_the_charts_with_their_figures_and_every_answer(simulated):
    results = [simulated.route(f"What is {n} + {n}?", feature="sums") for n in range(2)]
    results.append(simulated.route("Prove it.", tier="FRONTIER"))
    simulated.label(results[0], "too weak")
    simulated.escalate(simulated.route("What is the capital of France?", tier="SIMPLE"))
    simulated.allow_code()
    simulated.route("Name a colour.", strategy="cascade", start="SIMPLE", checks=[lambda _: False])

    text = page(simulated)

    told = words(text)
    assert "all on FRONTIER (savings are estimates against it)" in told
    assert "6 results from 9 calls" in told
    assert (5, 5) == (text.count("<figure "), text.count("<article>"))
    assert "Answers by tier: the figures" in text
    for result in results:
        assert result.prompt in told
        assert f"why {result.tier}" in told
    assert "no model was asked" in told
    assert "label: too weak (needed MEDIUM)" in told
    assert told.index("MEDIUM · simulated/") < told.index("before: SIMPLE")
    assert "2 answers together" in told
    assert "steps: SIMPLE rejected by " in told


def test_it_has_no_script_loads_nothing_and_what_was_written_to_it_is_text(simulated):
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)> ![x](https://evil.example/x)"
    simulated.route(attack, feature="<b>feature</b>", system="<i>be brief</i>")

    text = page(simulated)

    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text
    found = Rendered(text)
    assert found.tags <= set(ALLOWED.split())
    assert not [name for name in found.attributes if re.match("on|src$|xlink:href$", name)]
    assert not re.search(r"@import|url\(|<b>feature|<i>be", text)
    assert "<script>alert(1)</script>" in words(text)
    assert "<b>feature</b>" in words(text)


def test_compared_answers_stand_next_to_one_another_in_the_order_given(make_router, server):
    # The lower tier answers last, and to the first prompt after all others.
    server.handler = lambda sent: Reply(
        text=f"{sent['model']} says so",
        delay=0.1 * (sent["model"] == "small") + 0.2 * ("river" in str(sent["messages"])),
    )
    router = make_router()
    prompts = ["Name a river.", "Name a hill."]
    router.compare(prompts, tiers=["LOW", "TOP"], progress=False)

    text = page(router)

    assert (2, 2) == (text.count("<article>"), text.count('<div class="columns">'))
    shown = re.split(r"Prompt \d \(compared\)", words(text))[1:]
    for prompt, told in zip(prompts, shown, strict=True):
        assert prompt in told
        assert told.index("small says so") < told.index("large says so")


def test_no_key_no_address_and_no_folder_is_on_the_page(file_router, server, monkeypatch):
    given, shaped = "given-key-0815-abcdef", "sk-proj-ab_cd_ef0123456789_ab_cd"
    monkeypatch.setenv("LOOP_API_KEY", given)
    router = file_router()
    server.reply(text=f"You said {given}. **Use** {shaped} or `{shaped}` or *{shaped}*")
    router.route(f"{given}: is it safe?", feature=f"for {given} and {shaped}")

    text = page(router)

    hidden = ("given-key", "sk-proj", "0123456789", server.host, str(Path.cwd()))
    assert not [one for one in hidden if one in words(text) + text]
    assert "[key removed]" in words(text)


def test_no_calls_and_failed_ones_are_told_and_a_long_answer_is_folded_and_whole(router, server):
    assert "no calls recorded yet" in words(page(router))
    for _ in range(2):
        server.reply(status=500, error="out of order")
    with pytest.raises(NbrouteError):
        router.route("hello")
    router.route("hi", model="no-such-model")
    server.reply(text="long " * 10_000 + "end")
    router.route("Go on.", max_tokens=100_000)

    text = page(router)

    assert "failed" in words(text)
    assert "unknown · no price for this model" in words(text)
    assert "the answer, 50,003 characters" in text
    assert "long end" in text


def test_calls_of_an_earlier_process_are_listed_without_their_text(opened, tmp_path):
    session = {"profile": "simulated", "ledger": tmp_path / "ledger.sqlite", "session": "s1"}
    opened(**session).route("a prompt that is not kept")

    told = words(page(opened(**session)))

    assert "Earlier calls of this session" in told
    assert "a prompt that is not kept" not in told


def test_an_export_is_written_over_and_another_file_is_not(simulated, tmp_path):
    mine = tmp_path / "日本語 session.html"
    export(simulated, mine)
    simulated.route("日本語 العربية 🚀 \u202egnp.exe", feature="naïve")
    export(simulated, mine)
    assert "日本語 العربية 🚀 gnp.exe" in words(mine.read_text("utf-8"))
    other = tmp_path / "thesis.html"
    other.write_text("<p>three years of work</p>")

    with pytest.raises(SettingsError, match=r"is not an export of nbroute; .*--force"):
        export(simulated, other)

    assert "<p>three years of work</p>" == other.read_text()
    export(simulated, other, force=True)
    assert MARK in other.read_text()


def test_a_write_that_fails_leaves_all_as_it_was(simulated, tmp_path, monkeypatch):
    mine = export(simulated, tmp_path / "session.html")
    before = mine.read_text()
    for name, said in (
        ("session.pdf", "does not end in .html: say 'session.html'"),
        ("nowhere/session.html", "there is no folder"),
    ):
        with pytest.raises(SettingsError, match=re.escape(said)):
            export(simulated, tmp_path / name)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SettingsError, match="No space left on device"):
        export(simulated, mine)

    assert before == mine.read_text()
    assert ["nbroute", "session.html"] == sorted(x.name for x in tmp_path.iterdir())


def test_the_magic_writes_the_page_or_refuses_what_it_cannot_read(shell, tmp_path):
    run(shell, "%%route -q\nhello")

    told, done = run(shell, f"%route export {tmp_path / 'session.html'}")

    assert done.success
    assert "opens with no network" in told
    assert "hello" in (tmp_path / "session.html").read_text()
    assert "%route export" in error_of(shell, "%route export --fore a.html")
