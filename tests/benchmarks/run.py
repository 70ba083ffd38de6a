"""Every figure, one after another: `make bench`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = (
    *(
        "load",
        "route",
        "map",
        "classifier",
        "hybrid",
        "learned",
        "checks",
        "agreement",
        "learned_check",
        "calibration",
        "quality",
    ),
    *("workload", "ledger", "charts", "browser"),
)

if __name__ == "__main__":
    failed = []
    for name in NAMES:
        print(f"\n== {name} ==", flush=True)
        if subprocess.run([sys.executable, str(HERE / f"{name}.py")], check=False).returncode:
            failed.append(name)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
