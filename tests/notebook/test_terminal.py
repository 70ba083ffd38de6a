"""Magics in a real terminal IPython on a pseudo-terminal: typed, printed, interrupted."""

from __future__ import annotations

import contextlib
import re
import signal
import sys

import pytest
from waiting import PATIENCE

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


def test_the_answer_is_printed_once_then_the_figures_and_later_cells_show_it_whole(terminal):
    terminal.run("%route use simulated")
    printed = terminal.run("%%route -o answer\nWhat is the capital of France?")

    answer, figures = printed.split("\n\nSIMPLE · ")
    assert "The capital of France is Paris." == answer
    assert ["why SIMPLE:", "session"] == re.findall("^(why SIMPLE:|session)", figures, re.MULTILINE)
    for word in ("widget", "controls", "Meter", "VBox", "\x1b", "Out["):
        assert word not in printed
    printed = terminal.run("_")
    assert re.match(r"Out\[\d+\]: SIMPLE · simulated/gpt-4o-mini", printed)
    assert 1 == printed.count("The capital of France is Paris")
    terminal.run("%route use file")


def test_ctrl_c_keeps_the_partial_answer_and_the_prompt(terminal, asked):
    asked.reply(text=WORDS * 250, pause=0.02)
    terminal.begin("%%route -o answer\nhello")
    terminal.until("one two three")  # printed as it comes

    printed = terminal.interrupt()

    assert "interrupted: a partial answer" in printed
    assert printed.strip().split("\n")[-1].startswith("Interrupted: stopped;")
    assert "interrupted one two" in terminal.run("print(answer.status, answer.text)")
    assert terminal.run("%%route\nhello").startswith("ok\n\nLOW · small")


def test_an_answer_is_printed_without_a_models_escape_sequences_and_whole_if_not_streamed(
    terminal, asked
):
    evil = "\x1b[31mred\x1b[0m \x1b]0;title\x07 bell\x07 \x1b[2J\x9b5mback\x08\x08 done"
    asked.reply(chunks=[evil, " and on"])
    asked.reply(text="first line\nsecond line")

    printed = terminal.run("%%route\nhello")

    assert "red" in printed
    assert "done and on" in printed
    assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", printed) is None
    printed = terminal.run("%%route --no-stream\nhello")
    assert printed.startswith("first line\nsecond line\n\nLOW · small")
