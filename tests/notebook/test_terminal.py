"""Magics in a real terminal IPython on a pseudo-terminal: typed, printed, interrupted."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
import time

import pytest

pexpect = pytest.importorskip("pexpect", reason="no pseudo-terminals on this system")

PATIENCE = 60
WORDS = "one two three four "

#: What prompt_toolkit writes when it hands the terminal to the cell, and when it takes it back.
RUNS, ENDED = "\x1b[?2004l", "\x1b[?2004h"
#: Its own resets around `Out[n]: `.
OUT_PROMPT = re.compile(r"(?:\x1b\[[0-9;?]*[a-z])*(Out\[\d+\]: )(?:\x1b\[[0-9;?]*[a-z])*")

SETTINGS = """
[nbroute]
classifier = "ngrams"

[providers.loop]
kind = "openai"
base_url = "{url}"

[tiers.LOW]
provider = "loop"
model = "small"
max_tokens = 64
price = {{ input = 1.00, output = 2.00 }}

[tiers.TOP]
provider = "loop"
model = "large"
max_tokens = 1024
price = {{ input = 10.00, output = 30.00 }}
"""


class Terminal:
    """IPython as a person has it: what is typed goes in, what the screen gets comes out."""

    def __init__(self, folder):
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "IPython", "--no-banner", "--no-confirm-exit", "--colors=nocolor"],
            cwd=str(folder),
            encoding="utf-8",
            timeout=PATIENCE,
            dimensions=(50, 120),
        )
        self._await_prompt()

    def _await_prompt(self):
        self.child.expect(r"In \[\d+\]:")

    def begin(self, source):
        """Paste the cell and run it."""
        self.child.send(f"\x1b[200~{source}\x1b[201~")
        self.child.send("\x1b\r")
        self.child.expect_exact(RUNS)

    def until(self, text):
        """Come back when the cell has printed the text."""
        self.child.expect_exact(text)

    def finish(self):
        """What the cell printed from here to its end."""
        self.child.expect_exact(ENDED)
        printed = self.child.before
        self._await_prompt()
        return OUT_PROMPT.sub(r"\1", printed).replace("\r\n", "\n")

    def run(self, source):
        self.begin(source)
        return self.finish()

    def type(self, keys):
        """Type at the prompt, with no Enter; tab completes."""
        self.child.send(keys)

    def enter(self):
        self.child.send("\r")
        self.child.expect_exact(RUNS)
        return self.finish()

    def interrupt(self):
        self.child.sendintr()

    def close(self):
        with contextlib.suppress(ProcessLookupError, pexpect.ExceptionPexpect):  # it has ended
            self.child.kill(signal.SIGKILL)
            self.child.wait()
        self.child.close(force=True)


def until(condition):
    """Wait for what another process does; how long it takes is not what is tested."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")
    return tmp_path / "nbroute"


@pytest.fixture
def make_terminal(folder):
    made = []

    def make():
        made.append(Terminal(folder))
        assert "nbroute: profile " in made[-1].run("%load_ext nbroute")
        return made[-1]

    yield make
    for terminal in made:
        terminal.close()


@pytest.fixture
def simulated(make_terminal, monkeypatch):
    """A terminal on the simulated ladder."""
    monkeypatch.setenv("NBROUTE_PROFILE", "simulated")
    return make_terminal()


@pytest.fixture
def looped(make_terminal, folder, server):
    """A terminal over the loopback server."""
    (folder / "nbroute.toml").write_text(SETTINGS.format(url=server.url))
    return make_terminal()


def test_the_answer_is_printed_once_and_then_the_figures_and_no_repr(simulated):
    printed = simulated.run("%%route\nWhat is the capital of France?")

    answer, figures = printed.split("\n\nSIMPLE · ")
    assert "The capital of France is Paris." == answer
    headline, why, session = figures.strip().split("\n")
    assert "(would have cost)" in headline
    assert " to SIMPLE rather than " in why
    assert why.startswith("why SIMPLE: ")
    assert re.match(r"session would have cost \$0\.\d+ · 1 call · ", session)


def test_a_terminal_shows_no_widget_and_no_escape_sequence(simulated):
    printed = simulated.run("%%route\nWhat is the capital of France?")

    for word in ("widget", "controls", "Meter", "VBox", "\x1b"):
        assert word not in printed


def test_escalate_prints_the_next_tiers_answer_alone(simulated):
    first = simulated.run("%%route -t SIMPLE\nWhat is the capital of Australia?")

    printed = simulated.run("%route escalate")

    assert "MEDIUM · simulated/claude-haiku-3.5" in printed
    assert "for this step" in printed
    assert "2 calls" in printed
    assert first.split("\n")[0] not in printed


def test_a_line_that_is_assigned_keeps_the_result_and_prints_no_repr(simulated):
    simulated.run("%%route -t SIMPLE\nWhat is the capital of France?")

    printed = simulated.run("higher = %route escalate")

    assert "MEDIUM · simulated/claude-haiku-3.5" in printed
    assert "Out[" not in printed
    assert "Out[4]: 'MEDIUM'" in simulated.run("higher.tier")


@pytest.mark.parametrize("later", ["_", "Out[2]", "answer"])
def test_a_later_cell_shows_the_whole_result_once(simulated, later):
    simulated.run("%%route -o answer\nWhat is the capital of France?")

    printed = simulated.run(later)

    assert printed.startswith("Out[3]: SIMPLE · simulated/gpt-4o-mini")
    assert 1 == printed.count("The capital of France is Paris")
    assert "<RouteResult" not in printed


def test_a_quiet_cell_prints_nothing(simulated):
    assert "" == simulated.run("%%route -q -o answer\nhello").strip()
    assert "hello" in simulated.run("answer")


def test_a_mistake_is_one_line(simulated):
    printed = simulated.run("%%route --teir SIMPLE\nhello")

    assert "unknown option '--teir': did you mean '--tier'" in printed
    assert 1 == len(printed.strip().split("\n"))


def test_tab_completes_commands_and_tiers(simulated):
    simulated.type("%route sp\t")
    simulated.until("end")  # what is there already may not be written again
    assert "session $0 · 0 calls" in simulated.enter()

    simulated.run("%%route -t SIMPLE\nhello")
    simulated.type("%route escalate FR\t")
    simulated.until("ONTIER")
    assert "FRONTIER · simulated/claude-opus-4" in simulated.enter()


def test_the_pieces_are_printed_as_they_come(looped, server):
    server.reply(text=WORDS, stall_after=2)
    looped.begin("%%route\nhello")

    looped.until("one two")

    looped.interrupt()
    looped.finish()


def test_ctrl_c_keeps_the_partial_answer_and_the_prompt(looped, server):
    server.reply(text=WORDS * 250, pause=0.02)
    looped.begin("%%route\nhello")
    looped.until("one two three")

    looped.interrupt()
    printed = looped.finish()

    assert "interrupted: a partial answer" in printed
    assert "(estimate)" in printed
    assert "Traceback" not in printed
    *_, last = printed.strip().split("\n")
    assert last.startswith("Interrupted: stopped; what had arrived is kept")
    assert "Out[3]: 2\n" in looped.run("1 + 1")
    again = looped.run("%%route\nhello")
    assert again.startswith("ok\n\nLOW · small")
    assert "2 calls" in again


def test_ctrl_c_before_the_first_token_says_what_it_may_cost(looped, server):
    server.reply(stall_after=0)
    looped.begin("%%route\nhello")
    until(lambda: server.requests)

    looped.interrupt()

    printed = looped.finish()
    assert "interrupted before any text" in printed
    assert "Traceback" not in printed
    assert printed.strip().split("\n")[-1].startswith("Interrupted: stopped;")
    assert looped.run("%%route\nhello").startswith("ok\n\nLOW · small")


def test_ctrl_c_stops_a_slow_simulated_model(make_terminal, folder, monkeypatch):
    monkeypatch.setenv("NBROUTE_PROFILE", "simulated")
    (folder / "nbroute.toml").write_text('[providers.simulated]\nkind = "simulated"\npace = 4.0\n')
    terminal = make_terminal()
    terminal.begin("%%route -t SIMPLE -o answer\nhello")
    terminal.until("Hello")

    terminal.interrupt()
    printed = terminal.finish()

    assert "SIMPLE · simulated/gpt-4o-mini ·" in printed
    assert "interrupted: a partial answer" in printed
    assert "Interrupted: stopped;" in printed
    assert "interrupted Hello" in terminal.run("print(answer.status, answer.text)")


def test_a_models_escape_sequences_do_not_reach_the_terminal(looped, server):
    evil = "\x1b[31mred\x1b[0m \x1b]0;title\x07 bell\x07 \x1b[2J\x9b5mback\x08\x08 done"
    server.reply(chunks=[evil, " and on"])

    printed = looped.run("%%route\nhello")

    assert "red" in printed
    assert "done and on" in printed
    assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", printed) is None


def test_an_answer_that_does_not_stream_is_printed_whole(looped, server):
    server.reply(text="first line\nsecond line")

    printed = looped.run("%%route --no-stream\nhello")

    assert printed.startswith("first line\nsecond line\n\nLOW · small")


def test_a_wait_is_printed_while_it_lasts(looped, server):
    server.reply(status=429, error="slow down", headers={"Retry-After": "60"})
    looped.begin("%%route\nhello")

    looped.until("--- waiting 60 s: the endpoint was busy (429)")

    looped.interrupt()
    looped.finish()
