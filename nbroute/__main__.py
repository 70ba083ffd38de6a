"""`python -m nbroute`: the same as the command `nbroute`."""

from __future__ import annotations

import sys

from nbroute.cli import main

if __name__ == "__main__":
    sys.exit(main())
