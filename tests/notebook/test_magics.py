"""Magics in a real InteractiveShell, as in a terminal IPython."""

from __future__ import annotations

import re

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
    again, _ = run(shell, "_")
    why, _ = run(shell, "%route why")

    figures = "SIMPLE · simulated/gpt-4o-mini · $0.90 per 100k calls (would have cost) · 0.4 s"
    saved = "$0.001 less than all on FRONTIER (estimate, net, nothing billed)"
    assert [
        *("The capital of France is Paris.", "", f"{figures} · 32 → 7 tokens · #1"),
        'why SIMPLE: "capital" points to SIMPLE rather than FRONTIER · 99% confident',
        f"session would have cost $0.000009 · 1 call · {saved}",
    ] == text.rstrip().split("\n")
    assert "words   capital  12 to 19  a cheaper tier" in why
    assert why.rstrip().endswith(f"answer: {figures} · 32 → 7 tokens")
    assert 1 == again.count(done.result.text)


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

    cure = "it was not sent: raise --max-cost to $0.00016, or lower --max-tokens"
    for line in (
        "dry run, nothing was sent · would go to SIMPLE · simulated/gpt-4o-mini",
        "user: What is the capital of France?",
        "> SIMPLE  simulated/gpt-4o-mini       36         256       $0.000006  $0.00016",
        "FRONTIER  simulated/claude-opus-4     71         16,384    $0.001140  $1.22987",
        f"--max-cost $0.00000001 is too little: SIMPLE could come to $0.00016; {cure}",
    ):
        assert f"\n{line}\n" in text
    assert "MEDIUM, COMPLEX, FRONTIER" in cascade
    assert "SIMPLE and COMPLEX" in parallel
    vague = "The plan, and what speaks against it."
    for classifier in ("model", "hybrid"):
        text, _ = run(shell, f"%%route -n -c {classifier}\n{vague}")
        assert "first simulated/gpt-4o-mini is asked for the tier, for $" in text
        assert " is a guess" in text
    assert "asked for the tier" not in run(shell, f"%%route -n -c model -t MEDIUM\n{vague}")[0]
    assert "session $0 · 0 calls" in run(shell, "%route spend")[0]


def test_functions_of_the_notebook_check_and_classify(shell):
    run(shell, "def never(answer):\n    return 'no good'")
    run(shell, "def mine(prompt):\n    return 'COMPLEX'")

    _, done = run(shell, "%%route -S cascade -t SIMPLE --check never\nhello")
    assert ("FRONTIER", 4) == (done.result.tier, len(done.result.attempts))
    assert "COMPLEX" == run(shell, "%%route -c mine\nhello")[1].result.tier
    text, _ = run(shell, "%%route -c model\nThe plan, and what speaks against it.")
    assert "classified with simulated/gpt-4o-mini (SIMPLE) · $" in text


def test_a_cascade_shows_its_steps_below_the_answer_and_why_shows_them_again(shell):
    text, done = run(shell, f"%%route -S cascade --start SIMPLE\n{HARD}")
    why, _ = run(shell, "%route why")

    first = "I'm not sure how to derive this. Predator and prey numbers go up and down in the "
    steps = f"""3 steps: SIMPLE rejected by unsure, MEDIUM rejected by unsure, COMPLEX used
- SIMPLE · simulated/gpt-4o-mini · rejected by unsure: says "I'm not sure" at character 0 · \
it said: {first}Lotka-Volterra model, so there is a cycle. · $0.000027 (would have cost) · 0.6 s
- MEDIUM · simulated/claude-haiku-3.5 · rejected by unsure: says 'I am not sure' at character 289"""
    used = "used · passed truncation, length, refusal, unsure · $0.0044 (would have cost) · 4.4 s"
    for shown in (text.partition(done.result.text)[2], why):
        assert steps in shown
        assert f"\n- COMPLEX · simulated/claude-sonnet-4 · {used}\n" in shown
        assert "\n- FRONTIER · simulated/claude-opus-4 · not asked\n" in shown
    text, done = run(shell, f"%%route -S cascade --start SIMPLE --check rating=8\n{HARD}")
    assert "rated itself" in text
    assert "Confidence:" not in done.result.text


def test_consensus_and_parallel_show_what_was_said_and_whose_answer_is_used(shell, monkeypatch):
    text, done = run(shell, "%%route -S consensus\nWhat is 7 times 8?")
    assert "SIMPLE and MEDIUM: they agree (both say 56), SIMPLE's answer is used" in text
    assert ("SIMPLE", 2) == (done.result.tier, len(done.result.attempts))

    text, _ = run(shell, f"%%route -S parallel --tiers SIMPLE,COMPLEX\n{FACT}")
    assert "they agree (similarity 0.997, at least 0.92), SIMPLE's answer is used" in text

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


def test_a_schema_of_the_notebook_gives_its_object_and_json_is_parsed(shell):
    for definition, kind in (
        ("from dataclasses import dataclass\n@dataclass\nclass City:\n    name: str", "City"),
        ('City = {"type": "object", "required": ["name"]}', "dict"),
    ):
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


def test_a_prompt_is_taught_and_found_again_the_last_one_where_none_is_given(shell):
    prompt = "Quibble the frobnicator of the third kind."
    assert "example of FRONTIER" in run(shell, f"%route teach frontier {prompt}")[0]
    assert "FRONTIER" in run(shell, f"%route classify -c embedding {prompt}")[0]

    run(shell, f"%%route\n{FACT}")
    assert "capital of Norway" in run(shell, "%route teach COMPLEX")[0]
    near = error_of(shell, "%route teach forget frobnicator")
    assert f"'frobnicator' was never taught: did you mean '{prompt}'?" in near
    assert f"; the last one taught is '{FACT}'" in error_of(shell, "%route teach forget x")
    for text in ("", f" {prompt}"):
        assert "no longer an example of" in run(shell, f"%route teach forget{text}")[0]
        assert "you taught" not in run(shell, f"%route classify {text or FACT}")[0]
    assert "was never taught; nothing has been" in run(shell, "%route teach forget")[0]
