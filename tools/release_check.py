"""`make release-check`: build the release, install it where nothing is, and use it there.

Fails where a step fails, and where there is neither of the two Pythons that it is tried on.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
PYTHONS = ("3.11", "3.13")
#: What only a working copy has.
_JUNK = re.compile(r"\.venv|__pycache__|\.pyc$|\.gguf$|\.hypothesis|_cache/|/out/|/site/|\.git/")

#: What somebody does first who has `pip install nbroute` and no key.
CORE = """
import sys
from pathlib import Path

import nbroute
from nbroute import Router
from nbroute.errors import SettingsError

assert not Path(nbroute.__file__).is_relative_to(sys.argv[1]), "the repository was imported"
router = Router(profile="simulated", ledger="ledger.sqlite")
result = router.route("What is the capital of France?")
assert "Paris" in result.text, result
print("routed     ", result.tier, result.text)
compared = router.compare("What is the capital of France?", tiers=["SIMPLE", "COMPLEX"])
assert len(compared.frame()) == 2, compared
print("compared   ", ", ".join(compared.frame()["tier"]))
report = router.report()
assert report.calls == 3, report
print("reported   ", report.calls, "calls")
assert report.chart("tiers").save("tiers.json").stat().st_size > 1000
try:
    report.chart("tiers").save("tiers.svg")
except SettingsError as error:
    assert "pip install 'nbroute[charts]'" in str(error), error
else:
    raise AssertionError("vl-convert is in the core")
router.close()
"""
#: The same with the extra for charts.
CHARTS = """
from nbroute import Router

router = Router(profile="simulated", ledger="ledger.sqlite")
router.route("What is the capital of France?")
chart = router.report().chart("tiers")
assert chart.save("tiers.svg").read_text("utf-8").startswith("<svg")
assert chart.save("tiers.png").read_bytes().startswith(b"\\x89PNG")
print("drawn       tiers.svg, tiers.png")
router.close()
"""


def main() -> int:
    """Build, look at what was built, and try it on each Python that is here."""
    wheel = built()
    look(wheel)
    found = {version: path for version in PYTHONS if (path := python(version))}
    for version in PYTHONS:
        if version not in found:
            print(f"-- Python {version} was not found here: nothing is tried on it", flush=True)
    for version, path in found.items():
        tried(version, path, wheel)
    print(f"-- {wheel.name}: built, and used on {', '.join(found) or 'no Python'}")
    return 0 if found else 1


def step(what: str, *command: str | Path, cwd: Path = ROOT) -> None:
    """Run it, saying what it is for and how long it took; SystemExit where it fails."""
    print(f"-- {what} ...", flush=True)
    begun = time.monotonic()
    alone = {k: v for k, v in os.environ.items() if not k.startswith(("NBROUTE_", "PYTHONPATH"))}
    alone |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "XDG_DATA_HOME": str(cwd)}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=alone, check=False)
    if done.returncode:
        raise SystemExit(f"failed: {what} (exit code {done.returncode})")
    print(f"   {time.monotonic() - begun:.0f} s", flush=True)


def built() -> Path:
    """The wheel; the source distribution lies next to it."""
    shutil.rmtree(DIST, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        own = environment(sys.executable, Path(folder))
        step("getting build and twine", own, "-m", "pip", "install", "-q", "build", "twine")
        step("building", own, "-m", "build", "--outdir", DIST, ROOT)
        step("twine check", own, "-m", "twine", "check", "--strict", *sorted(DIST.iterdir()))
    (wheel,) = DIST.glob("*.whl")
    return wheel


def look(wheel: Path) -> None:
    """What must be in the files, and what must not; AssertionError."""
    (source,) = DIST.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        about = archive.read(metadata).decode()
    assert "nbroute/py.typed" in names
    assert all(name.startswith("nbroute") for name in names), names
    assert not (links := re.findall(r"\]\((?![a-z]+:|#)[^)]*\)", about)), links
    with tarfile.open(source) as archive:
        names += archive.getnames()
    assert not (junk := [name for name in names if _JUNK.search(name)]), junk
    for file in (wheel, source):
        print(f"   {file.name}: {file.stat().st_size / 1e6:.1f} MB")


def python(version: str) -> Path | None:
    """An interpreter of that version: pyenv's, else one on the path that runs."""
    own = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    path = str(own[-1]) if own else shutil.which(f"python{version}")
    works = (
        path and not subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode
    )
    return Path(path) if path and works else None


def environment(path: str | Path, folder: Path) -> Path:
    """A new virtual environment in the folder; its interpreter."""
    step(f"making an environment with {path}", path, "-m", "venv", folder / "venv")
    return folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"


def tried(version: str, path: Path, wheel: Path) -> None:
    """Install the wheel, and use it in a folder that has nothing to do with the repository."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        own = environment(path, folder)
        step(f"{version}: pip install nbroute", own, "-m", "pip", "install", "-q", wheel)
        step(f"{version}: route, compare, report", own, "-I", "-c", CORE, ROOT, cwd=folder)
        extras = f"{wheel}[charts,lab]"
        step(f"{version}: its extras", own, "-m", "pip", "install", "-q", extras, "nbval")
        step(f"{version}: charts as files", own, "-I", "-c", CHARTS, cwd=folder)
        notebook = shutil.copy(ROOT / "notebooks" / "01_quickstart.ipynb", folder)
        (folder / "nbroute.toml").write_text('[nbroute]\nprofile = "simulated"\n', "utf-8")
        pytest = (own, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", notebook)
        step(f"{version}: the quickstart", *pytest, cwd=folder)


if __name__ == "__main__":
    raise SystemExit(main())
