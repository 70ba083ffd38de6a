"""A recording answers in the models' place: nothing is sent, and a miss says what was asked."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from cells import error_of, run

import nbroute
from nbroute.errors import RecordError, ReplayMiss, SettingsError
from nbroute.recording.replay import Recording

GOLDEN = Path(__file__).parents[1] / "data" / "recording_v1.rec"
FRANCE = "What is the capital of France?"
HAIKU = "Write a haiku about rain."


@pytest.fixture
def talk(tmp_path):
    return tmp_path / "talk.rec"


def simulated(**options):
    return nbroute.Router(profile="simulated", **options)


def strategies(router):
    """Results of each way to route a prompt; all of them follow from the answers."""
    first = router.route(FRANCE)
    stream = router.stream("Say it in pieces.")
    assert "".join(stream) == stream.result.text
    return [
        first,
        router.escalate(first),
        router.route(
            "Explain quicksort.", strategy="cascade", start="SIMPLE", checks=("rating=7",)
        ),
        router.route(HAIKU, strategy="parallel"),
        router.route("What is 17 times 24?", strategy="consensus"),
        router.route("And now?", thread="trip"),
        router.route("And then?", thread="trip"),
        router.route(
            "Name it.", schema={"type": "object", "properties": {"n": {"type": "integer"}}}
        ),
        router.route("Sure?", checks=("rating=3", "logprob=0.5")),
        router.route(HAIKU, tier="FRONTIER", cache="off", stream=False),
        stream.result,
    ]


def outcome(result):
    return (
        result.text,
        result.tier,
        result.model,
        [(rung.tier, rung.verdicts) for rung in result.rungs],
        result.data,
        result.usage.output_tokens,
        sorted((one.status, round(one.latency_ms)) for one in result.attempts),
    )


# the round trip


def test_every_strategy_comes_out_of_the_file_as_it_went_in(talk):
    router = simulated()
    router.record(talk)
    live = [outcome(one) for one in strategies(router)]
    router.close()

    again = strategies(nbroute.Router(replay=talk))

    assert live == [outcome(one) for one in again]
    assert all(one.cached and one.cost_usd == 0 for result in again for one in result.attempts)


def test_a_replay_sends_nothing_with_the_server_gone_and_no_key(make_router, server, talk):
    router = make_router(classifier="model")
    router.record(talk)
    server.reply(text="MID")
    live = router.route("Plan a trip.")
    parallel = router.route("Both?", strategy="parallel", tiers=("LOW", "TOP"))
    router.close()
    sent = len(server.requests)
    server.shutdown()

    replay = nbroute.Router(replay=talk)
    again = replay.route("Plan a trip.", cache="off")

    assert live.text == again.text
    assert ["classify", "answer"] == [one.purpose for one in again.attempts]
    assert parallel.text == replay.route("Both?", strategy="parallel", tiers=("LOW", "TOP")).text
    assert sent == len(server.requests)


@pytest.mark.parametrize("mode", ["use", "off", "refresh", "only"])
def test_no_cache_mode_makes_a_replay_send(make_router, server, talk, mode):
    router = make_router()
    router.record(talk)
    router.route("Hello")
    sent = len(server.requests)

    replay = nbroute.Router(replay=talk, classifier=lambda _: "LOW")

    assert replay.route("Hello", cache=mode).cached
    with pytest.raises(ReplayMiss):
        replay.route("Good night", cache=mode)
    assert sent == len(server.requests)


def test_vectors_of_an_endpoint_are_replayed(make_router, server, talk):
    Path("nbroute.toml").write_text(
        f'[profiles.simulated]\nembedder = "loop"\n[providers.loop]\nbase_url = "{server.url}"\n'
    )
    examples = [("fix the code", "TOP"), ("say hello", "LOW"), ("plan a trip", "MID")]
    router = make_router(examples=examples, classifier="embedding")
    router.route("hello again")  # before recording: what it embedded must be recorded all the same
    router.record(talk)
    live = router.route("hello again", strategy="parallel", tiers=("LOW", "TOP"))
    decided = router.route("fix my code")
    router.close()
    sent = len(server.requests)
    server.shutdown()

    replay = nbroute.Router(replay=talk, examples=examples)
    again = replay.route("hello again", strategy="parallel", tiers=("LOW", "TOP"))

    assert live.rungs[0].verdicts == again.rungs[0].verdicts
    assert decided.decision.tier == replay.route("fix my code").decision.tier
    with pytest.raises(ReplayMiss, match="no vector of 'text-embedding-3-small' for the text 'new"):
        replay.route("new words")
    assert sent == len(server.requests)


def test_a_fallback_is_replayed_with_the_failure_before_it(make_router, server, talk):
    router = make_router()
    router.record(talk)
    server.reply(status=429, error="slow down")
    live = router.route("Hello", tier="LOW")
    router.close()

    again = nbroute.Router(replay=talk).route("Hello", tier="LOW")

    assert ["error", "ok"] == [one.status for one in again.attempts]
    assert ["small", "small-2"] == [one.model for one in again.attempts]
    assert live.text == again.text
    assert server.host not in again.attempts[0].error


def test_all_models_failing_is_replayed(make_router, server, talk):
    router = make_router()
    router.record(talk)
    for _ in range(2):
        server.reply(status=429, error="slow down")
    with pytest.raises(nbroute.errors.AllModelsFailed):
        router.route("Hello", tier="LOW")

    with pytest.raises(
        nbroute.errors.AllModelsFailed, match="each of the 2 models of tier LOW failed"
    ):
        nbroute.Router(replay=talk).route("Hello", tier="LOW")


def test_a_map_is_replayed(talk):
    prompts = [f"prompt {number} of many" for number in range(12)]
    router = simulated()
    router.record(talk)
    live = [row.text for row in router.map(prompts, progress=False)]
    router.close()

    rows = list(nbroute.Router(replay=talk).map(prompts, progress=False))

    assert live == [row.text for row in rows]
    assert all(row.cached for row in rows)


def test_a_comparison_is_replayed(talk):
    router = simulated()
    router.record(talk)
    live = router.compare(HAIKU, tiers=("SIMPLE", "FRONTIER"))
    router.close()

    again = nbroute.Router(replay=talk).compare(HAIKU, tiers=("SIMPLE", "FRONTIER"))

    assert [column.result.text for column in live.columns] == [
        column.result.text for column in again.columns
    ]
    assert all(column.result.cached for column in again.columns)


def test_threads_replay_at_once(talk):
    prompts = [f"prompt {number} of many" for number in range(20)]
    router = simulated()
    router.record(talk)
    live = {prompt: router.route(prompt).text for prompt in prompts}
    replay = nbroute.Router(replay=talk)
    found: list[tuple[str, str]] = []

    def ask():
        found.extend((prompt, replay.route(prompt).text) for prompt in prompts)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter([*live.items()] * 2) == Counter(found)


def test_a_key_in_a_prompt_is_found_again_on_both_machines(make_router, talk, monkeypatch):
    router = make_router(api_key="a-key-with-no-shape-42")
    router.record(talk)
    shaped = "Check sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34"
    router.route(shaped)
    router.route("Check a-key-with-no-shape-42")
    router.close()

    classifier = {"classifier": lambda _: "LOW"}
    elsewhere = nbroute.Router(replay=talk, **classifier)
    monkeypatch.setenv("LOOP_API_KEY", "a-key-with-no-shape-42")
    at_home = nbroute.Router(replay=talk, **classifier)

    assert elsewhere.route(shaped).cached
    assert at_home.route(shaped).cached
    assert at_home.route("Check a-key-with-no-shape-42").cached


def test_a_word_that_is_a_key_on_this_machine_alone_is_no_miss(talk, monkeypatch):
    router = simulated()
    router.record(talk)
    router.route("What is a password?")
    monkeypatch.setenv("SILLY_API_KEY", "password")

    assert nbroute.Router(replay=talk).route("What is a password?").cached


def test_an_answer_that_was_edited_by_hand_is_what_is_replayed(talk):
    router = simulated()
    router.record(talk)
    router.route(FRANCE)
    text = talk.read_text("utf-8").replace("The capital of", "Edited: a\\tb")
    talk.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())

    assert nbroute.Router(replay=talk).route(FRANCE).text.startswith("Edited: a\tb")


# what is shown


def test_money_and_time_of_a_replay(talk):
    router = simulated()
    router.record(talk)
    live = router.route(FRANCE)
    router.close()

    replay = nbroute.Router(replay=talk)
    again = replay.route(FRANCE)
    report = replay.report()

    assert Decimal(0) == again.cost_usd
    assert (round(live.latency_ms), round(live.ttft_ms)) == (again.latency_ms, again.ttft_ms)
    assert (1, 1, 0) == (report.spend.calls, report.spend.cached_calls, report.spend.usd)
    assert {} == report.latency
    assert Decimal(0) == (report.equivalent_saving.usd or 0)
    assert Decimal(0) == (report.saving.usd or 0)
    assert "replayed from talk.rec" in again.notices[0]


def test_the_ladder_is_the_recorded_one_whatever_is_configured_here(talk, monkeypatch):
    simulated(ladder="two-tier").record(talk)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef0123456789abcdef")
    Path("nbroute.toml").write_text('[nbroute]\nladder = "three-tier"\nbudget_usd = 0.5\n')

    router = nbroute.Router(replay=talk)

    assert "two-tier" == router.ladder.name
    assert Decimal("0.5") == router.limits.budget_usd
    assert {"simulated"} == {one.kind for one in router.parts.providers.values()}
    assert "replaying talk.rec, recorded on profile simulated" in router.settings.origin


def test_the_environment_and_the_settings_file_name_a_replay(tmp_path, monkeypatch, talk):
    simulated(ladder="two-tier").record(talk)

    monkeypatch.setenv("NBROUTE_REPLAY", str(talk))
    named = [nbroute.Router(), nbroute.Router(profile="simulated")]
    monkeypatch.delenv("NBROUTE_REPLAY")
    Path("nbroute.toml").write_text(f'[nbroute]\nreplay = "{talk}"\n')
    named += [nbroute.Router(), nbroute.Router(provider=nbroute.Simulated())]

    assert [True, False, True, False] == [one.replaying is not None for one in named]


def test_a_provider_beside_a_replay_is_refused(talk):
    simulated().record(talk)

    with pytest.raises(SettingsError, match=r"would not be asked while talk\.rec is replayed"):
        nbroute.Router(replay=talk, provider=nbroute.Simulated())


def test_a_replay_cannot_be_recorded(talk, tmp_path):
    simulated().record(talk)

    with pytest.raises(SettingsError, match="is recorded already"):
        nbroute.Router(replay=talk).record(tmp_path / "other.rec")


def test_a_classifier_of_ones_own_is_missed_out_loud(talk):
    simulated(classifier=lambda _: "COMPLEX").record(talk)
    said: list[str] = []

    router = nbroute.Router(replay=talk, announce=said.append)
    nbroute.Router(replay=talk, announce=said.append, classifier=lambda _: "COMPLEX")

    assert 1 == len(said)
    assert "classifier of the recorder's own" in said[0]
    assert "ngrams" == router.settings.classifier.name


# a miss


@pytest.fixture
def replay(talk):
    router = simulated()
    router.record(talk)
    router.route(FRANCE)
    router.route("Where am I?", tier="MEDIUM", thread="trip")
    router.close()
    return nbroute.Router(replay=talk)


@pytest.mark.parametrize(
    ("prompt", "options", "says"),
    [
        (FRANCE, {"max_tokens": 400}, "recorded for it with max_tokens 256, asked with 400"),
        (FRANCE, {"temperature": 0.5}, "with temperature None, asked with 0.5"),
        (FRANCE, {"tier": "COMPLEX"}, r"recorded for it on SIMPLE \(simulated/gpt-4o-mini\)"),
        (FRANCE, {"system": "Sing."}, "with another system prompt"),
        (FRANCE, {"model": "simulated/gpt-4o"}, "with model 'simulated/gpt-4o-mini'"),
        (FRANCE, {"checks": ("logprob=0.5",)}, "with logprobs False, asked with True"),
        ("What is the capital of Francs?", {}, "the closest recorded prompt, on SIMPLE, is 'What"),
        ("zzz", {"tier": "SIMPLE"}, "it has 2 other prompts"),
    ],
)
def test_a_miss_names_the_request_what_is_near_and_the_cure(replay, prompt, options, says):
    with pytest.raises(ReplayMiss, match=says) as caught:
        replay.route(prompt, **options)

    told = str(caught.value)
    assert "\n" not in told
    assert f"{prompt!r}" in told
    assert "Nothing was sent. To record it, say `%route record talk.rec`" in told


def test_a_miss_in_a_conversation_says_that_other_turns_came_before(talk):
    router = simulated()
    router.record(talk)
    router.route("And now?", tier="SIMPLE")
    replay = nbroute.Router(replay=talk)
    replay.route("And now?", tier="SIMPLE", thread="trip")

    with pytest.raises(ReplayMiss, match="after other turns of the conversation"):
        replay.route("And now?", tier="SIMPLE", thread="trip")


def test_a_miss_shows_the_beginning_of_a_long_prompt_in_one_line(replay):
    with pytest.raises(ReplayMiss) as caught:
        replay.route("a long\nprompt " * 100)

    assert "'a long prompt a long prompt a long prompt a long prompt a..." in str(caught.value)


def test_a_miss_half_way_up_a_cascade_keeps_what_was_answered(talk):
    router = simulated()
    router.record(talk)
    router.route("Explain quicksort.", tier="SIMPLE")

    with pytest.raises(ReplayMiss) as caught:
        nbroute.Router(replay=talk).route(
            "Explain quicksort.", strategy="cascade", start="SIMPLE", checks=(lambda reply: False,)
        )

    assert caught.value.result.text


# broken files


def broken(tmp_path, name, change):
    file = tmp_path / name
    file.write_text(change(GOLDEN.read_text("utf-8")), "utf-8")
    return file


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: "", "is empty; make a recording with `%route record"),
        (lambda text: " \n\n", "is empty"),
        (
            lambda text: text[:-60],
            r"breaks off: .* begins on line 166 .* delete the file from line",
        ),
        (lambda text: text[:900], "breaks off: what begins on line 1 "),
        (lambda text: "{}", "is not a recording of nbroute"),
        (lambda text: '["a list"]', "is not a recording of nbroute"),
        (lambda text: "plain text", "is not a recording of nbroute"),
        (lambda text: f"{text}\nsome notes\n", r"line \d+: 'some notes' is not an entry"),
        (lambda text: f"{text}\n[1]\n", r"line \d+: '\[1\]' is not an entry"),
        (
            lambda text: text.replace('"schema": 1', '"schema": 2'),
            r"schema 2, .* nbroute 0\.1\.0.*up",
        ),
        (
            lambda text: text.replace("1,", "2,", 1).replace('"nbroute ', '"\\u001b[2J\\n', 1),
            r"written by \[2J 0\.1\.0",
        ),
        (lambda text: text.replace('"schema": 1', '"schema": "x"'), "is of schema 'x'"),
        (lambda text: text.replace('"tiers"', '"steps"'), "header is damaged .it lacks 'tiers'"),
        (
            lambda text: text.replace('"lab": "remote"', '"lab": "moon"'),
            "providers: there is no 'moon'",
        ),
        (lambda text: text.replace('"lab": "remote",', ""), "providers lacks 'lab'"),
        (lambda text: text.replace('"output": 9,', '"output": -9,'), r"line 96: .*output is -9"),
        (lambda text: text.replace('"output": 9,', ""), r"line 96: .*it lacks 'output'"),
        (lambda text: text.replace('"latency_ms": 412', '"latency_ms": "x"'), "latency_ms is 'x'"),
        (lambda text: text.replace('"RateLimited"', '"Tired"'), "there is no error 'Tired'"),
        (lambda text: text.replace('"RateLimited"', '"SettingsError"'), "no error 'SettingsErr"),
        (
            lambda text: text.replace('"Paris.",', "7,"),
            r"reply.text is \[7, '.*: expected text or a list of lines",
        ),
        (
            lambda text: text.replace('"user"', '"stranger"'),
            r"request.messages\[\d\]: there is no 'stranger'",
        ),
        (lambda text: text.replace('"purpose": "answer"', '"purpose" "answer"', 1), "not JSON"),
        (
            lambda text: text.replace('  "rating"', '<<<<<<< HEAD\n"rating"'),
            "line 161: a merge conflict",
        ),
        (lambda text: f"{text}<<<<<<< HEAD\n", "a merge conflict stands there"),
    ],
)
def test_a_broken_file_says_where_and_what_to_do(tmp_path, change, says):
    file = broken(tmp_path, "talk.rec", change)

    with pytest.raises(RecordError, match=says) as caught:
        nbroute.Router(replay=file)

    assert "talk.rec" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_cure_for_a_file_that_breaks_off_keeps_what_is_before(tmp_path):
    file = broken(tmp_path, "talk.rec", lambda text: text[:-60])
    with pytest.raises(RecordError, match="delete the file from line 166 on, which keeps all be"):
        Recording(file)

    lines = file.read_text("utf-8").split("\n")
    file.write_text("\n".join(lines[:165]), "utf-8")

    assert 3 == len(Recording(file))


def test_a_missing_file_a_folder_and_another_encoding(tmp_path):
    with pytest.raises(RecordError, match=r"there is no recording .*correct the path, or make one"):
        nbroute.Router(replay=tmp_path / "talk.rec")
    with pytest.raises(RecordError, match="it is a folder; name a file"):
        nbroute.Router(replay=tmp_path)
    (tmp_path / "talk.rec").write_text(GOLDEN.read_text("utf-8"), "utf-16")
    with pytest.raises(RecordError, match="is not UTF-8 text; save it as UTF-8"):
        nbroute.Router(replay=tmp_path / "talk.rec")


def test_a_damaged_vector_is_named(tmp_path):
    file = broken(tmp_path, "talk.rec", lambda text: text.replace("AACAPwAAAAAAAAA/", "AAC!"))

    embedder = nbroute.Router(replay=file).parts.embedder()

    with pytest.raises(RecordError, match="damaged vector of 'text-embedding-3-small'"):
        embedder.embed(["a text"])


def test_of_an_entry_that_stands_twice_the_last_one_counts(talk):
    router = simulated()
    router.record(talk)
    router.route(FRANCE)
    entry = talk.read_text("utf-8").split("\n\n")[1]
    with talk.open("a", encoding="utf-8") as file:
        file.write(f"\n{entry.replace('The capital', 'Later: the capital')}")

    assert nbroute.Router(replay=talk).route(FRANCE).text.startswith("Later: the capital")


def test_a_recording_in_a_folder_that_cannot_be_written_is_replayed(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    shutil.copy(GOLDEN, folder / "talk.rec")
    folder.chmod(0o500)

    result = nbroute.Router(replay=folder / "talk.rec").route(FRANCE)

    assert result.cached


# in a notebook


def test_a_session_is_recorded_and_replayed_with_the_same_cells(shell):
    cells = [
        f"%%route -t SIMPLE\n{FRANCE}",
        "%route escalate",
        f"%%route -S cascade --start SIMPLE --check rating=7\n{HAIKU}",
        "%%route --thread trip\nWhere to?",
        "%%route --thread trip\nAnd then?",
    ]
    assert "recording to talk.rec" in run(shell, "%route record talk.rec")[0]
    live = [run(shell, cell)[1].result for cell in cells]
    told = run(shell, "%route record")[0]
    ended = run(shell, "%route record off")[0]

    said = run(shell, "%route replay talk.rec")[0]
    run(shell, "%route threads forget trip")
    again = [run(shell, cell) for cell in cells]

    assert "written since it began" in told
    assert "%route replay talk.rec answers from it" in ended
    assert "nothing is sent" in said
    assert [one.text for one in live] == [done.result.text for _, done in again]
    for text, _ in again:
        assert "replayed from talk.rec" in text
        assert "$0 (replayed)" in text
        assert "as recorded" in text
        assert "simulated/" in text
        assert "(cached)" not in text


def test_a_miss_in_a_cell_is_one_line(shell):
    run(shell, "%route record talk.rec")
    run(shell, f"%%route\n{FRANCE}")
    run(shell, "%route replay talk.rec")

    line = error_of(shell, "%%route --no-cache\nWhat is the capital of Francs?")

    assert line.startswith("ReplayMiss: talk.rec has no answer of SIMPLE")
    assert FRANCE in line


def test_the_session_line_says_what_is_going_on(shell):
    assert "recording to" not in run(shell, "%route spend")[0]
    run(shell, "%route record talk.rec")
    run(shell, f"%%route\n{FRANCE}")
    assert "recording to talk.rec" in run(shell, "%route spend")[0]
    run(shell, "%route replay talk.rec")
    text = run(shell, f"%%route\n{FRANCE}")[0]
    assert "replaying talk.rec" in text
    assert "less than all on" not in text.partition("session")[2]


def test_another_profile_ends_a_replay_and_a_recording(shell):
    run(shell, "%route record talk.rec")
    run(shell, f"%%route\n{FRANCE}")
    assert "recording to talk.rec has ended" in run(shell, "%route use simulated")[0]
    run(shell, "%route replay talk.rec")
    run(shell, "%route use simulated")

    text, done = run(shell, "%%route\nSomething new")

    assert done.success
    assert "replay" not in text


def test_a_replay_ends_where_it_began(shell):
    run(shell, "%route record talk.rec")
    run(shell, "%route replay talk.rec")
    run(shell, "%route replay 'talk.rec'")

    assert "profile simulated" in run(shell, "%route replay off")[0]
    assert run(shell, "%%route\nSomething new")[1].success
    assert "nothing is being replayed" in error_of(shell, "%route replay off")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%route replay nowhere.rec", "RecordError: there is no recording"),
        ("%route record nowhere/talk.rec", "RecordError: there is no folder"),
        ("%route record .", "RecordError: '.' cannot be read: it is a folder; name a file"),
        ("%route replay ''", "SettingsError: the file has no name"),
        ("%route replay off", "SettingsError: nothing is being replayed"),
    ],
)
def test_a_wrong_line_changes_nothing_and_says_the_cure(shell, line, says):
    assert error_of(shell, line).startswith(says)
    assert run(shell, "%%route\nSomething new")[1].success


def test_the_state_is_told(shell):
    assert "not recording" in run(shell, "%route record")[0]
    assert "not replaying" in run(shell, "%route replay")[0]
    assert "nothing was being recorded" in run(shell, "%route record off")[0]


def test_a_replay_file_of_the_environment_that_is_not_there_is_one_line(shell, monkeypatch):
    monkeypatch.setenv("NBROUTE_REPLAY", "nowhere.rec")

    assert error_of(shell, "%reload_ext nbroute").startswith("RecordError: there is no recording")


def test_a_session_may_begin_as_a_replay(tmp_path, talk, monkeypatch, shell):
    router = simulated()
    router.record(talk)
    router.route(FRANCE)
    router.close()
    monkeypatch.delenv("NBROUTE_PROFILE")
    monkeypatch.setenv("NBROUTE_REPLAY", str(talk))

    said = run(shell, "%reload_ext nbroute")[0]
    text, done = run(shell, f"%%route\n{FRANCE}")

    assert "replaying talk.rec" in said
    assert done.success
    assert "replayed from talk.rec" in text
    assert "began as a replay" in error_of(shell, "%route replay off")
