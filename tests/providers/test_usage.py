"""What an answer took, as endpoints report it."""

from __future__ import annotations

import json
from decimal import Decimal
from operator import itemgetter
from pathlib import Path

import pytest
from calls import events, said

from nbroute.errors import BadReply
from nbroute.notebook.render import View, written
from nbroute.providers.usage import Tally
from nbroute.types import Ladder, Tier, Usage

#: What endpoints send, and what is read of it: only what is not the default.
DATA = json.loads((Path(__file__).parents[1] / "data" / "usage.json").read_text("utf-8"))


def usage_of(*events, whose="localhost some/model", headers=None):
    """What the events of one answer say in all; a whole answer is one."""
    tally = Tally(whose, headers)
    for event in events:
        tally.add(event)
    return tally.usage


@pytest.mark.parametrize("row", DATA, ids=itemgetter("case"))
def test_a_usage_is_read_as_the_endpoint_reports_it(row):
    expected = row["usage"]
    if expected and "billed_usd" in expected:
        expected |= {"billed_usd": Decimal(expected["billed_usd"])}

    whose = row.get("whose", "localhost some/model")
    assert (expected and Usage(**expected)) == usage_of(*row["events"], whose=whose)


def counted(given, taken):
    return {"prompt_tokens": given, "completion_tokens": taken}


COUNTS = counted(20, 5)
NO_COST = ("0.0", "None", "-1", "NaN", "0.5, 0.5", "1e10", "\u0663", "1e1000")


def test_a_litellm_proxy_puts_the_cost_of_a_whole_answer_in_a_header():
    # https://docs.litellm.ai/docs/proxy/response_headers
    for cost, usd in {"1.5e-06": Decimal("0.0000015"), **dict.fromkeys(NO_COST)}.items():
        heading, counts = {"x-litellm-response-cost": cost}, {"usage": COUNTS}
        streamed = heading | {"content-type": "text/event-stream; charset=utf-8"}
        assert Usage(20, 5, 0, usd) == usage_of(counts, headers=heading)
        assert Usage(20, 5) == usage_of(counts, headers=streamed)
        both = usage_of({"usage": COUNTS | {"cost": 0.5}}, headers=heading)
        assert Decimal("0.5") == both.billed_usd


def test_a_bill_counts_where_the_tokens_do_not_and_reasoning_is_paid_for(server, router):
    prose = "The committee will publish its findings in the spring, after a public hearing. " * 40
    server.reply(text=prose, usage=counted(9, 2), cost=0.25)
    thinking = said("Yes.", "stop", usage=counted(9, 2))
    thinking["choices"][0]["delta"]["reasoning_content"] = prose
    server.reply(**events(thinking))
    billed, thought = (router.route(prompt, max_tokens=4000) for prompt in ("Hi", "Think"))

    assert (Decimal("0.25"), "billed") == (billed.cost_usd, billed.cost_source)
    assert (790, 791) == (billed.usage.output_tokens, thought.usage.output_tokens)


def test_an_empty_answer_is_paid_for_where_the_endpoint_says_so(server, router):
    for usage, usd in (
        (counted(9, 64), "0.000411"),
        (counted(0, 64), "0.000387"),  # and a token of the prompt's, by our own count
        ({"cost": 0.25}, "0.25"),
        (None, "0"),
    ):
        server.reply(text="", finish_reason="length", usage=usage)
        with pytest.raises(BadReply, match="used up its budget") as caught:
            router.route("Hi", tier="MID")
        assert Decimal(usd) == caught.value.result.attempts[0].cost_usd


def test_the_model_that_answered_is_named_and_paid_for(server, make_router):
    for asked, answered, usd, shown in (
        ("fast", "gpt-4o-mini-2024-07-18", "0.15", "fast (answered by gpt-4o-mini-2024-07-18)"),
        # It costs what the model that was asked for costs.
        ("gpt-4o", "gpt-4o-mini", "2.5", "gpt-4o (answered by gpt-4o-mini)"),
        ("fast", "fast", None, "fast \u00b7"),
    ):
        router = make_router(ladder=Ladder("one", (Tier("LOW", "loop", asked, 64),), "LOW"))
        server.reply(text="Yes.", usage=counted(1_000_000, 1), model=answered)
        result = router.route("Hi", cache="off")

        row = router.ledger.rows()[-1]
        assert (asked, answered) == (result.model, result.answered_by)
        assert answered == (row["answered_by"] or row["model"])
        assert (usd and Decimal(usd)) == (result.cost_usd and round(result.cost_usd, 4))
        assert shown in written(View((result,)))
        assert result.cost_usd == router.what_if().rows()[-1].cost_would_be.usd
