"""A folder that untrusted code may write to: counted while it runs, emptied afterwards.

Nothing here follows a link, goes down by recursion or builds a long path.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import time
from pathlib import Path


def crowded(folder: Path, most: float) -> str:
    """Why there is too much in it; empty while there is not."""
    waiting, count = [str(folder)], 0
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                for entry in found:
                    count += 1
                    if count > most:
                        return f"made more than {most:g} files and folders"
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # taken away meanwhile
        except OSError as error:
            return f"made a folder whose files cannot be counted ({error.strerror})"
    return ""


def clear(folder: Path, until: float) -> None:
    """Take the folder away; what is left when the time is up stays."""
    with contextlib.suppress(OSError):
        folder.chmod(0o700)
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            while folder.exists() and time.monotonic() < until:
                with os.scandir(top) as found:
                    entries = list(itertools.islice(found, 1000))
                for entry in entries:
                    with contextlib.suppress(OSError):
                        _take_away(top, entry, until)
                with contextlib.suppress(OSError):
                    folder.rmdir()  # a dying process may still write
        finally:
            os.close(top)


def _take_away(top: int, entry: os.DirEntry[str], until: float) -> None:
    """One entry of the folder; the folders in it are moved up, for the next round."""
    if not entry.is_dir(follow_symlinks=False):
        os.unlink(entry.name, dir_fd=top)
        return
    os.chmod(entry.name, 0o700, dir_fd=top)
    inner = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    try:
        with os.scandir(inner) as found:
            for one in itertools.takewhile(lambda _: time.monotonic() < until, found):
                if one.is_dir(follow_symlinks=False):
                    os.chmod(one.name, 0o700, dir_fd=inner)
                    os.rename(one.name, secrets.token_hex(16), src_dir_fd=inner, dst_dir_fd=top)
                else:
                    os.unlink(one.name, dir_fd=inner)
    finally:
        os.close(inner)
    os.rmdir(entry.name, dir_fd=top)
