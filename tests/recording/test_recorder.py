"""Answers go into a text file that reads well in a diff and holds no key."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest
from waiting import until

import nbroute
from nbroute.errors import AuthError, RateLimited, RecordError, SettingsError
from nbroute.recording.replay import Recording
from nbroute.recording.scrub import REMOVED

FRANCE, HAIKU = "What is the capital of France?", "Write a haiku about rain."


def answers(documents):
    """The prompts with what was answered."""
    entries = [one for one in documents()[1:] if "reply" in one]
    return [(one["request"]["messages"][-1]["user"], one["reply"]["text"]) for one in entries]


def test_a_file_is_json_documents_with_texts_as_lists_of_lines_and_no_id_time_or_place(
    router, server, talk, documents
):
    server.reply(status=500, error=f"failed at {server.url} ({server.host})")
    server.reply(text="half \ud83d", id="gen-98765", cost=0.5)
    router.record(talk)

    result = router.route("Sum up:\n\nä a\u2028b\x85c\ufeffd", temperature=0.25)

    header, failed, answered = documents()
    assert ["LOW", "MID", "TOP"] == [one["name"] for one in header["tiers"]]
    assert f"nbroute {nbroute.__version__}" == header["written_by"]
    messages = [{"system": ["Be brief."]}, {"user": ["Sum up:", "", "ä a\u2028b\x85c\ufeffd"]}]
    request = {"provider": "loop", "model": "small", "temperature": 0.25, "max_tokens": 64}
    entry = {"purpose": "answer", "tier": "LOW", "request": request | {"messages": messages}}
    (message,) = failed["error"]["message"]
    assert "failed at loop (loop)." in message
    assert entry | {"error": {"class": "Unavailable", "message": [message]}} == failed
    request["model"] = "small-2"
    times = {"latency_ms": answered["reply"]["latency_ms"], "ttft_ms": answered["reply"]["ttft_ms"]}
    reply = {"text": ["half \ufffd"], "model": "small-2", "finish_reason": "stop"}
    reply |= {"tokens": {"input": 8, "output": 2, "billed_usd": "0.5"}} | times
    assert entry | {"request": request | {"messages": messages}, "reply": reply} == answered
    text = talk.read_bytes().decode()
    assert not {"\u2028", "\x85", "\ufeff"} & set(text)  # editors stumble
    places = [server.host, "127.0.0.1", str(talk.parent), os.uname().nodename, str(Path.home())]
    assert [] == [one for one in ["gen-98765", result.id, router.session, *places] if one in text]


def test_another_answer_replaces_the_first_in_place_and_a_cached_one_is_recorded_once(
    router, server, talk, documents
):
    server.reply(text="two")
    router.route("second")
    recorder = router.record(talk)
    for text in ("one", "ONE", "ONE"):
        server.reply(text=text)
    router.route("first")
    assert router.route("second").cached
    router.route("first", cache="refresh")
    before = talk.read_bytes()

    router.route("first", cache="refresh")
    router.route("second")
    assert repr(recorder) == f"<Recorder {str(talk)!r}: 2 recorded>"
    router.record(None)
    router.route("Hello", tier="LOW")

    assert [(["first"], ["ONE"]), (["second"], ["two"])] == answers(documents)
    assert (before, None) == (talk.read_bytes(), router.recorder)


def test_a_file_of_another_kind_is_left_alone_and_where_none_can_be_is_one_line(opened, tmp_path):
    (tmp_path / "link").symlink_to("/nowhere/talk.rec")
    os.mkfifo(tmp_path / "pipe")
    router = opened()

    for name, content in (("notes.txt", "my notes"), ("nb.ipynb", '{"cells": []}')):
        (tmp_path / name).write_text(content)
        with pytest.raises(RecordError, match="is not a recording"):
            router.record(tmp_path / name)
        assert content == (tmp_path / name).read_text()
    for name in ("/nowhere/talk.rec", tmp_path / "link"):
        with pytest.raises(RecordError, match=r"there is no folder '/nowhere' .*make it first"):
            router.record(name)
    for use in (router.record, lambda name: opened(replay=name)):
        with pytest.raises(RecordError, match="is a folder; name a file"):
            use(tmp_path)
        with pytest.raises(RecordError, match="is a device or a pipe; name a file"):
            use(tmp_path / "pipe")


def test_a_file_that_cannot_be_written_any_more_costs_no_answer(recorded, talk):
    talk.unlink()
    talk.mkdir()

    result = recorded.route(FRANCE, strategy="cascade", start="SIMPLE")

    assert result.text
    assert 1 == len(result.notices)
    assert "talk.rec" in result.notices[0]


def test_an_edit_while_recording_is_kept_and_what_was_deleted_is_recorded_again(
    recorded, opened, talk, documents
):
    recorded.route(FRANCE)
    recorded.route(HAIKU)
    edited = talk.read_text().replace("capital of France is", "CAPITAL OF FRANCE IS")
    talk.write_text("\n\n".join(edited.split("\n\n")[:2]) + "\n")
    recorded.route(HAIKU)
    assert "CAPITAL OF FRANCE IS" in talk.read_text()
    assert [[FRANCE], [HAIKU]] == [prompt for prompt, _ in answers(documents)]
    assert "another ladder" in opened(ladder="two-tier").record(talk).note
    assert ("two-tier", 3) == (documents()[0]["ladder"], len(documents()))

    talk.unlink()
    recorded.route(HAIKU)
    assert [[HAIKU]] == [prompt for prompt, _ in answers(documents)]


def _record_some(file, start, number):
    router = nbroute.Router(profile="simulated", ledger=f"{file}.{start}.sqlite")
    router.record(file)
    for one in range(start, start + number):
        router.route(f"prompt {one} of many", tier="SIMPLE")
    router.close()


def test_processes_on_one_file_take_in_each_others_answers_and_one_that_is_killed_harms_none(
    talk, documents, opened
):
    context = multiprocessing.get_context("spawn")
    spans = ((0, 15), (10, 15), (100, 1_000_000))
    *workers, endless = (context.Process(target=_record_some, args=(talk, *s)) for s in spans)
    for worker in (*workers, endless):
        worker.start()
    for worker in workers:
        worker.join()
    until(lambda: "prompt 101 of many" in talk.read_text("utf-8"))
    endless.kill()
    endless.join()

    assert [0, 0] == [worker.exitcode for worker in workers]
    assert len(Recording(talk)) == len(documents()) - 1 >= 27
    prompts = {prompt[0] for prompt, _ in answers(documents)}
    assert {f"prompt {number} of many" for number in range(25)} < prompts
    assert opened().record(talk)


def test_no_key_of_the_settings_the_environment_or_an_address_is_recorded(
    server, opened, talk, monkeypatch
):
    keys = {"LAB_KEY": "labkey-of-the-settings", "SHORT_API_KEY": "sk-1234"}
    keys["OTHER_VENDOR_API_KEY"] = "plain words as a key"
    key = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34"
    late = {"LATE_API_KEY": "set-half-way-through", "HF_TOKEN": "token0of0another0vendor"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    Path("nbroute.toml").write_text(
        f'[providers.lab]\nbase_url = "{server.url}"\napi_key_env = "LAB_KEY"\n'
        f'[tiers.SIMPLE]\nprovider = "lab"\nmodel = "small"\nsystem = "{keys["LAB_KEY"]}."\n'
    )
    told = " and ".join([*keys.values(), *late.values(), key])
    router = opened("nbroute.toml")
    server.reply(text=f"You said {told}")
    router.record(talk)
    for name, value in (late | {"SORT_KEY": "alphabetical"}).items():
        monkeypatch.setenv(name, value)

    result = router.route(f"Repeat: {told}. Is alphabetical?", tier="SIMPLE")
    router.route("Name it.", schema={"type": "object", "title": told}, tier="SIMPLE")

    text = talk.read_text()
    assert told in result.text
    for secret in (*keys.values(), *late.values(), key, "Authorization", server.host):
        assert secret not in text
    assert REMOVED in text
    assert "alphabetical" in text


def test_a_failure_never_takes_the_place_of_an_answer_and_a_refused_key_is_not_recorded(
    router, server, talk, documents
):
    recorder = router.record(talk)
    server.reply(status=401, error="wrong key")
    with pytest.raises(AuthError):
        router.route("Hello", tier="MID")
    assert 0 == len(recorder)
    router.route("Hello", tier="MID")
    for options in ({"prompt": "Hello", "cache": "refresh"}, {"prompt": "Good night"}):
        server.reply(status=429, error="slow down")
        with pytest.raises(RateLimited):
            router.route(tier="MID", **options)
    router.route("Good night", tier="MID")

    assert [(["Hello"], ["ok"]), (["Good night"], ["ok"])] == answers(documents)


def test_the_environment_or_the_settings_file_names_the_file_unless_a_profile_is_asked_for(
    tmp_path, opened, monkeypatch
):
    (settings := tmp_path / "my.toml").write_text('[nbroute]\nrecord = "talk.rec"\n')
    assert opened(settings).recorder is not None
    monkeypatch.setenv("NBROUTE_RECORD", "other.rec")
    assert opened().recorder is None
    monkeypatch.setenv("NBROUTE_PROFILE", "simulated")
    opened(profile=None).route(FRANCE)
    assert 1 == len(Recording("other.rec"))
    monkeypatch.setenv("NBROUTE_REPLAY", "other.rec")
    with pytest.raises(SettingsError, match="exclude each other; unset NBROUTE_RECORD"):
        opened(profile=None)
    monkeypatch.delenv("NBROUTE_RECORD")
    assert [True, False] == [opened(profile=one).replaying is not None for one in (None, "local")]
    monkeypatch.delenv("NBROUTE_REPLAY")
    settings.write_text('[nbroute]\nreplay = "talk.rec"\n')  # from the folder of the settings
    assert opened(settings).replaying is not None
