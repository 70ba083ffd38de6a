"""What anybody may put into a recording, in a replay's way, or beside an export."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import nbroute
from nbroute.cli import main
from nbroute.errors import NbrouteError, RecordError, ReplayMiss
from nbroute.notebook.exporting import page
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.recording.replay import Recording
from nbroute.recording.scrub import REMOVED, Scrubber
from nbroute.workshop import solved

FRANCE = "What is the capital of France?"


@pytest.fixture
def talk(tmp_path):
    """A recording of one answer."""
    with contextlib.closing(nbroute.Router(profile="simulated")) as router:
        router.record(tmp_path / "talk.rec")
        router.route(FRANCE)
    return tmp_path / "talk.rec"


def parts(file):
    return [json.loads(part) for part in file.read_text("utf-8").split("\n\n")]


def write(file, documents):
    file.write_text("\n".join(json.dumps(one, indent=1) + "\n" for one in documents))


# the file


def test_a_file_cut_off_anywhere_is_whole_or_has_a_cure_that_works(talk):
    whole = talk.read_bytes()
    seen = set()
    for end in range(0, len(whole), 13):
        talk.write_bytes(whole[:end])
        problem = _problem(talk)
        cut = re.search("delete the file from line ([0-9]+) on", problem)
        if cut:
            talk.write_bytes(b"\n".join(whole[:end].split(b"\n")[: int(cut[1]) - 1]))
            problem = _problem(talk)
        seen.add((bool(cut), problem.replace(str(talk), "FILE").partition(";")[0]))

    assert {(True, ""), (True, "FILE is empty"), (False, "FILE is empty"), (False, "")} >= seen
    assert (True, "") in seen


def _problem(file):
    try:
        Recording(file)
    except RecordError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("providers", None),
        ("providers", ["simulated"]),
        ("default", "NOWHERE"),
        ("tiers", []),
        ("agreement", "high"),
        ("agreement", 3),
        ("classifier", {"name": 7}),
        ("classifier", {"name": "rules", "provider": ["a"]}),
        ("classifier", {"name": "hybrid", "threshold": "x"}),
        ("classifier", {"name": "hybrid", "step_up_below": float("nan")}),
    ],
)
def test_a_header_that_cannot_be_is_one_line(talk, name, value):
    header, *entries = parts(talk)
    write(talk, [header | {name: value}, *entries])

    with pytest.raises(RecordError, match=r"line 1: the recording's header is damaged \(.+\)"):
        nbroute.Router(replay=talk)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", 10**30),
        ("name", " "),
        ("reference", 3),
        ("context", "long"),
        ("price", {"input": "1e999999", "output": "1", "source": "list"}),
        ("price", {"input": "NaN", "output": "1", "source": "list"}),
        ("price", {"input": "-1", "output": "1", "source": "list"}),
    ],
)
def test_a_tier_that_cannot_be_is_one_line(talk, name, value):
    header, *entries = parts(talk)
    header["tiers"][0][name] = value
    write(talk, [header, *entries])

    with pytest.raises(RecordError, match="line 1: the recording's header is damaged"):
        nbroute.Router(replay=talk)


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("request", "messages"), [], r"messages is \[\]: expected a list"),
        (("request", "messages"), "", "messages is '': expected a list"),
        (("reply", "tokens", "input"), 10**30, "input is 1000"),
        (("tier",), 3, "tier is 3: expected text"),
        (("purpose",), {}, "purpose is {}: expected text"),
    ],
)
def test_an_entry_that_cannot_be_is_one_line(talk, place, value, says):
    header, entry = parts(talk)
    *outer, last = place
    inside = entry
    for name in outer:
        inside = inside[name]
    inside[last] = value
    write(talk, [header, entry])

    with pytest.raises(RecordError, match=f"the entry that begins here is damaged .*{says}"):
        nbroute.Router(replay=talk)


def test_a_number_of_thousands_of_digits_is_one_line(talk):
    text = talk.read_text().replace('"max_tokens": ', f'"max_tokens": {"9" * 5000}', 1)
    talk.write_text(text)

    with pytest.raises(RecordError, match="this is not JSON"):
        Recording(talk)


def test_a_threshold_of_nought_is_replayed_as_nought(tmp_path):
    Path("nbroute.toml").write_text(
        '[nbroute]\nprofile = "simulated"\nclassifier = "hybrid"\nclassifier_threshold = 0\n'
    )
    with contextlib.closing(nbroute.Router()) as router:
        router.record(tmp_path / "zero.rec")
        router.route(FRANCE)

    with contextlib.closing(nbroute.Router(replay=tmp_path / "zero.rec")) as replay:
        assert 0 == replay.settings.classifier.threshold


@pytest.mark.parametrize("make", [os.mkfifo, None])
def test_a_pipe_or_a_device_is_refused_and_stays_what_it_is(tmp_path, make):
    path = tmp_path / "pipe" if make else Path("/dev/full")
    if make:
        make(path)

    with pytest.raises(RecordError, match="is a device or a pipe; name a file"):
        nbroute.Router(profile="simulated").record(path)
    with pytest.raises(RecordError, match="is a device or a pipe; name a file"):
        nbroute.Router(replay=path)

    assert not path.is_file()


@pytest.mark.parametrize("name", ["a\0b.rec", "n" * 300])
def test_a_name_that_no_file_can_have_is_one_line(name):
    with pytest.raises(NbrouteError):
        nbroute.Router(profile="simulated").record(name)
    with pytest.raises(NbrouteError):
        nbroute.Router(replay=name)


def test_an_entry_that_was_deleted_by_hand_is_recorded_again_with_its_cell(tmp_path):
    file = tmp_path / "talk.rec"
    with contextlib.closing(nbroute.Router(profile="simulated")) as router:
        router.record(file)
        router.route("One?")
        router.route("Two?")
        file.write_text("\n\n".join(file.read_text().split("\n\n")[:2]) + "\n")

        router.route("Two?")

    assert 2 == len(Recording(file))


def test_a_miss_in_a_large_recording_still_names_the_closest_prompt(talk):
    header, entry = parts(talk)
    many = [json.loads(json.dumps(entry)) for _ in range(3000)]
    for number, one in enumerate(many):
        one["request"]["messages"][-1] = {"user": f"Question {number} about topic {number * 7}"}
    write(talk, [header, *many])

    with (
        contextlib.closing(nbroute.Router(replay=talk)) as replay,
        pytest.raises(ReplayMiss, match="'Question 2024 about topic 14168'"),
    ):
        replay.route("Question 2024 about subject 14168")


# nothing is sent

_CHILD = """
import concurrent.futures, os, socket, sys

def refuse(self, address, *rest):
    if self.family != socket.AF_UNIX:
        os.write(2, f"CONNECT {address}".encode())
    raise OSError("refused")

socket.socket.connect = socket.socket.connect_ex = refuse
import nbroute

if __name__ == "__main__":
    router = nbroute.Router(replay=sys.argv[1])
    prompts = [f"map {number}" for number in range(4)]
    first = router.route("What is the capital of France?", cache="refresh")
    router.escalate(first)
    router.compare("Compare.")
    router.compare(["one", "two"], progress=False)
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        rows = router.map(prompts, executor=pool, progress=False).frame()
    print(len(rows), rows["text"].notna().all(), router.spend().usd)
"""


def test_a_replay_opens_no_connection_in_any_process_whatever_keys_are_set(
    server, make_router, tmp_path
):
    router = make_router()
    router.record(tmp_path / "talk.rec")
    router.escalate(router.route(FRANCE))
    router.compare("Compare.")
    router.compare(["one", "two"], progress=False)
    router.map([f"map {number}" for number in range(4)], progress=False)
    router.close()
    sent = len(server.requests)
    (tmp_path / "child.py").write_text(textwrap.dedent(_CHILD))
    environ = os.environ | {
        "OPENAI_API_KEY": "sk-0123456789abcdef0123",
        "OPENROUTER_API_KEY": "sk-or-0123456789abcdef",
        "OPENAI_BASE_URL": server.url,
        "NBROUTE_PROFILE": "openai",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    done = subprocess.run(
        [sys.executable, tmp_path / "child.py", tmp_path / "talk.rec"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "4 True 0.0" == done.stdout.strip(), done.stderr
    assert "CONNECT" not in done.stderr
    assert sent == len(server.requests)


# keys

SPECIAL = 'Zq9-odd+key/with=signs&<"x">\''


@pytest.mark.parametrize(
    "text",
    ["sk-" * 70_000, "-eyJaaaaaaaa" * 17_000, "bearer " + "a" * 200_000, "://a:" * 40_000],
)
def test_a_text_that_is_made_to_keep_the_scrubber_busy_does_not(text):
    assert text == Scrubber(["another-key-1"]).text(text)


@pytest.mark.parametrize(
    "shown",
    [
        "Zq9-odd%2Bkey%2Fwith%3Dsigns%26%3C%22x%22%3E%27",
        json.dumps(SPECIAL),
        "Zq9-odd+key/with=signs&amp;&lt;&quot;x&quot;&gt;&#x27;",
        'Zq9-odd+key/\\\n    with=signs&<"x">\'',
        'Zq9-odd+ key/with=signs&<"x">\'',
    ],
)
def test_a_key_is_removed_however_it_is_written(shown):
    assert "Zq9" not in Scrubber([SPECIAL]).text(f"the key is {shown}.")


@pytest.mark.parametrize(
    "text",
    [
        "https://host.example/v1?api-key=0123456789abcdef0123",
        "glpat-0123456789abcdefghij",
        "xoxb-012345678901-abcdefabcdef",
        "sk_live_0123456789abcdef",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc0123\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_more_shapes_of_keys_are_removed(text):
    told = Scrubber().text(f"here: {text}")

    assert told.endswith(REMOVED)
    assert "0123" not in told


def test_a_key_that_is_set_after_recording_began_is_not_recorded(
    make_router, tmp_path, monkeypatch
):
    router = make_router()
    router.record(tmp_path / "talk.rec")
    monkeypatch.setenv("LATE_API_KEY", "set-half-way-through")
    monkeypatch.setenv("HF_TOKEN", "token0of0another0vendor")
    monkeypatch.setenv("SORT_KEY", "alphabetical")

    router.route("Is set-half-way-through or token0of0another0vendor a key? Is alphabetical?")

    text = (tmp_path / "talk.rec").read_text()
    assert "set-half-way" not in text
    assert "token0of" not in text
    assert "alphabetical" in text


def test_no_key_is_in_an_export_not_even_in_a_name_that_a_chart_shortens(server, tmp_path):
    from conftest import LADDER

    provider = OpenAICompatible("loop", server.url, "given-key-0815-abcdef", max_retries=0)
    server.reply(text="You said given-key-0815-abcdef")
    made = nbroute.Router(provider=provider, ladder=LADDER, classifier=lambda _: "LOW")
    with contextlib.closing(made) as router:
        router.route("given-key-0815-abcdef", feature="for given-key-0815-abcdef")
        router.route("Hi", feature="for sk-proj-Ab12Cd34Ef56Gh78Ij90")

        told = page(router)

    assert "given-key" not in told
    assert "sk-proj" not in told
    assert REMOVED in told


# the command line and the workshop's notebooks


def test_a_notebook_with_no_exercise_is_solved_as_it_is():
    plain = {"cells": [{"cell_type": "code", "source": "1", "metadata": {"tags": None}}]}

    assert plain == solved(plain)


def test_a_solution_with_line_ends_of_windows_is_found():
    def cell(tag, source):
        return {"cell_type": "markdown", "source": source, "metadata": {"tags": [tag]}}

    notebook = {"cells": [cell("exercise", "..."), cell("solution", "```python\r\n2\r\n```\r\n")]}

    assert "2" == solved(notebook)["cells"][0]["source"]


def test_to_record_and_to_replay_on_the_command_line_is_wrong_usage(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["run", "a.ipynb", "--record", "a.rec", "--replay", "b.rec"])

    assert 2 == stopped.value.code
    assert "not allowed with" in capsys.readouterr().err
