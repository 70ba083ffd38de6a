"""How hard a model is asked to think: set, sent as each endpoint takes it, shown, priced, kept."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
from cells import desk_of, error_of, run
from conftest import LADDER
from loopback import Reply

from nbroute import Router
from nbroute.compare import Contender
from nbroute.errors import ReplayMiss
from nbroute.ladders import preset
from nbroute.notebook.lines import marks
from nbroute.types import Chunk, Message, Request

PROMPT = "Prove that the square root of 2 is irrational."
COUNTS = {"prompt_tokens": 20, "completion_tokens": 300, "total_tokens": 320}
THOUGHT = COUNTS | {"completion_tokens_details": {"reasoning_tokens": 280}}
REQUEST = Request("test", "some/model", (Message("user", PROMPT),), 64, effort="high")


@pytest.fixture
def router(make_router):
    """Its lowest tier has an effort."""
    low, *rest = LADDER.tiers
    return make_router(ladder=replace(LADDER, tiers=(replace(low, effort="high"), *rest)))


def test_each_host_is_asked_in_its_own_words_and_one_that_ignores_it_is_noted_once(connect):
    def answer(body):
        bodies.append(body)
        yield from ()

    for host, told in {
        "localhost:11434": {"max_tokens": 64, "reasoning_effort": "high"},
        "openrouter.ai": {"max_tokens": 64, "reasoning": {"effort": "high"}},
        "api.openai.com": {"max_completion_tokens": 64, "reasoning_effort": "high"},
        "api.anthropic.com": {"max_tokens": 64},
    }.items():
        bodies, ask = [], connect(f"https://{host}/v1/")._quirks.ask  # the real host is not asked
        notices = [[*ask(REQUEST, None, answer)] for _ in range(2)]
        said = f"some/model is asked without a reasoning effort: {host} does not take one"
        untaken = [Chunk(notice=said, effortless=True)] * (len(told) == 1)
        assert [untaken, []] == notices
        wanted = {"model": "some/model", "messages": [{"role": "user", "content": PROMPT}]} | told
        wanted |= {"stream": True, "stream_options": {"include_usage": True}}
        assert [wanted, wanted] == bodies


def test_what_was_thought_is_priced_and_shown_and_a_cut_answer_says_how_much_it_was(server, router):
    server.reply(text="Suppose it is p/q.", usage=THOUGHT, finish_reason="length")
    result = router.route(PROMPT)

    answer, price = result.answer, LADDER.tiers[0].price
    assert "high" == server.requests[0].json["reasoning_effort"]
    assert ("high", 280, 300) == (answer.effort, answer.reasoning_tokens, answer.output_tokens)
    assert (20 * price.input + 300 * price.output) / 1_000_000 == result.cost_usd
    assert {"small, high effort"} == set(router.report().by_model) == set(router.spend("model"))
    row = router.ledger.rows()[-1]
    assert ("high", 280) == (row["effort"], row["reasoning_tokens"])
    assert ["cut off by the token budget: 280 of 300 tokens were reasoning"] == marks(result)


def test_an_effort_that_is_refused_is_dropped_noted_once_and_not_shown(server, router):
    server.refuse("reasoning_effort")
    first, second = router.route(PROMPT), router.route(PROMPT, cache="refresh")
    kept = router.route(PROMPT)

    assert 3 == len(server.requests)
    (told,) = first.notices
    assert told.startswith("small is asked without a reasoning effort: ")
    assert () == second.notices == kept.notices
    assert kept.cached
    assert [None] * 3 == [one.answer.effort for one in (first, second, kept)]
    assert {"small"} == set(router.report().by_model)


def test_the_upper_tiers_of_the_preset_ladder_have_one():
    efforts = [tier.effort for tier in preset("four-tier", "openai").tiers]
    assert [None, None, "medium", "high"] == efforts


def test_a_contender_may_have_an_effort(make_router, server):
    contenders = [
        Contender("TOP:low", "TOP", "large", effort="low"),
        Contender("LOW:new:free:high", "LOW", "new:free", effort="high"),
        Contender("LOW:medium", "LOW", "medium"),  # MID has a model of that name
    ]
    words = ["TOP: Low", "LOW:new:free:high", "LOW:medium"]
    columns = make_router().compare(PROMPT, words).columns

    assert contenders == [column.contender for column in columns]
    efforts = {sent.json["model"]: sent.json.get("reasoning_effort") for sent in server.requests}
    assert {"large": "low", "new:free": "high", "medium": None} == efforts
    assert ["low", "high", None] == [column.result.answer.effort for column in columns]


def test_a_recording_keeps_efforts_apart(server, router, tmp_path):
    server.handler = lambda sent: Reply(text=sent.get("reasoning_effort", "none"), usage=THOUGHT)
    router.record(tmp_path / "efforts.jsonl")
    for effort in (None, "low"):
        router.route(PROMPT, effort=effort)
    router.close()

    with closing(Router(replay=tmp_path / "efforts.jsonl", classifier=lambda _: "LOW")) as replayed:
        results = [replayed.route(PROMPT, effort=effort) for effort in (None, "low")]
        with pytest.raises(ReplayMiss, match="with effort 'high', asked with 'medium'"):
            replayed.route(PROMPT, effort="medium")
    assert ["high", "low"] == [one.text for one in results] == [r.answer.effort for r in results]
    assert 280 == results[0].answer.reasoning_tokens


# in a notebook


def test_a_cell_asks_with_it_and_the_card_the_ladder_and_the_dry_run_show_it(
    shell, router, monkeypatch
):
    text, _ = run(shell, "%%route -t SIMPLE --effort high\nWhat is the capital of France?")
    assert "is asked without a reasoning effort: a simulated model does not think" in text
    assert "high effort" not in text
    monkeypatch.setattr(desk_of(shell), "router", router)
    for cell in (f"%%route\n{PROMPT}", "%route tiers", f"%%route -n\n{PROMPT}", "%route report"):
        assert "small, high effort" in run(shell, cell)[0], cell


def test_the_ladders_efforts_can_be_changed_for_the_session(shell):
    first, _ = run(shell, "%route tiers COMPLEX:High FRONTIER:low=simulated/gpt-4o")
    assert "COMPLEX now uses simulated/claude-sonnet-4, high effort" in first
    assert "FRONTIER now uses simulated/gpt-4o, low effort: $2.50 in" in first

    then, _ = run(shell, "%route tiers COMPLEX:none")
    assert "high effort" not in then
    assert "low effort" in then
    assert "did you mean 'high'" in error_of(shell, "%route tiers COMPLEX:hihg")
