"""The command `nbroute`, also as `python -m nbroute`."""

from __future__ import annotations

import sys

from nbroute.errors import NbrouteError


def main() -> int:
    """Run the command; one line if a file that somebody added cannot be used."""
    try:
        from nbroute.cli import main as run
    except NbrouteError as error:
        print(f"nbroute: {error}", file=sys.stderr)  # noqa: T201 - there is no cli to say it
        return 1
    return run()


if __name__ == "__main__":
    sys.exit(main())
