"""The learned classifier's file: arrays and a JSON header in one .npz, no pickle."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbroute.classify.learned import FAMILIES, LearnedClassifier, Model, Reading, Scale, Vocabulary
from nbroute.decoding import decode, parse
from nbroute.errors import SettingsError, named
from nbroute.storage import content
from nbroute.types import Embedder

if TYPE_CHECKING:
    import numpy as np

#: Changes with what the file holds or with what a column means.
SCHEMA = 1
#: Bytes of all arrays together; 50,000 words and an embedding are a tenth of it.
_LARGEST = 64_000_000
_KIND = "nbroute learned classifier"
#: What NumPy and zipfile raise on bytes that are not what they seem.
_DAMAGED = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, MemoryError),
    *(OverflowError, zipfile.BadZipFile, zlib.error, struct.error),
)


def save(classifier: LearnedClassifier, path: str | Path) -> Path:
    """Write it to a file (no prompt is in it), in place of an older one at once; the path.

    Its words are those found in three training prompts or more. SettingsError where the
    file cannot be written.
    """
    import numpy as np

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
    arrays: dict[str, Any] = {
        "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        "rarities": np.array(model.reading.vocabulary.rarities, dtype=float),
        "centre": model.reading.centre,
        "spread": model.reading.spread,
        "middle": np.zeros(0) if middle is None else middle,
        "weights": model.weights,
        "cuts": model.scale.cuts,
        "intercepts": model.scale.intercepts,
        "line": np.array([model.bias, model.scale.slope]),
    }
    target = Path(path)
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        part.replace(target)
    except OSError as error:
        raise SettingsError(
            f"the learned classifier cannot be saved as {str(target)!r} ({error}); "
            "name a file in a folder that can be written."
        ) from error
    return target


def load(
    path: str | Path, embedder: Embedder | Callable[[], Embedder | None] | None = None
) -> LearnedClassifier:
    """The classifier that was saved there, with the embedder that it was trained with.

    A function that makes the embedder is called only where one is needed. SettingsError for
    a file that is absent, damaged, another's or of another version, and for another embedder.
    """
    import numpy as np

    name = str(path)
    try:
        with io.BytesIO(content(Path(path))) as file, np.load(file, allow_pickle=False) as arrays:
            if sum(one.file_size for one in arrays.zip.infolist()) > _LARGEST:
                raise ValueError("it would unpack to more than a classifier has")
            model = _model(dict(arrays), name)
    except FileNotFoundError as error:
        raise SettingsError(
            f"there is no learned classifier at {name!r}; "
            "fit one with router.fit(frame), or name its file."
        ) from error
    except _DAMAGED as error:
        raise SettingsError(
            f"{name!r} is not a learned classifier, or a damaged one "
            f"({named(error):.200}); fit it again and save it."
        ) from error
    if model.embedder is None:
        return LearnedClassifier(model)
    return LearnedClassifier(model, embedder() if callable(embedder) else embedder)


def _model(arrays: Mapping[str, np.ndarray], file: str) -> Model:
    """The model in the arrays; one of `_DAMAGED` is raised where they do not make one."""
    import numpy as np

    header = decode(parse(arrays["header"].tobytes()), dict[str, Any])
    if header["kind"] != _KIND:
        raise ValueError(f"it says that it is a {header['kind']!r:.60}")
    if header["schema"] != SCHEMA or header["measures"] != list(FAMILIES):
        raise SettingsError(
            f"{file!r} was saved by another version of nbroute (schema {header['schema']!r}, "
            f"this one reads {SCHEMA}); fit it again and save it."
        )
    terms, tiers, levels = header["terms"], tuple(header["tiers"]), tuple(header["levels"])
    middle = arrays["middle"]
    sizes = {
        "rarities": len(terms),
        "centre": len(FAMILIES),
        "spread": len(FAMILIES),
        "weights": len(FAMILIES) + len(terms) + len(middle),
        "cuts": len(levels) - 1,
        "intercepts": len(levels) - 1,
        "line": 2,
    }
    for name, size in sizes.items():
        found = arrays[name]
        if found.shape != (size,) or found.dtype != float or np.isnan(found).any():
            raise ValueError(f"the array {name!r} is not {size} numbers")
    if not set(levels) <= set(tiers) or (header["embedder"] is None) != (len(middle) == 0):
        raise ValueError("its tiers or its embedder do not fit together")
    places = {str(term): place for place, term in enumerate(terms)}
    vocabulary = Vocabulary(places, arrays["rarities"].tolist())
    mean = middle if len(middle) else None
    reading = Reading(vocabulary, arrays["centre"], arrays["spread"], mean)
    bias, slope = arrays["line"].tolist()
    scale = Scale(arrays["cuts"], slope, arrays["intercepts"])
    return Model(tiers, levels, reading, arrays["weights"], bias, scale, header["embedder"])
