"""Static word vectors on this machine: no key, no network, well under a millisecond a text.

wordllama's files are read without importing it: it would set up the root logger, so that a
notebook shows every library's log lines from then on, and takes 0.3 s to load what is not used.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nbroute.embedders import sendable
from nbroute.errors import SettingsError
from nbroute.locks import Lock
from nbroute.types import Embedded, ProviderKind

if TYPE_CHECKING:
    import numpy as np

DIMENSIONS = 256
_TOKENIZER = Path("tokenizers", "l2_supercat_tokenizer_config.json")
_WEIGHTS = Path("weights", f"l2_supercat_{DIMENSIONS}.safetensors")
_INSTALL = "pip install 'nbroute[embeddings]'"


class _Model(NamedTuple):
    tokenizer: Any
    table: np.ndarray


def available() -> bool:
    """Whether wordllama and its files are installed; imports nothing."""
    libraries = all(_found(name) for name in ("tokenizers", "safetensors"))
    return libraries and _folder() is not None


class WordLlamaEmbedder:
    """The mean of the vectors of a text's tokens (256 dimensions, English above all).

    Nothing is billed, and word order does not matter. Loaded on first use (16 MB); thread-safe.
    SettingsError if it is not installed or its files cannot be read.
    """

    name = f"wordllama:{DIMENSIONS}"
    kind: ProviderKind = "local"
    provider = "wordllama"
    model = f"l2_supercat_{DIMENSIONS}"

    def __init__(self) -> None:
        self._model: _Model | None = None
        self._lock = Lock()

    def missing(self, texts: Sequence[str]) -> list[str]:  # noqa: ARG002 - the Protocol's
        """None: nothing is sent."""
        return []

    def embed(self, texts: Sequence[str]) -> Embedded:
        """One vector per text, zeros for a text without tokens; no usage, as nothing is sent."""
        import numpy as np

        started = time.perf_counter()
        with self._lock:
            model = self._model = self._model or _load()
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in enumerate(texts):
            # One by one: batches run in threads, and tokenizers would warn at a later fork.
            ids = model.tokenizer.encode(sendable(text), add_special_tokens=False).ids
            if ids:
                vectors[row] = model.table[ids].mean(axis=0, dtype=np.float32)
        return Embedded(vectors, latency_ms=(time.perf_counter() - started) * 1000)


def _found(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):  # blocked by a finder, or half removed from sys.modules
        return None


def _folder() -> Path | None:
    spec = _found("wordllama")
    for place in (spec and spec.submodule_search_locations) or ():
        if all(Path(place, name).is_file() for name in (_TOKENIZER, _WEIGHTS)):
            return Path(place)
    return None


def _load() -> _Model:
    folder = _folder()
    if folder is None:
        raise SettingsError(f"the word vectors of wordllama are not installed: {_INSTALL}")
    try:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        table = load_file(folder / _WEIGHTS)["embedding.weight"]
    except Exception as error:  # their Rust code raises bare Exceptions too
        again = "pip install --force-reinstall --no-deps wordllama"
        raise SettingsError(
            f"wordllama's files in {str(folder)!r} cannot be read ({type(error).__name__}: "
            f"{error}): {_INSTALL if isinstance(error, ImportError) else again}"
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return _Model(tokenizer, table)
