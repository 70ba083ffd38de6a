"""The sentence, over a real HTTP server and a real ledger."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from loopback import Reply

from nbroute import errors
from nbroute.types import (
    Attempted,
    Classified,
    Done,
    Escalated,
    Ladder,
    Sent,
    Text,
    Tier,
    Verdict,
)

USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}


def rows(router):
    return router.ledger.rows(session=router.session)


def test_an_answer_comes_with_tier_model_tokens_and_cost(router, server):
    server.reply(text="Paris.", usage=USAGE)

    result = router.route("What is the capital of France?")

    assert ("Paris.", "LOW", "small") == (result.text, result.tier, result.model)
    assert (1000, 500) == (result.usage.input_tokens, result.usage.output_tokens)
    assert Decimal("0.002") == result.cost_usd
    assert "configured" == result.cost_source
    assert not result.cached
    assert not result.escalated


def test_the_tiers_system_prompt_and_token_budget_are_sent(router, server):
    router.route("hello there")

    sent = server.requests[0].json
    assert "Be brief." == sent["messages"][0]["content"]
    assert 64 == sent["max_tokens"]
    assert sent["stream"] is True


def test_what_the_caller_says_overrides_the_tier(router, server):
    router.route("hello", tier="top", system="Sing.", max_tokens=7, temperature=0.5, stream=False)

    sent = server.requests[0].json
    assert ("large", 7, 0.5) == (sent["model"], sent["max_tokens"], sent["temperature"])
    assert "Sing." == sent["messages"][0]["content"]
    assert not sent.get("stream")


def test_a_forced_tier_is_not_classified(make_router):
    def never(prompt):
        raise AssertionError(prompt)

    result = make_router(classifier=never).route("hello", tier="MID")

    assert ("MID", "forced") == (result.tier, result.decision.classifier)


def test_a_billed_cost_beats_the_configured_price(router, server):
    server.reply(text="Paris.", usage=USAGE, cost=0.000042)

    result = router.route("What is the capital of France?")

    assert (Decimal("0.000042"), "billed") == (result.cost_usd, result.cost_source)


def test_the_events_come_in_the_order_of_the_sentence(router, server):
    server.reply(text="Paris it is.", chunks=["Paris ", "it is."])
    seen = []

    result = router.route("Where?", observe=seen.append)

    kinds = [Classified, Sent, Text, Text, Attempted, Done]
    assert kinds == [type(event) for event in seen]
    assert result == seen[-1].result


def test_an_observer_that_breaks_does_not_break_the_call(router, caplog):
    def broken(event):
        raise ValueError("boom")

    assert "ok" == router.route("hello", observe=broken).text
    assert "observer failed" in caplog.text


@pytest.mark.parametrize("status", [429, 500, 503, 404])
def test_a_fallback_model_answers_an_error_and_both_are_recorded(router, server, status):
    server.reply(status=status, error="not now")
    server.reply(text="from the second")

    result = router.route("hello")

    assert ("small-2", "from the second") == (result.model, result.text)
    assert ["error", "ok"] == [row["status"] for row in rows(router)]
    assert "not now" in rows(router)[0]["error"]
    assert 0 == rows(router)[0]["cost_usd"]


@pytest.mark.parametrize(
    ("status", "error"), [(401, errors.AuthError), (400, errors.RequestRejected)]
)
def test_a_bad_key_or_a_bad_request_stops_at_once(router, server, status, error):
    server.reply(status=status, error="no")

    with pytest.raises(error):
        router.route("hello")

    assert 1 == len(server.requests)
    assert ["error"] == [row["status"] for row in rows(router)]


def test_when_all_models_fail_the_error_names_each(router, server):
    server.reply(status=500, error="first down")
    server.reply(status=429, error="second full")

    with pytest.raises(errors.AllModelsFailed, match=r"small: Unavailable.*small-2: RateLimited"):
        router.route("hello")

    assert 2 == len(rows(router))


def test_a_model_is_not_switched_once_text_was_shown(router, server):
    server.reply(text="one two three four", cut_after=2)

    with pytest.raises(errors.Unavailable) as caught:
        router.route("hello")

    assert 1 == len(server.requests)
    assert "one two" in caught.value.result.text
    (row,) = rows(router)
    assert ("error", "estimated") == (row["status"], row["cost_source"])
    assert row["cost_usd"] > 0


def test_a_broken_reply_that_was_not_shown_falls_back(router, server):
    server.reply(html=True)
    server.reply(text="fine")

    assert "fine" == router.route("hello", stream=False).text


def test_the_same_request_is_answered_from_the_cache_at_no_cost(router, server):
    server.reply(text="Paris.", usage=USAGE)
    router.route("Where?")

    again = router.route("Where?")

    assert 1 == len(server.requests)
    assert again.cached
    assert ("Paris.", Decimal(0)) == (again.text, again.cost_usd)
    assert 1000 == again.usage.input_tokens


def test_cache_modes_off_and_refresh_send_again(router, server):
    router.route("Where?")
    router.route("Where?", cache="off")
    server.reply(text="newer")
    router.route("Where?", cache="refresh")

    assert 3 == len(server.requests)
    assert "newer" == router.route("Where?").text


def test_cache_mode_only_sends_nothing(router, server):
    with pytest.raises(errors.ReplayMiss, match="cache mode 'only'"):
        router.route("never asked", cache="only")

    assert [] == server.requests


def test_an_escalation_asks_the_next_tier_and_is_linked(router, server):
    first = router.route("hello")

    second = router.escalate(first)

    assert ("MID", first) == (second.tier, second.parent)
    assert second.escalated
    assert first.id == rows(router)[1]["parent"]
    assert "escalated from LOW" in second.decision.reason


def test_at_the_top_an_escalation_says_so(router):
    top = router.route("hello", tier="TOP")

    with pytest.raises(errors.SettingsError, match="TOP is the top tier"):
        router.escalate(top)


def test_a_rerun_on_a_lower_tier_is_no_escalation(router):
    top = router.route("hello", tier="TOP")

    assert not router.escalate(top, "LOW").escalated


def test_a_cascade_climbs_until_a_check_passes(router, server):
    server.reply(text="bad")
    server.reply(text="good")
    seen = []

    def is_good(reply):
        return Verdict(reply.text == "good", "is_good", "not good")

    result = router.route("hello", strategy="cascade", checks=[is_good], observe=seen.append)

    assert ("good", "MID", True) == (result.text, result.tier, result.escalated)
    assert ["rejected", "ok"] == [attempt.status for attempt in result.attempts]
    assert ["MID"] == [event.tier for event in seen if isinstance(event, Escalated)]
    assert ["rejected", "ok"] == [row["status"] for row in rows(router)]


def test_a_cascade_that_never_passes_returns_the_last_answer_and_says_so(router):
    def never(reply):
        return Verdict(False, "never", "no good")

    result = router.route("hello", strategy="cascade", checks=[never])

    assert "TOP" == result.tier
    assert ["no good"] == [v.reason for v in result.verdicts if not v.passed]


def test_json_is_asked_for_and_checked(router, server):
    server.reply(text='{"a": 1}')

    result = router.route("give me json", json=True)

    assert {"type": "json_object"} == server.requests[0].json["response_format"]
    assert all(verdict.passed for verdict in result.verdicts)


def test_a_model_classifier_is_paid_for_and_decides(make_router, server):
    server.reply(text="TOP", usage=USAGE)
    server.reply(text="deep thought", usage=USAGE)
    router = make_router(classifier="model")

    result = router.route("hello")

    assert ("TOP", "model") == (result.tier, result.decision.classifier)
    assert ["classify", "answer"] == [attempt.purpose for attempt in result.attempts]
    assert Decimal("0.002") + Decimal("0.025") == result.cost_usd


def test_a_model_classifier_that_talks_falls_to_the_default_tier(make_router, server):
    server.reply(text="I think this is rather TOP")
    router = make_router(classifier="model")

    result = router.route("hello")

    assert "LOW" == result.tier
    assert result.decision.defaulted


@pytest.mark.parametrize(
    "failure",
    [
        {"status": 503, "error": "busy"},
        {"status": 401, "error": "no such key"},
        {"status": 403, "error": "flagged by moderation"},
        {"status": 404, "error": "no such model"},
        {"html": True},
        {"body": {}},
    ],
)
def test_a_classifier_out_of_order_does_not_stop_the_answer(make_router, server, failure):
    server.handler = lambda sent: Reply(**({} if sent["stream"] else failure))
    router = make_router(classifier="model")

    result = router.route("hello")

    assert ("ok", "LOW") == (result.text, result.tier)
    assert result.decision.defaulted
    assert "so the default LOW" in result.decision.reason
    *failed, answer = (attempt.status for attempt in result.attempts)
    assert ({"error"}, "ok") == ({*failed}, answer)


def reasoning(sent):
    """A model that thinks for 300 tokens before it says anything."""
    if sent["stream"]:
        return Reply()
    cut = {"role": "assistant", "content": "", "reasoning_content": "Well, the request"}
    body = {"choices": [{"message": cut, "finish_reason": "length"}], "usage": USAGE}
    return Reply(body=body) if sent["max_tokens"] < 300 else Reply(text="TOP")


def test_a_classifier_that_thinks_before_it_answers_gets_room_and_keeps_it(make_router, server):
    server.handler = reasoning
    router = make_router(classifier="model")

    results = [router.route(prompt) for prompt in ("hello", "good morning")]

    assert ["TOP", "TOP"] == [result.tier for result in results]
    assert [2, 1] == [sum(a.purpose == "classify" for a in r.attempts) for r in results]
    asked = [seen.json["max_tokens"] for seen in server.requests if not seen.json["stream"]]
    assert asked[0] < 300 < asked[1] == asked[2]


def test_a_budget_with_no_room_for_thought_leaves_the_default_tier(make_router, server):
    server.handler = reasoning

    result = make_router(classifier="model").route("hello", max_cost="0.004")

    assert ("ok", "LOW") == (result.text, result.tier)
    assert result.decision.defaulted


def test_an_answer_has_what_the_prompt_leaves_of_the_tiers_own_context(make_router, server):
    tier = Tier("LOW", "loop", "small", 64, context=100)
    router = make_router(ladder=Ladder("one", (tier,), "LOW"))

    for words in (4, 60, 400):
        router.route("word " * words)

    assert [64, 25, 64] == [seen.json["max_tokens"] for seen in server.requests]


def test_classify_sends_nothing_with_rules(make_router, server):
    decision = make_router(classifier="ngrams").classify("What is the capital of France?")

    assert "LOW" == decision.tier
    assert [] == server.requests


def test_a_dry_run_sends_nothing_and_has_a_range_for_every_tier(make_router, server):
    explained = make_router(classifier="model").explain("hello", max_tokens=100)

    assert [] == server.requests
    assert ["LOW", "MID", "TOP"] == [estimate.tier for estimate in explained.estimates]
    assert all(e.low.usd < e.high.usd for e in explained.estimates)
    assert "hello" == explained.requests[0].messages[-1].content


def test_a_stream_yields_pieces_and_has_the_result_at_the_end(router, server):
    server.reply(text="one two", chunks=["one ", "two"])

    stream = router.stream("hello")

    assert ["one ", "two"] == list(stream)
    assert "one two" == stream.result.text


def test_a_stream_raises_what_route_would(router, server):
    server.reply(status=401, error="no")

    with pytest.raises(errors.AuthError):
        list(router.stream("hello"))


@pytest.mark.parametrize("prompt", ["", "   \n\t ", "\x00\x01"])
def test_an_empty_prompt_is_refused(router, server, prompt):
    with pytest.raises(errors.PromptError, match="empty"):
        router.route(prompt)

    assert [] == server.requests


def test_a_prompt_of_a_megabyte_is_refused_with_its_cost_range(router, server):
    with pytest.raises(
        errors.PromptError, match=r"1,048,576 characters.*\$.* on LOW to \$.* on TOP"
    ):
        router.route("x" * 2**20)

    assert [] == server.requests


def test_a_prompt_that_is_no_text_is_refused(router):
    with pytest.raises(errors.PromptError, match="not int: 7"):
        router.route(7)


@pytest.mark.parametrize("prompt", ["🧮 π ≈ 3", "مرحبا بالعالم", "नमस्ते", "e\u0301tude", "a\u202eb"])
def test_unicode_arrives_as_it_was_written(router, server, prompt):
    router.route(prompt)

    assert prompt == server.requests[0].json["messages"][-1]["content"]


def test_control_characters_are_taken_out_and_the_user_is_told(router, server):
    result = router.route("a\x00b\x1b[31m \ud83d c")

    assert "ab[31m  c" == server.requests[0].json["messages"][-1]["content"]
    assert any("3 control characters" in notice for notice in result.notices)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tier": "MIDDLE"}, "did you mean 'MID'"),
        ({"strategy": "cascde"}, "did you mean 'cascade'"),
        ({"classifier": "ngramz"}, "did you mean 'ngrams'"),
        ({"tires": "LOW"}, "unknown option 'tires': did you mean 'tiers'"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"max_cost": -1}, "max_cost is -1"),
        ({"start": "LOW"}, "is for a cascade"),
        ({"cache": "on"}, "unknown cache mode 'on'"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_sent(router, server, options, message):
    with pytest.raises(errors.SettingsError, match=message):
        router.route("hello", **options)

    assert [] == server.requests


def test_what_could_cost_more_than_max_cost_is_not_sent(router, server):
    with pytest.raises(errors.BudgetExceeded, match="--max-cost"):
        router.route("hello", tier="TOP", max_cost="0.0001")

    assert [] == server.requests


def test_an_unknown_price_cannot_keep_a_limit_and_costs_unknown(make_router, server):
    from dataclasses import replace

    from conftest import LADDER

    bare = replace(LADDER, tiers=tuple(replace(t, price=None) for t in LADDER.tiers))
    router = make_router(ladder=bare)

    result = router.route("hello")

    assert (None, "unknown") == (result.cost_usd, result.cost_source)
    with pytest.raises(errors.BudgetExceeded, match="price is not known"):
        router.route("hello again", max_cost=1)


def test_a_stop_from_another_thread_keeps_what_had_arrived(router, server):
    server.reply(text="one two three", stall_after=2)
    cancel = threading.Event()
    seen = []

    def watch(event):
        seen.append(event)
        if sum(isinstance(e, Text) for e in seen) == 2:
            cancel.set()

    with pytest.raises(errors.Interrupted) as caught:
        router.route("hello", observe=watch, cancel=cancel)

    assert "one two" == caught.value.result.text.strip()
    (row,) = rows(router)
    assert ("interrupted", "estimated") == (row["status"], row["cost_source"])
    assert row["cost_usd"] > 0


def test_a_stop_works_while_the_server_is_silent(make_router, server):
    server.reply(delay=30)
    router = make_router(timeout_s=60)
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()

    with pytest.raises(errors.Interrupted):
        router.route("hello", cancel=cancel)

    assert "interrupted" == rows(router)[0]["status"]


def test_a_silent_server_times_out_and_the_next_model_is_asked(make_router, server):
    server.reply(delay=30)
    server.reply(text="quick")
    router = make_router(timeout_s=0.3)

    result = router.route("hello")

    assert "quick" == result.text
    assert "TimedOut" in result.attempts[0].error
    assert "estimated" == result.attempts[0].cost_source


def test_no_server_is_said_plainly(make_router):
    router = make_router(url="http://127.0.0.1:9/v1")

    with pytest.raises(errors.AllModelsFailed, match=r"127\.0\.0\.1:9"):
        router.route("hello")


def test_a_ledger_that_cannot_be_written_costs_a_warning_and_no_answer(make_router, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    router = make_router(ledger=tmp_path / "file" / "ledger.sqlite")

    first, second = router.route("hello"), router.route("hello again")

    assert ["ok", "ok"] == [first.text, second.text]
    assert any("could not be recorded" in notice for notice in first.notices)
    assert () == second.notices
    assert 2 == router.spend().calls


def test_a_ledger_that_fails_again_is_told_again(make_router, tmp_path):
    blocked = tmp_path / "folder"
    router = make_router(ledger=blocked / "ledger.sqlite")
    told = []
    for blocks in (True, True, False, False, True, True):
        router.ledger.close()
        shutil.rmtree(blocked, ignore_errors=True)
        blocked.unlink(missing_ok=True)
        if blocks:
            blocked.write_text("not a folder")
        told.append(len(router.route("hello").notices))

    assert [1, 0, 0, 0, 1, 0] == told


def test_a_running_attempt_is_in_the_ledger_before_it_has_ended(router, server):
    server.reply(text="one two", chunks=["one ", "two"], pause=0.1)
    during = []

    def look(event):
        if isinstance(event, Text):
            during.append(rows(router)[0]["status"])

    router.route("hello", observe=look)

    assert "running" == during[0]
    assert ["ok"] == [row["status"] for row in rows(router)]


def test_the_ledger_keeps_no_prompt_and_no_answer_unless_asked(router):
    router.route("a secret prompt")

    (row,) = rows(router)
    assert (None, None) == (row["prompt"], row["text"])
    assert 12 == len(row["msg_hash"])


def test_many_threads_share_a_router(router, server):
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: router.route(f"hello {n}"), range(40)))

    assert 40 == len({result.id for result in results})
    assert 40 == router.spend().calls
    assert 40 == len(server.requests)


def test_spend_and_report_name_the_baseline_and_are_net(router, server):
    server.reply(text="x", usage=USAGE)
    router.route("hello")

    report = router.report()

    assert "TOP" == report.baseline
    assert Decimal("0.025") - Decimal("0.002") == report.saving.usd
    assert Decimal("0.002") == router.spend("tier")["LOW"].usd


def test_a_key_is_in_no_repr_and_no_row(router, server):
    server.reply(status=401, error="Incorrect API key provided: sk-test-0123456789")

    with pytest.raises(errors.AuthError) as caught:
        router.route("hello")

    told = f"{router!r} {router.parts!r} {caught.value} {rows(router)!r}"
    assert "sk-test-0123456789" not in told


def test_a_session_budget_refuses_before_sending(make_router, server, tmp_path):
    (tmp_path / "nbroute" / "nbroute.toml").write_text("[nbroute]\nbudget_usd = 0.004\n")
    router = make_router()
    server.reply(text="x", usage=USAGE | {"completion_tokens": 1400})
    router.route("hello")

    with pytest.raises(errors.BudgetExceeded, match="budget"):
        router.route("and now a longer one", max_tokens=400)

    assert 1 == len(server.requests)


def test_the_classifiers_word_is_never_the_answer(make_router, server):
    server.reply(text="TOP", usage=USAGE)
    router = make_router(classifier="model")

    with pytest.raises(errors.BudgetExceeded) as caught:
        router.route("hello", max_cost="0.003")

    assert "" == caught.value.result.text
    assert Decimal("0.002") == caught.value.result.cost_usd


def test_a_failed_model_does_not_taint_where_the_cost_comes_from(router, server):
    server.reply(status=429, error="full")
    server.reply(text="hi", usage=USAGE, cost=0.001)

    result = router.route("hello")

    assert (Decimal("0.001"), "billed") == (result.cost_usd, result.cost_source)


def test_a_check_may_return_a_bool_and_one_that_raises_is_a_verdict(router):
    def broken(reply):
        raise ZeroDivisionError("by nothing")

    assert router.route("hello", checks=[lambda reply: True]).verdicts[0].passed
    verdict = router.route("hello again", checks=[broken]).verdicts[0]
    assert (False, "the check raised ZeroDivisionError: by nothing") == (
        verdict.passed,
        verdict.reason,
    )


def test_a_cascade_goes_on_past_a_tier_that_fails_and_keeps_the_best_answer(router, server):
    server.reply(text="weak answer")
    server.reply(status=401, error="no")
    server.reply(status=401, error="no")

    result = router.route("hello", strategy="cascade", checks=[lambda reply: "too weak"])

    assert ("weak answer", "LOW", False) == (result.text, result.tier, result.passed)
    assert ["LOW", "MID", "TOP"] == [attempt.tier for attempt in result.attempts]
    told = " ".join(result.notices)
    assert "MID could not be asked" in told
    assert "TOP could not be asked" in told


def test_an_interrupt_in_a_check_keeps_the_answer_that_was_paid_for(router, server):
    def interrupted(reply):
        raise KeyboardInterrupt

    server.reply(text="paid")

    with pytest.raises(errors.Interrupted) as caught:
        router.route("hello", checks=[interrupted])

    assert "paid" == caught.value.result.text


def test_a_result_of_another_ladder_is_escalated_by_naming_a_tier(make_router, router):
    from dataclasses import replace

    from conftest import LADDER

    foreign = router.route("hello")
    renamed = tuple(replace(t, name=f"{t.name}2") for t in LADDER.tiers)
    other = make_router(ladder=replace(LADDER, tiers=renamed, default="LOW2"))

    with pytest.raises(errors.SettingsError, match="'LOW' is not a tier of ladder"):
        other.escalate(foreign)
    assert "TOP2" == other.escalate(foreign, "TOP2").tier


def test_a_replay_finds_the_answer_that_a_fallback_gave(router, server):
    server.reply(status=500, error="down")
    server.reply(text="second")
    router.route("hello")

    assert "second" == router.route("hello", cache="only").text


def test_max_cost_holds_for_all_that_one_call_sends(router, server):
    server.reply(text="x", usage=USAGE)

    with pytest.raises(errors.BudgetExceeded, match="it was not sent"):
        router.route(
            "hello", strategy="cascade", max_cost="0.0021", checks=[lambda reply: "no good"]
        )

    assert 1 == len(server.requests)


def test_a_stream_of_a_cascade_is_refused_and_a_stream_is_read_once(router):
    with pytest.raises(errors.SettingsError, match="cannot be streamed"):
        router.stream("hello", strategy="cascade")
    stream = router.stream("hello")
    assert ["ok"] == [piece.strip() for piece in stream]
    with pytest.raises(errors.SettingsError, match="read once"):
        list(stream)


def test_a_provider_of_ones_own_classifies_too_whatever_the_environment(monkeypatch, server):
    from nbroute.providers.openai_compatible import OpenAICompatible
    from nbroute.router import Router

    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-elsewhere")
    mine = OpenAICompatible("mine", server.url, "sk-mine")
    router = Router(provider=mine, classifier="model")

    assert "ok" == router.route("hello").text
    assert 2 == len(server.requests)
    router.close()


@pytest.mark.parametrize(
    "options",
    [{"tier": 5}, {"max_tokens": "5"}, {"temperature": "hot"}, {"checks": 3}, {"max_cost": "nan"}],
)
def test_an_option_of_a_wrong_kind_is_named(router, options):
    with pytest.raises(errors.SettingsError, match=next(iter(options))):
        router.route("hello", **options)
