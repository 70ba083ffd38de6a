"""The user's own tables: labelled prompts to train a classifier on, or as examples for one."""

from __future__ import annotations

import csv
import io
import math
import re
import reprlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbroute.classify.examples import Example, tier_of
from nbroute.errors import SettingsError, did_you_mean
from nbroute.report.table import one_line, shortened
from nbroute.settings.model import named_path
from nbroute.storage import content
from nbroute.types import Ladder

if TYPE_CHECKING:
    import pandas as pd

#: With fewer rows a cross-validated figure says nothing; with tiers as labels, training starts from
#: the shipped classifier.
FEWEST, FEWEST_TIERS = 50, 10
_FORMS = "columns prompt and tier, or prompt, weak and strong; group is optional"
#: What labelled answers are given as.
ANSWER_FORMS = "columns prompt, text and good (or label: good, bad), or prompt, better and worse"

#: Eight bands of three: prompts that share 70% of their shingles are found 19 times in 20, those
#: that share 30% once in 5.
_BANDS, _ROWS = 8, 3
#: Words in a shingle.
_SHINGLE = 3
_PRIME = 2**31 - 1
_WORD = re.compile(r"[^\W\d]+|\d+")


@dataclass(frozen=True, eq=False)
class Labelled:
    """What a classifier is trained on, one entry per prompt.

    Sending a prompt up gains `strong` - `weak`. `levels` are the right places in `tiers`. If the
    labels are tiers (`by_tier`), weak is 0 and strong 1, as any right tier gains the same.
    """

    prompts: list[str]
    weak: np.ndarray
    strong: np.ndarray
    levels: np.ndarray
    groups: np.ndarray
    tiers: tuple[str, ...]
    by_tier: bool
    grouped_by: str

    @property
    def gains(self) -> np.ndarray:
        """What the strong model adds."""
        return np.asarray(self.strong - self.weak)


def read_labels(source: pd.DataFrame | str | Path, ladder: Ladder) -> Labelled:
    """The labelled prompts; SettingsError names the row or the column that cannot be used.

    If there is a column tier, weak and strong are ignored. Without a column group, near-duplicates
    make a group.
    """
    if len(ladder.tiers) < 2:
        raise SettingsError(f"ladder {ladder.name!r} has one tier: there is nothing to learn.")
    frame = frame_of(source, _FORMS)
    by_tier = "tier" in frame.columns
    check_columns(frame, ("prompt", "tier") if by_tier else ("prompt", "weak", "strong"), _FORMS)
    fewest = FEWEST_TIERS if by_tier else FEWEST
    if len(frame) < fewest:
        raise SettingsError(
            f"{len(frame)} rows are too few to train on and to measure; give {fewest} or more, "
            "preferably hundreds."
        )
    prompts = texts_in(frame, "prompt")
    groups, grouped_by = _groups(frame, prompts)
    if by_tier:
        levels, tiers = read_levels(frame, ladder), ladder.names
        weak, strong = np.zeros(len(levels)), np.ones(len(levels))
    else:
        weak, strong, levels = _scores(frame)
        tiers = (ladder.names[0], ladder.names[-1])
    return Labelled(prompts, weak, strong, levels, groups, tiers, by_tier, grouped_by)


def frame_of(source: Any, forms: str) -> pd.DataFrame:
    """The DataFrame, or that of an audit, a grid or a CSV file, with its rows numbered from 0.

    SettingsError says which columns it needs (`forms`).
    """
    import pandas as pd

    made = getattr(source, "frame", None)
    if isinstance(source := made() if callable(made) else source, pd.DataFrame):
        return source.reset_index(drop=True)
    if not isinstance(source, str | Path):
        kind = type(source).__name__
        raise SettingsError(f"{kind} is not a table; give a DataFrame or a CSV file with {forms}.")
    try:
        text = io.StringIO(content(Path(source).expanduser()).decode("utf-8-sig"))
        return pd.read_csv(text, keep_default_na=False, na_values=[""])
    except (OSError, ValueError, RuntimeError) as error:
        raise SettingsError(
            f"{str(source)!r} cannot be read as CSV ({_why(error)}); it needs {forms}."
        ) from error


def judged_by(source: Any) -> list[str]:
    """A note of who judged the pairs of an audit; none for other tables."""
    judge = getattr(source, "judge", None)
    return [f"Judged by {judge}."] if isinstance(judge, str) else []


def need(module: str, what: str) -> None:
    """SettingsError if a package of the extra `learn` is missing; `what` is what needs it."""
    try:
        import_module(module)
    except ImportError as error:
        name = module.partition(".")[0].replace("sklearn", "scikit-learn")
        raise SettingsError(
            f"{what} needs {name}, which is not installed: pip install 'nbroute[learn]'"
        ) from error


#: The largest share that is not all.
NOT_ALL = math.nextafter(1, 0)


def read_share(
    name: str, value: Any, *, least: float = math.ulp(0), most: float = 1, like: float = 0.05
) -> float:
    """A share from `least` to `most`; SettingsError otherwise."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if real and least <= value <= most:
        return float(value)
    span = f"over 0 and {'up to' if most == 1 else 'below'} 1" if least else "from 0 to 1"
    msg = f"{name}={value!r:.40} is not a share: give a number {span}, such as {like}"
    raise SettingsError(msg)


def read_seed(value: Any) -> int:
    """A seed; SettingsError for anything but a whole number from 0 to 2**32 - 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= int(value) < 2**32:
        raise SettingsError(
            f"seed={value!r:.40} is not a whole number from 0 on: give one, such as 0"
        )
    return int(value)


def check_columns(frame: pd.DataFrame, needed: Iterable[str], forms: str) -> None:
    """SettingsError if a needed column is missing, or is there twice."""
    names = [str(name) for name in frame.columns]
    for name in needed:
        if name not in names:
            raise SettingsError(f"no column {name!r} among {_listed(names)}; give {forms}.")
        if names.count(name) > 1:
            raise SettingsError(f"there are several columns {name!r}; leave one.")


def texts_in(frame: pd.DataFrame, name: str) -> list[str]:
    """The texts in a column; SettingsError names the first row without one, counted from 1."""
    texts: list[str] = frame[name].tolist()
    for row, text in zip(frame.index, texts, strict=True):
        if not isinstance(text, str) or not text.strip():
            raise SettingsError(f"row {row + 1} has the {name} {text!r:.40}; give text or drop it.")
    return texts


def numbers_in(frame: pd.DataFrame, name: str) -> np.ndarray:
    """The column as floats, NaN for what is not a number; all NaN if there is no such column."""
    import pandas as pd

    column = frame[name] if name in frame.columns else pd.Series(math.nan, frame.index)
    numbers = pd.to_numeric(column, errors="coerce")
    return np.asarray(numbers.to_numpy(float, na_value=math.nan))


def has_groups(frame: pd.DataFrame) -> bool:
    """Whether there is a column group; SettingsError names the first row without one."""
    if "group" not in frame.columns:
        return False
    for row in frame.index[frame["group"].isna()]:
        raise SettingsError(f"row {row + 1} has no group; name one, or leave the column out.")
    return True


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    return one_line(getattr(error, "strerror", None) or str(error))


def _groups(frame: pd.DataFrame, prompts: Sequence[str]) -> tuple[np.ndarray, str]:
    groups, grouped_by = near_duplicates(prompts), "near-duplicates kept together"
    if own := has_groups(frame):
        groups = np.unique(frame["group"].astype(str), return_inverse=True)[1]
        grouped_by = "whole groups unseen"
    if len(np.unique(groups)) < 2:
        cure = "leave the column out" if own else "add other prompts"
        raise SettingsError(f"all rows are of one group, so none can be held back; {cure}.")
    return groups, grouped_by


def read_levels(frame: pd.DataFrame, ladder: Ladder) -> np.ndarray:
    """As `levels_of`; SettingsError if all labels agree, too."""
    levels = levels_of(frame, ladder)
    if len(np.unique(levels)) < 2:
        raise SettingsError(
            f"every row has the tier {ladder.names[levels[0]]!r}: there is nothing to tell apart; "
            "label some prompts of another tier."
        )
    return levels


def levels_of(frame: pd.DataFrame, ladder: Ladder) -> np.ndarray:
    """The place on the ladder of each label in the column tier; SettingsError for an unknown tier.

    The rows of a batch or a grid are refused: their tier is the one that answered.
    """
    if {"status", "cost_source"} <= set(frame.columns):
        raise SettingsError(
            "these are answers, and their column tier says which tier answered, not which one the "
            "prompt needs; give labels (router.labels(), grid.labels()) or an audit of them."
        )
    found = []
    for row, label in enumerate(frame["tier"].tolist(), 1):
        known = isinstance(label, str) and (ladder.named(label.strip()) or tier_of(label, ladder))
        if not known:
            cure = did_you_mean(str(label), ladder.names)
            raise SettingsError(f"row {row} has the tier {label!r:.40}: {cure}")
        found.append(ladder.index(known))
    return np.array(found)


def _scores(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The weak and the strong scores, and 1 if strong is the better one, else 0."""
    weak, strong = _finite(frame, "weak"), _finite(frame, "strong")
    if strong.sum() <= weak.sum():
        raise SettingsError(
            f"the strong model's mean score ({strong.mean():.3g}) is not above the weak one's "
            f"({weak.mean():.3g}): there is nothing to gain. Are the columns swapped?"
        )
    levels = (strong > weak).astype(int)
    if levels.all():
        raise SettingsError("the strong model is better in every row: there is nothing to learn.")
    return weak, strong, levels


def _finite(frame: pd.DataFrame, name: str) -> np.ndarray:
    found = numbers_in(frame, name)
    for row in np.flatnonzero(~np.isfinite(found)):
        value = frame[name].tolist()[row]
        raise SettingsError(f"row {row + 1} has {name} = {value!r:.40}; give a number or drop it.")
    return found


def near_duplicates(prompts: Sequence[str]) -> np.ndarray:
    """A number for each prompt, the same for prompts that are alike, whatever numbers they have.

    MinHash with banding: Broder 1997, "On the resemblance and containment of documents", and
    Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4.
    """
    generator = np.random.default_rng(0)
    factors = generator.integers(1, _PRIME, (_BANDS * _ROWS, 1))
    offsets = generator.integers(0, _PRIME, (_BANDS * _ROWS, 1))
    parents = list(range(len(prompts)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    first: dict[tuple[int, bytes], int] = {}
    for place, prompt in enumerate(prompts):
        words = ["0" if word.isdigit() else word for word in _WORD.findall(prompt.lower())]
        ends = range(max(len(words) - _SHINGLE, 0) + 1)
        shingles = {" ".join(words[start : start + _SHINGLE]) for start in ends}
        codes = [zlib.crc32(one.encode("utf-8", "surrogatepass")) % _PRIME for one in shingles]
        least = ((np.array(codes, dtype=np.int64) * factors + offsets) % _PRIME).min(axis=1)
        for band, part in enumerate(least.reshape(_BANDS, _ROWS)):
            twin = first.setdefault((band, part.tobytes()), place)
            parents[root(place)] = root(twin)
    return np.array([root(place) for place in range(len(prompts))])


class _Row(NamedTuple):
    """An unchecked entry of a source of examples, and where it is."""

    place: str
    prompt: Any
    tier: Any


def read_examples(source: Any, ladder: Ladder) -> tuple[Example, ...]:
    """Your own examples for that ladder, instead of the shipped ones.

    `source` is a DataFrame or the path of a CSV with the columns prompt and tier, a dict
    prompt -> tier or tier -> prompts, or pairs (prompt, tier). SettingsError if it cannot be read,
    a tier does not exist or has no example, a prompt is empty, or one prompt has two tiers.
    """
    found: dict[str, tuple[str, _Row]] = {}
    for row in _rows(source):
        if not isinstance(row.prompt, str) or not row.prompt.strip():
            raise SettingsError(
                f"{row.place} has the prompt {row.prompt!r:.80}: write text there, or leave it out."
            )
        tier = ladder.named(str(row.tier).strip())
        if tier is None:
            raise SettingsError(
                f"{row.place} has the tier {row.tier!r:.80}, which ladder {ladder.name!r} does not "
                f"have: {did_you_mean(str(row.tier).strip(), ladder.names)}"
            )
        told, before = found.setdefault(row.prompt.strip(), (tier, row))
        if told != tier:
            raise SettingsError(
                f"{row.place} labels {shortened(row.prompt, 43)!r} {tier}, but {before.place} "
                f"labels it {told}: keep one of the two."
            )
    if not found:
        names = ", ".join(map(repr, ladder.names))
        raise SettingsError(
            f"there are no examples in it: give at least one prompt for each of {names}."
        )
    labels = {tier for tier, _ in found.values()}
    if bare := [name for name in ladder.names if name not in labels]:
        raise SettingsError(
            f"no example for the tier {' or '.join(map(repr, bare))}: add one, or teach single "
            "prompts with `router.teach(prompt, tier)`, which keeps the shipped examples."
        )
    return tuple(Example(row.prompt, tier) for tier, row in found.values())


def _rows(source: Any) -> Iterator[_Row]:
    if isinstance(source, str | Path):
        yield from _file_rows(named_path("examples", source))
    elif hasattr(source, "columns"):
        names = list(source.columns)
        prompt, tier = _columns([str(name) for name in names], "the table")
        places = (f"row {index!r} of the table" for index in source.index)
        yield from map(_Row, places, source[names[prompt]], source[names[tier]])
    elif isinstance(source, Mapping):
        for number, (key, value) in enumerate(source.items(), 1):
            place = f"entry {number} of the dict"
            if isinstance(value, list | tuple | set | frozenset):
                yield from (_Row(place, prompt, key) for prompt in value)
            else:
                yield _Row(place, key, value)
    elif isinstance(source, Iterable) and not isinstance(source, bytes):
        for number, pair in enumerate(source, 1):
            if isinstance(pair, Example):
                yield _Row(f"example {number}", pair.prompt, pair.tier)
            elif isinstance(pair, list | tuple) and len(pair) == 2:
                yield _Row(f"pair {number}", *pair)
            else:
                raise SettingsError(
                    f"example {number} is {pair!r:.80}: give a pair (prompt, tier)."
                )
    else:
        raise SettingsError(
            f"examples cannot be read from {type(source).__name__}: give a DataFrame, the path of "
            "a CSV, a dict prompt -> tier, or pairs (prompt, tier)."
        )


def _file_rows(path: Path) -> Iterator[_Row]:
    """The rows of a CSV, without pandas, so that a session with examples does not load it."""
    try:
        file = io.StringIO(content(path).decode("utf-8-sig"), newline="")
        header = file.readline()
        if not header.strip():
            raise SettingsError(
                f"{str(path)!r} is empty: give a CSV with the columns prompt and tier."
            )
        # Spreadsheets write semicolons where the comma marks decimals.
        delimiter = max(",;\t", key=header.count)
        table = csv.reader(chain([header], file), delimiter=delimiter)
        prompt, tier = _columns([name.strip() for name in next(table)], str(path))
        for cells in filter(any, table):
            padded = [*cells, *[""] * (prompt + tier + 1)]
            yield _Row(f"line {table.line_num} of {path.name}", padded[prompt], padded[tier])
    except OSError as error:
        raise SettingsError(
            f"cannot read the examples in {str(path)!r}: {_why(error)}; name a CSV file."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(
            f"{str(path)!r} is not a CSV in UTF-8 ({_why(error)}): save it as one, with the "
            "columns prompt and tier."
        ) from error


def _listed(names: Sequence[str]) -> str:
    return reprlib.repr(names)[1:-1] or "none"


def _columns(names: list[str], where: str) -> tuple[int, int]:
    lowered = [name.casefold() for name in names]
    for column in ("prompt", "tier"):
        if column not in lowered:
            raise SettingsError(
                f"{where} has no column {column!r}, but {_listed(names)}: "
                "name the two columns prompt and tier."
            )
    return lowered.index("prompt"), lowered.index("tier")
