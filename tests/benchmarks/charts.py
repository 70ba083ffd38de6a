"""A report's charts in a fresh process, against altair and vl-convert drawing one chart alone.

python tests/benchmarks/charts.py
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median

OURS = """
from nbroute.report.charts import telling
from nbroute.report import bars
from reports import labelled
made = labelled()
import time
start = time.perf_counter()
figures = telling(made)
page = bars.page(figures)
print(time.perf_counter() - start, len(figures), len(page))
"""
PLAIN = """
import time
start = time.perf_counter()
import altair as alt
rows = alt.Data(values=[{"tier": name, "usd": usd} for name, usd in zip("ABCD", range(4))])
chart = alt.Chart(rows).mark_bar().encode(x="usd:Q", y="tier:N")
import vl_convert
svg = vl_convert.vegalite_to_svg(chart.to_dict())
print(time.perf_counter() - start, 1, len(svg))
"""
ROUNDS = 5


def seconds(code: str) -> tuple[float, int, int]:
    """What a fresh process says: seconds, charts, characters."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    spent, charts, size = done.stdout.split()
    return float(spent), int(charts), int(size)


def main() -> None:
    ours, plain = zip(*((seconds(OURS), seconds(PLAIN)) for _ in range(ROUNDS)), strict=True)
    one, other = (median(found[0] for found in side) for side in (ours, plain))
    print(
        f"{ours[0][1]} charts of a report as HTML: {one * 1000:.1f} ms, {ours[0][2]:,} characters"
    )
    print(f"one chart by altair and vl-convert: {other * 1000:.0f} ms")
    print(f"ratio: {one / other:.4f}")


if __name__ == "__main__":
    main()
