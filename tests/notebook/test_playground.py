"""The playground: what it says as one types, that it sends nothing, and what its buttons do."""

from __future__ import annotations

import html
import itertools
import re
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest
from cells import desk_of, error_of, run
from conftest import LADDER
from hypothesis import given
from hypothesis import strategies as st
from IPython.utils.capture import capture_output
from waiting import PATIENCE

from nbroute.embedders.endpoint import OpenAIEmbedder
from nbroute.notebook.marked import LONG, MOST, marked, signal_rows
from nbroute.notebook.playground import Playground
from nbroute.router import Router
from nbroute.types import Chunk, Decision, Ladder, Signal, Usage

PRIMES = "Prove that there are infinitely many primes."


def signal(start, end, name="word", weight=1.0, text="x"):
    return Signal(name, text, start, end, weight)


def without_tags(made):
    """The text that a reader sees, the numbers of the marks left out."""
    return html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<sup>.*?</sup>", "", made)))


def marks(made):
    return re.findall(r"<mark[^>]*>(.*?)</mark>", made)


# Signals marked


@pytest.mark.parametrize(
    ("signals", "shown", "title"),
    [
        ([(7, 12, "a")], ["prove<sup>1</sup>"], "1 a: a more expensive tier (+1)"),
        (
            [(0, 4, "a"), (2, 6, "b")],
            ["pl", "ea<sup>1</sup>", "se<sup>2</sup>"],
            "1 a: a more expensive tier (+1); 2 b: a more expensive tier (+1)",
        ),
        (
            [(0, 6, "a"), (0, 6, "b")],
            ["please<sup>1</sup>"],
            "1 a, b: a more expensive tier (+2)",
        ),
    ],
    ids=["one", "overlapping", "on the same words"],
)
def test_signals_are_marked_where_they_stand_and_numbered_where_they_end(signals, shown, title):
    made = marked("please prove it", [signal(*one) for one in signals])

    assert shown == marks(made)
    assert f'title="{title}' in made
    assert "please prove it" == without_tags(made)


@given(
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=80),
    st.lists(st.tuples(st.integers(-3, 90), st.integers(-3, 90)), max_size=8),
)
def test_marking_loses_and_adds_no_word(prompt, spans):
    assert prompt == without_tags(marked(prompt, [signal(*span) for span in spans]))


@pytest.mark.parametrize("span", [(None, None), (-1, 2), (3, 3), (4, 2), (0, 99)])
def test_a_signal_with_no_place_in_the_text_is_of_the_whole_prompt(span):
    shown = signal_rows("hello", [signal(*span, "length")])

    assert [["–", "length", "x", "whole prompt", "a more expensive tier (+1)"]] == shown
    assert "<mark" not in marked("hello", [signal(*span)])


def test_a_signals_weight_says_which_way_it_pulls():
    signals = [signal(0, 1, weight=0.5), signal(1, 2, weight=-0.5), signal(2, 3, weight=0.0)]

    sides = [row[-1] for row in signal_rows("abc", signals)]

    assert ["a more expensive tier (+0.5)", "a cheaper tier (-0.5)", "neither side"] == sides
    sides = re.findall(r'class="nbr-(\w+)" title', marked("abc", signals))
    assert ["raises", "cheaper", "neither"] == sides
    for prompt, way in (("Prove that pi is irrational", "more expensive"), ("Hi", "cheaper")):
        made = Router(profile="simulated").explain(prompt).decision
        assert signal_rows(prompt, made.signals)[0][-1].startswith(f"a {way} tier (")


def test_of_a_long_prompt_and_of_a_thousand_signals_a_part_is_shown_and_the_rest_counted():
    made = marked("a" * 10_000 + "prove" + "b" * 10_000, [signal(10_000, 10_005)])
    shown = signal_rows("a" * 1000, [signal(n, n + 1) for n in range(1000)])

    assert "prove<sup>1</sup>" in made
    assert "[… 9,400 characters …]" in made
    assert len(made) < LONG
    assert MOST + 1 == len(shown)
    assert "and 960 more" == shown[-1][1]


# As one types


class Counting:
    """A provider that counts what is sent."""

    name, kind = "simulated", "remote"

    def __init__(self):
        self.sent = []

    def send(self, request):
        self.sent.append(request)
        yield Chunk("fine")
        yield Chunk(usage=Usage(3, 1), finish_reason="stop")

    def close(self):
        """Nothing is held."""


@pytest.fixture
def provider():
    return Counting()


@pytest.fixture
def router(provider):
    tiers = tuple(replace(tier, provider="simulated") for tier in LADDER.tiers)
    ladder = Ladder("test", tiers, "LOW")
    with closing(Router(profile="simulated", provider=provider, ladder=ladder)) as made:
        yield made


@pytest.fixture
def play(shell, router):
    """Makes playgrounds in a shell; what they display is kept out of the tests' output."""
    with capture_output():
        yield lambda *args, **options: Playground(router, *args, **options)


@pytest.fixture
def sent():
    """The results and cards of what was sent."""
    return []


@pytest.fixture
def sending(play, sent):
    """Makes playgrounds that keep what was sent."""
    return lambda text: play(text, sent=lambda result, card: sent.append((result, card)))


def button(playground, words):
    """The button of these words, as HTML."""
    return re.search(rf"<button [^>]*>{re.escape(words)}</button>", playground.html)[0]


def wait(playground):
    """Until the answer that is on its way is there."""
    for thread in threading.enumerate():
        if thread.name == "nbroute-playground":
            thread.join(PATIENCE)


def test_typing_shows_tier_signals_confidence_and_costs_and_sends_nothing(play, provider, router):
    playground, said = play("Hi"), []
    assert button(playground, "Send to LOW")
    playground.observe(
        lambda change: said.extend(
            re.findall('<span role="status"[^>]*>(.+?)</span>', change["new"])
        ),
        "html",
    )

    for end in range(1, len(PRIMES) + 1):
        playground.act("prompt", value=PRIMES[:end])

    words = " ".join(without_tags(playground.html).split())
    assert re.search(r"TOP · \d\d% confident · [^.]*\"Prove\"", words)
    assert "<mark" in playground.html
    assert "costs: your price" in words
    assert "TOP ◂ routing picks this" in words
    assert button(playground, "Send to TOP")
    # A screen reader is told when the tier changes, not with each key.
    told = [one for one, _ in itertools.groupby(said)]
    assert all("would go to" in one for one in told)
    assert 0 < len(told) < 8
    assert ([], (), []) == (provider.sent, router.history.results(), router.ledger.rows())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        *((empty, "No prompt yet") for empty in ("", "   ", "\n\n\t", "\u00a0")),
        ("much too long for this", "This cannot be routed"),
    ],
)
def test_what_cannot_be_sent_is_said_and_the_next_key_is_taken(play, router, text, says):
    router.limits = replace(router.limits, max_prompt_chars=10)
    router.parts = replace(router.parts, limits=router.limits)
    playground = play("Hi")
    playground.act("prompt", value=text)

    assert says in playground.html
    assert ("PromptError" in playground.html) == bool(text.strip())
    assert 'aria-disabled="true"' in button(playground, "Send")
    assert "nbr-rows" not in playground.html
    assert playground.start() is None
    playground.act("prompt", value="Hi")
    assert button(playground, "Send to LOW")


def broken(_):
    raise ValueError("<b>no</b>")


@pytest.mark.parametrize(
    ("classifier", "says"),
    [
        (broken, "ValueError: &lt;b&gt;no"),
        (
            lambda _: Decision("MID", "mine", "mine: because"),
            "mine does not say how confident it is",
        ),
        ("model", "this is based on the words alone"),
        ("hybrid", "this is based on the words alone"),
    ],
    ids=["broken", "not sure", "model", "hybrid"],
)
def test_a_classifier_that_cannot_tell_or_would_cost_says_so(play, provider, classifier, says):
    assert says in play("hello", classifier=classifier).html
    assert [] == provider.sent


def test_no_embedding_is_sent_even_to_an_endpoint_that_bills_nothing(play, router, connect, server):
    embedder = OpenAIEmbedder(connect(kind="local"))
    router.parts = replace(router.parts, embedder=lambda: embedder)

    playground = play("hello", classifier="embedding")
    playground.act("prompt", value="hello again")

    assert "this is based on the words alone" in playground.html
    assert [] == server.requests


def test_a_prompt_of_any_length_and_signs_is_shown_and_kept_out_of_the_repr(play):
    long = play("Explain the following text. " + "word " * 4_000)
    assert len(long.html) < 30_000
    assert "characters …]" in long.html
    assert ">Prove<sup>1</sup>" in play("\x00\x07Prove it").html
    prompt = "\n</textarea><script>alert(1)</script> $x$ \\frac & é 日本 🚀\n"
    page = play(prompt).html
    (inside,) = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert prompt == html.unescape(inside)
    assert "<script" not in page + marked(prompt, [signal(3, 9, prompt, text=prompt)])
    assert "secret" not in repr(play("a secret"))


# Sending


def test_send_asks_the_tier_and_the_decision_that_are_shown(sending, sent, provider, router):
    playground = sending("hello")

    playground.act("send", value=PRIMES)  # with Ctrl+Enter, what the field has now
    wait(playground)

    ((result, _),) = sent
    assert ("TOP", "fine", PRIMES) == (result.tier, result.text, result.prompt)
    assert '"Prove"' in result.decision.reason
    assert 0.5 < result.decision.confidence < 1
    assert 1 == len(provider.sent)
    assert (result,) == router.history.results()
    assert ["TOP"] == [row["tier"] for row in router.ledger.rows()]


def test_options_hold_for_what_is_sent_and_the_card_with_the_prompt_needs_no_kernel(
    shell, provider, router
):
    options = {"system": "Say it in Welsh.", "max_tokens": 7, "feature": "draft"}
    with capture_output() as shown:
        playground = Playground(router, "What is\n<b>this</b>?", **options)
        assert ">7</td>" in playground.html
        playground.start("MID").join()

    (request,) = provider.sent
    assert ("Say it in Welsh.", 7) == (request.messages[0].content, request.max_tokens)
    assert "draft" == router.history.results()[0].answer.feature
    data = shown.outputs[-1].data
    assert "What is &lt;b&gt;this&lt;/b&gt;?" in data["text/html"]
    assert data["text/plain"].startswith("prompt: What is <b>this</b>?\n\nMID · ")
    assert "fine" in data["text/html"]


def test_an_error_is_told_in_words_and_the_buttons_come_back(play, router):
    router.set_budget("0.0000001")
    playground = play("hello")

    playground.start().join()

    assert "BudgetExceeded" in playground.html
    assert "disabled" not in button(playground, "Send to LOW")
    assert ">Stop<" not in playground.html


def test_a_second_click_sends_nothing_while_an_answer_is_on_its_way(play, provider):
    going, go = threading.Event(), threading.Event()

    def slow(request):
        going.set()
        go.wait(PATIENCE)
        yield from Counting.send(provider, request)

    provider.send = slow
    playground = play("hello")
    playground.act("send")
    assert going.wait(PATIENCE)

    playground.act("send")
    assert 'aria-disabled="true"' in button(playground, "Send to LOW")
    assert button(playground, "Stop")
    go.set()
    wait(playground)
    assert 1 == len(provider.sent)


def test_stop_keeps_the_partial_answer(sending, sent, provider):
    begun = threading.Event()

    def endless(request):
        for number in itertools.count():
            yield Chunk("word ")
            time.sleep(0.005)  # a model takes its time
            if number == 20:  # the first pieces have been taken in
                begun.set()

    provider.send = endless
    playground = sending("hello")
    thread = playground.start()
    assert begun.wait(PATIENCE)

    playground.act("stop")
    thread.join(PATIENCE)

    assert not thread.is_alive()
    ((result, _),) = sent
    assert "interrupted" == result.status
    assert result.text.startswith("word")
    assert "Interrupted" in playground.html


def test_another_classifier_can_be_chosen_and_the_cell_that_is_copied_asks_it(play, monkeypatch):
    copied = []
    monkeypatch.setattr(Playground, "send", lambda _, said: copied.append(said["copy"]))
    playground = play("Prove it.\nNow.")
    playground.act("copy")
    playground.act("classifier", value="rules:two-tier")
    assert "14 characters, no code" in playground.html
    assert "whole prompt" in playground.html
    assert '<option value="rules:two-tier" selected>' in playground.html

    playground.act("copy")

    cells = ["%%route\nProve it.\nNow.", "%%route -c rules:two-tier\nProve it.\nNow."]
    assert cells == copied
    assert "paste it into a cell" in playground.html


def test_an_answer_has_a_number_and_commands_reach_it(shell):
    desk = desk_of(shell)
    with capture_output():
        playground = Playground(desk.router, "hello", sent=desk.took, number=desk.new_number)
        playground.start("SIMPLE").join()

    run(shell, "%route label good")

    assert ("hello", "SIMPLE") == (desk.card(1).result.prompt, desk.last.tier)
    assert ["hello"] == list(desk.router.labels(feedback=True)["prompt"])


def test_answers_to_the_same_prompt_fold_and_those_to_another_do_not(sending, sent):
    playground = sending("hello")
    playground.start("LOW").join()
    playground.act("run", "TOP")
    wait(playground)
    playground.act("prompt", value="a" * 5_000 + "end")
    playground.start("MID").join()

    shown = [card.view for _, card in sent]
    assert ["LOW", "TOP LOW", "MID"] == [
        " ".join(one.tier for one in view.results) for view in shown
    ]
    quoted = shown[-1].asked
    assert len(quoted) < 2_100
    assert "[… 3,003 characters …]" in quoted
    assert quoted.endswith("end")


def test_it_goes_on_with_another_router(play):
    playground = play("Hi")
    with closing(Router(profile="simulated")) as other:
        playground.refresh(other)

        assert button(playground, "Send to SIMPLE")
        assert all(button(playground, name) for name in other.ladder.names)


# In words


def test_in_a_terminal_it_is_printed_once(shell):
    text, done = run(shell, "%route playground Prove that 2 is even, briefly")

    assert done.success
    assert "nothing was sent · would go to" in text
    assert 'signal words: "Prove", 0 to 5, points to a more expensive tier' in text
    assert "> FRONTIER" in text
    assert "%route playground What is a monad?" in run(shell, "%route playground")[0]
    assert "PromptError" in error_of(shell, f"%route playground {'word ' * 90_000}")
