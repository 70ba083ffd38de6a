"""A dry run says what would be sent and cost, also where a model is asked for the tier."""

from __future__ import annotations

from decimal import Decimal

import pytest
from loopback import Reply

from nbroute.errors import BudgetExceeded
from nbroute.notebook import tables
from nbroute.pricing import prompt_tokens
from nbroute.types import Message

VAGUE = "The plan, and what speaks against it."


@pytest.mark.parametrize("classifier", ["model", "hybrid"])
def test_a_model_that_is_asked_for_the_tier_is_named_and_priced_as_it_will_be_asked(
    make_router, server, classifier
):
    server.handler = lambda _: Reply(text="MID")
    router = make_router(classifier=classifier)

    explained = router.explain(VAGUE)
    shown, asking = repr(tables.dry_run(explained)), explained.asking

    assert [] == server.requests
    assert "first small is asked for the tier, for $" in shown
    assert f"{explained.plan.steps[0].tier.name} is a guess" in shown
    assert sum(cost.usd for cost in explained.steps.values()) > asking.high.usd > 0
    router.classify(VAGUE)
    (sent,) = (seen.json for seen in server.requests)
    messages = [Message(one["role"], one["content"]) for one in sent["messages"]]
    assert ("small", 10) == (asking.model, asking.max_tokens)
    assert ("small", 10) == (sent["model"], sent["max_tokens"])
    assert prompt_tokens(messages) == asking.input_tokens
    assert router.explain(VAGUE, tier="MID").asking is None
    assert make_router(classifier="hybrid").explain("What is 2 + 2?").asking is None


def test_max_cost_is_held_against_the_sum_and_a_refusal_names_what_would_be_enough(
    make_router, server
):
    router = make_router(classifier="model")
    steps = router.explain(VAGUE).steps
    total = sum(cost.usd for cost in steps.values())

    short = router.explain(VAGUE, max_cost=total - Decimal("0.000001"))
    with pytest.raises(BudgetExceeded) as caught:
        router.route(VAGUE, max_cost="0.00001")

    assert all(name in short.refusal for name in steps)
    assert short.refusal in repr(tables.dry_run(short))
    told = str(caught.value)
    assert "asking small for the tier $" in told
    assert " + MID $" in told
    enough = told.partition("raise --max-cost to $")[2].partition(",")[0]
    assert ["", ""] == [router.explain(VAGUE, max_cost=it).refusal for it in (total, enough)]
    assert [] == server.requests

    server.handler = lambda _: Reply(text="TOP")  # what was paid for the tier counts
    with pytest.raises(BudgetExceeded, match=r"asking small for the tier \$.* \+ TOP \$"):
        router.route(VAGUE, max_cost="0.001")
    assert 1 == len(server.requests)
