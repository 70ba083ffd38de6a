"""What a page has to bear, in JupyterLab in headless Chromium: opening, streaming, a long answer.

Each figure is printed next to that of the same page with plain Markdown instead of cards, in the
same run; pages are opened in turns, so that the machine's other work affects all alike. A long task
blocks the page for 50 ms or more, according to the browser's PerformanceObserver.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import lab  # noqa: E402 - in the folder above
from loopback import Loopback, Reply  # noqa: E402 - as above

CARDS, ROUNDS, LONG = 100, 5, 200_000
TOKENS, TOKENS_A_SECOND = 2000, 100
TIERS = ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")
SECTION = """## Part {0}

A paragraph with **bold**, `code` and a [link](https://example.test) about part {0}.
It costs $5 to $7, goes on for a while, and says nothing that matters.

- a first thing, and what follows from it
- a second thing, shorter

```python
def part_{0}(x: int) -> int:
    return x + {0}
```

| name | value |
|---|---|
| part | {0} |

"""
#: Records what blocks the page, and when the notebook last changed, from the first moment.
WATCH = """
window.tasks = []; window.changed = window.shown = 0;
new PerformanceObserver(list => window.tasks.push(...list.getEntries()
  .map(e => [e.startTime, e.duration]))).observe({type: 'longtask', buffered: true});
new MutationObserver(all => {
  if (all.some(one => (one.target.closest || (() => false)).call(one.target, '.jp-Notebook')))
    window.changed = performance.now();
  if (!window.shown && document.querySelectorAll('.jp-RenderedMarkdown, .nbr-card').length >= %d)
    window.shown = performance.now();
}).observe(document, {childList: true, subtree: true});
"""
#: All answers are there, and nothing has moved for longer than the widget manager waits.
SETTLED = "() => window.shown && performance.now() - window.changed > 4000"
#: In an output, not in the source of the cell.
SHOWN = """end => (document.querySelector('.jp-Cell:last-child .jp-OutputArea')?.innerText || '')
  .includes(end)"""
#: Plain Markdown at the pace of `lanes` models, each in a display of its own, 8 times a second.
PLAIN = """
import time, urllib.request
from IPython.display import Markdown, display
text = {text!r}
handles = [display(Markdown(""), display_id=True) for _ in range({lanes})]
for step in range(1, int({seconds} * 8) + 1):
    part = text[: int(len(text) * step / ({seconds} * 8))]
    for handle in handles:
        handle.update(Markdown(part))
    time.sleep(1 / 8)
for handle in handles:
    handle.update(Markdown(text))
"""


ANY_WIDGET = "import ipywidgets\nipywidgets.Button(description='Any')"


def prose(length: int) -> str:
    made, number = "", 0
    while len(made) < length:
        made += SECTION.format(number)
        number += 1
    return f"{made[: length - 20]}\n\nEnd of the answer."


def answer(sent: Any) -> Reply:
    """The reply to a prompt that says how long it should be, and how many seconds it may take."""
    wanted = json.loads(sent["messages"][-1]["content"].splitlines()[-1])
    text = prose(wanted["length"])
    size = max(1, len(text) // wanted["pieces"])
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return Reply(text=text, chunks=pieces, pause=wanted["seconds"] / len(pieces))


def prompt(length: int, seconds: float, pieces: int) -> str:
    return json.dumps({"length": length, "seconds": seconds, "pieces": pieces})


def write(path: Path, *cells: Any, **metadata: Any) -> None:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = [nbformat.v4.new_code_cell(c) if isinstance(c, str) else c for c in cells]
    notebook = nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel, **metadata})
    nbformat.write(notebook, path)


def settings(folder: Path, url: str) -> None:
    tiers = "\n".join(
        f'[tiers.{name}]\nprovider = "loop"\nmodel = "m-{name.lower()}"\nmax_tokens = 60000\n'
        f"price = {{ input = {10**n / 10}, output = {10**n / 2} }}\n"
        for n, name in enumerate(TIERS)
    )
    (folder / "nbroute.toml").write_text(
        '[nbroute]\nprofile = "loop"\nclassifier = "ngrams"\n'
        f'[providers.loop]\nkind = "openai"\nbase_url = "{url}"\napi_key_env = "LOOP_API_KEY"\n'
        f"{tiers}"
    )
    keep = folder / "settings" / "@jupyter-widgets" / "jupyterlab-manager"
    keep.mkdir(parents=True)
    (keep / "plugin.jupyterlab-settings").write_text('{"saveState": true}')


# Opening


def make_notebooks(page: Any, url: str, folder: Path) -> dict[str, str]:
    """A hundred cards, actually run and saved; then the same text as plain Markdown."""
    cells = [f"%%route -t {TIERS[n % 4]}\n{prompt(400 + 20 * n, 0, 1)}" for n in range(CARDS)]
    write(folder / "live.ipynb", "%load_ext nbroute", *cells, ANY_WIDGET)
    lab.open_notebook(page, url, "live.ipynb")
    lab.run_all(page)
    page.get_by_role("button", name="Escalate to").last.wait_for()
    page.wait_for_timeout(2000)
    lab.save(page)
    saved = nbformat.read(folder / "live.ipynb", as_version=4)
    *cards, widget = saved.cells
    plain = [_plain(cell) for cell in cards]
    write(folder / "plain.ipynb", *plain)
    write(folder / "any.ipynb", *plain, widget)
    write(folder / "saved.ipynb", *cards)
    write(folder / "state.ipynb", *cards, widgets=saved.metadata["widgets"])
    trust(folder, "plain.ipynb", "any.ipynb", "saved.ipynb", "state.ipynb")
    return {
        "Markdown of the same text": "plain.ipynb",
        "  and one plain ipywidgets button": "any.ipynb",
        "cards, kernel without their widgets": "saved.ipynb",
        "cards, widget state in the file": "state.ipynb",
        "cards, kernel still running": "live.ipynb",
    }


def trust(folder: Path, *names: str) -> None:
    """Sign the notebooks, as if they had been made here: others show no widgets at all."""
    command = [sys.executable, "-m", "nbformat.sign", "--log-level=ERROR", *names]
    subprocess.run(
        command,
        cwd=folder,
        env=lab.environment(folder),
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _plain(cell: Any) -> Any:
    """The cell with its first output, as `display(Markdown(...))` leaves it."""
    data = [o.data for o in cell.outputs if "text/markdown" in o.get("data", {})][:1]
    outputs = [nbformat.v4.new_output("display_data", data=dict(one)) for one in data]
    return nbformat.v4.new_code_cell(cell.source, outputs=outputs)


def seconds_to_open(page: Any, url: str, name: str) -> tuple[float, float, float]:
    """Seconds until all answers are there, and until nothing moves; the longest task in ms."""
    page.goto("about:blank")
    page.goto(f"{url}/lab/tree/{name}?reset", wait_until="commit")
    page.wait_for_function(SETTLED)
    shown, changed = page.evaluate("[window.shown / 1000, window.changed / 1000]")
    return shown, changed, max((took for _, took in page.evaluate("window.tasks")), default=0)


def opening(page: Any, url: str, folder: Path) -> None:
    notebooks = make_notebooks(page, url, folder)
    names = notebooks.values()
    for name in names:
        seconds_to_open(page, url, name)  # starts its kernel
    found = [[seconds_to_open(page, url, name) for name in names] for _ in range(ROUNDS)]
    print(f"a notebook with {CARDS} of them, opened {ROUNDS} times: median, and median difference")
    print(f"  {'':<38} {'answers shown':<19} {'nothing moves':<19} longest task")
    for what, measured in zip(notebooks, zip(*found, strict=True), strict=True):
        took = [statistics.median(part) for part in zip(*measured, strict=True)]
        more = [
            statistics.median(
                m[part] - row[0][part] for m, row in zip(measured, found, strict=True)
            )
            for part in (0, 1)
        ]
        times = "   ".join(f"{took[part]:5.2f} s {more[part]:+5.2f} s" for part in (0, 1))
        print(f"  {what:<38} {times}    {took[2]:.0f} ms")


# Streaming, and a long answer


def watched(page: Any, url: str, folder: Path, cell: str, end: str) -> tuple[float, list[float]]:
    """Run the cell: seconds until its end is shown, and all its long tasks in milliseconds."""
    name = f"run{time.monotonic_ns()}.ipynb"
    write(folder / name, "%load_ext nbroute", cell)
    lab.open_notebook(page, url, name)
    page.wait_for_timeout(3000)
    page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0")
    lab.command(page, "notebook:run-cell-and-select-next")
    page.wait_for_timeout(500)
    began = page.evaluate("performance.now()")
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-cell')")
    page.wait_for_function(SHOWN, arg=end)
    took = (page.evaluate("performance.now()") - began) / 1000
    page.wait_for_timeout(2000)
    return took, [task for at, task in page.evaluate("window.tasks") if at >= began]


def told(what: str, took: float, tasks: list[float]) -> None:
    held = sum(task > 200 for task in tasks)
    worst = max(tasks, default=0)
    print(f"  {what:<38} {took:5.1f} s  {held:2} over 200 ms, longest {worst:.0f} ms")


def streaming(page: Any, url: str, folder: Path) -> None:
    seconds, length = TOKENS / TOKENS_A_SECOND, TOKENS * 4
    asked = prompt(length, seconds, TOKENS)
    print(f"{len(TIERS)} answers of {TOKENS} tokens side by side, {TOKENS_A_SECOND} a second each")
    idle = f"import time; time.sleep({seconds}); print('End of the answer.')"
    plain = PLAIN.format(text=prose(length), lanes=len(TIERS), seconds=seconds)
    compare = f"%%route_compare {' '.join(TIERS)}\n{asked}"
    for what, cell in (("idle", idle), ("plain Markdown", plain), ("%%route_compare", compare)):
        told(what, *watched(page, url, folder, cell, "End of the answer."))


def long_answer(page: Any, url: str, folder: Path) -> None:
    print(f"an answer of {LONG:,} characters")
    at_once = f"from IPython.display import Markdown\nMarkdown({prose(LONG)!r})"
    cells = {
        "plain Markdown, at once": at_once,
        "card, at once": f"%%route -t MEDIUM\n{prompt(LONG, 0, 1)}",
        "plain Markdown, in 10 s": PLAIN.format(text=prose(LONG), lanes=1, seconds=10),
        "card, in 10 s": f"%%route -t MEDIUM\n{prompt(LONG, 10, 1000)}",
        "compare on 2 tiers, in 10 s": f"%%route_compare SIMPLE MEDIUM\n{prompt(LONG, 10, 1000)}",
    }
    for what, cell in cells.items():
        told(what, *watched(page, url, folder, cell, "End of the answer."))


MEASURES: dict[str, Callable[[Any, str, Path], None]] = {
    "opening": opening,
    "streaming": streaming,
    "long": long_answer,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measures", nargs="*", default=list(MEASURES), help=", ".join(MEASURES))
    chosen = parser.parse_args().measures
    with tempfile.TemporaryDirectory() as name, Loopback(answer) as server:
        folder = Path(name)
        settings(folder, server.url)
        with (
            lab.jupyterlab(
                folder, LOOP_API_KEY="sk-bench", NBROUTE_CONFIG=str(folder / "nbroute.toml")
            ) as url,
            lab.chromium(1400, 1000) as page,
        ):
            page.set_default_timeout(300_000)
            page.add_init_script(WATCH % CARDS)
            for measure in chosen:
                MEASURES[measure](page, url, folder)


if __name__ == "__main__":
    main()
