"""Magics in real kernels over the loopback server: live, static, interrupted, killed, shared."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field

import pytest
from jupyter_client.manager import KernelManager

PATIENCE = 60.0
WORDS = "one two three four "

SETTINGS = """
[nbroute]
classifier = "ngrams"

[providers.loop]
kind = "openai"
base_url = "{url}"

[providers.ollama]
base_url = "http://127.0.0.1:{closed}/v1"

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


@dataclass
class Ran:
    """A cell that ended: what the kernel replied and what it sent to be shown."""

    reply: dict
    outputs: list[dict] = field(default_factory=list)

    def of(self, kind):
        return [output["content"] for output in self.outputs if kind == output["msg_type"]]

    @property
    def kinds(self):
        return [output["msg_type"] for output in self.outputs]

    @property
    def shown(self):
        """What was displayed and what was drawn in its place, as it came."""
        kinds = ("display_data", "update_display_data")
        return [one["content"] for one in self.outputs if one["msg_type"] in kinds]

    @property
    def cards(self):
        """The final states of the answer's display; the controls are another."""
        return [content for content in self.shown if "text/markdown" in content["data"]]

    @property
    def last(self):
        return self.cards[-1]

    @property
    def printed(self):
        return "".join(content["text"] for content in self.of("stream"))


class Kernel:
    """A kernel and a front end to it, which takes one cell at a time."""

    def __init__(self, folder):
        self.manager = KernelManager(
            transport="ipc", connection_file=str(folder / f"k{len(list(folder.iterdir()))}.json")
        )
        self.manager.start_kernel(cwd=str(folder), stderr=subprocess.DEVNULL)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def begin(self, source, *, stdin=True, cell="c1", history=True):
        """Run the source; a front end that draws updates names the `cell`, a console has none."""
        asked = self.client.session.msg(
            "execute_request",
            {"code": source, "silent": False, "store_history": history, "user_expressions": {}}
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
        """Come back when the text is on the screen."""
        seen = []
        for message in self.messages():
            seen.append(message["content"])
            if text in message["content"].get("data", {}).get("text/plain", ""):
                return
        raise AssertionError(f"the cell ended without showing {text!r}: {seen}")

    def interrupt(self):
        self.manager.interrupt_kernel()

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture
def folder(tmp_path, monkeypatch, server):
    """The kernels' working folder, with settings that point to the loopback server."""
    for name in ("config", "data", "runtime"):
        monkeypatch.setenv(f"JUPYTER_{name.upper()}_DIR", str(tmp_path / "jupyter" / name))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    settings = SETTINGS.format(url=server.url, closed=closed_port())
    (tmp_path / "nbroute" / "nbroute.toml").write_text(settings)
    return tmp_path / "nbroute"


@pytest.fixture
def make_kernel(folder):
    with contextlib.ExitStack() as stack:

        def make():
            kernel = Kernel(folder)
            stack.callback(kernel.close)
            kernel.good("%load_ext nbroute")
            return kernel

        yield make


@pytest.fixture
def kernel(make_kernel):
    return make_kernel()


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ledger_rows(folder):
    """The ledger as another process reads it."""
    source = (
        "import json, sys, pathlib\n"
        "from nbroute.storage.ledger import SqliteLedger\n"
        "with SqliteLedger(pathlib.Path(sys.argv[1])) as ledger:\n"
        "    print(json.dumps(ledger.rows(), default=float))\n"
    )
    command = [sys.executable, "-c", source, str(folder / "ledger.sqlite")]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def until(condition):
    """Wait for what another process does; how long it takes is not what is tested."""
    give_up = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.02)
    return found


def test_an_interrupt_keeps_the_partial_answer_its_cost_and_the_kernel(kernel, server, folder):
    server.reply(text=WORDS * 250, pause=0.02)
    kernel.begin("%%route\nWhat is the capital of France?")
    kernel.until_shown("one two")

    kernel.interrupt()
    ran = kernel.finish()

    assert ("error", "Interrupted") == (ran.reply["status"], ran.reply["ename"])
    (line,) = ran.reply["traceback"]
    assert "\n" not in line
    assert "interrupted: a partial answer" in ran.last["data"]["text/plain"]
    assert "\n\none two" in ran.last["data"]["text/plain"]
    assert "interrupted" == ran.last["metadata"]["nbroute"]["status"]
    (row,) = ledger_rows(folder)
    assert ("interrupted", "estimated") == (row["status"], row["cost_source"])
    assert row["output_tokens"] > 0
    assert row["cost_usd"] == pytest.approx(
        (row["input_tokens"] * 1 + row["output_tokens"] * 2) / 1e6
    )
    assert "2" == kernel.good("1 + 1").of("execute_result")[0]["data"]["text/plain"]
    assert kernel.good("%%route\nhello").last["data"]["text/plain"].endswith("\n\nok")
    assert ["interrupted", "ok"] == [row["status"] for row in ledger_rows(folder)]


@pytest.mark.parametrize("silence", [{"stall_after": 0}, {"delay": PATIENCE}], ids=str)
def test_an_interrupt_before_the_first_token_is_one_line(kernel, server, folder, silence):
    server.reply(**silence)
    kernel.begin("%%route\nhello")
    until(lambda: server.requests)

    kernel.interrupt()
    ran = kernel.finish()

    assert ("error", "Interrupted") == (ran.reply["status"], ran.reply["ename"])
    assert 1 == len(ran.reply["traceback"])
    shown = ran.last["data"]["text/plain"]
    assert "interrupted before any text" in shown
    assert "(estimate)" in shown
    (row,) = ledger_rows(folder)
    assert ("interrupted", "estimated", 0) == (
        row["status"],
        row["cost_source"],
        row["output_tokens"],
    )
    assert row["cost_usd"] == pytest.approx(row["input_tokens"] / 1e6)
    assert kernel.good("%%route\nhello").last["data"]["text/plain"].endswith("\n\nok")


def test_an_interrupted_classifier_of_the_notebook_is_one_line_too(kernel, server, folder):
    kernel.good(
        "import time\n"
        "def thinking(prompt):\n"
        "    print('thinking', flush=True)\n"
        f"    time.sleep({PATIENCE})"
    )
    kernel.begin("%%route -c thinking\nhello")
    next(kernel.messages())

    kernel.interrupt()
    ran = kernel.finish()

    assert ("error", "Interrupted") == (ran.reply["status"], ran.reply["ename"])
    assert 1 == len(ran.reply["traceback"])
    assert [] == server.requests
    assert [] == ledger_rows(folder)


def test_an_interrupt_ends_the_connection_so_that_no_more_is_generated(kernel, server):
    server.reply(text=WORDS, stall_after=1)
    kernel.begin("%%route\nhello")
    kernel.until_shown("\n\none")

    kernel.interrupt()
    kernel.finish()

    assert server.requests[0].left.wait(PATIENCE)


def test_an_interrupted_cell_stops_run_all(kernel, server):
    server.reply(text=WORDS * 250, pause=0.02)
    kernel.begin("%%route\nhello")
    kernel.until_shown("one two")
    later = kernel.client.execute("raise SystemError('ran')")

    kernel.interrupt()
    kernel.finish()

    assert "aborted" == kernel.reply_to(later)["status"]


def test_after_an_interrupt_the_partial_answer_can_be_looked_at_and_escalated(kernel, server):
    server.reply(text=WORDS * 250, pause=0.02)
    kernel.begin("%%route -o answer\nhello")
    kernel.until_shown("one two")
    kernel.interrupt()
    kernel.finish()

    kept = kernel.good("print(answer.status, answer.text[:7])")
    above = kernel.good("%route escalate").last["data"]["text/plain"]

    assert "interrupted one two\n" == kept.printed
    assert above.startswith("TOP · large")
    assert "\n\nbefore: LOW" in above


def test_a_killed_kernel_leaves_what_it_sent_in_the_ledger(kernel, server, folder):
    server.reply(stall_after=0)
    kernel.begin("%%route\nWhat is the capital of France?")
    until(lambda: server.requests)

    kernel.manager.signal_kernel(signal.SIGKILL)

    (row,) = ledger_rows(folder)
    assert ("running", "estimated", 0) == (row["status"], row["cost_source"], row["output_tokens"])
    assert row["cost_usd"] == pytest.approx(row["input_tokens"] / 1e6)
    assert row["input_tokens"] > 0


def test_a_kernel_killed_while_it_streams_leaves_what_had_arrived_in_the_ledger(
    kernel, server, folder
):
    server.reply(text=WORDS * 5000, pause=0.02)
    kernel.begin("%%route\nWhat is the capital of France?")
    kernel.until_shown("one two")
    until(lambda: ledger_rows(folder)[0]["output_tokens"])

    kernel.manager.signal_kernel(signal.SIGKILL)

    (row,) = ledger_rows(folder)
    assert "running" == row["status"]
    assert row["output_tokens"] > 0
    assert row["cost_usd"] == pytest.approx(
        (row["input_tokens"] * 1 + row["output_tokens"] * 2) / 1e6
    )


def test_two_kernels_share_a_ledger(make_kernel, folder):
    kernels = [make_kernel(), make_kernel()]
    magics = "get_ipython().run_cell_magic('route', '-q -o answer', f'question {n} of {who}')"
    for who, kernel in enumerate(kernels):
        kernel.begin(
            f"who, notices = {who}, []\n"
            f"for n in range(20):\n    {magics}\n    notices += answer.notices\n"
            "print(notices)"
        )

    ran = [kernel.finish() for kernel in kernels]

    assert ["[]\n", "[]\n"] == [one.printed for one in ran]
    rows = ledger_rows(folder)
    assert 40 == len(rows)
    assert {"ok"} == {row["status"] for row in rows}
    sessions = [row["session"] for row in rows]
    assert [20, 20] == [sessions.count(session) for session in set(sessions)]


def test_a_live_answer_is_redrawn_in_one_place_until_it_is_complete(kernel, server):
    text = (WORDS * 15).strip()  # 60 tokens, of 64
    server.reply(text=text, pause=0.01)
    began = time.monotonic()

    ran = kernel.good("%%route\nWhat is the capital of France?")

    seconds = time.monotonic() - began
    first, *updates = drawn = [one for one in ran.shown if "text/html" in one["data"]]
    assert {first["transient"]["display_id"]} == {u["transient"]["display_id"] for u in updates}
    assert ["display_data"] == [k for k in ran.kinds if "display_data" in k][:1]
    assert any("answering ..." in update["data"]["text/plain"] for update in updates)
    assert len(updates) <= 8 * seconds + 2
    assert text in ran.last["data"]["text/plain"]
    assert text in ran.last["data"]["text/markdown"]
    record = ran.last["metadata"]["nbroute"]
    assert (1, "LOW", "small", "ok") == (
        record["schema"],
        record["tier"],
        record["model"],
        record["status"],
    )
    assert all("nbroute" not in card["metadata"] for card in drawn[:-1])


def test_the_answer_and_the_controls_are_two_outputs_and_the_result_is_no_third(kernel):
    ran = kernel.good("%%route\nhello")

    answer, controls = ran.of("display_data")
    assert ["text/html", "text/plain"] == sorted(answer["data"])
    assert ["text/html", "text/markdown", "text/plain"] == sorted(ran.last["data"])
    assert "application/vnd.jupyter.widget-view+json" in controls["data"]
    assert [] == ran.of("execute_result")
    assert "" == ran.printed


@pytest.mark.parametrize("later", ["_", "Out[2]", "answer"])
def test_the_result_shows_again_in_a_later_cell(kernel, later):
    kernel.good("%%route -o answer\nhello")

    ran = kernel.good(later)

    (shown,) = ran.of("display_data")
    assert "\n\nok" in shown["data"]["text/plain"]
    assert "LOW" == shown["metadata"]["nbroute"]["tier"]


def test_the_result_shows_again_where_the_client_keeps_no_history_of_its_cells(kernel):
    kernel.good("%%route -o answer\nhello", history=False)

    assert kernel.good("answer", history=False).of("display_data")


def test_in_a_front_end_that_nobody_watches_there_is_one_output_and_no_widget(kernel, server):
    server.reply(text=WORDS * 10, pause=0.02)

    ran = kernel.good("%%route\nhello", stdin=False)

    assert ["display_data"] == ran.kinds
    assert "transient" not in ran.last or not ran.last["transient"]
    assert 1 == ran.last["metadata"]["nbroute"]["schema"]
    assert "session $" in ran.last["data"]["text/plain"]


def test_nbroute_static_gives_one_output_and_no_widget(make_kernel, server, monkeypatch):
    monkeypatch.setenv("NBROUTE_STATIC", "1")
    kernel = make_kernel()
    server.reply(text=WORDS * 10, pause=0.02)

    ran = kernel.good("%%route\nhello")

    assert ["display_data"] == ran.kinds
    assert "one two three" in ran.last["data"]["text/plain"]


def test_a_failed_use_is_one_line_and_the_old_profile_stays(kernel, folder):
    ran = kernel.run("%route use ollama")

    assert "error" == ran.reply["status"]
    (line,) = ran.reply["traceback"]
    assert "127.0.0.1" in line
    assert "\n" not in line
    assert "LOW · small" in kernel.good("%%route\nhello").last["data"]["text/plain"]
    assert ["loop"] == [row["provider"] for row in ledger_rows(folder)]


def test_an_endpoint_that_fails_is_one_line_with_no_half_drawn_card(kernel, server):
    server.reply(status=401, error="bad key")

    ran = kernel.run("%%route\nhello")

    assert ("error", "AuthError") == (ran.reply["status"], ran.reply["ename"])
    assert 1 == len(ran.reply["traceback"])
    assert "" == ran.of("update_display_data")[-1]["data"]["text/plain"]


def test_a_stream_that_breaks_off_keeps_what_had_arrived(kernel, server, folder):
    server.reply(text=WORDS * 10, cut_after=4)

    ran = kernel.run("%%route\nhello")

    assert ("error", "Unavailable") == (ran.reply["status"], ran.reply["ename"])
    assert "broke off: a partial answer" in ran.last["data"]["text/plain"]
    assert "one two three four" in ran.last["data"]["text/plain"]
    assert ["error"] == [row["status"] for row in ledger_rows(folder)]


SLOW = """
import time
from nbroute.notebook.controls import Shelf
put = Shelf.put
def slowly(self, *args):
    print("drawing", flush=True)
    time.sleep(0.5)
    put(self, *args)
Shelf.put = slowly
"""


def test_an_interrupt_while_the_controls_are_drawn_is_one_line_and_they_are_drawn(kernel):
    kernel.good(SLOW)
    kernel.begin("%%route -o answer\nhello")
    while "drawing" not in next(kernel.messages())["content"].get("text", ""):
        pass

    kernel.interrupt()
    ran = kernel.finish()

    assert ("error", "Interrupted", 1) == (
        ran.reply["status"],
        ran.reply["ename"],
        len(ran.reply["traceback"]),
    )
    (controls,) = ran.of("display_data")
    assert "application/vnd.jupyter.widget-view+json" in controls["data"]
    assert "ok\n" == kernel.good("print(answer.text)").printed


def test_an_interrupted_command_is_one_line_too(kernel):
    kernel.good(
        "from nbroute.notebook import desk\n"
        "def forever(*_):\n    print('here', flush=True)\n    import time\n    time.sleep(60)\n"
        "desk.Desk.card = forever"
    )
    kernel.begin("%route why 7")
    next(kernel.messages())

    kernel.interrupt()
    ran = kernel.finish()

    assert ("Interrupted", 1) == (ran.reply["ename"], len(ran.reply["traceback"]))


# Front ends that are not known to draw an output again


@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        ({"text": WORDS}, None, "one two three four"),
        ({"text": WORDS, "cut_after": 2}, "Unavailable", "broke off: a partial answer"),
    ],
)
def test_a_console_gets_the_final_card_as_an_output_of_its_own(kernel, server, reply, error, told):
    server.reply(**reply, pause=0.02)

    ran = kernel.run("%%route\nhello", cell="")

    assert error == ran.reply.get("ename")
    assert told in ran.of("display_data")[1]["data"]["text/plain"]
    assert "LOW · small" in ran.of("display_data")[1]["data"]["text/plain"]
    above = kernel.run("%route escalate", cell="")
    assert "TOP · large" in ran_plain(above)


def test_a_console_gets_an_interrupted_answer_as_an_output_of_its_own(kernel, server):
    server.reply(text=WORDS * 250, pause=0.02)
    kernel.begin("%%route\nhello", cell="")
    kernel.until_shown("one two")

    kernel.interrupt()

    assert "interrupted: a partial answer" in ran_plain(kernel.finish())


def test_an_output_widget_takes_the_final_card_in(kernel):
    kernel.good("import ipywidgets\nout = ipywidgets.Output()")

    ran = kernel.good("with out:\n    get_ipython().run_cell_magic('route', '', 'hello')")

    assert "1 tokens · #1\n" in ran_plain(ran)
    assert "\n\nok" in ran_plain(ran)


def ran_plain(ran):
    """What is displayed, with no update of it."""
    return "\n".join(one["data"].get("text/plain", "") for one in ran.of("display_data"))
