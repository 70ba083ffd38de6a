"""Time of `%load_ext nbroute` in a running IPython, against `%load_ext jupyter_ai_magics`."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

RUNS = 7
PROGRAM = """
import os, tempfile, time
os.environ["NBROUTE_LEDGER"] = os.path.join(tempfile.mkdtemp(), "ledger.sqlite")
os.environ.setdefault("NBROUTE_PROFILE", "simulated")
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell("import ipywidgets" if {widgets} else "pass")
began = time.perf_counter()
done = shell.run_cell("%load_ext {name}")
took = time.perf_counter() - began
assert done.success
print(took)
"""


def seconds(python: str, name: str, *, widgets: bool) -> float:
    """Median seconds over fresh processes."""
    program = PROGRAM.format(name=name, widgets=widgets)
    times = []
    for _ in range(RUNS):
        done = subprocess.run(
            [python, "-c", program], capture_output=True, text=True, check=True, cwd="/"
        )
        times.append(float(done.stdout.split()[-1]))
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=".venv-peers/bin/python")
    peers = str(Path(parser.parse_args().peers).absolute())
    ours = seconds(sys.executable, "nbroute", widgets=False)
    print(f"%load_ext nbroute              {ours:.3f} s in a running IPython")
    if not Path(peers).exists():
        print("%load_ext jupyter_ai_magics    not measured: make bench makes .venv-peers")
        return
    theirs = seconds(peers, "jupyter_ai_magics", widgets=False)
    print(f"%load_ext jupyter_ai_magics    {theirs:.3f} s: {theirs / ours:.0f} times as long")


if __name__ == "__main__":
    main()
