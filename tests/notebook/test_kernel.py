"""Magics in a real kernel over the loopback server: live, static, interrupted, killed, shared."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from dataclasses import dataclass, field

import pytest
from jupyter_client.manager import KernelManager
from waiting import PATIENCE, until

from nbroute.storage.ledger import SqliteLedger

WORDS = "one two three four "
WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass
class Ran:
    """A cell that ended: what the kernel replied and what it sent to be shown."""

    reply: dict
    outputs: list[dict] = field(default_factory=list)

    def of(self, *kinds):
        return [output["content"] for output in self.outputs if output["msg_type"] in kinds]

    @property
    def shown(self):
        """What was displayed and what was drawn in its place, as it came."""
        return self.of("display_data", "update_display_data")

    @property
    def last(self):
        """The final state of the answer's display; the controls are another."""
        return [content for content in self.shown if "text/markdown" in content["data"]][-1]

    @property
    def words(self):
        """That in plain text."""
        return self.last["data"]["text/plain"]

    @property
    def printed(self):
        return "".join(content["text"] for content in self.of("stream"))

    @property
    def error(self):
        """The class of the error, whose traceback is one line."""
        assert "error" == self.reply["status"]
        (line,) = self.reply["traceback"]
        assert "\n" not in line
        return self.reply["ename"]


class Kernel:
    """A kernel and a front end to it, which takes one cell at a time."""

    def __init__(self, looped):
        folder = looped.folder
        place = str(folder / f"k{len(list(folder.iterdir()))}.json")
        self.manager = KernelManager(transport="ipc", connection_file=place)
        self.manager.start_kernel(cwd=str(folder), env=looped.env, stderr=subprocess.DEVNULL)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)
        self.good("%load_ext nbroute")

    def begin(self, source, *, stdin=True, cell="c1"):
        """Run the source; a front end that draws updates names the `cell`, a console has none."""
        asked = self.client.session.msg(
            "execute_request",
            {"code": source, "silent": False, "store_history": True, "user_expressions": {}}
            | {"allow_stdin": stdin, "stop_on_error": True},
            metadata={"cellId": cell} if cell else {},
        )
        self.client.shell_channel.send(asked)
        self._asked = asked["header"]["msg_id"]

    def messages(self):
        """What the cell sends, to its end."""
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if self._asked != message["parent_header"].get("msg_id"):
                continue
            if "idle" == message["content"].get("execution_state"):
                return
            if message["msg_type"] not in ("status", "execute_input"):
                yield message

    def finish(self):
        outputs = list(self.messages())
        return Ran(self.reply_to(self._asked), outputs)

    def reply_to(self, asked):
        """The reply; a slow start leaves others, to questions whether the kernel is ready."""
        while True:
            message = self.client.get_shell_msg(timeout=PATIENCE)
            if asked == message["parent_header"].get("msg_id"):
                return message["content"]

    def run(self, source, **options):
        self.begin(source, **options)
        return self.finish()

    def good(self, source, **options):
        """Run a cell that must not fail."""
        ran = self.run(source, **options)
        assert "ok" == ran.reply["status"], ran.reply
        return ran

    def until_shown(self, text):
        """Come back when the text is on the screen, displayed or printed."""
        for message in self.messages():
            content = message["content"]
            if text in content.get("data", {}).get("text/plain", "") + content.get("text", ""):
                return
        raise AssertionError(f"the cell ended without showing {text!r}")

    def interrupt(self):
        """Interrupt the cell; it, ended."""
        self.manager.interrupt_kernel()
        return self.finish()

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture(scope="module")
def shared(looped):
    with contextlib.closing(Kernel(looped)) as kernel:
        yield kernel


@pytest.fixture
def kernel(shared, asked):
    """The module's one kernel; a test that changes it changes it back."""
    return shared


@pytest.fixture
def rows(looped):
    """The attempts since the test began, as another process reads them in the ledger."""

    def read():
        with SqliteLedger(looped.ledger) as ledger:
            return ledger.rows()

    before = len(read())
    return lambda: read()[before:]


def cost(row):
    """What its tokens cost on LOW."""
    return pytest.approx((row["input_tokens"] * 1 + row["output_tokens"] * 2) / 1e6)


def test_an_interrupt_keeps_the_partial_answer_its_cost_and_the_kernel(kernel, asked, rows):
    asked.reply(text=WORDS * 250, pause=0.02)
    kernel.begin("%%route -o answer\nWhat is the capital of France?")
    kernel.until_shown("one two")
    later = kernel.client.execute("raise SystemError('ran')")
    kernel.until_shown(WORDS * 3)  # by now it waits in the kernel's queue

    ran = kernel.interrupt()

    assert "Interrupted" == ran.error
    assert "aborted" == kernel.reply_to(later)["status"]  # Run All stops
    assert "interrupted: a partial answer" in ran.words
    assert "\n\none two" in ran.words
    assert "interrupted" == ran.last["metadata"]["nbroute"]["status"]
    (row,) = rows()
    assert ("interrupted", "estimated") == (row["status"], row["cost_source"])
    assert row["output_tokens"] > 0
    assert float(row["cost_usd"]) == cost(row)
    kept = kernel.good("print(answer.status, answer.text[:7])")
    assert "interrupted one two\n" == kept.printed
    assert "\n\nbefore: LOW" in kernel.good("%route escalate").words


def test_an_interrupt_before_the_first_token_is_one_line(kernel, asked, rows):
    asked.reply(stall_after=0)
    kernel.begin("%%route\nhello")
    until(lambda: asked.requests)

    ran = kernel.interrupt()

    assert "Interrupted" == ran.error
    assert "interrupted before any text" in ran.words
    assert "(estimate)" in ran.words
    assert asked.requests[0].left.wait(PATIENCE)  # so that no more is generated
    (row,) = rows()
    assert ("interrupted", 0) == (row["status"], row["output_tokens"])
    assert float(row["cost_usd"]) == cost(row)


def test_a_killed_kernel_leaves_what_it_sent_and_what_had_arrived_in_the_ledger(
    looped, asked, rows
):
    asked.reply(text=WORDS * 5000, pause=0.02)
    with contextlib.closing(Kernel(looped)) as own:
        own.begin("%%route\nWhat is the capital of France?")
        until(lambda: asked.requests and rows()[0]["output_tokens"])
        own.manager.signal_kernel(signal.SIGKILL)

    (row,) = rows()
    assert ("running", "estimated") == (row["status"], row["cost_source"])
    assert row["input_tokens"] > 0
    assert float(row["cost_usd"]) == cost(row)


def test_a_live_answer_is_redrawn_in_one_place_and_the_controls_are_a_second_output(kernel, asked):
    text = (WORDS * 15).strip()  # 60 tokens, of 64
    asked.reply(text=text, pause=0.01)

    ran = kernel.good("%%route -o answer\nWhat is the capital of France?")

    first, *updates = [one for one in ran.shown if "text/html" in one["data"]]
    assert {first["transient"]["display_id"]} == {u["transient"]["display_id"] for u in updates}
    assert any("answering ..." in update["data"]["text/plain"] for update in updates)
    assert text in ran.words
    assert text in ran.last["data"]["text/markdown"]
    record = ran.last["metadata"]["nbroute"]
    assert ("LOW", "small", "ok") == (record["tier"], record["model"], record["status"])
    _, controls = ran.of("display_data")
    assert ["text/html", "text/markdown", "text/plain"] == sorted(ran.last["data"])
    assert WIDGET in controls["data"]
    assert ([], "") == (ran.of("execute_result"), ran.printed)
    (shown,) = kernel.good("answer").of("display_data")
    assert text in shown["data"]["text/plain"]
    assert "LOW" == shown["metadata"]["nbroute"]["tier"]


def test_where_nobody_watches_there_is_one_output(kernel, asked):
    asked.reply(text=WORDS * 10, pause=0.02)

    ran = kernel.good("%%route\nhello", stdin=False)

    assert {"display_data", "comm_msg"} >= {output["msg_type"] for output in ran.outputs}
    assert 1 == len(ran.of("display_data"))
    assert "one two three" in ran.words


def test_what_fails_is_one_line_with_no_half_drawn_card(kernel, asked):
    asked.reply(status=401, error="bad key")
    ran = kernel.run("%%route\nhello")
    assert "AuthError" == ran.error
    assert "" == ran.of("update_display_data")[-1]["data"]["text/plain"]


def test_a_console_gets_the_final_card_as_an_output_of_its_own(kernel, asked):
    shown = kernel.good("%%route\nhello", cell="").of("display_data")
    words = "\n".join(one["data"]["text/plain"] for one in shown)
    assert "LOW · small" in words
    assert "\n\nok" in words
