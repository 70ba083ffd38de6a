"""A recording answers instead of the models: nothing is sent, and a miss says what was asked."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path

import pytest
from cells import error_of, run

import nbroute
from nbroute.errors import AllModelsFailed, ReplayMiss, SettingsError

FRANCE = "What is the capital of France?"
HAIKU = "Write a haiku about rain."
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def strategies(router):
    """Results of each way to route a prompt; all of them follow from the answers."""
    first = router.route(FRANCE)
    stream = router.stream("Say it in pieces.")
    assert "".join(stream) == stream.result.text
    cascade = {"strategy": "cascade", "start": "SIMPLE", "checks": ("rating=7",)}
    return [
        first,
        router.escalate(first),
        router.route("Explain quicksort.", **cascade),
        router.route(HAIKU, strategy="parallel"),
        router.route("What is 17 times 24?", strategy="consensus"),
        router.route("And now?", thread="trip"),
        router.route("And then?", thread="trip"),
        router.route("Name it.", schema=SCHEMA),
        router.route("Sure?", checks=("rating=3", "logprob=0.5")),
        router.route(HAIKU, tier="FRONTIER", cache="off", stream=False),
        stream.result,
        *(column.result for column in router.compare(HAIKU, tiers=("SIMPLE", "FRONTIER")).columns),
        *router.map([f"prompt {number} of many" for number in range(12)], progress=False),
    ]


def outcome(result):
    found = [result.text, result.tier, result.model]
    if isinstance(result, nbroute.RouteResult):
        found += [(rung.tier, rung.verdicts) for rung in result.rungs]
        found += [result.data, result.usage.output_tokens]
        found += sorted((one.status, round(one.latency_ms)) for one in result.attempts)
    return found


def test_every_strategy_comes_out_of_the_file_as_it_went_in_and_costs_nothing(
    recorded, opened, talk
):
    live = [outcome(one) for one in strategies(recorded)]
    recorded.close()
    replay = opened(replay=talk)

    again = strategies(replay)

    assert live == [outcome(one) for one in again]
    assert all(one.cached for one in again)
    assert "replayed from talk.rec" in again[0].notices[0]
    results = [one for one in again if isinstance(one, nbroute.RouteResult)]
    assert all(one.cached and one.cost_usd == 0 for each in results for one in each.attempts)
    report = replay.report()
    assert report.spend.calls == report.spend.cached_calls
    assert 0 == report.spend.usd
    assert {} == report.latency
    assert [0, 0] == [one.usd or 0 for one in (report.equivalent_saving, report.saving)]


def test_a_replay_sends_nothing_with_the_server_gone_and_no_key(make_router, opened, server, talk):
    router = make_router(classifier="model")
    router.record(talk)
    both = {"strategy": "parallel", "tiers": ("LOW", "TOP")}
    for text in ("MID", "planned"):
        server.reply(text=text)
    router.route("Plan a trip.")
    router.route("Both?", **both)
    router.close()
    sent = len(server.requests)
    server.shutdown()
    replay = opened(replay=talk)

    for mode in ("use", "off", "refresh", "only"):
        again = replay.route("Plan a trip.", cache=mode)
        assert "planned" == again.text
        assert ["classify", "answer"] == [one.purpose for one in again.attempts]
        assert "ok" == replay.route("Both?", cache=mode, **both).text
        with pytest.raises(ReplayMiss):
            replay.route("Good night", cache=mode, tier="LOW")
    assert sent == len(server.requests)


def test_worker_processes_of_a_replay_send_nothing_whatever_keys_are_set(
    recorded, opened, server, talk, monkeypatch
):
    prompts = ["map 1", "map 2"]
    live = recorded.map(prompts, progress=False).frame()
    recorded.close()
    for name, value in {"API_KEY": "sk-0123456789abcdef0123", "BASE_URL": server.url}.items():
        monkeypatch.setenv(f"OPENAI_{name}", value)
    monkeypatch.setenv("NBROUTE_PROFILE", "openai")

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        again = opened(replay=talk).map(prompts, executor=pool, progress=False).frame()

    assert list(live["text"]) == list(again["text"])
    assert [] == server.requests


def test_vectors_of_an_endpoint_are_replayed(make_router, opened, server, talk):
    Path("nbroute.toml").write_text(
        f'[profiles.simulated]\nembedder = "loop"\n[providers.loop]\nbase_url = "{server.url}"\n'
    )
    examples = [("fix the code", "TOP"), ("say hello", "LOW"), ("plan a trip", "MID")]
    both = {"strategy": "parallel", "tiers": ("LOW", "TOP")}
    router = make_router(examples=examples, classifier="embedding")
    router.route("hello again")  # before recording: what it embedded must be recorded all the same
    router.record(talk)
    live = [router.route("hello again", **both), router.route("fix my code")]
    router.close()
    sent = len(server.requests)
    server.shutdown()

    replay = opened(replay=talk, examples=examples)
    again = [replay.route("hello again", **both), replay.route("fix my code")]

    assert live[0].rungs[0].verdicts == again[0].rungs[0].verdicts
    assert live[1].decision.tier == again[1].decision.tier
    with pytest.raises(ReplayMiss, match="no vector of 'text-embedding-3-small' for the text 'new"):
        replay.route("new words")
    assert sent == len(server.requests)


def test_failures_are_replayed_as_a_fallback_or_as_the_end(make_router, opened, server, talk):
    router = make_router()
    router.record(talk)
    server.reply(status=429, error="slow down")
    router.route("Hello", tier="LOW")
    for _ in range(2):
        server.reply(status=429, error="slow down")
    with pytest.raises(AllModelsFailed):
        router.route("Goodbye", tier="LOW")
    replay = opened(replay=talk)

    again = replay.route("Hello", tier="LOW")

    assert [("error", "small"), ("ok", "small-2")] == [(o.status, o.model) for o in again.attempts]
    assert "ok" == again.text
    assert server.host not in again.attempts[0].error
    with pytest.raises(AllModelsFailed, match="each of the 2 models of tier LOW failed"):
        replay.route("Goodbye", tier="LOW")


def test_a_key_in_a_prompt_is_found_again_on_each_machine_and_a_word_that_is_one_only_here(
    make_router, opened, talk, monkeypatch
):
    router = make_router(api_key="a-key-with-no-shape-42")
    router.record(talk)
    shaped, known = "Check sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34", "Check a-key-with-no-shape-42"
    for prompt in (shaped, known, "What is a password?"):
        router.route(prompt)
    router.close()
    assert "no-shape" not in talk.read_text()

    elsewhere = opened(replay=talk, classifier=lambda _: "LOW")
    monkeypatch.setenv("LOOP_API_KEY", "a-key-with-no-shape-42")
    monkeypatch.setenv("SILLY_API_KEY", "password")
    at_home = opened(replay=talk, classifier=lambda _: "LOW")

    assert elsewhere.route(shaped).cached
    assert all(at_home.route(one).cached for one in (shaped, known, "What is a password?"))


def test_ladder_and_classifier_are_the_recorded_ones_whatever_is_configured_here(
    opened, talk, monkeypatch
):
    settings, said = Path("nbroute.toml"), []
    settings.write_text('[nbroute]\nclassifier = "hybrid"\nclassifier_threshold = 0\n')
    opened(profile="simulated", ladder="two-tier").record(talk)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef0123456789abcdef")
    settings.write_text('[nbroute]\nladder = "three-tier"\nbudget_usd = 0.5\n')

    router = opened(replay=talk, announce=said.append)

    assert ("two-tier", Decimal("0.5")) == (router.ladder.name, router.limits.budget_usd)
    assert {"simulated"} == {one.kind for one in router.parts.providers.values()}
    assert ("hybrid", 0) == (router.settings.classifier.name, router.settings.classifier.threshold)
    assert "replaying talk.rec, recorded on profile simulated" in router.settings.origin
    assert [] == said
    with pytest.raises(SettingsError, match=r"would not be asked while talk\.rec is replayed"):
        opened(replay=talk, provider=nbroute.Simulated())
    with pytest.raises(SettingsError, match="is recorded already"):
        router.record(talk.with_name("other.rec"))


def test_a_miss_names_the_request_what_is_near_and_the_cure(recorded, opened, talk):
    recorded.route(FRANCE)
    recorded.route("Where am I?", tier="MEDIUM", thread="trip")
    replay = opened(replay=talk)
    replay.route("Where am I?", tier="MEDIUM", thread="x")
    for prompt, options, says in (
        (FRANCE, {"max_tokens": 400}, "recorded for it with max_tokens 256, asked with 400"),
        (FRANCE, {"tier": "COMPLEX"}, r"recorded for it on SIMPLE \(simulated/gpt-4o-mini\)"),
        ("What is the capital of Francs?", {}, "the closest recorded prompt, on SIMPLE, is 'What"),
        ("Where am I?", {"tier": "MEDIUM", "thread": "x"}, "after other turns of the conversation"),
    ):
        with pytest.raises(ReplayMiss, match=says) as caught:
            replay.route(prompt, **options)
        assert "\n" not in str(caught.value)
        cure = "Nothing was sent. To record it, run `%route record talk.rec`"
        assert cure in str(caught.value)


def test_a_session_is_recorded_and_replayed_with_the_same_cells_until_another_profile(shell):
    cells = [
        f"%%route -t SIMPLE\n{FRANCE}",
        "%route escalate",
        "%%route --thread trip\nWhere to?",
        "%%route --thread trip\nAnd then?",
    ]
    assert "not recording" in run(shell, "%route record")[0]
    assert "recording to talk.rec" in run(shell, "%route record talk.rec")[0]
    live = [run(shell, cell)[1].result for cell in cells]
    assert "recording to talk.rec" in run(shell, "%route spend")[0]
    assert "%route replay talk.rec answers from it" in run(shell, "%route record off")[0]

    assert "not replaying" in run(shell, "%route replay")[0]
    assert "nothing is sent" in run(shell, "%route replay talk.rec")[0]
    run(shell, "%route threads forget trip")
    again = [run(shell, cell) for cell in cells]

    assert [one.text for one in live] == [done.result.text for _, done in again]
    for text, _ in again:
        for told in ("replayed from talk.rec", "$0 (replayed)", "as recorded"):
            assert told in text
    line = error_of(shell, "%%route --no-cache\nWhat is the capital of Francs?")
    assert line.startswith("ReplayMiss: talk.rec has no answer of SIMPLE")
    assert FRANCE in line
    run(shell, "%route use simulated")
    text, done = run(shell, "%%route\nSomething new")
    assert (True, False) == (done.success, "replay" in text)
    run(shell, "%route record talk.rec")
    assert "recording to talk.rec has ended" in run(shell, "%route use simulated")[0]
    run(shell, "%route replay talk.rec")
    assert "profile simulated" in run(shell, "%route replay off")[0]
    assert run(shell, "%%route\nSomething else")[1].success
