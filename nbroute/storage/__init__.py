"""What is kept in SQLite files (the ledger, the cache), and how a file that is named is read."""

from __future__ import annotations

import errno
from pathlib import Path


def content(path: Path, most_megabytes: int = 0) -> bytes:
    """What is in the file; OSError in words for a folder, a pipe, or a name that none can have.

    A file of more than `most_megabytes` (0: of any size) is not read, either.
    """
    try:
        if path.is_dir():
            raise OSError(errno.EISDIR, "it is a folder")
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is a device or a pipe")
        if most_megabytes and path.stat().st_size > most_megabytes * 10**6:
            raise OSError(errno.EFBIG, f"it is larger than {most_megabytes} MB")
        return path.read_bytes()
    except ValueError:
        raise OSError(errno.EINVAL, "there is a NUL character in its name") from None
    except MemoryError:
        raise OSError(errno.ENOMEM, "it is too large for the memory") from None
