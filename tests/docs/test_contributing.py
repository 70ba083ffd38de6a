"""The four recipes of CONTRIBUTING.md, done in a copy of the package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbroute

ROOT = Path(nbroute.__file__).parents[1]
_FILE = re.compile(
    r"^`((?:nbroute|tests)/\S+\.py)`:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


def test_each_recipe_is_one_file_and_one_test_that_passes(tmp_path):
    files = dict(_FILE.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8")))
    copy = tmp_path / "copy"
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "nbroute", copy / "nbroute", ignore=unwanted)
    (copy / "tests").mkdir()
    for file in (ROOT / "pyproject.toml", *(ROOT / "tests").glob("*.py")):
        shutil.copy(file, copy / file.relative_to(ROOT))
    for name, code in files.items():
        path = copy / name
        assert not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, "utf-8")

    shutil.copy(ROOT / "tests" / "checks" / "conftest.py", copy / "tests" / "checks")
    shutil.copy(ROOT / "tests" / "checks" / "test_named.py", copy / "tests" / "checks")

    tests = [name for name in files if name.startswith("tests/")]
    assert (4, 4) == (len(tests), len(files) - len(tests))
    ran(copy, "ruff", "check", "--no-cache", *files)
    ran(copy, "ruff", "format", "--no-cache", "--check", *files)
    ran(copy, "pytest", "-q", "-p", "no:cacheprovider", *tests, "tests/checks/test_named.py")


def ran(copy, *command):
    """Run it in the copy, where it succeeds."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
