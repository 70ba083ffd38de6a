"""See, steer and prove model routing from a notebook.

In a notebook: `%load_ext nbroute`, then `%%route` above a prompt. In Python:

    >>> router = nbroute.Router()
    >>> result = router.route("What is the capital of France?")
    >>> result.text, result.tier, result.cost_usd

Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Attempt": "types",
    "Batch": "batch",
    "Decision": "types",
    "Embedder": "types",
    "Event": "types",
    "Ladder": "types",
    "Options": "types",
    "Price": "types",
    "Provider": "types",
    "Reply": "types",
    "Request": "types",
    "RouteResult": "types",
    "Router": "router",
    "Settings": "settings",
    "Simulated": "providers.simulated",
    "SqliteLedger": "storage.ledger",
    "Target": "types",
    "Tier": "types",
    "Usage": "types",
    "Verdict": "types",
}

_MODULES = ("checks", "errors", "sandbox")

__all__ = [*_HOMES, *_MODULES, "load_ipython_extension", "unload_ipython_extension"]  # noqa: PLE0604 - the names are strings


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"nbroute.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("nbroute")
    if name not in _HOMES:
        msg = f"module 'nbroute' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"nbroute.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext nbroute` calls."""
    from nbroute.notebook.magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """What `%unload_ext nbroute` calls."""
    from nbroute.notebook.magics import unload

    unload(shell)
