"""The append-only record of every attempt, in SQLite; budgets are kept by it.

An attempt is written before it is sent (`running`), maybe while it streams, and at its end;
its last row counts. A kernel that is killed loses nothing that was written.

- `schema`  the tables, and how they came to be
- `rows`    an attempt as a row, and the questions that are asked of rows
- `labels`  what people said of answers
- `caps`    what is used of a budget
- `sqlite`  the ledger itself
"""

from __future__ import annotations

from nbroute.ledger.sqlite import SqliteLedger

__all__ = ["SqliteLedger"]
