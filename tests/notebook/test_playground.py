"""The playground: what it says as one types, that it sends nothing, and what its buttons do."""

from __future__ import annotations

import html
import itertools
import re
from dataclasses import replace

import pytest
from cells import run
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.utils.capture import capture_output
from waiting import until

from nbroute.embedders.endpoint import OpenAIEmbedder
from nbroute.notebook.marked import marked, signal_rows
from nbroute.notebook.playground import Playground
from nbroute.types import Decision, Signal

PRIMES = "Prove that there are infinitely many primes."


def signal(start, end, name="word", weight=1.0, text="x"):
    return Signal(name, text, start, end, weight)


def without_tags(made):
    """The text that a reader sees, the numbers of the marks left out."""
    return html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<sup>.*?</sup>", "", made)))


UP = "a more expensive tier (+1)"


def test_signals_are_marked_and_listed_in_the_order_of_the_text_with_the_way_they_pull():
    signals = [signal(None, None, "length", 0.0), signal(7, 12, "b", -0.5), signal(0, 6, "a")]
    rows, made = signal_rows("please prove it", signals), marked("please prove it", signals)

    assert [
        ("1", "a", UP),
        ("2", "b", "a cheaper tier (-0.5)"),
        ("–", "length", "neither side"),
    ] == [(row[0], row[1], row[-1]) for row in rows]
    assert [("raises", f"1 a: {UP}", "please<sup>1</sup>")] == re.findall(
        r'<mark class="nbr-(\w+)" title="(.*?)">(.*?)</mark>', made
    )[:1]
    overlapping = marked("please prove it", [signal(0, 4, "a"), signal(2, 6, "b")])
    assert "pl ea<sup>1</sup> se<sup>2</sup>" == " ".join(
        re.findall(r"<mark[^>]*>(.*?)</mark>", overlapping)
    )
    assert f'title="1 a: {UP}; 2 b: {UP}' in overlapping


@settings(max_examples=50, deadline=None)
@given(
    st.text("ab1 .<&;>'\"é日🚀", max_size=80),
    st.lists(st.tuples(st.integers(-3, 90), st.integers(-3, 90)), max_size=8),
)
def test_marking_loses_and_adds_no_word(prompt, spans):
    assert prompt == without_tags(marked(prompt, [signal(*span) for span in spans]))


@pytest.fixture
def router(make_router):
    return make_router(classifier=None)


@pytest.fixture
def play(shell, router):
    """Makes playgrounds in a shell; what they display is kept out of the tests' output."""
    with capture_output():
        yield lambda *args, **options: Playground(router, *args, **options)


def button(playground, words):
    """The button of these words, as HTML."""
    return re.search(rf"<button [^>]*>{re.escape(words)}</button>", playground.html)[0]


def wait(playground):
    """Until the answer that is on its way has come."""
    until(lambda: ">Stop<" not in playground.html)


def test_typing_shows_tier_signals_confidence_and_costs_and_sends_nothing(play, server, router):
    playground, said = play("Hi"), []
    assert button(playground, "Send to LOW")
    heard = re.compile('<span role="status"[^>]*>(.+?)</span>')
    playground.observe(lambda change: said.extend(heard.findall(change["new"])), "html")

    for end in range(1, len(PRIMES) + 1):
        playground.act("prompt", value=PRIMES[:end])

    words = " ".join(without_tags(playground.html).split())
    assert re.search(r"TOP · \d\d% confident · [^.]*\"Prove\"", words)
    assert "<mark" in playground.html
    assert "costs: your price" in words
    assert "TOP ◂ routing picks this" in words
    assert button(playground, "Send to TOP")
    # A screen reader hears of a change of tier, not of each key.
    told = [one for one, _ in itertools.groupby(said)]
    assert all("would go to" in one for one in told)
    assert 0 < len(told) < 8
    assert ([], (), []) == (server.requests, router.history.results(), router.ledger.rows())


def test_what_cannot_be_sent_is_said_and_the_next_key_is_taken(play, router):
    router.limits = replace(router.limits, max_prompt_chars=10)
    router.parts = replace(router.parts, limits=router.limits)
    playground = play("Hi")
    for text, says in ((" \n\t\u00a0", "No prompt yet"), ("much too long", "PromptError")):
        playground.act("prompt", value=text)

        assert says in playground.html
        assert 'aria-disabled="true"' in button(playground, "Send")
        assert playground.start() is None
    playground.act("prompt", value="Hi")
    assert button(playground, "Send to LOW")


def test_a_classifier_that_cannot_tell_or_would_send_says_so(play, router, connect, server):
    embedder = OpenAIEmbedder(connect(kind="local"))
    router.parts = replace(router.parts, embedder=lambda: embedder)
    for classifier, says in (
        (lambda _: int("<b>"), "ValueError: invalid literal for int() with base 10: &#x27;&lt;b"),
        (lambda _: Decision("MID", "mine", "because"), "mine does not say how confident it is"),
        ("embedding", "this is based on the words alone"),
    ):
        playground = play("hello", classifier=classifier)
        playground.act("prompt", value="hello again")

        assert says in playground.html
    assert [] == server.requests


def test_a_prompt_of_any_length_and_signs_is_shown_and_kept_out_of_the_repr(play):
    assert "[… 19,402 characters …]" in play("Explain the text. " + "word " * 4_000).html
    assert ">Prove<sup>1</sup>" in play("\x00\x07Prove it").html
    prompt = "\n</textarea><script>alert(1)</script> $x$ \\frac & é 日本 🚀\n"
    page = play(prompt).html
    (inside,) = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert prompt == html.unescape(inside)
    assert "<script" not in page + marked(prompt, [signal(3, 9, prompt, text=prompt)])
    assert "secret" not in repr(play("a secret"))


def test_send_asks_the_tier_that_is_shown_and_an_error_is_in_words(play, server, router):
    playground = play("hello")

    playground.act("send", value=PRIMES)  # with Ctrl+Enter, what the field has now
    wait(playground)

    (result,) = router.history.results()
    assert ("TOP", "ok", PRIMES) == (result.tier, result.text, result.prompt)
    assert '"Prove"' in result.decision.reason
    assert 0.5 < result.decision.confidence < 1
    assert [PRIMES] == server.prompts
    assert ["TOP"] == [row["tier"] for row in router.ledger.rows()]
    router.set_budget("0.0000001")
    playground.act("prompt", value="Hi")
    playground.start().join()
    assert "BudgetExceeded" in playground.html
    assert "disabled" not in button(playground, "Send to LOW")
    assert ">Stop<" not in playground.html


def test_options_apply_to_what_is_sent_and_the_card_with_the_prompt_needs_no_kernel(
    shell, server, router
):
    options = {"system": "Say it in Welsh.", "max_tokens": 7, "feature": "draft"}
    with capture_output() as shown:
        playground = Playground(router, "What is\n<b>this</b>?", **options)
        assert ">7</td>" in playground.html
        playground.start("MID").join()

    (request,) = (seen.json for seen in server.requests)
    assert ("Say it in Welsh.", 7) == (request["messages"][0]["content"], request["max_tokens"])
    assert "draft" == router.history.results()[0].answer.feature
    data = shown.outputs[-1].data
    assert "What is &lt;b&gt;this&lt;/b&gt;?" in data["text/html"]
    assert data["text/plain"].startswith("prompt: What is <b>this</b>?\n\nMID · ")


def test_a_second_click_sends_nothing_and_stop_keeps_the_partial_answer(play, router, server):
    server.reply(text="word " * 500, pause=0.02)
    playground = play("hello")
    with capture_output() as shown:
        playground.act("send")
        until(lambda: "word" in str([output.data for output in shown.outputs]))

    playground.act("send")
    assert 'aria-disabled="true"' in button(playground, "Send to LOW")
    assert 'nbr-go"' in button(playground, "Stop")
    playground.act("stop")
    wait(playground)

    (result,) = router.history.results()
    assert "interrupted" == result.status
    assert result.text.startswith("word")
    assert "Interrupted" in playground.html
    assert 1 == len(server.requests)


def test_another_classifier_can_be_chosen_and_the_cell_that_is_copied_asks_it(play, monkeypatch):
    copied = []
    monkeypatch.setattr(Playground, "send", lambda _, said: copied.append(said["copy"]))
    playground = play("Prove it.\nNow.")
    playground.act("copy")
    playground.act("classifier", value="rules:two-tier")
    assert '<option value="rules:two-tier" selected>' in playground.html

    playground.act("copy")

    cells = ["%%route\nProve it.\nNow.", "%%route -c rules:two-tier\nProve it.\nNow."]
    assert cells == copied


def test_it_continues_with_another_router(play, simulated):
    playground = play("Hi")
    playground.refresh(simulated)
    assert all(button(playground, name) for name in ("Send to SIMPLE", *simulated.ladder.names))


def test_in_a_terminal_it_is_printed_once(shell):
    text, _ = run(shell, "%route playground Prove that 2 is even, briefly")

    assert "nothing was sent · would go to FRONTIER · simulated/claude-opus-4\n" in text
    assert 'signal words: "Prove", 0 to 5, points to a more expensive tier (+3)\n' in text
    assert "> FRONTIER" in text
