"""Answers go into a text file that reads well in a diff and holds no key."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
from decimal import Decimal
from pathlib import Path

import pytest

import nbroute
from nbroute.errors import RecordError, SettingsError
from nbroute.notebook.exporting import page
from nbroute.providers.litellm import LiteLLM
from nbroute.providers.llama_cpp import LlamaCpp
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.recording.replay import Recording
from nbroute.recording.scrub import REMOVED, Scrubber
from nbroute.types import Chunk, Usage

GOLDEN = Path(__file__).parents[1] / "data" / "recording_v1.rec"


def documents(path):
    return [json.loads(part) for part in Path(path).read_text("utf-8").split("\n\n")]


def simulated(**options):
    return nbroute.Router(profile="simulated", **options)


@pytest.fixture
def recorded(tmp_path):
    """A simulated router that records, and its file."""
    router = simulated()
    file = tmp_path / "talk.rec"
    router.record(file)
    yield router, file
    router.close()


# what stands in the file


def test_a_file_is_json_documents_with_an_empty_line_between_two(recorded):
    router, file = recorded

    router.route("What is the capital of France?")
    router.route("Write a haiku about rain.")

    header, *entries = documents(file)
    assert "recording" == header["nbroute"]
    assert [tier.name for tier in router.ladder.tiers] == [one["name"] for one in header["tiers"]]
    assert ["answer", "answer"] == [entry["purpose"] for entry in entries]


def test_texts_are_lists_of_lines(recorded):
    router, file = recorded

    result = router.route("Sum this up:\n\na first line\nä second one")

    entry = documents(file)[-1]
    asked = entry["request"]["messages"][-1]
    assert {"user": ["Sum this up:", "", "a first line", "ä second one"]} == asked
    assert result.text.split("\n") == entry["reply"]["text"]


def test_no_id_no_time_of_day_and_no_place_is_in_the_file(make_router, server, tmp_path):
    router = make_router()
    server.reply(text="Paris.", id="gen-98765", cost=0.5)
    router.record(tmp_path / "talk.rec")

    result = router.route("What is the capital of France?")

    text = (tmp_path / "talk.rec").read_text()
    places = [server.host, "127.0.0.1", str(tmp_path), os.uname().nodename, str(Path.home())]
    for secret in ["gen-98765", result.id, router.session, *places]:
        assert secret not in text


def test_the_same_answer_again_leaves_the_file_as_it_is(recorded):
    router, file = recorded
    router.route("What is the capital of France?")
    before = file.read_bytes()

    router.route("What is the capital of France?", cache="refresh")
    router.route("What is the capital of France?")

    assert before == file.read_bytes()


def test_another_answer_to_the_same_request_replaces_it_in_place(make_router, server, tmp_path):
    router = make_router()
    file = tmp_path / "talk.rec"
    router.record(file)
    for text in ("one", "two", "ONE"):
        server.reply(text=text)

    router.route("first")
    router.route("second")
    router.route("first", cache="refresh")

    told = [(one["request"]["messages"][-1], one["reply"]["text"]) for one in documents(file)[1:]]
    assert [({"user": ["first"]}, ["ONE"]), ({"user": ["second"]}, ["two"])] == told


def test_many_replaced_answers_are_in_place_when_recording_ends(make_router, server, tmp_path):
    router = make_router()
    file = tmp_path / "talk.rec"
    router.record(file)
    for number in range(150):
        router.route(f"prompt {number}")
    for number in range(3):
        server.reply(text="anew")
        router.route(f"prompt {number}", cache="refresh")

    router.record(None)

    entries = documents(file)[1:]
    assert 150 == len(entries)
    assert [["anew"]] * 3 + [["ok"]] * 147 == [one["reply"]["text"] for one in entries]


def test_an_answer_out_of_the_cache_is_recorded_too(tmp_path):
    router = simulated()
    router.route("What is the capital of France?")

    recorder = router.record(tmp_path / "talk.rec")
    result = router.route("What is the capital of France?")

    assert result.cached
    assert 1 == len(recorder)


def test_what_the_classifying_model_said_is_recorded(make_router, server, tmp_path):
    router = make_router(classifier="model")
    server.reply(text="TOP")
    router.record(tmp_path / "talk.rec")

    router.route("Prove it.")

    assert ["classify", "answer"] == [
        one["purpose"] for one in documents(tmp_path / "talk.rec")[1:]
    ]


def test_nothing_is_recorded_after_recording_has_ended(recorded):
    router, file = recorded

    router.record(None)
    router.route("What is the capital of France?")

    assert 1 == len(documents(file))
    assert router.recorder is None


def test_a_recording_is_gone_on_with(recorded):
    router, file = recorded
    router.route("What is the capital of France?")
    router.record(None)
    before = file.read_text()

    other = simulated()
    recorder = other.record(file)
    other.route("Write a haiku about rain.")

    assert file.read_text().startswith(before)
    assert 2 == len(recorder)
    assert "" == recorder.note


def test_another_ladder_is_taken_over_and_said(recorded):
    router, file = recorded
    router.route("What is the capital of France?")
    router.record(None)

    recorder = simulated(ladder="two-tier").record(file)

    assert "another ladder" in recorder.note
    assert "two-tier" == documents(file)[0]["ladder"]
    assert 2 == len(documents(file))


def test_characters_that_editors_stumble_over_are_written_as_escapes(recorded):
    router, file = recorded

    router.route("a\u2028b\x85c\ufeffd", tier="SIMPLE")

    text = file.read_bytes().decode()
    assert not {"\u2028", "\x85", "\ufeff"} & set(text)
    assert {"user": ["a\u2028b\x85c\ufeffd"]} == documents(file)[1]["request"]["messages"][-1]


def test_half_a_surrogate_pair_in_an_answer_is_recorded_as_what_cannot_be_read(
    make_router, server, tmp_path
):
    router = make_router()
    server.reply(text="half \ud83d")
    router.record(tmp_path / "talk.rec")

    router.route("say half")

    assert ["half \ufffd"] == documents(tmp_path / "talk.rec")[1]["reply"]["text"]


def test_a_schema_and_a_rating_are_in_the_entry(recorded):
    router, file = recorded
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}

    router.route("Name it.", schema=schema, checks=("rating=1",), temperature=0.25)

    request = documents(file)[1]["request"]
    assert schema == request["schema"]
    assert (True, True, 0.25) == (request["json"], request["rated"], request["temperature"])
    assert "rating" in documents(file)[1]["reply"]


# files that cannot be recorded to


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.txt", "my notes", "is not a recording"),
        ("nb.ipynb", '{"cells": []}', "is not a recording"),
        ("list.json", "[1, 2]", "is not a recording"),
        ("nbroute.toml", "[nbroute]\n", "is not a recording"),
    ],
)
def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path, name, content, says):
    file = tmp_path / name
    file.write_text(content)

    with pytest.raises(RecordError, match=says):
        simulated().record(file)

    assert content == file.read_text()


def test_a_folder_and_a_missing_folder_are_refused(tmp_path):
    with pytest.raises(RecordError, match="is a folder"):
        simulated().record(tmp_path)
    (tmp_path / "link").symlink_to("/nowhere/talk.rec")
    for name in ("/nowhere/talk.rec", tmp_path / "link"):
        with pytest.raises(RecordError, match=r"there is no folder '/nowhere' .*make it first"):
            simulated().record(name)


def test_an_empty_file_is_begun(tmp_path):
    file = tmp_path / "talk.rec"
    file.touch()

    simulated().record(file)

    assert 1 == len(documents(file))


def test_a_name_that_is_empty_is_refused():
    with pytest.raises(SettingsError, match="cannot be used: give a path"):
        simulated().record("  ")


def test_a_file_that_cannot_be_written_any_more_costs_no_answer(recorded):
    router, file = recorded
    file.unlink()
    file.mkdir()

    result = router.route("What is the capital of France?", strategy="cascade", start="SIMPLE")

    assert result.text
    assert 1 == len(result.notices)
    assert "talk.rec" in result.notices[0]


@pytest.mark.parametrize("lose", [Path.unlink, lambda file: file.write_text("")])
def test_a_file_that_was_deleted_or_emptied_is_begun_anew(recorded, lose):
    router, file = recorded
    router.route("What is the capital of France?")
    lose(file)

    router.route("Write a haiku about rain.")
    router.route("What is the capital of France?")

    assert 3 == len(documents(file))


def test_an_edit_while_recording_is_kept(recorded):
    router, file = recorded
    router.route("What is the capital of France?")
    file.write_text(file.read_text().replace("capital of France is", "CAPITAL OF FRANCE IS"))

    router.route("Write a haiku about rain.")

    assert "CAPITAL OF FRANCE IS" in file.read_text()
    assert 3 == len(documents(file))


# several at once


def test_threads_record_each_answer_once_and_whole(recorded):
    router, file = recorded
    prompts = [f"prompt {number} of many" for number in range(40)]
    threads = [
        threading.Thread(target=lambda part=part: [router.route(one) for one in part])
        for part in (prompts, prompts[::-1], prompts[::2])
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    asked = [one["request"]["messages"][-1]["user"][0] for one in documents(file)[1:]]
    assert sorted(prompts) == sorted(asked)


def _record_some(file, start):
    router = nbroute.Router(profile="simulated", ledger=f"{file}.{start}.sqlite")
    router.record(file)
    for number in range(start, start + 30):
        router.route(f"prompt {number} of many")
    router.close()


def test_two_processes_on_one_file_take_in_each_others_answers(tmp_path):
    file = tmp_path / "talk.rec"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_record_some, args=(file, start)) for start in (0, 20)]

    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert [0, 0] == [worker.exitcode for worker in workers]
    assert 50 == len(Recording(file))
    assert 51 == len(documents(file))


def test_two_recorders_of_one_process_share_a_file(recorded):
    router, file = recorded
    other = simulated()
    other.record(file)

    router.route("What is the capital of France?")
    other.route("What is the capital of France?")
    other.route("Write a haiku about rain.")
    router.route("Write a limerick about snow.")

    assert 4 == len(documents(file))


def test_a_process_that_is_killed_leaves_whole_entries(tmp_path):
    file = tmp_path / "talk.rec"
    code = f"""
        import itertools, nbroute
        router = nbroute.Router(profile="simulated")
        router.record({str(file)!r})
        print("begun", flush=True)
        for number in itertools.count():
            router.route(f"prompt {{number}} of many", tier="SIMPLE")
            if number == 50:
                print("well on", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.stdout.readline() != "well on\n":
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)

    recording = Recording(file)

    assert len(recording) >= 51
    assert simulated().record(file)


# what must not be in it


KEYS = {
    "openai": "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34",
    "openrouter": "sk-or-v1-0123456789abcdef0123456789abcdef",
    "anthropic": "sk-ant-api03-AbCdEfGhIjKlMnOp0123456789-_AA",
    "google": "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "github": "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "hugging face": "hf_abcdefghijKLMNOPQRSTuvwxyz01234567",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "aws for a session": "ASIAIOSFODNN7EXAMPLE",
    "perplexity": "pplx-0123456789abcdef0123456789abcdef",
    "nvidia": "nvapi-Ab12Cd34Ef56Gh78-Ij90Kl12_Mn34",
    "google for a session": "ya29.a0AfH6SMBx-0123456789_abcdef",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_keys_of_well_known_shapes_are_removed(key):
    told = Scrubber().text(f"use {key}, please; Authorization: Bearer {key}\n'{key}'")

    assert f"use {REMOVED}, please; Authorization: Bearer {REMOVED}\n'{REMOVED}'" == told


@pytest.mark.parametrize(
    "text",
    [
        "risk-assessment-of-the-year-2024-report",
        "the bearer of responsibilities",
        "see https://example.com/a?b=c and mail me@example.com",
        "class sk-toggleable-control",
        "task-1234567890123456789",
        "",
    ],
)
def test_ordinary_words_stay(text):
    assert text == Scrubber(["ollama", "none", "key", " "]).text(text)


def test_what_stands_for_no_key_at_all_is_not_taken_for_one():
    assert "ask ollama or lm-studio" == Scrubber(["ollama", "lm-studio"]).text(
        "ask ollama or lm-studio"
    )


def test_a_user_in_an_address_is_removed():
    told = Scrubber().text("git clone https://me:pass@example.com/x, postgres://u:p@db/x")

    assert f"git clone https://{REMOVED}@example.com/x, postgres://{REMOVED}@db/x" == told


def test_no_key_of_the_settings_the_environment_or_an_address_is_recorded(
    server, tmp_path, monkeypatch
):
    keys = {
        "LAB_KEY": "labkey-of-the-settings",
        "OTHER_VENDOR_API_KEY": "plain words as a key",
        "SHORT_API_KEY": "sk-1234",
    }
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    Path("nbroute.toml").write_text(
        f"""
        [providers.lab]
        base_url = "{server.url}"
        api_key_env = "LAB_KEY"
        [tiers.SIMPLE]
        provider = "lab"
        model = "small"
        system = "You know {keys["LAB_KEY"]}."
        """
    )
    told = " and ".join([*keys.values(), *KEYS.values()])
    router = nbroute.Router()
    server.reply(text=f"You said {told}")
    router.record(tmp_path / "talk.rec")

    result = router.route(f"Repeat: {told}", tier="SIMPLE")
    router.route("Name it.", schema={"type": "object", "title": told}, tier="SIMPLE")

    text = (tmp_path / "talk.rec").read_text()
    assert told in result.text
    for secret in (*keys.values(), *KEYS.values(), "Authorization", server.host):
        assert secret not in text
    assert REMOVED in text


def test_the_user_and_password_of_an_address_and_a_given_key_are_not_recorded(
    server, tmp_path, make_router
):
    address = server.url.replace("://", "://me:mypassword@")
    provider = OpenAICompatible("loop", address, "given-key-0815", max_retries=0)
    router = nbroute.Router(provider=provider, ladder=make_router().ladder)
    server.reply(text="the password is mypassword, the key given-key-0815")
    server.reply(status=500, error=f"failed at {address} ({server.host})")
    server.reply(text="fine")
    router.record(tmp_path / "talk.rec")

    router.route("Tell mypassword", tier="LOW")
    router.route("Fail first", tier="LOW")

    text = (tmp_path / "talk.rec").read_text()
    assert "Unavailable" in text
    for secret in ("mypassword", "given-key-0815", server.host, "127.0.0.1", "://"):
        assert secret not in text


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
    """One that keeps its keys in a place of its own, and says them."""

    __slots__ = ("_hidden",)

    def __init__(self):
        super().__init__()
        self._hidden = ("own-key-of-4711", "mypassword")
        self._api_key = self.base_url = None

    def secrets(self):
        return self._hidden


@pytest.mark.parametrize("provider", [Slotted, Telling])
def test_the_keys_of_a_provider_with_slots_are_neither_recorded_nor_exported(
    provider, make_router, tmp_path
):
    router = nbroute.Router(provider=provider(), ladder=make_router().ladder)
    router.record(tmp_path / "talk.rec")

    result = router.route("Say own-key-of-4711", tier="LOW")

    assert "own-key-of-4711" in result.text
    for text in ((tmp_path / "talk.rec").read_text(), page(router)):
        assert REMOVED in text
        assert "own-key" not in text
        assert "mypassword" not in text


@pytest.mark.parametrize(
    ("provider", "secrets"),
    [
        (
            OpenAICompatible("lab", "https://me:word@lab.example/v1", "a key"),
            ["a key", "me", "word"],
        ),
        (OpenAICompatible("lab", "https://lab.example/v1", None), []),
        (LiteLLM(api_key="a key", api_base="https://me@lab.example"), ["a key", "me"]),
        (LlamaCpp(files=()), []),
        (nbroute.Simulated(), []),
    ],
)
def test_each_provider_says_what_is_secret(provider, secrets):
    assert secrets == list(provider.secrets())


def test_a_refused_key_is_no_answer_to_record(make_router, server, tmp_path):
    router = make_router()
    recorder = router.record(tmp_path / "talk.rec")
    server.reply(status=401, error="wrong key")

    with pytest.raises(nbroute.errors.AuthError):
        router.route("Hello", tier="MID")

    assert 0 == len(recorder)


def test_a_failure_never_takes_the_place_of_an_answer(make_router, server, tmp_path):
    router = make_router()
    router.record(tmp_path / "talk.rec")
    router.route("Hello", tier="MID")
    server.reply(status=429, error="slow down")

    with pytest.raises(nbroute.errors.RateLimited):
        router.route("Hello", tier="MID", cache="refresh")
    server.reply(status=429, error="slow down")
    with pytest.raises(nbroute.errors.RateLimited):
        router.route("Good night", tier="MID")
    router.route("Good night", tier="MID")

    entries = documents(tmp_path / "talk.rec")[1:]
    assert [["ok"], ["ok"]] == [one["reply"]["text"] for one in entries]


def test_an_error_of_a_users_own_class_is_replayed_as_the_one_that_it_extends(
    make_router, tmp_path
):
    class Busy(nbroute.errors.RateLimited):
        def __init__(self, seconds, endpoint):
            super().__init__(f"{endpoint} is busy for {seconds} s")

    class Failing(Slotted):
        def send(self, request):
            raise Busy(5, "the lab")

    with contextlib.closing(
        nbroute.Router(provider=Failing(), ladder=make_router().ladder)
    ) as router:
        router.record(tmp_path / "talk.rec")
        with pytest.raises(Busy):
            router.route("Hello", tier="MID")

    with pytest.raises(nbroute.errors.RateLimited, match="the lab is busy for 5 s"):
        nbroute.Router(replay=tmp_path / "talk.rec").route("Hello", tier="MID")


# settings


def test_the_environment_names_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("NBROUTE_PROFILE", "simulated")
    monkeypatch.setenv("NBROUTE_RECORD", "talk.rec")

    router = nbroute.Router()
    router.route("What is the capital of France?")
    router.close()

    assert 1 == len(Recording("talk.rec"))


def test_the_settings_file_names_the_file_from_its_own_folder(tmp_path, monkeypatch):
    (tmp_path / "nbroute.toml").write_text(
        '[nbroute]\nprofile = "simulated"\nrecord = "talk.rec"\n'
    )
    monkeypatch.setenv("NBROUTE_CONFIG", str(tmp_path / "nbroute.toml"))

    nbroute.Router()

    assert (tmp_path / "talk.rec").exists()


def test_where_a_profile_or_a_provider_is_named_the_environments_file_is_set_aside(monkeypatch):
    monkeypatch.setenv("NBROUTE_RECORD", "talk.rec")

    assert simulated().recorder is None
    assert nbroute.Router(provider=nbroute.Simulated()).recorder is None


def test_to_record_and_to_replay_at_once_is_refused(monkeypatch):
    monkeypatch.setenv("NBROUTE_RECORD", "a.rec")
    monkeypatch.setenv("NBROUTE_REPLAY", "b.rec")

    with pytest.raises(SettingsError, match="exclude each other; unset NBROUTE_RECORD"):
        nbroute.Router()


# the golden file


def test_a_file_of_the_first_schema_stays_readable():
    router = nbroute.Router(replay=GOLDEN)

    easy = router.route("What is the capital of France?")
    hard = router.route("Prove that there is no largest prime.", tier="TOP")

    assert "Paris.\nIt has been since 987." == easy.text
    assert ("LOW", 412.0, 14, 9) == (
        easy.tier,
        easy.latency_ms,
        easy.usage.input_tokens,
        easy.usage.output_tokens,
    )
    assert ["small", "small-2"] == [one.model for one in easy.attempts]
    assert "RateLimited: slow down" == easy.attempts[0].error
    assert 9.0 == hard.answer.rating
    assert Decimal("0.15") == router.ladder["LOW"].price.input


def test_a_file_that_is_read_and_written_again_is_the_same():
    from nbroute.recording.documents import documents as parsed
    from nbroute.recording.documents import dump

    text = GOLDEN.read_text("utf-8")

    assert text == "\n".join(dump(one.fields) for one in parsed(text, GOLDEN))
