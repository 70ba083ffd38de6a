"""Labelled example prompts: the shipped ones, and one's own from a table, a file or a dict.

The shipped examples were written for nbroute, apart from the prompts that it is measured on.
"""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from nbroute.classify.instruction import instruction
from nbroute.errors import SettingsError, did_you_mean
from nbroute.types import Attempt, Ladder

if TYPE_CHECKING:
    import numpy as np


#: The tiers of the shipped examples, cheapest first: those of the second article.
LABELS = ("SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER")
COLUMNS = ("prompt", "tier")


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and the tier that should answer it."""

    prompt: str
    tier: str


class _Row(NamedTuple):
    """What stands in a source, unchecked, and where."""

    place: str
    prompt: Any
    tier: Any


@cache
def shipped() -> tuple[Example, ...]:
    """The examples that come with nbroute, over 75 for each of LABELS, in several languages."""
    source = resources.files("nbroute.classify").joinpath("data", "examples.csv")
    lines = io.StringIO(source.read_text(encoding="utf-8"), newline="")
    return tuple(Example(row["prompt"], row["tier"]) for row in csv.DictReader(lines))


def tier_of(label: str, ladder: Ladder) -> str | None:
    """The tier of that name, else the one at the place of a shipped label; None for any other.

    As with the rules, a label stands for a quarter of the ladder's height, and its middle
    decides: on two tiers SIMPLE and MEDIUM are the lower one.
    """
    if label in ladder.names:
        return label
    if label not in LABELS:
        return None
    return ladder.names[(2 * LABELS.index(label) + 1) * len(ladder.tiers) // (2 * len(LABELS))]


def read_examples(source: Any, ladder: Ladder) -> tuple[Example, ...]:
    """One's own examples for that ladder; they stand in for the shipped ones.

    `source` is a DataFrame or the path of a CSV with the columns prompt and tier, a dict
    prompt -> tier or tier -> prompts, or pairs (prompt, tier). Tiers in any case will do.
    SettingsError where it cannot be read, a tier does not exist or has no example, a prompt is
    empty, or one prompt has two tiers.
    """
    found: dict[str, tuple[str, _Row]] = {}
    for row in _rows(source):
        prompt, tier = _prompt(row), _tier(row, ladder)
        told, before = found.setdefault(prompt.strip(), (tier, row))
        if told != tier:
            raise SettingsError(
                f"{row.place} labels {_short(prompt)!r} {tier}, but {before.place} labels it "
                f"{told}: keep one of the two."
            )
    return _complete(tuple(Example(row.prompt, tier) for tier, row in found.values()), ladder)


def _complete(examples: tuple[Example, ...], ladder: Ladder) -> tuple[Example, ...]:
    if not examples:
        raise SettingsError(
            f"there are no examples in it: give at least one prompt for each of {_names(ladder)}."
        )
    bare = [name for name in ladder.names if name not in {one.tier for one in examples}]
    if bare:
        raise SettingsError(
            f"no example for the tier {' or '.join(map(repr, bare))}: add one, or teach single "
            "prompts with `router.teach(prompt, tier)`, which keeps the shipped examples."
        )
    return examples


def _prompt(row: _Row) -> str:
    if not isinstance(row.prompt, str) or not row.prompt.strip():
        raise SettingsError(
            f"{row.place} has the prompt {row.prompt!r}: write a text there, or leave it out."
        )
    return row.prompt


def _tier(row: _Row, ladder: Ladder) -> str:
    asked = str(row.tier).strip()
    alike = [name for name in ladder.names if name.casefold() == asked.casefold()]
    tier = asked if asked in alike else next(iter(alike), None)
    if tier is None:
        raise SettingsError(
            f"{row.place} has the tier {row.tier!r}, which ladder {ladder.name!r} does not have: "
            f"{did_you_mean(asked, ladder.names)}"
        )
    return tier


def _rows(source: Any) -> Iterator[_Row]:
    if isinstance(source, str | Path):
        return _file_rows(Path(source).expanduser())
    if hasattr(source, "columns"):
        return _frame_rows(source)
    if isinstance(source, Mapping):
        return _mapping_rows(source)
    if isinstance(source, Iterable) and not isinstance(source, bytes):
        return _pair_rows(source)
    raise SettingsError(
        f"examples cannot be read from {type(source).__name__}: give a DataFrame, the path of a "
        "CSV, a dict prompt -> tier, or pairs (prompt, tier)."
    )


def _file_rows(path: Path) -> Iterator[_Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _table_rows(file, path)
    except OSError as error:
        reason = error.strerror or error
        raise SettingsError(
            f"cannot read the examples in {str(path)!r}: {reason}; name a CSV file."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(
            f"{str(path)!r} is no CSV in UTF-8 ({error}): save it as one, with the columns "
            "prompt and tier."
        ) from error


def _table_rows(file: TextIO, path: Path) -> Iterator[_Row]:
    header = file.readline()
    if not header.strip():
        raise SettingsError(f"{str(path)!r} is empty: give a CSV with the columns prompt and tier.")
    # Spreadsheets write semicolons where the comma marks decimals.
    delimiter = max(",;\t", key=header.count)
    table = csv.reader(chain([header], file), delimiter=delimiter)
    prompt, tier = _columns([name.strip() for name in next(table)], str(path))
    for cells in table:
        if any(cells):
            padded = [*cells, *[""] * (prompt + tier + 1)]
            yield _Row(f"line {table.line_num} of {path.name}", padded[prompt], padded[tier])


def _frame_rows(frame: Any) -> Iterator[_Row]:
    prompt, tier = _columns([str(name) for name in frame.columns], "the table")
    names = list(frame.columns)
    values = zip(frame.index, frame[names[prompt]], frame[names[tier]], strict=True)
    for index, asked, label in values:
        yield _Row(f"row {index!r} of the table", asked, label)


def _columns(names: list[str], where: str) -> tuple[int, int]:
    lowered = [name.casefold() for name in names]
    for column in COLUMNS:
        if column not in lowered:
            raise SettingsError(
                f"{where} has no column {column!r}, but {', '.join(map(repr, names)) or 'none'}: "
                "name the two columns prompt and tier."
            )
    return lowered.index("prompt"), lowered.index("tier")


def _mapping_rows(mapping: Mapping[Any, Any]) -> Iterator[_Row]:
    for number, (key, value) in enumerate(mapping.items(), 1):
        place = f"entry {number} of the dict"
        if isinstance(value, list | tuple | set | frozenset):
            yield from (_Row(place, prompt, key) for prompt in value)
        else:
            yield _Row(place, key, value)


def _pair_rows(pairs: Iterable[Any]) -> Iterator[_Row]:
    for number, pair in enumerate(pairs, 1):
        if isinstance(pair, Example):
            yield _Row(f"example {number}", pair.prompt, pair.tier)
        elif isinstance(pair, list | tuple) and len(pair) == len(COLUMNS):
            yield _Row(f"pair {number}", *pair)
        else:
            raise SettingsError(f"example {number} is {pair!r:.80}: give a pair (prompt, tier).")


def _names(ladder: Ladder) -> str:
    return ", ".join(map(repr, ladder.names))


def _short(prompt: str) -> str:
    line = " ".join(prompt.split())
    return line if len(line) <= 40 else f"{line[:40]}..."


#: Texts -> one vector each (n x d), and the calls that this cost.
Embed = Callable[[Sequence[str]], tuple["np.ndarray", tuple[Attempt, ...]]]

#: How many characters of a long question are compared.
HEAD, TAIL = 700, 300


def compared_text(prompt: str) -> str:
    """What of the prompt is embedded: the sentences that ask, their head and tail where long."""
    asked = instruction(prompt)
    spans = [(asked.offset(start), asked.offset(end - 1) + 1) for start, end in asked.spans]
    text = "\n".join(prompt[start:end] for start, end in spans).strip() or prompt
    return text if len(text) <= HEAD + TAIL else f"{text[:HEAD]}\n{text[-TAIL:]}"


@dataclass(frozen=True, slots=True)
class Filled:
    """Examples and their vectors, a row of length 1 each."""

    examples: tuple[Example, ...]
    vectors: np.ndarray


class ExampleVectors:
    """Examples that are embedded once each, when first compared with; thread-safe.

    It outlives the classifiers that share it. A later example for the same prompt replaces
    the earlier one. Vectors of two embedders are not to be mixed: use one of these for each.
    """

    def __init__(self, examples: Iterable[Example] = ()) -> None:
        self._examples = {one.prompt.strip(): one for one in examples}
        self._vectors: dict[str, np.ndarray] = {}
        self._filled: Filled | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._examples)

    def add(self, example: Example) -> None:
        """Teach one more; it alone is embedded, and not before it is needed."""
        with self._lock:
            self._examples[example.prompt.strip()] = example
            self._filled = None

    def remove(self, prompt: str) -> None:
        """Forget the example of that prompt, if there is one."""
        with self._lock:
            self._examples.pop(prompt.strip(), None)
            self._filled = None

    def known(self, prompt: str) -> Example | None:
        """The example of that very prompt."""
        return self._examples.get(prompt.strip())

    def filled(self, embed: Embed) -> tuple[Filled, tuple[Attempt, ...]]:
        """All examples with their vectors, and what embedding the missing ones cost."""
        with self._lock:
            if self._filled is not None:
                return self._filled, ()
            attempts = self._embed_missing(embed)
            self._filled = self._stacked()
            return self._filled, attempts

    def forget_vectors(self) -> None:
        """Embed all anew when next needed, since the embedder is no more what it was."""
        with self._lock:
            self._vectors.clear()
            self._filled = None

    def _embed_missing(self, embed: Embed) -> tuple[Attempt, ...]:
        missing = [prompt for prompt in self._examples if prompt not in self._vectors]
        if not missing:
            return ()
        vectors, attempts = unit_vectors(embed, [compared_text(prompt) for prompt in missing])
        if self._vectors and vectors.shape[1] != len(next(iter(self._vectors.values()))):
            self._vectors.clear()
            return attempts + self._embed_missing(embed)
        self._vectors.update(zip(missing, vectors, strict=True))
        return attempts

    def _stacked(self) -> Filled:
        import numpy as np

        if not self._examples:
            raise SettingsError(
                "the embedding classifier has no examples: leave the shipped ones in, or give "
                "your own with a prompt for each tier."
            )
        rows = [self._vectors[prompt] for prompt in self._examples]
        return Filled(tuple(self._examples.values()), np.stack(rows))


def unit_vectors(embed: Embed, texts: Sequence[str]) -> tuple[np.ndarray, tuple[Attempt, ...]]:
    """The texts' vectors, each of length 1 (or 0 where there is nothing in the text)."""
    import numpy as np

    vectors, attempts = embed(texts)
    found = np.asarray(vectors, dtype=np.float32)
    if found.ndim != 2 or len(found) != len(texts) or not np.isfinite(found).all():
        raise SettingsError(
            f"the embedder gave an array of shape {found.shape} for {len(texts)} texts, or one "
            "with values that are no numbers: it should give one vector of numbers a text."
        )
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(lengths > 0, lengths, 1), attempts
