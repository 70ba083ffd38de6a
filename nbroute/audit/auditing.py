"""Files -> Audit: reads, and counts each answer once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from nbroute.audit.calls import Call, Place
from nbroute.audit.files import notebooks
from nbroute.audit.reading import told
from nbroute.audit.records import Record, calls, records
from nbroute.audit.totals import Audit, Skipped
from nbroute.errors import SettingsError

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def audit(paths: Paths = ".") -> Audit:
    """What the notebooks say they spent: files, folders (walked) or patterns like `*.ipynb`.

    An answer that stands in several cells or notebooks is counted once, where it is read
    first. What cannot be read raises nothing: it is in `unread` and `skipped`.
    """
    named = [paths] if isinstance(paths, str | os.PathLike) else paths
    tally = _Tally()
    for found in notebooks(named):
        if isinstance(found, SettingsError):
            tally.unread.append(str(found))
        else:
            tally.read(found)
    return tally.audit()


@dataclass(slots=True)
class _Tally:
    notebooks: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    homes: dict[str, Place] = field(default_factory=dict)
    repeated: dict[tuple[str, Place], None] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def read(self, path: Path) -> None:
        """Add the notebook, or why it cannot be read."""
        try:
            outputs = told(path)
        except SettingsError as error:
            self.unread.append(str(error))
            return
        self.notebooks.append(str(path))
        for output in outputs:
            place = Place(str(path), output.cell, output.execution)
            for one in records(output.said):
                self._add(one, place)

    def _add(self, record: Record | SettingsError, place: Place) -> None:
        try:
            if isinstance(record, SettingsError):
                raise record
            found = calls(record, place)
        except SettingsError as error:
            self.skipped.append(Skipped(place, str(error)))
            return
        result = found[0].result
        if result not in self.homes:
            self.homes[result] = place
            self.calls.extend(found)
        elif self.homes[result] != place:
            self.repeated[result, place] = None

    def audit(self) -> Audit:
        """What was found."""
        return Audit(
            tuple(self.notebooks),
            tuple(self.calls),
            tuple(self.repeated),
            tuple(self.skipped),
            tuple(self.unread),
        )
