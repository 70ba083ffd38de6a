"""What an answer took, as endpoints report it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from calls import events, said

from nbroute.errors import BadReply
from nbroute.notebook.render import View, written
from nbroute.providers.usage import Tally
from nbroute.types import Ladder, Tier, Usage


def usage_of(*events, whose="localhost some/model", headers=None):
    """What the events of one answer say in all; a whole answer is one."""
    tally = Tally(whose, headers)
    for event in events:
        tally.add(event)
    return tally.usage


def openai(given, taken, total=None, reasoning=None, **more):
    usage = {"prompt_tokens": given, "completion_tokens": taken, **more}
    usage |= {} if total is None else {"total_tokens": total}
    details = {"completion_tokens_details": {"reasoning_tokens": reasoning}}
    return {"usage": usage | ({} if reasoning is None else details)}


@pytest.mark.parametrize(
    ("whose", "event", "expected"),
    [
        # OpenAI counts it inside: https://platform.openai.com/docs/guides/reasoning
        ("host O3-mini", openai(10, 300, None, 256), Usage(10, 300, reasoning_tokens=256)),
        ("host deepseek-r", openai(10, 300, 0, 256), Usage(10, 300, reasoning_tokens=256)),
        ("openrouter.ai x", openai(10, 300, None, 300), Usage(10, 300, reasoning_tokens=300)),
        # xAI counts it apart: 32 + 9 + 94 = 135 in https://docs.x.ai/docs/guides/reasoning
        ("host grok-4", openai(10, 9, None, 5), Usage(10, 14, reasoning_tokens=5)),
        ("api.x.ai x", openai(32, 9, 135, 94), Usage(32, 103, reasoning_tokens=94)),
        # Perplexity's deep research: a total without what was reasoned.
        (
            "host sonar-deep-research",
            openai(33, 7163, 7196, reasoning_tokens=95305),
            Usage(33, 102468, reasoning_tokens=95305),
        ),
        # A vendor that is not known, and no total: the more expensive reading, an estimate.
        ("host m", openai(10, 300, None, 256), Usage(10, 556, 0, None, True, 256)),
        ("host m", openai(10, 300, 320, 256), Usage(10, 556, 0, None, True, 256)),
        ("host m", openai(10, 300, 320, 5), Usage(10, 310, 0, None, True, 5)),
        ("host m", openai(10, 300, 310, 256), Usage(10, 300, reasoning_tokens=256)),
        ("host m", openai(10, 5, 15, 256), Usage(10, 261, 0, None, True, 256)),
        # What the total adds is reasoning, and a bill is no estimate.
        ("host m", openai(10, 300, 320), Usage(10, 310)),
        ("host m", openai(10, 300, 320, 256, cost=1), Usage(10, 556, 0, 1, False, 256)),
    ],
)
def test_reasoning_is_paid_for_once(whose, event, expected):
    assert expected == usage_of(event, whose=whose)


COUNTS = openai(20, 5, 25)["usage"]
GEMINI = {"promptTokenCount": 20, "cachedContentTokenCount": 16, "candidatesTokenCount": 5}
GEMINI |= {"thoughtsTokenCount": 30, "totalTokenCount": 55}
ANTHROPIC = {"input_tokens": 4, "cache_read_input_tokens": 16, "output_tokens": 5}
BEDROCK = {"inputTokens": 4, "cacheReadInputTokens": 16, "cacheWriteInputTokens": 0}
BEDROCK |= {"outputTokens": 5, "totalTokens": 25}
COHERE = {
    "billed_units": {"input_tokens": 20, "output_tokens": 5},
    "tokens": {"input_tokens": 90, "output_tokens": 7},
}


@pytest.mark.parametrize(
    ("events", "usage"),
    [
        ([{"usage": None}, {"usage": COUNTS}], Usage(20, 5)),
        ([{"usage": COUNTS | {"cached_tokens": 16}}], Usage(20, 5, 16)),
        ([{"usage": COUNTS | {"prompt_tokens_details": {"cached_tokens": 99}}}], Usage(20, 5, 20)),
        ([{"usage": ANTHROPIC}], Usage(20, 5, 16)),
        ([{"usage": ANTHROPIC | {"cache_creation_input_tokens": 9}}], Usage(29, 5, 16, None, True)),
        ([{"usage": BEDROCK}], Usage(20, 5, 16)),
        # A total that has what was cached, or is written there, next to the prompt.
        ([openai(4, 5, 25, cache_read_input_tokens=16)], Usage(20, 5, 16)),
        ([openai(4, 5, 25, cache_creation_input_tokens=16)], Usage(20, 5, estimated=True)),
        ([{"usageMetadata": GEMINI}], Usage(20, 35, 16, reasoning_tokens=30)),
        ([{"usage": COHERE}], Usage(20, 5)),
        ([{"prompt_eval_count": 20, "eval_count": 5, "done": True}], Usage(20, 5)),
        # Not reported.
        ([openai(0, 0, 0, cost=0)], None),
        ([openai(20, 0, 20)], Usage(20, 0)),
        # Half of it is; the rest is our own count, or what the total leaves.
        ([{"usage": {"prompt_tokens": 20}}], Usage(20, estimated=True)),
        ([{"usage": {"prompt_tokens": 20, "total_tokens": 25}}], Usage(20, 5, estimated=True)),
        ([openai(0, 5, 25)], Usage(20, 5, estimated=True)),
        *[
            ([openai(wrong, 5)], Usage(0, 5, estimated=True))
            for wrong in (43.0, "43", -1, True, None, [], 10**9)
        ],
        # A bill counts without tokens.
        ([{"usage": {"cost": 0.002}}], Usage(billed_usd=Decimal("0.002"), estimated=True)),
    ],
)
def test_a_usage_is_found_where_and_as_the_endpoint_reports_it(events, usage):
    assert usage == usage_of(*events)


HEAD = {"message": {"usage": ANTHROPIC | {"output_tokens": 1}}}


@pytest.mark.parametrize(
    ("events", "usage"),
    [
        # Anthropic's: the prompt at the head, the answer cumulative at the end.
        ([HEAD, {"usage": ANTHROPIC}], Usage(20, 5, 16)),
        ([HEAD, {"usage": {"input_tokens": 0, "output_tokens": 5}}], Usage(20, 5, 16)),
        # Gemini and vLLM (continuous_usage_stats) count on in each chunk.
        ([openai(20, taken, 20 + taken) for taken in range(6)], Usage(20, 5)),
        ([openai(20, 5, 25), openai(0, 0, 0)], Usage(20, 5)),
    ],
)
def test_what_the_chunks_of_a_stream_report_is_put_together(events, usage):
    assert usage == usage_of(*events)


def billed(usd, **bill):
    return [{"usage": COUNTS | bill}], Usage(20, 5, 0, usd and Decimal(usd))


@pytest.mark.parametrize(
    ("events", "usage"),
    [
        billed("0.0021", cost="0.0021"),
        billed("0", cost=0),
        # https://github.com/BerriAI/litellm/issues/38802 (DeepInfra)
        billed("0.000008775", estimated_cost=8.775e-06),
        # https://github.com/pydantic/pydantic-ai/issues/7033 (Vercel)
        billed("0.00001316", cost=1.316e-05, market_cost=2e-05, gateway_cost=2e-05),
        # https://openrouter.ai/docs/use-cases/usage-accounting
        billed("19.95", cost=0.95, cost_details={"upstream_inference_cost": 19}),
        billed("2", cost=2, is_byok=False, cost_details={"upstream_inference_cost": 9}),
        billed("1", cost=1, is_byok=True, cost_details={"upstream_inference_cost": None}),
        billed("0.25", cost_in_usd_ticks=2_500_000_000),
        *[billed(None, cost=one) for one in (True, {"total": 1}, "free", -1, "NaN", 1e9)],
    ],
)
def test_a_bill_is_read_as_the_endpoint_writes_it(events, usage):
    assert usage == usage_of(*events)


NO_COST = ("0.0", "None", "-1", "NaN", "0.5, 0.5", "1e10", "\u0663", "1e1000")


@pytest.mark.parametrize(("cost", "usd"), [("1.5e-06", "0.0000015"), *((n, None) for n in NO_COST)])
def test_a_litellm_proxy_puts_the_cost_of_a_whole_answer_in_a_header(cost, usd):
    # https://docs.litellm.ai/docs/proxy/response_headers
    heading, counts = {"x-litellm-response-cost": cost}, {"usage": COUNTS}
    streamed = heading | {"content-type": "text/event-stream; charset=utf-8"}

    assert Usage(20, 5, 0, usd and Decimal(usd)) == usage_of(counts, headers=heading)
    assert Usage(20, 5) == usage_of(counts, headers=streamed)
    both = usage_of({"usage": COUNTS | {"cost": 0.5}}, headers=heading)
    assert Decimal("0.5") == both.billed_usd


def test_a_bill_counts_where_the_tokens_do_not_and_reasoning_is_paid_for(server, router):
    prose = "The committee will publish its findings in the spring, after a public hearing. " * 40
    server.reply(text=prose, usage=openai(9, 2)["usage"], cost=0.25)
    thinking = said("Yes.", "stop", usage=openai(9, 2)["usage"])
    thinking["choices"][0]["delta"]["reasoning_content"] = prose
    server.reply(**events(thinking))
    billed, thought = (router.route(prompt, max_tokens=4000) for prompt in ("Hi", "Think"))

    assert (Decimal("0.25"), "billed") == (billed.cost_usd, billed.cost_source)
    assert (790, 791) == (billed.usage.output_tokens, thought.usage.output_tokens)


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (openai(9, 64)["usage"], "0.000411"),
        (openai(0, 64)["usage"], "0.000387"),  # and a token of the prompt's, by our own count
        ({"cost": 0.25}, "0.25"),
        (None, "0"),
    ],
)
def test_an_empty_answer_is_paid_for_where_the_endpoint_says_so(server, router, usage, usd):
    server.reply(text="", finish_reason="length", usage=usage)
    with pytest.raises(BadReply, match="used up its budget") as caught:
        router.route("Hi", tier="MID")
    assert Decimal(usd) == caught.value.result.attempts[0].cost_usd


@pytest.mark.parametrize(
    ("models", "usd", "shown"),
    [
        (("fast", "gpt-4o-mini-2024-07-18"), "0.15", "fast (answered by gpt-4o-mini-2024-07-18)"),
        # It costs what the model that was asked for costs.
        (("gpt-4o", "gpt-4o-mini"), "2.5", "gpt-4o (answered by gpt-4o-mini)"),
        (("fast", "fast"), None, "fast \u00b7"),
    ],
)
def test_the_model_that_answered_is_named_and_paid_for(server, make_router, models, usd, shown):
    asked, answered = models
    tier = Tier("LOW", "loop", asked, 64)
    router = make_router(ladder=Ladder("one", (tier,), "LOW"))
    server.reply(text="Yes.", usage=openai(1_000_000, 1)["usage"], model=answered)
    result = router.route("Hi")

    row = router.ledger.rows()[-1]
    assert (asked, answered) == (result.model, result.answered_by)
    assert answered == (row["answered_by"] or row["model"])
    assert (usd and Decimal(usd)) == (result.cost_usd and round(result.cost_usd, 4))
    assert shown in written(View((result,)))
    assert result.cost_usd == router.what_if().rows()[0].cost_would_be.usd
