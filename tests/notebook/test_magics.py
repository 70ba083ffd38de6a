"""Magics in a real InteractiveShell, as in a terminal IPython."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from cells import desk_of, error_of, run
from IPython.utils.capture import capture_output

from nbroute.types import Ledger, RouteResult


def test_a_cell_shows_the_answer_once_with_tier_cost_session_and_keeps_the_result(shell):
    text, done = run(shell, "%%route\nWhat is the capital of France?")

    assert "SIMPLE · simulated/gpt-4o-mini ·" in text
    assert "(would have cost)" in text
    assert 'why SIMPLE: "capital" points to SIMPLE' in text
    assert "session would have cost $" in text
    assert "steps:" not in text
    assert "The capital of France is Paris." == done.result.text.strip()
    assert 1 == text.count(done.result.text)
    for later in ("_", "Out[1]", "_1"):
        with capture_output() as shown:
            shell.run_cell(later, store_history=True)
        assert [1] == [str(o.data["text/plain"]).count(done.result.text) for o in shown.outputs]
    why, _ = run(shell, "%route why")
    assert "capital" in why
    assert "simulated/gpt-4o-mini" in why


@pytest.mark.parametrize("line", ["%%route answer <<", "%%route -o answer", "%%route answer<<"])
def test_a_result_can_be_kept_in_a_variable(shell, line):
    run(shell, f"{line}\nhello there")

    assert isinstance(shell.user_ns["answer"], RouteResult)


def test_variables_are_put_in_and_the_option_line_and_single_braces_are_left(shell):
    shell.user_ns |= {"city": "Paris", "x": "gone"}

    _, done = run(
        shell,
        '%%route -t complex --system "cost $x {x}"\n# NBVAL_IGNORE_OUTPUT\n'
        'Is {{city}} in {"a": 1} {city} $city? # not this',
    )

    assert 'Is Paris in {"a": 1} {city} $city? # not this' == done.result.prompt
    assert "cost $x {x}" == done.result.options.system
    assert "COMPLEX" == done.result.tier


def test_a_dry_run_shows_all_and_sends_nothing(shell):
    text, _ = run(shell, "%%route -n\nWhat is the capital of France?")

    assert "nothing was sent" in text
    assert "user: What is the capital of France?" in text
    for tier in ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER"):
        assert tier in text
    spent, _ = run(shell, "%route spend")
    assert "session $0 · 0 calls" in spent


def test_escalate_answers_on_the_next_tier_with_the_first_below(shell):
    _, first = run(shell, "%%route -t SIMPLE\nName three uses of a paper clip.")
    assert "unknown tier 'abc'" in error_of(shell, "%route escalate abc")

    text, second = run(shell, "%route escalate")

    assert "MEDIUM" == second.result.tier
    assert first.result == second.result.parent
    assert second.result.text in text
    assert "for this step" in text
    later, _ = run(shell, "_")
    assert "\n\nbefore: SIMPLE" in later


def test_classify_sends_nothing(shell):
    text, _ = run(shell, "%route classify Prove that the square root of 2 is irrational.")

    assert "points to" in text
    assert "Prove" in text
    assert "session $0 · 0 calls" in run(shell, "%route spend")[0]


def test_placeholders_are_filled_in_every_command_that_takes_a_text(shell):
    shell.user_ns["proof"] = "Prove that the square root of 2 is irrational."

    assert "Prove" in run(shell, "%route classify {{proof}}")[0]
    assert "Prove that" in run(shell, "%route teach COMPLEX {{proof}}")[0]
    assert "Prove that" in run(shell, "%route playground {{proof}}")[0]
    assert "did you mean 'proof'" in error_of(shell, "%route teach COMPLEX {{prof}}")


def test_a_temperature_is_sent(shell):
    _, done = run(shell, "%%route --temperature 0.3\nhello")

    assert 0.3 == done.result.options.temperature
    _, done = run(shell, "%%route_compare SIMPLE MEDIUM --temperature 1\nhello")
    assert {1.0} == {one.result.options.temperature for one in done.result.columns}


def test_spend_by_feature_goes_on_in_the_same_session_after_use(shell):
    run(shell, "%%route --feature reviews\nhello")
    run(shell, "%route use simulated")

    assert "reviews" in run(shell, "%route spend feature")[0]
    assert "1 call " in run(shell, "%route spend")[0]
    tiers, _ = run(shell, "%route tiers")
    assert all(word in tiers for word in ("256", "16384", "simulated/claude-opus-4"))


def test_functions_of_the_notebook_check_and_classify(shell):
    run(
        shell,
        "def never(answer):\n    return 'no good'\ndef mine(prompt):\n    return 'COMPLEX'",
    )

    _, done = run(shell, "%%route -S cascade -t SIMPLE --check never\nhello")
    assert ("FRONTIER", 4) == (done.result.tier, len(done.result.attempts))
    assert "COMPLEX" == run(shell, "%%route -c mine\nhello")[1].result.tier


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("%%route -m simulated/gpt-4o-mni\nx", "UnknownModel"),
        ("%%route --temperature hot\nx", "'hot' is not a temperature: .* from 0 to 2"),
        ("%%route --temperature 2.5\nx", "'2.5' is not a temperature"),
        ("%%route --temperature nan\nx", "'nan' is not a temperature"),
        ("%%route_compare --temperature -1\nx", "'-1' is not a temperature"),
        ("%%route --max-cost free\nx", "'free' is not an amount"),
        ("%%route --check nope\nx", "'nope' is not defined"),
        ("%%route -o 'not a name'\nx", "is not a variable name"),
        ("%%route --max-cost 0.0000001\nx", "BudgetExceeded"),
        ("%route spnd", "did you mean 'spend'"),
        ("%route escalate", "nothing has been routed yet"),
        ("%route classify", "takes a text"),
    ],
)
def test_a_mistake_is_one_line_and_an_error(shell, source, message):
    assert re.search(message, error_of(shell, source))


class Bare:
    """A ledger that has what the Protocol names, without what it `lacks`, and nothing else."""

    def __init__(self, kept, lacks):
        self._kept, self._lacks = kept, lacks

    def __getattr__(self, name):
        if name in self._lacks or name not in vars(Ledger):
            raise AttributeError(name)
        return getattr(self._kept, name)


@pytest.mark.parametrize("lacks", [(), ("frame", "version")], ids=["today's", "older"])
def test_a_ledger_that_meets_the_protocol_of_today_or_before_serves_every_table(shell, lacks):
    router = desk_of(shell).router
    router.parts = replace(router.parts, ledger=Bare(router.ledger, lacks))
    assert "no calls yet" in run(shell, "%route log")[0]
    run(shell, "%%route\nhello")
    run(shell, "%route label good")

    for command in ("spend", "report text", "labels", "tiers", "log"):
        _, done = run(shell, f"%route {command}")
        assert done.success, (command, done.error_in_exec)
    assert ["SIMPLE"] == [row[1] for row in done.result.rows]
