"""The files of what was learnt: arrays and a JSON header in one .npz, no pickle."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from nbroute.checks.learned import MEASURES, PLACES, LearnedCheck
from nbroute.classify import ngrams
from nbroute.classify.learned import (
    FAMILIES,
    LearnedClassifier,
    LearnedTiers,
    Model,
    Reading,
    Scale,
    Vocabulary,
)
from nbroute.decoding import DAMAGED, arrays, decode, parse
from nbroute.errors import SettingsError, named
from nbroute.evaluate.training_data import ANSWER_FORMS
from nbroute.storage import content
from nbroute.types import Embedder

T = TypeVar("T")
Arrays = Mapping[str, np.ndarray]

_CLASSIFIER, _CHECK = "learned classifier", "learned check"
#: To change with what a file holds or what a column means. Older versions of nbroute kept what was
#: learnt from tiers in the first schema too, and it is still read.
SCHEMA, TIERS_SCHEMA, _CHECK_SCHEMA = 1, 2, 1
#: Bytes of all arrays together; 50,000 words and an embedding take a tenth of it.
_LARGEST = 64_000_000


def save(classifier: LearnedClassifier | LearnedTiers, path: str | Path) -> Path:
    """Write it to a file (with no prompt in it), which replaces an older one; returns the path.

    For tiers the file has only weights, for scores also the words that three training prompts or
    more have in common. SettingsError if it cannot be written.
    """
    if isinstance(classifier, LearnedTiers):
        known = classifier.weights
        header = {"schema": TIERS_SCHEMA, "tiers": classifier.tiers, "features": ngrams.VERSION}
        parts = {
            "rarities": known.rarities,
            "weights": known.weights.astype(np.float16),
            "line": np.array([*known.bias, known.sharpness]),
        }
        return _write(Path(path), _CLASSIFIER, header, parts)
    model = classifier.model
    middle = model.reading.middle
    header = {
        "schema": SCHEMA,
        "tiers": model.tiers,
        "levels": model.levels,
        "embedder": model.embedder,
        "measures": FAMILIES,
        "terms": list(model.reading.vocabulary.places),
    }
    parts = {
        "rarities": np.array(model.reading.vocabulary.rarities, dtype=float),
        "centre": model.reading.centre,
        "spread": model.reading.spread,
        "middle": np.zeros(0) if middle is None else middle,
        "weights": model.weights,
        "cuts": model.scale.cuts,
        "intercepts": model.scale.intercepts,
        "line": np.array([model.bias, model.scale.slope]),
    }
    return _write(Path(path), _CLASSIFIER, header, parts)


def save_check(check: LearnedCheck, path: Path) -> Path:
    """Write it to a file (with no prompt and no answer in it); SettingsError if that fails."""
    header = {"schema": _CHECK_SCHEMA, "measures": MEASURES}
    header |= {"labels": check.labels, "bad": check.bad}
    line = np.array([check.bias, check.threshold])
    parts = {"centre": check.centre, "spread": check.spread, "weights": check.weights, "line": line}
    return _write(path, _CHECK, header, parts)


def _write(target: Path, kind: str, header: dict[str, Any], parts: Arrays) -> Path:
    told = json.dumps({"kind": f"nbroute {kind}", **header}).encode()
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(
                file, allow_pickle=False, header=np.frombuffer(told, dtype=np.uint8), **parts
            )
        part.replace(target)
    except OSError as error:
        raise SettingsError(
            f"the {kind} cannot be saved as {str(target)!r} ({error}); "
            "name a file in a folder that can be written."
        ) from error
    return target


def load(
    path: str | Path, embedder: Embedder | Callable[[], Embedder | None] | None = None
) -> LearnedClassifier | LearnedTiers:
    """The classifier that was saved there, with the embedder that it was trained with.

    A function that makes the embedder is called only if one is needed. SettingsError for a file
    that is missing, damaged, something else or from another version, and for another embedder.
    """

    def made(header: dict[str, Any], found: Arrays) -> Model | LearnedTiers:
        if header["schema"] == TIERS_SCHEMA and header["features"] == ngrams.VERSION:
            tiers, size = tuple(header["tiers"]), ngrams.PLACES
            _check_arrays(found, {"rarities": size, "line": len(tiers) + 1})
            _check_arrays(found, {"weights": (size, len(tiers))})
            *bias, sharpness = found["line"].tolist()
            rarities, weights = (found[one].astype(np.float32) for one in ("rarities", "weights"))
            known = ngrams.Weights(rarities, weights, np.array(bias), sharpness)
            return LearnedTiers(known, tiers)
        if header["schema"] == SCHEMA and header["measures"] == list(FAMILIES):
            return _model_of(header, found)
        raise SettingsError(
            f"{str(path)!r} was saved by another version of nbroute (schema "
            f"{header['schema']!r}, this one reads {SCHEMA} and {TIERS_SCHEMA}); fit it again and "
            "save it."
        )

    none = f"there is no learned classifier at {str(path)!r}; fit one with router.fit(frame), or "
    model = _read(Path(path), _CLASSIFIER, made, f"{none}name its file.")
    if isinstance(model, LearnedTiers):
        return model
    if model.embedder is None:
        return LearnedClassifier(model)
    return LearnedClassifier(model, embedder() if callable(embedder) else embedder)


def load_check(path: Path) -> LearnedCheck:
    """The check in that file; SettingsError if it is missing, damaged or from another version."""

    def made(header: dict[str, Any], found: Arrays) -> LearnedCheck:
        if (header["schema"], header["measures"]) != (_CHECK_SCHEMA, list(MEASURES)):
            raise ValueError("it was saved by another version of nbroute")
        first = len(MEASURES)
        sizes = {"centre": first, "spread": first, "weights": first + 2 * PLACES, "line": 2}
        _check_arrays(found, sizes)
        labels, bad = int(header["labels"]), header["bad"]
        if bad not in ("wrong", "the worse of two"):
            raise ValueError(f"it calls a bad answer {bad!r:.60}")
        centre, spread, weights = (found[name] for name in ("centre", "spread", "weights"))
        bias, threshold = found["line"].tolist()
        return LearnedCheck(centre, spread, weights, bias, threshold, labels, bad)

    none = "there is no learned check yet: fit one with router.fit_check(frame), where frame has "
    return _read(path, _CHECK, made, f"{none}{ANSWER_FORMS}.")


def _read(path: Path, kind: str, make: Callable[[dict[str, Any], Arrays], T], none: str) -> T:
    """What `make` makes of the header and the arrays in the file.

    It raises one of `DAMAGED` if they do not fit together. SettingsError for such a file and for
    one of another kind, and with `none` if there is no file.
    """
    try:
        found = arrays(content(path), _LARGEST)
        header = decode(parse(found["header"].tobytes()), dict[str, Any])
        if header["kind"] != f"nbroute {kind}":
            raise ValueError(f"it says that it is a {header['kind']!r:.60}")
        return make(header, found)
    except FileNotFoundError as error:
        raise SettingsError(none) from error
    except DAMAGED as error:
        raise SettingsError(
            f"{str(path)!r} is not a {kind}, or a damaged one ({named(error):.200}); fit it again."
        ) from error


def _check_arrays(found: Arrays, sizes: Mapping[str, int | tuple[int, ...]]) -> None:
    """ValueError for an array that is not that many finite numbers."""
    for name, size in sizes.items():
        array, shape = found[name], size if isinstance(size, tuple) else (size,)
        if array.shape != shape or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(f"the array {name!r} is not {' x '.join(map(str, shape))} numbers")


def _model_of(header: dict[str, Any], found: Arrays) -> Model:
    terms, tiers, levels = header["terms"], tuple(header["tiers"]), tuple(header["levels"])
    middle = found["middle"]
    sizes = {
        "rarities": len(terms),
        "centre": len(FAMILIES),
        "spread": len(FAMILIES),
        "weights": len(FAMILIES) + len(terms) + len(middle),
        "cuts": len(levels) - 1,
        "intercepts": len(levels) - 1,
        "line": 2,
    }
    _check_arrays(found, sizes)
    if not set(levels) <= set(tiers) or (header["embedder"] is None) != (len(middle) == 0):
        raise ValueError("its tiers or its embedder do not fit together")
    places = {str(term): place for place, term in enumerate(terms)}
    vocabulary = Vocabulary(places, found["rarities"].tolist())
    mean = middle if len(middle) else None
    reading = Reading(vocabulary, found["centre"], found["spread"], mean)
    bias, slope = found["line"].tolist()
    scale = Scale(found["cuts"], slope, found["intercepts"])
    return Model(tiers, levels, reading, found["weights"], bias, scale, header["embedder"])
