"""Answers go into a text file that reads well in a diff and holds no key."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import nbroute
from nbroute.errors import AuthError, NbrouteError, RateLimited, RecordError, SettingsError
from nbroute.notebook.exporting import page
from nbroute.providers.litellm import LiteLLM
from nbroute.providers.llama_cpp import LlamaCpp
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.recording.replay import Recording
from nbroute.recording.scrub import REMOVED
from nbroute.types import Chunk, Usage

FRANCE, HAIKU = "What is the capital of France?", "Write a haiku about rain."


def answers(documents):
    """The prompts with what was answered."""
    entries = [one for one in documents()[1:] if "reply" in one]
    return [(one["request"]["messages"][-1]["user"], one["reply"]["text"]) for one in entries]


# What is in the file


def test_a_file_is_json_documents_with_texts_as_lists_of_lines(recorded, talk, documents):
    awkward = "a\u2028b\x85c\ufeffd"
    result = recorded.route(f"Sum this up:\n\na first line\nä {awkward}")

    header, entry = documents()
    assert "recording" == header["nbroute"]
    assert list(recorded.ladder.names) == [one["name"] for one in header["tiers"]]
    assert "answer" == entry["purpose"]
    asked = {"user": ["Sum this up:", "", "a first line", f"ä {awkward}"]}
    assert (asked, result.text.split("\n")) == (
        entry["request"]["messages"][-1],
        entry["reply"]["text"],
    )
    assert not {"\u2028", "\x85", "\ufeff"} & set(talk.read_bytes().decode())  # editors stumble


def test_a_schema_a_rating_and_a_temperature_are_in_the_entry(recorded, documents):
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}

    recorded.route("Name it.", schema=schema, checks=("rating=1",), temperature=0.25)

    request = documents()[1]["request"]
    assert schema == request["schema"]
    assert (True, True, 0.25) == (request["json"], request["rated"], request["temperature"])
    assert "rating" in documents()[1]["reply"]


def test_no_id_no_time_of_day_and_no_place_is_in_the_file(router, server, talk, documents):
    server.reply(text="half \ud83d", id="gen-98765", cost=0.5)
    router.record(talk)

    result = router.route(FRANCE)

    places = [server.host, "127.0.0.1", str(talk.parent), os.uname().nodename, str(Path.home())]
    for secret in ["gen-98765", result.id, router.session, *places]:
        assert secret not in talk.read_text()
    assert [([FRANCE], ["half \ufffd"])] == answers(documents)


def test_another_answer_replaces_the_first_in_place_and_the_same_one_nothing(
    router, server, talk, documents
):
    recorder = router.record(talk)
    for text in ("one", "two", "ONE", "ONE"):
        server.reply(text=text)
    router.route("first")
    router.route("second")
    router.route("first", cache="refresh")
    before = talk.read_bytes()

    router.route("first", cache="refresh")
    router.route("second")

    assert [(["first"], ["ONE"]), (["second"], ["two"])] == answers(documents)
    assert before == talk.read_bytes()
    assert repr(recorder) == f"<Recorder {str(talk)!r}: 2 recorded>"


def test_many_replaced_answers_are_in_place_when_recording_ends(
    router, server, talk, documents, monkeypatch
):
    monkeypatch.setattr("nbroute.recording.recorder._SHARE", 4)
    router.record(talk)
    for number in range(10):
        router.route(f"prompt {number}")
    for number in range(2):
        server.reply(text="anew")
        router.route(f"prompt {number}", cache="refresh")
    assert 12 == len(answers(documents))

    router.record(None)

    assert [["anew"]] * 2 + [["ok"]] * 8 == [text for _, text in answers(documents)]


def test_what_classified_and_what_the_cache_answered_is_recorded_until_recording_ends(
    make_router, server, talk, documents
):
    router = make_router(classifier="model")
    server.reply(text="TOP")
    router.route("Prove it.")
    recorder = router.record(talk)
    server.reply(text="TOP")

    result = router.route("Prove it.")

    assert result.cached
    assert ["classify", "answer"] == [one["purpose"] for one in documents()[1:]]
    assert 2 == len(recorder)
    router.record(None)
    router.route("Hello", tier="LOW")
    assert (3, None) == (len(documents()), router.recorder)


def test_a_recording_is_continued_also_with_another_ladder_which_is_said(
    recorded, opened, talk, documents
):
    recorded.route(FRANCE)
    recorded.record(None)
    before = talk.read_text()

    other = opened()
    recorder = other.record(talk)
    other.route(HAIKU)
    other.record(None)

    assert talk.read_text().startswith(before)
    assert (2, "") == (len(recorder), recorder.note)
    assert "another ladder" in opened(ladder="two-tier").record(talk).note
    assert ("two-tier", 3) == (documents()[0]["ladder"], len(documents()))


# Files that cannot be recorded to


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("notes.txt", "my notes"), ("nb.ipynb", '{"cells": []}')),
        *(("list.json", "[1, 2]"), ("nbroute.toml", "[nbroute]\n")),
    ],
)
def test_a_file_of_another_kind_is_refused_and_left_alone(opened, tmp_path, name, content):
    file = tmp_path / name
    file.write_text(content)

    with pytest.raises(RecordError, match="is not a recording"):
        opened().record(file)

    assert content == file.read_text()


def test_a_place_where_no_file_can_be_is_refused_in_one_line(opened, tmp_path):
    (tmp_path / "link").symlink_to("/nowhere/talk.rec")
    os.mkfifo(tmp_path / "pipe")
    router = opened()

    for name in ("/nowhere/talk.rec", tmp_path / "link"):
        with pytest.raises(RecordError, match=r"there is no folder '/nowhere' .*make it first"):
            router.record(name)
    for name, said in ((tmp_path, "is a folder"), (tmp_path / "pipe", "is a device or a pipe")):
        for use in (router.record, lambda name: opened(replay=name)):
            with pytest.raises(RecordError, match=f"{said}; name a file"):
                use(name)
    for name in ("a\0b.rec", "n" * 300):
        for use in (router.record, lambda name: opened(replay=name)):
            with pytest.raises(NbrouteError):
                use(name)
    with pytest.raises(SettingsError, match="cannot be used: give a path"):
        router.record("  ")
    assert not (tmp_path / "pipe").is_file()


def test_a_file_that_cannot_be_written_any_more_costs_no_answer(recorded, talk):
    talk.unlink()
    talk.mkdir()

    result = recorded.route(FRANCE, strategy="cascade", start="SIMPLE")

    assert result.text
    assert 1 == len(result.notices)
    assert "talk.rec" in result.notices[0]


@pytest.mark.parametrize("lose", [Path.unlink, lambda file: file.write_text("")])
def test_a_file_that_was_deleted_or_emptied_is_begun_anew(recorded, talk, documents, lose):
    recorded.route(FRANCE)
    lose(talk)

    recorded.route(HAIKU)
    recorded.route(FRANCE)

    assert [[HAIKU], [FRANCE]] == [prompt for prompt, _ in answers(documents)]


def test_an_edit_while_recording_is_kept_and_what_was_deleted_recorded_again(
    recorded, talk, documents
):
    recorded.route(FRANCE)
    recorded.route(HAIKU)
    edited = talk.read_text().replace("capital of France is", "CAPITAL OF FRANCE IS")
    talk.write_text("\n\n".join(edited.split("\n\n")[:2]) + "\n")

    recorded.route(HAIKU)

    assert "CAPITAL OF FRANCE IS" in talk.read_text()
    assert [[FRANCE], [HAIKU]] == [prompt for prompt, _ in answers(documents)]


# Several at once


def test_threads_record_each_answer_once_and_whole(recorded, documents):
    prompts = [f"prompt {number} of many" for number in range(20)]
    threads = [
        threading.Thread(target=lambda part=part: [recorded.route(one) for one in part])
        for part in (prompts, prompts[::-1], prompts[::2])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(prompts) == sorted(prompt[0] for prompt, _ in answers(documents))


def _record_some(file, start):
    router = nbroute.Router(profile="simulated", ledger=f"{file}.{start}.sqlite")
    router.record(file)
    for number in range(start, start + 15):
        router.route(f"prompt {number} of many")
    router.close()


def test_two_processes_on_one_file_take_in_each_others_answers(talk, documents):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_record_some, args=(talk, start)) for start in (0, 10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert [0, 0] == [worker.exitcode for worker in workers]
    assert (25, 26) == (len(Recording(talk)), len(documents()))


def test_two_recorders_of_one_process_share_a_file(recorded, opened, talk, documents):
    other = opened()
    other.record(talk)

    for router, prompt in ((recorded, FRANCE), (other, FRANCE), (other, HAIKU), (recorded, "Ho")):
        router.route(prompt)

    assert [[FRANCE], [HAIKU], ["Ho"]] == [prompt for prompt, _ in answers(documents)]


def test_a_process_that_is_killed_leaves_whole_entries(talk, opened):
    code = f"""
        import itertools, nbroute
        router = nbroute.Router(profile="simulated")
        router.record({str(talk)!r})
        for number in itertools.count():
            router.route(f"prompt {{number}} of many", tier="SIMPLE")
            if number == 20:
                print("well on", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "well on\n"
        process.send_signal(signal.SIGKILL)

    assert len(Recording(talk)) >= 21
    assert opened().record(talk)


# What must not be in it

KEY = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34"


def test_no_key_of_the_settings_the_environment_or_an_address_is_recorded(
    server, opened, talk, monkeypatch
):
    keys = {
        "LAB_KEY": "labkey-of-the-settings",
        "OTHER_VENDOR_API_KEY": "plain words as a key",
        "SHORT_API_KEY": "sk-1234",
    }
    late = {"LATE_API_KEY": "set-half-way-through", "HF_TOKEN": "token0of0another0vendor"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    Path("nbroute.toml").write_text(
        f'[providers.lab]\nbase_url = "{server.url}"\napi_key_env = "LAB_KEY"\n'
        f'[tiers.SIMPLE]\nprovider = "lab"\nmodel = "small"\nsystem = "{keys["LAB_KEY"]}."\n'
    )
    told = " and ".join([*keys.values(), *late.values(), KEY])
    router = opened("nbroute.toml")
    server.reply(text=f"You said {told}")
    router.record(talk)
    for name, value in (late | {"SORT_KEY": "alphabetical"}).items():
        monkeypatch.setenv(name, value)

    result = router.route(f"Repeat: {told}. Is alphabetical?", tier="SIMPLE")
    router.route("Name it.", schema={"type": "object", "title": told}, tier="SIMPLE")

    text = talk.read_text()
    assert told in result.text
    for secret in (*keys.values(), *late.values(), KEY, "Authorization", server.host):
        assert secret not in text
    assert REMOVED in text
    assert "alphabetical" in text


def test_the_user_and_password_of_an_address_and_a_given_key_are_not_recorded(
    server, opened, talk, make_router
):
    address = server.url.replace("://", "://me:mypassword@")
    provider = OpenAICompatible("loop", address, "given-key-0815", max_retries=0)
    router = opened(provider=provider, ladder=make_router().ladder)
    server.reply(text="the password is mypassword, the key given-key-0815")
    server.reply(status=500, error=f"failed at {address} ({server.host})")
    server.reply(text="fine")
    router.record(talk)

    router.route("Tell mypassword", tier="LOW")
    router.route("Fail first", tier="LOW")

    assert "Unavailable" in talk.read_text()
    for secret in ("mypassword", "given-key-0815", server.host, "127.0.0.1", "://"):
        assert secret not in talk.read_text()


class Slotted:
    """A provider of a user's own, with no `__dict__`, written before there was `secrets`."""

    __slots__ = ("_api_key", "base_url", "kind", "name")

    def __init__(self):
        self.name, self.kind = "own", "remote"
        self._api_key = "own-key-of-4711"
        self.base_url = "https://me:mypassword@lab.example/v1"

    def send(self, request):
        yield Chunk("own-key-of-4711 for mypassword", Usage(1, 1), "stop", request.model)

    def close(self):
        pass


class Telling(Slotted):
    """One that keeps its keys elsewhere, and says them."""

    __slots__ = ("_hidden",)

    def __init__(self):
        super().__init__()
        self._hidden = ("own-key-of-4711", "mypassword")
        self._api_key = self.base_url = None

    def secrets(self):
        return self._hidden


@pytest.mark.parametrize("provider", [Slotted, Telling])
def test_the_keys_of_a_provider_with_slots_are_neither_recorded_nor_exported(
    provider, make_router, opened, talk
):
    router = opened(provider=provider(), ladder=make_router().ladder)
    router.record(talk)

    result = router.route("Say own-key-of-4711", tier="LOW")

    assert "own-key-of-4711" in result.text
    for text in (talk.read_text(), page(router)):
        assert REMOVED in text
        assert "own-key" not in text
        assert "mypassword" not in text


@pytest.mark.parametrize(
    ("provider", "secrets"),
    [
        (OpenAICompatible("lab", "https://me:word@lab.example/v1", "key"), ["key", "me", "word"]),
        (OpenAICompatible("lab", "https://lab.example/v1", None), []),
        (LiteLLM(api_key="a key", api_base="https://me@lab.example"), ["a key", "me"]),
        (LlamaCpp(files=()), []),
        (nbroute.Simulated(), []),
    ],
)
def test_each_provider_says_what_is_secret(provider, secrets):
    assert secrets == list(provider.secrets())


# Failures


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


def test_an_error_of_a_users_own_class_is_replayed_as_the_one_that_it_extends(
    make_router, opened, talk
):
    class Busy(RateLimited):
        def __init__(self, seconds, endpoint):
            super().__init__(f"{endpoint} is busy for {seconds} s")

    class Failing(Slotted):
        def send(self, request):
            raise Busy(5, "the lab")

    router = opened(provider=Failing(), ladder=make_router().ladder)
    router.record(talk)
    with pytest.raises(Busy):
        router.route("Hello", tier="MID")

    with pytest.raises(RateLimited, match="the lab is busy for 5 s"):
        opened(replay=talk).route("Hello", tier="MID")


# Settings


def test_the_environment_or_the_settings_file_names_the_file_unless_a_profile_is_asked_for(
    tmp_path, opened, monkeypatch
):
    monkeypatch.setenv("NBROUTE_RECORD", "talk.rec")
    assert opened().recorder is None
    assert opened(provider=nbroute.Simulated()).recorder is None
    monkeypatch.setenv("NBROUTE_PROFILE", "simulated")
    opened(profile=None).route(FRANCE)
    assert 1 == len(Recording("talk.rec"))
    monkeypatch.delenv("NBROUTE_RECORD")
    settings = tmp_path / "nbroute.toml"
    settings.write_text('[nbroute]\nprofile = "simulated"\nrecord = "other.rec"\n')

    opened(settings)

    assert (tmp_path / "other.rec").exists()  # from the folder of the settings


def test_to_record_and_to_replay_at_once_is_refused(monkeypatch):
    monkeypatch.setenv("NBROUTE_RECORD", "a.rec")
    monkeypatch.setenv("NBROUTE_REPLAY", "b.rec")

    with pytest.raises(SettingsError, match="exclude each other; unset NBROUTE_RECORD"):
        nbroute.Router()
