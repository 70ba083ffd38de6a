"""The files of what was learnt: arrays and a JSON header in one .npz, no pickle."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

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
from nbroute.storage import content
from nbroute.types import Embedder

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

#: Change with what the file holds or with what a column means. What was learnt of tiers was
#: in the first one, too, in older versions of nbroute; it is still read.
SCHEMA, TIERS_SCHEMA = 1, 2
#: Bytes of all arrays together; 50,000 words and an embedding are a tenth of it.
_LARGEST = 64_000_000
_KIND = "nbroute learned classifier"


def save(classifier: LearnedClassifier | LearnedTiers, path: str | Path) -> Path:
    """Write it to a file (no prompt is in it), in place of an older one at once; the path.

    Of tiers there are weights alone, and of scores the words found in three training prompts
    or more. SettingsError where the file cannot be written.
    """
    import numpy as np

    if isinstance(classifier, LearnedTiers):
        return _save_tiers(classifier, Path(path))
    model = classifier.model
    middle = model.reading.middle
    header = {
        "kind": _KIND,
        "schema": SCHEMA,
        "tiers": model.tiers,
        "levels": model.levels,
        "embedder": model.embedder,
        "measures": FAMILIES,
        "terms": list(model.reading.vocabulary.places),
    }
    parts: dict[str, Any] = {
        "rarities": np.array(model.reading.vocabulary.rarities, dtype=float),
        "centre": model.reading.centre,
        "spread": model.reading.spread,
        "middle": np.zeros(0) if middle is None else middle,
        "weights": model.weights,
        "cuts": model.scale.cuts,
        "intercepts": model.scale.intercepts,
        "line": np.array([model.bias, model.scale.slope]),
    }
    return write(Path(path), header, parts, "the learned classifier")


def _save_tiers(classifier: LearnedTiers, path: Path) -> Path:
    import numpy as np

    weights = classifier.weights
    header = {
        "kind": _KIND,
        "schema": TIERS_SCHEMA,
        "tiers": classifier.tiers,
        "features": ngrams.VERSION,
    }
    parts = {
        "rarities": weights.rarities,
        "weights": weights.weights.astype(np.float16),
        "line": np.array([*weights.bias, weights.sharpness]),
    }
    return write(path, header, parts, "the learned classifier")


def write(target: Path, header: dict[str, Any], parts: dict[str, Any], what: str) -> Path:
    """Write header and arrays to the file, in place of an older one at once; the file.

    SettingsError names `what` could not be saved.
    """
    import numpy as np

    told = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, header=told, **parts)
        part.replace(target)
    except OSError as error:
        raise SettingsError(
            f"{what} cannot be saved as {str(target)!r} ({error}); "
            "name a file in a folder that can be written."
        ) from error
    return target


def read(path: Path, make: Callable[[dict[str, Any], Mapping[str, Any]], T], what: str) -> T:
    """What `make` makes of the header and the arrays of the file.

    It raises one of `DAMAGED` where they do not fit together. SettingsError for such a file,
    and one that is another's; FileNotFoundError for none.
    """
    try:
        found = arrays(content(path), _LARGEST)
        return make(decode(parse(found["header"].tobytes()), dict[str, Any]), found)
    except FileNotFoundError:
        raise
    except DAMAGED as error:
        raise SettingsError(
            f"{str(path)!r} is not {what}, or a damaged one ({named(error):.200}); fit it again."
        ) from error


def load(
    path: str | Path, embedder: Embedder | Callable[[], Embedder | None] | None = None
) -> LearnedClassifier | LearnedTiers:
    """The classifier that was saved there, with the embedder that it was trained with.

    A function that makes the embedder is called only where one is needed. SettingsError for
    a file that is absent, damaged, another's or of another version, and for another embedder.
    """
    try:
        model = read(Path(path), partial(_model, str(path)), "a learned classifier")
    except FileNotFoundError as error:
        raise SettingsError(
            f"there is no learned classifier at {str(path)!r}; "
            "fit one with router.fit(frame), or name its file."
        ) from error
    if isinstance(model, LearnedTiers):
        return model
    if model.embedder is None:
        return LearnedClassifier(model)
    return LearnedClassifier(model, embedder() if callable(embedder) else embedder)


def _model(
    file: str, header: dict[str, Any], found: Mapping[str, np.ndarray]
) -> Model | LearnedTiers:
    """What those arrays make; one of `DAMAGED` is raised where they do not fit together."""
    if header["kind"] != _KIND:
        raise ValueError(f"it says that it is a {header['kind']!r:.60}")
    if header["schema"] == TIERS_SCHEMA and header["features"] == ngrams.VERSION:
        return _tiers_of(tuple(header["tiers"]), found)
    if header["schema"] == SCHEMA and header["measures"] == list(FAMILIES):
        return _model_of(header, found)
    raise SettingsError(
        f"{file!r} was saved by another version of nbroute (schema {header['schema']!r}, this "
        f"one reads {SCHEMA} and {TIERS_SCHEMA}); fit it again and save it."
    )


def check_arrays(found: Mapping[str, Any], sizes: Mapping[str, int | tuple[int, ...]]) -> None:
    """ValueError for an array that is not so many finite numbers."""
    import numpy as np

    for name, size in sizes.items():
        array, shape = found[name], size if isinstance(size, tuple) else (size,)
        if array.shape != shape or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(f"the array {name!r} is not {' x '.join(map(str, shape))} numbers")


def _tiers_of(tiers: tuple[str, ...], found: Mapping[str, np.ndarray]) -> LearnedTiers:
    import numpy as np

    sizes = {
        "rarities": (ngrams.PLACES,),
        "weights": (ngrams.PLACES, len(tiers)),
        "line": (len(tiers) + 1,),
    }
    check_arrays(found, sizes)
    *bias, sharpness = found["line"].tolist()
    rarities, weights = (found[name].astype(np.float32) for name in ("rarities", "weights"))
    return LearnedTiers(ngrams.Weights(rarities, weights, np.array(bias), sharpness), tiers)


def _model_of(header: dict[str, Any], found: Mapping[str, np.ndarray]) -> Model:
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
    check_arrays(found, sizes)
    if not set(levels) <= set(tiers) or (header["embedder"] is None) != (len(middle) == 0):
        raise ValueError("its tiers or its embedder do not fit together")
    places = {str(term): place for place, term in enumerate(terms)}
    vocabulary = Vocabulary(places, found["rarities"].tolist())
    mean = middle if len(middle) else None
    reading = Reading(vocabulary, found["centre"], found["spread"], mean)
    bias, slope = found["line"].tolist()
    scale = Scale(found["cuts"], slope, found["intercepts"])
    return Model(tiers, levels, reading, found["weights"], bias, scale, header["embedder"])
