"""Cells run in a real InteractiveShell, as a user would."""

from __future__ import annotations

from IPython.utils.capture import capture_output


def run(shell, source):
    """Run a cell as a user would; what it printed, and its result."""
    with capture_output() as shown:
        done = shell.run_cell(source, store_history=True)
    text = (
        shown.stdout
        + shown.stderr
        + "".join(output.data.get("text/plain", "") for output in shown.outputs)
    )
    return text, done


def error_of(shell, source):
    """The one line that a failing cell shows."""
    text, done = run(shell, source)
    assert not done.success
    lines = [line for line in text.split("\n") if line.strip()]
    assert 1 == len(lines), text
    return lines[0]
