"""Magics in a real terminal IPython on a pseudo-terminal: typed, printed, interrupted."""

from __future__ import annotations

import contextlib
import re
import signal
import sys

import pytest
from waiting import PATIENCE, until

pexpect = pytest.importorskip("pexpect", reason="no pseudo-terminals on this system")

WORDS = "one two three four "

#: What prompt_toolkit writes when it hands the terminal to the cell, and when it takes it back.
RUNS, ENDED = "\x1b[?2004l", "\x1b[?2004h"
#: Its own resets around `Out[n]: `.
OUT_PROMPT = re.compile(r"(?:\x1b\[[0-9;?]*[a-z])*(Out\[\d+\]: )(?:\x1b\[[0-9;?]*[a-z])*")
PLACE = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}


class Terminal:
    """IPython as a person has it: what is typed goes in, what the screen gets comes out."""

    def __init__(self, looped):
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "IPython", "--no-banner", "--no-confirm-exit", "--colors=nocolor"],
            cwd=str(looped.folder),
            env=looped.env | PLACE,
            encoding="utf-8",
            timeout=int(PATIENCE),
            dimensions=(50, 120),
        )
        self._await_prompt()
        assert "nbroute: profile " in self.run("%load_ext nbroute")

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
        """Ctrl-C; what the cell printed from here to its end."""
        self.child.sendintr()
        return self.finish()

    def close(self):
        with contextlib.suppress(ProcessLookupError, pexpect.ExceptionPexpect):  # it has ended
            self.child.kill(signal.SIGKILL)
            self.child.wait()
        self.child.close(force=True)


@pytest.fixture(scope="module")
def shared(looped):
    with contextlib.closing(Terminal(looped)) as terminal:
        yield terminal


@pytest.fixture
def terminal(shared, asked):
    """The module's one terminal, on the loopback server's tiers."""
    return shared


@pytest.fixture
def simulated(terminal):
    """The same on the simulated ladder."""
    terminal.run("%route use simulated")
    yield terminal
    terminal.run("%route use file")


def test_the_answer_is_printed_once_and_then_the_figures(simulated):
    printed = simulated.run("%%route\nWhat is the capital of France?")

    answer, figures = printed.split("\n\nSIMPLE · ")
    assert "The capital of France is Paris." == answer
    headline, why, session = figures.strip().split("\n")
    assert "(would have cost)" in headline
    assert " to SIMPLE rather than " in why
    assert why.startswith("why SIMPLE: ")
    assert re.match(r"session .*\$0\.\d+ .*\d+ calls? · ", session)
    for word in ("widget", "controls", "Meter", "VBox", "\x1b", "Out["):
        assert word not in printed


def test_escalate_prints_the_next_tiers_answer_alone_and_an_assigned_one_has_no_repr(simulated):
    first = simulated.run("%%route -t SIMPLE\nWhat is the capital of Australia?")

    printed = simulated.run("higher = %route escalate")

    assert "MEDIUM · simulated/claude-haiku-3.5" in printed
    assert "for this step" in printed
    assert first.split("\n")[0] not in printed
    assert "Out[" not in printed
    assert re.match(r"Out\[\d+\]: 'MEDIUM'", simulated.run("higher.tier"))


@pytest.mark.parametrize("later", ["_", "Out[max(Out)]", "answer"])
def test_a_later_cell_shows_the_whole_result_once(simulated, later):
    simulated.run("%%route -o answer\nWhat is the capital of France?")

    printed = simulated.run(later)

    assert re.match(r"Out\[\d+\]: SIMPLE · simulated/gpt-4o-mini", printed)
    assert 1 == printed.count("The capital of France is Paris")
    assert "<RouteResult" not in printed


def test_a_quiet_cell_prints_nothing_and_a_mistake_one_line(simulated):
    assert "" == simulated.run("%%route -q -o answer\nhello").strip()
    assert "hello" in simulated.run("answer")
    printed = simulated.run("%%route --teir SIMPLE\nhello")
    assert "unknown option '--teir': did you mean '--tier'" in printed
    assert 1 == len(printed.strip().split("\n"))


def test_tab_completes_commands_and_tiers(simulated):
    simulated.type("%route sp\t")
    simulated.until("end")  # what is there already may not be written again
    assert re.search(r"session .*\d+ calls?", simulated.enter())

    simulated.run("%%route -t SIMPLE\nhello")
    simulated.type("%route escalate FR\t")
    simulated.until("ONTIER")
    assert "FRONTIER · simulated/claude-opus-4" in simulated.enter()


def test_ctrl_c_keeps_the_partial_answer_and_the_prompt(terminal, asked):
    asked.reply(text=WORDS * 250, pause=0.02)
    terminal.begin("%%route -o answer\nhello")
    terminal.until("one two three")  # printed as it comes

    partial = terminal.interrupt()
    kept = terminal.run("print(answer.status, answer.text)")
    asked.forget()
    asked.reply(stall_after=0)
    terminal.begin("%%route\nhello")
    until(lambda: asked.requests)
    nothing = terminal.interrupt()

    assert "interrupted: a partial answer" in partial
    assert "(estimate)" in partial
    assert "interrupted one two" in kept
    assert "interrupted before any text" in nothing
    for printed in (partial, nothing):
        assert "Traceback" not in printed
        assert printed.strip().split("\n")[-1].startswith("Interrupted: stopped;")
    assert "what had arrived is kept" in partial
    assert terminal.run("%%route\nhello").startswith("ok\n\nLOW · small")


def test_ctrl_c_stops_a_slow_simulated_model(terminal, looped):
    (looped.folder / "slow.toml").write_text(
        '[nbroute]\nprofile = "simulated"\n[providers.simulated]\nkind = "simulated"\npace = 4.0\n'
    )
    terminal.run("import nbroute; slow = nbroute.Router('slow.toml')")
    terminal.begin("slow.route('hello', tier='SIMPLE', observe=print)")
    terminal.until("Text(")

    assert "Interrupted: stopped;" in terminal.interrupt()


def test_a_models_escape_sequences_do_not_reach_the_terminal(terminal, asked):
    evil = "\x1b[31mred\x1b[0m \x1b]0;title\x07 bell\x07 \x1b[2J\x9b5mback\x08\x08 done"
    asked.reply(chunks=[evil, " and on"])

    printed = terminal.run("%%route\nhello")

    assert "red" in printed
    assert "done and on" in printed
    assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", printed) is None


def test_an_answer_that_does_not_stream_is_printed_whole(terminal, asked):
    asked.reply(text="first line\nsecond line")

    printed = terminal.run("%%route --no-stream\nhello")

    assert printed.startswith("first line\nsecond line\n\nLOW · small")


def test_a_wait_is_printed_while_it_lasts(terminal, asked):
    asked.reply(status=429, error="slow down", headers={"Retry-After": "60"})
    terminal.begin("%%route\nhello")

    terminal.until("--- waiting 60 s: the endpoint was busy (429)")

    assert "Interrupted" in terminal.interrupt()
