"""The strategies as a person meets them: words on a `%%route` line, in a real shell."""

from __future__ import annotations

import pytest
from cells import error_of, run

from nbroute import sandbox
from nbroute.notebook import render

FACT = "What is the capital of Norway?"
HARD = (
    "Derive the conditions under which a two-species predator-prey model has a stable limit "
    "cycle, and discuss what each parameter means in the field."
)
MEDIAN = "Write a Python function `median(numbers)` that returns the median of a list of numbers."
TESTS = """
def works():
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 3, 2]) == 2.5
"""


def ladder_of(text):
    """The lines of the steps below an answer."""
    lines = text.split("\n")
    start = next(
        i
        for i, line in enumerate(lines)
        if line.startswith(("2 steps:", "3 steps:", "both tiers:", "SIMPLE and MEDIUM:"))
    )
    return [lines[start], *(line for line in lines[start:] if line.startswith("- "))]


def test_a_cascade_shows_its_ladder_below_the_answer_and_why_shows_it_again(shell):
    text, done = run(shell, f"%%route -S cascade --start SIMPLE\n{HARD}")
    why, _ = run(shell, "%route why")

    title, simple, _, used, *rest = ladder_of(text)
    assert "3 steps: SIMPLE rejected by unsure, MEDIUM rejected by unsure, COMPLEX used" == title
    assert 'says "I\'m not sure"' in simple
    assert "$" in simple
    assert " · used · passed " in used
    assert all(line.endswith("· not asked") for line in rest)
    assert "why it started with SIMPLE: you asked for a cascade" in text
    assert ["- FRONTIER"] == [line.split(" · ")[0] for line in rest]
    assert text.index(done.result.text) < text.index(title)
    assert "SIMPLE rejected by unsure" in why
    assert 'says "I\'m not sure"' in why
    markdown = render.written(render.View((done.result,)), marked=True)
    assert "3 steps: SIMPLE rejected by unsure, MEDIUM rejected" in markdown


def test_a_rating_decides_and_is_told_and_not_in_the_answer(shell):
    text, done = run(shell, f"%%route -S cascade --start SIMPLE --check rating=8\n{HARD}")

    assert "rated itself" in text
    assert "Confidence:" not in done.result.text


def test_parallel_keeps_the_cheaper_answer_where_both_agree_and_else_the_better(shell):
    text, done = run(shell, f"%%route -S parallel --tiers SIMPLE,COMPLEX\n{FACT}")

    assert ("SIMPLE", 2) == (done.result.tier, len(done.result.attempts))
    assert ladder_of(text)[0].startswith("both tiers: they agree (similarity 0.9")
    assert "SIMPLE's answer is used" in ladder_of(text)[0]
    text, done = run(shell, f"%%route -S parallel --tiers SIMPLE,COMPLEX\n{HARD}")
    assert ("COMPLEX", True) == (done.result.tier, done.result.escalated)
    assert "under 0.92" in text


def test_consensus_shows_what_the_two_said_and_what_the_third_cost(shell):
    agreed, kept = run(shell, "%%route -S consensus\nWhat is 7 times 8?")
    text, done = run(shell, "%%route -S consensus\nWhat is 17 times 24?")

    title, _, medium, frontier = ladder_of(agreed)[:4]
    assert "SIMPLE and MEDIUM: they agree (both say 56), SIMPLE's answer is used" == title
    assert ("SIMPLE", 2) == (kept.result.tier, len(kept.result.attempts))
    assert "not used: both say 56" in medium
    assert "not asked" in frontier
    title, _, _, frontier = ladder_of(text)[:4]
    assert "they differ (SIMPLE says 398, MEDIUM 408), FRONTIER's answer is used" in title
    assert "FRONTIER" == done.result.tier
    assert "$" in frontier


def test_with_no_box_the_magic_says_what_is_open_and_wants_a_word_more(shell, monkeypatch):
    monkeypatch.setattr(sandbox.boxes, "candidates", list)
    monkeypatch.setattr(sandbox.runner, "_KNOWN", [])
    run(shell, TESTS)

    line = error_of(shell, "%route allow code")
    assert "your files, your keys and your network" in line
    assert "%route allow code --unconfined" in line
    assert "%route allow code" in error_of(shell, f"%%route --check tests=works\n{MEDIAN}")
    assert "no sandbox" in run(shell, "%route allow code --unconfined")[0]
    text, _ = run(shell, f"%%route -S cascade --start SIMPLE --check tests=works\n{MEDIAN}")
    assert "rejected by tests works" in text


def test_code_runs_once_the_user_allows_it_and_its_failure_goes_up_with_the_prompt(shell):
    run(shell, TESTS)
    cell = f"%%route -S cascade --start SIMPLE --check tests=works\n{MEDIAN}"
    assert "%route allow code" in error_of(shell, cell)
    assert "0 calls" in run(shell, "%route spend")[0]
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
        ("import pydantic\nclass City(pydantic.BaseModel):\n    name: str", "City"),
        ('City = {"type": "object", "required": ["name"]}', "dict"),
    ],
    ids=["dataclass", "pydantic", "JSON schema"],
)
def test_a_schema_of_the_notebook_gives_its_object(shell, definition, kind):
    run(shell, definition)

    _, done = run(shell, "%%route -S cascade --schema City\nDescribe the largest city of Portugal.")

    assert kind == type(done.result.data).__name__
    assert done.result.passed


def test_json_is_parsed(shell):
    _, done = run(shell, "%%route --json -t MEDIUM\nDescribe the largest city of Portugal.")

    assert "Lisbon" == done.result.data["name"]


def test_a_thread_comes_down_and_says_so(shell):
    run(shell, f"%%route --thread t\n{HARD}")
    text, done = run(shell, f"%%route --thread t\n{FACT}")

    assert "SIMPLE" == done.result.tier
    assert "thread 't' came down" in text
    assert "t       2" in run(shell, "%route threads")[0]
    run(shell, "%route threads forget t")
    assert "no threads yet" in run(shell, "%route threads")[0]


def test_a_budget_is_set_shown_kept_and_lifted(shell):
    assert "budget: $0.0001 this session" in run(shell, "%route budget 0.0001")[0]

    line = error_of(shell, f"%%route -t FRONTIER\n{FACT}")

    assert "--over-budget" in line
    assert run(shell, f"%%route -t FRONTIER --over-budget\n{FACT}")[1].success
    assert "none" in run(shell, "%route budget off")[0]


def test_a_prompt_is_taught_and_found_again_the_last_one_where_none_is_given(shell):
    prompt = "Quibble the frobnicator of the third kind."
    assert "example of FRONTIER" in run(shell, f"%route teach frontier {prompt}")[0]
    assert "FRONTIER" in run(shell, f"%route classify -c embedding {prompt}")[0]

    run(shell, f"%%route\n{FACT}")
    assert "capital of Norway" in run(shell, "%route teach COMPLEX")[0]


def test_a_dry_run_of_a_strategy_says_what_it_may_ask(shell):
    cascade, _ = run(shell, f"%%route -n -S cascade --start SIMPLE\n{FACT}")
    parallel, _ = run(shell, f"%%route -n -S parallel --tiers SIMPLE,COMPLEX\n{FACT}")

    assert "the next one is asked too: MEDIUM, COMPLEX, FRONTIER" in cascade
    assert "SIMPLE and COMPLEX" in parallel
    assert "both" in parallel


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("%route teach", "takes a tier"),
        ("%route teach SIMPLE", "nothing has been routed yet"),
        ("%route teach SIMPEL hello", "did you mean 'SIMPLE'"),
        ("%route allow everything", "use 'code'"),
        ("%route allow", "one word, code"),
        ("%route threads forget x", "there is no thread 'x'"),
        ("%route budget lots", "above 0"),
        ("%%route --schema Nope\nhello", "'Nope' is not defined in this notebook: define it"),
        ("%%route --check ratting\nhello", "did you mean 'rating'"),
        ("%%route --check rating=eleven\nhello", "rating"),
        ("%%route -S parallel --tiers SIMPLE\nhello", "takes two"),
        ("%route tiers SIMPLE=a simple=b", "has SIMPLE twice"),
        ("%route tiers SIMPLE=simulated:", "does not name a model"),
        ("%%route -n -s @\nhello", "no system prompt is called '@'"),
        ("%%route -n -s @a,@b\nhello", "no system prompt is called '@a,@b'"),
        ("%%route -n\n{{x:.2f}}", "{{x:.2f}} is not a look-up"),
    ],
)
def test_what_cannot_be_is_one_line_with_the_cure(shell, source, says):
    assert says in error_of(shell, source)
