"""Magics in a real InteractiveShell, as in a terminal IPython."""

from __future__ import annotations

import re

import pytest
from cells import error_of, run

from nbroute import sandbox
from nbroute.types import RouteResult

FACT = "What is the capital of Norway?"
HARD = (
    "Derive the conditions under which a two-species predator-prey model has a stable limit "
    "cycle, and discuss what each parameter means in the field."
)


def test_a_cell_shows_the_answer_once_with_tier_cost_session_and_keeps_the_result(shell):
    text, done = run(shell, "%%route\nWhat is the capital of France?")

    assert "SIMPLE · simulated/gpt-4o-mini ·" in text
    assert "(would have cost)" in text
    assert 'why SIMPLE: "capital" points to SIMPLE' in text
    assert "session would have cost $" in text
    assert "The capital of France is Paris." == done.result.text.strip()
    assert 1 == text.count(done.result.text)
    assert 1 == run(shell, "_")[0].count(done.result.text)
    assert '"capital"' in run(shell, "%route why")[0]


def test_variables_keep_results_and_are_put_in_but_not_on_the_option_line(shell):
    for line in ("%%route answer <<", "%%route -o answer"):
        shell.user_ns.pop("answer", None)
        run(shell, f"{line}\nhello there")
        assert isinstance(shell.user_ns["answer"], RouteResult)
    assert "" == run(shell, "%%route -q\nhello")[0].strip()
    shell.user_ns |= {"city": "Paris", "x": "gone"}

    _, done = run(
        shell,
        '%%route -t complex --system "cost $x {x}" --temperature 0.3\n# NBVAL_IGNORE_OUTPUT\n'
        'Is {{city}} in {"a": 1} {city} $city? # not this',
    )

    assert 'Is Paris in {"a": 1} {city} $city? # not this' == done.result.prompt
    assert ("cost $x {x}", 0.3) == (done.result.options.system, done.result.options.temperature)
    assert "COMPLEX" == done.result.tier


def test_a_dry_run_shows_all_and_sends_nothing(shell):
    text, _ = run(shell, "%%route -n --max-cost 0.00000001\nWhat is the capital of France?")
    cascade, _ = run(shell, f"%%route -n -S cascade --start SIMPLE\n{FACT}")
    parallel, _ = run(shell, f"%%route -n -S parallel --tiers SIMPLE,COMPLEX\n{FACT}")

    assert "nothing was sent" in text
    assert "user: What is the capital of France?" in text
    assert "would go to SIMPLE" in text
    assert "--max-cost $0.00000001 is too little: SIMPLE could come to $" in text
    assert "MEDIUM, COMPLEX, FRONTIER" in cascade
    assert "SIMPLE and COMPLEX" in parallel
    assert "session $0 · 0 calls" in run(shell, "%route spend")[0]


def test_placeholders_are_filled_in_every_command_that_takes_a_text_and_sends_nothing(shell):
    shell.user_ns["proof"] = "Prove that the square root of 2 is irrational."

    for command in ("classify", "teach COMPLEX", "playground"):
        assert "Prove that" in run(shell, f"%route {command} {{{{proof}}}}")[0]
    assert "session $0 · 0 calls" in run(shell, "%route spend")[0]


def test_functions_of_the_notebook_check_and_classify(shell):
    run(
        shell,
        "def never(answer):\n    return 'no good'\ndef mine(prompt):\n    return 'COMPLEX'",
    )

    _, done = run(shell, "%%route -S cascade -t SIMPLE --check never\nhello")
    assert ("FRONTIER", 4) == (done.result.tier, len(done.result.attempts))
    assert "COMPLEX" == run(shell, "%%route -c mine\nhello")[1].result.tier
    text, _ = run(shell, "%%route -c model\nThe plan, and what speaks against it.")
    assert "classified with simulated/gpt-4o-mini (SIMPLE) · $" in text


def test_a_cascade_shows_its_steps_below_the_answer_and_why_shows_them_again(shell):
    text, done = run(shell, f"%%route -S cascade --start SIMPLE\n{HARD}")
    why, _ = run(shell, "%route why")

    title = "3 steps: SIMPLE rejected by unsure, MEDIUM rejected by unsure, COMPLEX used"
    assert title in text.partition(done.result.text)[2]
    assert re.search(r"^- SIMPLE · .*\$", text, re.MULTILINE)
    assert " · used · passed " in text
    assert re.search("^- FRONTIER · .*· not asked$", text, re.MULTILINE)
    assert "SIMPLE rejected by unsure" in why
    assert 'says "I\'m not sure"' in why
    text, done = run(shell, f"%%route -S cascade --start SIMPLE --check rating=8\n{HARD}")
    assert "rated itself" in text
    assert "Confidence:" not in done.result.text


def test_consensus_and_parallel_show_what_was_said_and_whose_answer_is_used(shell, monkeypatch):
    text, done = run(shell, "%%route -S consensus\nWhat is 7 times 8?")
    assert "SIMPLE and MEDIUM: they agree (both say 56), SIMPLE's answer is used" in text
    assert ("SIMPLE", 2) == (done.result.tier, len(done.result.attempts))

    text, _ = run(shell, f"%%route -S parallel --tiers SIMPLE,COMPLEX\n{FACT}")
    assert re.search("both tiers: they agree .similarity 0.9.*SIMPLE's answer is used", text)

    text, done = run(shell, "%%route -S consensus\nWhat is 17 times 24?")
    assert "they differ (SIMPLE says 398, MEDIUM 408), FRONTIER's answer is used" in text
    assert re.search(r"^- FRONTIER · .*\$", text, re.MULTILINE)

    monkeypatch.setattr("nbroute.embedders.wordllama.available", lambda: False)
    for strategy in ("consensus", "parallel"):
        shell.run_line_magic("route", "use simulated")
        text, _ = run(shell, f"%%route -S {strategy}\nExplain recursion with an example.")
        assert "the answers could not be compared" in text
        assert (1, 0) == (text.count("pip install"), text.count("differs"))


def test_code_runs_once_the_user_allows_it_and_its_failure_goes_up_with_the_prompt(
    shell, monkeypatch
):
    run(shell, "def works():\n    assert median([4, 1, 3, 2]) == 2.5")
    cell = (
        "%%route -S cascade --start SIMPLE --check tests=works\n"
        "Write a Python function `median(numbers)` that returns the median of a list of numbers."
    )
    assert "%route allow code" in error_of(shell, cell)
    assert "0 calls" in run(shell, "%route spend")[0]
    with monkeypatch.context() as no_box:
        no_box.setattr(sandbox.boxes, "candidates", list)
        no_box.setattr(sandbox.runner, "_KNOWN", [])
        assert "%route allow code --unconfined" in error_of(shell, "%route allow code")
    run(shell, "%route allow code")

    text, done = run(shell, cell)

    assert ["SIMPLE", "MEDIUM"] == [rung.tier for rung in done.result.rungs]
    assert "rejected by tests works" in text
    assert "AssertionError" in done.result.rungs[0].failed.feedback
    assert done.result.passed


@pytest.mark.parametrize(
    ("definition", "kind"),
    [
        ("from dataclasses import dataclass\n@dataclass\nclass City:\n    name: str", "City"),
        ('City = {"type": "object", "required": ["name"]}', "dict"),
    ],
)
def test_a_schema_of_the_notebook_gives_its_object_and_json_is_parsed(shell, definition, kind):
    run(shell, definition)
    prompt = "Describe the largest city of Portugal."

    _, done = run(shell, f"%%route -S cascade --schema City\n{prompt}")

    assert kind == type(done.result.data).__name__
    assert done.result.passed
    assert "Lisbon" == run(shell, f"%%route --json -t MEDIUM\n{prompt}")[1].result.data["name"]


def test_a_thread_comes_down_and_says_so(shell):
    run(shell, f"%%route --thread t\n{HARD}")
    text, done = run(shell, f"%%route --thread t\n{FACT}")

    assert "SIMPLE" == done.result.tier
    assert "thread 't' came down" in text
    assert re.search(r"t +2 +[A-Z]+ > SIMPLE ", run(shell, "%route threads")[0])
    run(shell, "%route threads forget t")
    assert "no threads yet" in run(shell, "%route threads")[0]


def test_the_session_with_its_budget_and_features_continues_after_use(shell):
    assert "budget: $0.0001 this session" in run(shell, "%route budget 0.0001")[0]
    run(shell, "%route use simulated")

    line = error_of(shell, f"%%route -t FRONTIER\n{FACT}")

    assert "--over-budget" in line
    assert run(shell, f"%%route -t FRONTIER --over-budget --feature reviews\n{FACT}")[1].success
    assert "none" in run(shell, "%route budget off")[0]
    run(shell, "%route use simulated")
    assert "reviews" in run(shell, "%route spend feature")[0]
    assert "1 call " in run(shell, "%route spend")[0]


NEAR = {
    "quibble the frobnicator of a third kind": ": did you mean 'Quibble the frobnicator of the",
    "frobnicator": ": did you mean 'Quibble the frobnicator of the third kind.'?",
    "x": f"; the last one taught is '{FACT}'",
}


def test_a_prompt_is_taught_and_found_again_the_last_one_where_none_is_given(shell):
    prompt = "Quibble the frobnicator of the third kind."
    assert "example of FRONTIER" in run(shell, f"%route teach frontier {prompt}")[0]
    assert "FRONTIER" in run(shell, f"%route classify -c embedding {prompt}")[0]

    run(shell, f"%%route\n{FACT}")
    assert "capital of Norway" in run(shell, "%route teach COMPLEX")[0]
    for text, near in NEAR.items():
        assert f"was never taught{near}" in run(shell, f"%route teach forget {text}")[0]
    for text in ("", f" {prompt}"):
        assert "no longer an example of" in run(shell, f"%route teach forget{text}")[0]
        assert "you taught" not in run(shell, f"%route classify {text or FACT}")[0]
    assert "was never taught; nothing has been" in run(shell, "%route teach forget")[0]
