"""Rows for a ledger, a look into its file, and processes that write to it as well."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace
from decimal import Decimal

from reports import NOON

from nbroute.types import Attempt, Cap, Label

MADE = ("a1", NOON, "s1", "r1", "SIMPLE", "openrouter", "remote", "openai/gpt-4o-mini")
PLAIN = Attempt(*MADE, cost_usd=Decimal("0.25"), cost_source="list")
SAID = Label("l1", NOON, "s1", "good", "SIMPLE", "SIMPLE", "four-tier", "hello")


def attempt(name="a1", **changes):
    return replace(PLAIN, id=name, **changes)


def ended(name="a1", usd="0.1", **changes):
    return attempt(name, **{"cost_usd": Decimal(usd)} | changes)


def running(name="a1", usd="0.1", **changes):
    """An attempt that has cost nothing so far and reserves that much."""
    reserved = None if usd is None else Decimal(usd)
    nothing = {"cost_usd": Decimal(0), "cost_source": "estimated"}
    return attempt(name, **{"status": "running", "reserved_usd": reserved} | nothing | changes)


def said(name="l1", **changes):
    return replace(SAID, id=name, **changes)


def cap(scope="session", key="s1", usd=1):
    return Cap(Decimal(usd), scope, key)


@contextlib.contextmanager
def database(path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as file:
        yield file


def stored(path, query="SELECT id FROM attempts ORDER BY rowid"):
    """The first column of what the file answers."""
    with database(path) as file:
        return [value for (value,) in file.execute(query)]


def python(code, *arguments):
    """A process that runs the code and finds this module, with pipes to and from it."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=environ, text=True, **pipes)
