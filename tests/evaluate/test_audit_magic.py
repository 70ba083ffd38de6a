"""`%route audit` in a real shell: what it says before it sends, and what it shows."""

from __future__ import annotations

import builtins
from unittest.mock import Mock

import pytest
from cells import desk_of, error_of, run
from IPython.core.error import StdinNotImplementedError
from IPython.utils.capture import capture_output

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
    assert "one tier up was preferred for" in after
    assert done.result is desk_of(asking).router.audited
    assert audits_of(asking)


@pytest.mark.parametrize("typed", ["what?", StdinNotImplementedError("no")])
def test_anything_but_a_yes_sends_nothing_and_names_the_line_that_does_not_ask(
    asking, monkeypatch, typed
):
    monkeypatch.setattr(builtins, "input", Mock(side_effect=[typed]))
    text, done = run(asking, "%route audit --sample 0.5")

    assert done.success == isinstance(typed, str)
    assert "%route audit --sample 0.5 --yes" in text
    assert [] == audits_of(asking)


def test_every_option_is_read_and_yes_asks_nothing(asking, monkeypatch):
    monkeypatch.setattr(builtins, "input", lambda _: pytest.fail("asked"))
    run(asking, "import pandas as pd\nmy = pd.DataFrame({'prompt': ['What is 7 times 8?']})")
    line = "--sample=0.5 --direction both --judge mine --max-cost $5 --seed 7 --again 0 --yes"

    found = run(asking, f"%route audit {line}")[1].result
    named = run(asking, "%route audit --judge medium --yes my")[1].result

    assert ("the function mine", 10) == (found.judge, found.sampled)
    assert {"up", "down"} == {row.direction for row in found.rows}
    assert named.judge.startswith("MEDIUM (")
    assert {"What is 7 times 8?"} == set(named.frame()["prompt"])


def test_what_cannot_be_done_is_one_line_and_the_judges_prompt_can_be_read(asking):
    assert "did you mean '--sample'" in error_of(asking, "%route audit --sampel 1")
    text, _ = run(asking, "%route audit --max-cost 0 --sample 1 --yes")
    assert "nothing was judged: a call could cost up to" in text

    text, _ = run(asking, "%route audit --prompt")
    assert "Call it a tie where both would do" in text
    assert [] == audits_of(asking)


def test_the_result_is_a_verdict_and_tiles_and_is_not_lost_by_a_click(asking):
    found = run(asking, "%route audit --sample 1 --judge mine --direction both --yes\n")[1].result
    desk_of(asking).climb(None)
    with capture_output() as shown:
        asking.display_formatter.ipython_display_formatter(found)

    assert desk_of(asking).router.audited is found
    html, plain = (shown.outputs[0].data[f"text/{kind}"] for kind in ("html", "plain"))
    assert html.index(found.verdict) < html.index("nbr-tile")
    assert "One tier up was preferred" in html
    assert plain == str(found)
