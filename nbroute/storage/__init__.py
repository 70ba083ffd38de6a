"""SQLite files (the ledger, the cache), and reading a file that the user named."""

from __future__ import annotations

import errno
from pathlib import Path


def content(path: Path, most_megabytes: int = 0) -> bytes:
    """The file's bytes; OSError in plain words for a folder, a pipe or an impossible name.

    A file larger than `most_megabytes` is refused, too; 0 allows any size.
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
        raise OSError(errno.ENOMEM, "it does not fit in memory") from None
