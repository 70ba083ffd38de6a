"""A sample of answers beside the next tier's, judged: what is asked, said and spent."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest
from loopback import Reply


def longer(_prompt, a, b):
    """A judge that likes length."""
    return "tie" if len(a) == len(b) else "a" if len(a) > len(b) else "b"


def tie(_prompt, _a, _b):
    return "tie"


def prompts_of(count):
    return [f"prompt {place}" for place in range(count)]


def framed(count, tier="LOW"):
    rows = {"prompt": prompts_of(count), "answer": "short", "tier": tier}
    return pd.DataFrame(rows)


def echo(sent):
    """The model and what it was asked; as a judge, that the second answer is better."""
    asked = sent["messages"][-1]["content"]
    judges = "Verdict:" in asked
    return Reply(text="The facts.\nVerdict: B" if judges else f"{sent['model']} says {asked}")


@pytest.fixture
def answering(server):
    server.handler = echo
    return server


def audited(router, *given, **options):
    return router.audit(*given, **{"progress": False, "judge": tie, "again": 0} | options)


# What is drawn


@pytest.mark.parametrize(("share", "drawn"), [(0.05, 2), (0.001, 1), (0.5, 20), (1, 40)])
def test_the_sample_is_exactly_that_share_and_one_at_least(router, answering, share, drawn):
    found = audited(router, share, frame=framed(40))

    assert drawn == len(found.rows) == found.frame()["prompt"].nunique()


def test_the_same_seed_draws_the_same_prompts_and_another_one_others(router, answering):
    first, again, other = (
        set(audited(router, 0.2, seed=seed, frame=framed(40)).frame()["prompt"])
        for seed in (3, 3, 4)
    )

    assert first == again != other


def test_a_session_is_audited_by_what_it_answered(router, answering):
    for prompt in prompts_of(3):
        router.route(prompt, system="Rhyme.", max_tokens=50, temperature=0.5)
    router.route("talk", thread="t")
    router.route("and then?", thread="t")
    router.compare("compared", ["LOW", "TOP"])
    first = router.route("climbed")
    router.escalate(first)
    answering.requests.clear()

    found = audited(router, 1)

    sent = [one.json for one in answering.requests]
    rows = found.frame().set_index("prompt")
    assert {"prompt 0", "prompt 1", "prompt 2", "talk", "climbed"} == set(rows.index)
    assert ("MID", "TOP") == (rows["picked"]["climbed"], rows["expensive"]["climbed"])
    assert {"medium": 4, "large": 1} == Counter(one["model"] for one in sent)
    shaped = next(one for one in sent if one["messages"][-1]["content"] == "prompt 0")
    assert ("Rhyme.", 50, 0.5) == (
        shaped["messages"][0]["content"],
        shaped.get("max_tokens", shaped.get("max_completion_tokens")),
        shaped["temperature"],
    )
    told = " ".join(str(found).split())
    assert "left out: 1 prompt that were compared" in told
    assert "left out: 1 prompt in the middle of a conversation" in told


def test_audits_are_in_the_ledger_with_their_purpose_and_are_no_results(router, answering):
    router.route("prompt")

    found = router.audit(1, judge="MID", progress=False, again=0)

    purposes = Counter(row["purpose"] for row in router.ledger.rows(session=router.session))
    assert {"answer": 1, "audit": 1, "judge": 2} == purposes
    assert 1 == router.report().results == len(router.history.results())
    spent = router.report().by_use["auditing"]
    assert spent.usd == found.cost.usd > 0
    assert router.audited is found
