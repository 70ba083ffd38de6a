"""The ledger's figures: python tests/benchmarks/ledger.py [ATTEMPTS].

Each attempt is written twice, as the engine does it (`running`, then how it ended). Ratios are to a
bare `SELECT *` of the same file and to a bare INSERT, in the same run.
"""

from __future__ import annotations

import itertools
import sqlite3
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from nbroute.report import summarise
from nbroute.storage.ledger import SqliteLedger, as_row
from nbroute.types import Attempt, Cap, Price

TIERS = ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")
PRICE = Price(Decimal(15), Decimal(75))
REPEATS = 5
SINGLE_APPENDS = 4000
RESERVATIONS = 500


def attempts(count: int) -> Iterator[Attempt]:
    """Attempts of 50 sessions, five features and four tiers; every tenth escalates."""
    for number in range(count):
        yield Attempt(
            id=f"a{number:08x}",
            ts=1.7e9 + number * 60,
            session=f"s{number % 50:02}",
            result=f"r{number:08x}",
            parent=f"r{number - 1:08x}" if number % 10 == 9 else None,
            tier=TIERS[number % 4],
            provider="openrouter",
            provider_kind="remote",
            model=f"vendor/model-{number % 4}",
            feature=f"feature {number % 5}",
            msg_hash="0123456789ab",
            classifier="ngrams",
            reason='"What is" at 0, 7 words, no code',
            input_tokens=200 + number % 7,
            output_tokens=100,
            cost_usd=Decimal("0.000131"),
            cost_source="list",
            price_input=Decimal("0.15"),
            price_output=Decimal("0.6"),
            latency_ms=400.0 + number % 997,
            ttft_ms=180.0,
            finish_reason="stop",
            escalated=number % 10 == 9,
        )


def timed(work: Callable[[], Any]) -> float:
    """The median of a few runs, in seconds."""
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def peak_mb(work: Callable[[], Any]) -> float:
    """The most memory that Python used at once, in megabytes (in a separate run, which is slow)."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def append_figures(folder: Path) -> None:
    """One `append` against one bare INSERT of as many columns, both in WAL on disk."""
    made = list(attempts(SINGLE_APPENDS))
    columns = len(fields(Attempt))
    bare = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    bare.execute("PRAGMA journal_mode = WAL")
    bare.execute("PRAGMA synchronous = NORMAL")
    bare.execute(f"CREATE TABLE t ({', '.join(f'c{n}' for n in range(columns))})")
    insert = f"INSERT INTO t VALUES ({', '.join('?' * columns)})"  # noqa: S608 - marks alone
    row = ["sixteen letters.", 1.5] * (columns // 2) + [None] * (columns % 2)

    def bare_inserts() -> None:
        for _ in made:
            bare.execute(insert, row)

    with SqliteLedger(folder / "appends.sqlite") as ledger:

        def appends() -> None:
            for attempt in made:
                ledger.append(attempt)

        one, other = timed(appends) / len(made), timed(bare_inserts) / len(made)
    bare.close()
    print(f"append: {one * 1e6:.0f} us, bare INSERT {other * 1e6:.0f} us, {one / other:.2f} times")


def fill(path: Path, count: int) -> None:
    """Make the file with the ledger's own schema, in one transaction."""
    with SqliteLedger(path) as ledger:
        ledger.append(next(attempts(1)))
        with ledger._file.connection("cannot write") as connection:
            connection.execute("BEGIN")
            for attempt in attempts(count):
                running = replace(attempt, status="running", output_tokens=0)
                for row in (running, attempt):
                    names = [f.name for f in fields(Attempt)]
                    marks = ", ".join("?" * len(names))
                    connection.execute(
                        f"INSERT INTO attempts ({', '.join(names)}) VALUES ({marks})",  # noqa: S608 - names of our own
                        as_row(row, store_text=False),
                    )
            connection.execute("COMMIT")


def reserve_figures(path: Path, count: int) -> None:
    """One `reserve` with three budgets, and one that is refused, against one `append`."""
    caps = [
        Cap(Decimal(10**6), "session", "s07"),
        Cap(Decimal(10**6), "day", "2023-11-14"),
        Cap(Decimal(10**6), "feature", "feature 1"),
    ]
    plain = replace(next(attempts(1)), session="s07", feature="feature 1", status="running")
    names = map("r{}".format, itertools.count())

    def once(ledger: SqliteLedger, asked: list[Cap]) -> Callable[[], None]:
        def work() -> None:
            for _ in range(RESERVATIONS):
                held = replace(plain, id=next(names), reserved_usd=Decimal("0.001"))
                if asked:
                    ledger.reserve(held, asked)
                else:
                    ledger.append(held)

        return work

    with SqliteLedger(path) as ledger:
        append, reserve = timed(once(ledger, [])), timed(once(ledger, caps))
        refused = timed(once(ledger, [replace(caps[0], usd=Decimal("0.000001"))]))
    print(
        f"at {count:,} attempts: append {append / RESERVATIONS * 1e6:.0f} us, reserve "
        f"{reserve / append:.2f} times that, a refusal {refused / append:.2f} times"
    )


def report_figures(path: Path, count: int) -> None:
    """Reading and summarising all rows, against just fetching them."""
    bare = sqlite3.connect(path)
    with SqliteLedger(path) as ledger:

        def report() -> None:
            rows = ledger.report_rows()
            summarise(rows, tiers=TIERS, baseline="FRONTIER", price=PRICE)

        def select() -> None:
            bare.execute("SELECT * FROM attempts").fetchall()

        whole, fetch = timed(report), timed(select)
        reading = timed(lambda: deque(ledger.report_rows(), maxlen=0))
        print(f"report of {count:,} attempts ({count * 2:,} rows): {whole:.2f} s")
        print(f"  reading {reading:.2f} s, summarising {whole - reading:.2f} s")
        print(f"  bare SELECT *: {fetch:.2f} s; the report takes {whole / fetch:.2f} times that")
        print(
            f"  peak memory {peak_mb(report):.0f} MB; of the bare SELECT * {peak_mb(select):.0f} MB"
        )
        print(f"spend, all:         {timed(ledger.spend) * 1e3:.1f} ms")
        print(f"spend by day:       {timed(lambda: ledger.spend('day')) * 1e3:.1f} ms")
        one = timed(lambda: ledger.spend(session="s07"))
        print(f"spend, one session: {one * 1e3:.1f} ms ({count // 50:,} attempts)")
        print(f"frame:              {timed(ledger.frame):.2f} s")
    bare.close()


def main() -> None:
    """Print all figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        append_figures(Path(folder))
        for few in (1000, count):
            file = Path(folder, f"{few}.sqlite")
            fill(file, few)
            reserve_figures(file, few)
        fill(Path(folder, "ledger.sqlite"), count)
        report_figures(Path(folder, "ledger.sqlite"), count)


if __name__ == "__main__":
    main()
