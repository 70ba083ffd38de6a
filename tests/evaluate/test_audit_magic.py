"""`%route audit` in a real shell: what it says before it sends, and what it shows."""

from __future__ import annotations

import builtins

import pytest
from cells import desk_of, run
from IPython.core.error import StdinNotImplementedError
from IPython.utils.capture import capture_output

from nbroute.notebook.complete import complete
from nbroute.providers.simulated import known_prompts


@pytest.fixture
def asking(shell):
    """A shell whose session has twenty answers."""
    router = desk_of(shell).router
    for prompt in known_prompts()[:20]:
        router.route(prompt)
    run(shell, "def mine(prompt, a, b): return 'a' if len(a) > len(b) else 'b'")
    return shell


def audits_of(shell):
    ledger = desk_of(shell).router.ledger
    return [row for row in ledger.rows() if row["purpose"] in ("audit", "judge")]


def test_it_says_what_it_will_cost_and_asks(asking, monkeypatch):
    questions = []
    monkeypatch.setattr(builtins, "input", lambda question: questions.append(question) or "y")
    text, done = run(asking, "%route audit --sample 50%")

    assert ["Send them? [y/N] "] == questions
    before, _, after = text.partition("audit of 10 of 20 prompts of this session, judged by")
    assert "an audit of 10 of 20 prompts of this session; nothing is sent yet" in before
    assert "judging" in before
    assert "usually far less, as few answers use up their token budget" in before
    assert "one tier up was preferred for" in after
    assert done.result is desk_of(asking).router.audited
    assert audits_of(asking)


@pytest.mark.parametrize(
    "typed",
    [
        *("", "what?", StdinNotImplementedError("no"), EOFError()),
        *(RuntimeError("input(): lost sys.stdin"), ValueError("I/O operation on closed file.")),
    ],
)
def test_anything_but_a_yes_sends_nothing_and_names_the_line_that_does_not_ask(
    asking, monkeypatch, typed
):
    def answer(_):
        if isinstance(typed, Exception):
            raise typed
        return typed

    monkeypatch.setattr(builtins, "input", answer)
    text, done = run(asking, "%route audit --sample 0.5")

    assert done.success == isinstance(typed, str)
    told = (
        "nbroute: nothing was sent; `{}`" if done.success else "can type an answer here: {} sends"
    )
    assert told.format("%route audit --sample 0.5 --yes") in text
    assert [] == audits_of(asking)


def test_every_option_is_read_and_yes_asks_nothing(asking, monkeypatch):
    monkeypatch.setattr(builtins, "input", lambda _: pytest.fail("asked"))
    line = "--sample=0.5 --direction both --judge mine --max-cost $5 --seed 7 --again 0 --yes"
    text, done = run(asking, f"%route audit {line}")

    found = done.result
    assert ("the function mine", 10) == (found.judge, found.sampled)
    assert {"up", "down"} == {row.direction for row in found.rows}
    assert "one tier down would have done for" in text
    again = run(asking, "%route audit --sample 0.5 --seed 7 --again 0 --judge mine --yes")[1].result
    ups = found.frame().query("direction == 'up'")
    assert list(ups["prompt"]) == list(again.frame()["prompt"])
    run(asking, "import pandas as pd\nmy = pd.DataFrame({'prompt': ['What is 7 times 8?']})")
    named = run(asking, "%route audit --judge medium --yes my")[1].result
    assert named.judge.startswith("MEDIUM (")
    assert {"What is 7 times 8?"} == set(named.frame()["prompt"])


def test_what_cannot_be_done_is_one_line_and_the_judges_prompt_can_be_read(asking):
    for line, told in (
        ("--sampel 1", "takes no '--sampel': did you mean '--sample'"),
        ("--sample", "--sample has no value; give one after it"),
        ("--sample lots", "sample='lots' is not a share"),
        ("--sample 1 --sample 1", "has --sample twice"),
        ("--yes=no", "--yes takes no value"),
        ("--seed 1.5 --yes", "seed='1.5' is not a whole number"),
        ("nothing --yes", "'nothing' is not defined in this notebook"),
        ("one two --yes", "takes one name, not one and two"),
        ("--max-cost 0 --sample 1 --yes", "nothing was judged: a call could cost up to"),
    ):
        text, done = run(asking, f"%route audit {line}")
        assert not done.success
        assert told in text
        assert "Traceback" not in text

    text, _ = run(asking, "%route audit --prompt")
    assert "Call it a tie where both would do" in text
    assert "(the prompt)" in text
    assert [] == audits_of(asking)


def test_the_result_is_words_a_verdict_and_tiles_and_is_not_lost_by_a_click(asking):
    text, done = run(asking, "%route audit --sample 1 --judge mine --direction both --yes\n")
    found = done.result
    desk_of(asking).climb(None)
    with capture_output() as shown:
        asking.display_formatter.ipython_display_formatter(found)

    assert "what for" in text
    assert desk_of(asking).router.audited is found
    html, plain = (shown.outputs[0].data[f"text/{kind}"] for kind in ("html", "plain"))
    verdict, tiles, words = (html.index(one) for one in ("<b>", "nbr-tile", "judged by"))
    assert verdict < tiles < words
    assert "One tier up was preferred" in html
    assert "One tier down would have done" in html
    assert 1 == html.count(found.verdict)
    assert "asked twice, the judge preferred" not in html
    assert plain == str(found)


def test_its_options_are_completed(shell):
    vocabulary = shell.magics_manager.registry["RouteMagics"]._vocabulary

    def offered(line):
        return set(complete(line, 0, line, vocabulary)[1])

    assert {"--sample", "--direction", "--yes", "--prompt"} <= offered("%route audit --")
    assert {"--sample"} == offered("%route audit --yes --sam")
    assert {"up", "down", "both"} == offered("%route audit --direction ")
    assert "FRONTIER" in offered("%route audit --judge ")
