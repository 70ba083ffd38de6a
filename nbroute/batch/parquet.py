"""A batch as a Parquet file: written in row groups once it is whole, read when it is resumed."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbroute.batch.rows import FIELDS, KINDS, as_row
from nbroute.batch.spool import Spool, storable
from nbroute.errors import SettingsError

if TYPE_CHECKING:
    import pyarrow as pa

_ROW_GROUP = 10_000
#: Under this name the file's own metadata says what the batch was made with.
_ABOUT = b"nbroute"


def need_pyarrow() -> None:
    """SettingsError where pyarrow is not installed."""
    if importlib.util.find_spec("pyarrow") is None:
        raise SettingsError(
            "a .parquet file needs pyarrow: pip install pyarrow, or name a .sqlite file"
        )


def write_parquet(spool: Spool, path: Path, below: int) -> None:
    """Write the rows at places under `below`, in order; the file is there when it is whole.

    `data` is JSON text and `cost_usd` a double (null where it is not known). SettingsError
    where it cannot be written.
    """
    import pyarrow.parquet as pq

    schema = _schema(spool.about())
    unfinished = path.with_name(f"{path.name}.new")
    try:
        with pq.ParquetWriter(unfinished, schema) as writer:
            for table in _tables(spool, schema, below):
                writer.write_table(table)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise SettingsError(
            f"to={str(path)!r} cannot be written: {error}; the rows are in {str(spool.path)!r}, "
            "so the same call writes them once that is mended"
        ) from error


def read_parquet(path: Path, spool: Spool) -> None:
    """Put a finished file's rows into the spool; SettingsError where it holds no batch."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise _foreign(path) from error
    with file:
        about = (file.schema_arrow.metadata or {}).get(_ABOUT)
        if about is None or tuple(file.schema_arrow.names) != FIELDS:
            raise _foreign(path)
        for part in file.iter_batches(batch_size=_ROW_GROUP):
            columns = (column.to_pylist() for column in part.columns)
            spool.write([as_row(values) for values in zip(*columns, strict=True)])
    spool.describe(json.loads(about))


def _foreign(path: Path) -> SettingsError:
    return SettingsError(
        f"to={str(path)!r} is there and holds no batch of nbroute; name another file"
    )


def _schema(about: Mapping[str, Any]) -> pa.Schema:
    import pyarrow as pa

    kinds = {"int": pa.int64(), "bool": pa.bool_(), "float": pa.float64(), "Decimal": pa.float64()}
    columns = [(name, kinds.get(kind, pa.string())) for name, kind in KINDS.items()]
    return pa.schema(columns, metadata={_ABOUT: json.dumps(dict(about)).encode()})


def _tables(spool: Spool, schema: pa.Schema, below: int) -> Iterator[pa.Table]:
    rows: list[Any] = []
    for page in spool.pages(below):
        rows += page
        if len(rows) >= _ROW_GROUP:
            yield _table(rows, schema)
            rows = []
    if rows:
        yield _table(rows, schema)


def _table(rows: list[Any], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    columns = [list(map(storable, column)) for column in zip(*rows, strict=True)]
    booleans = {place for place, kind in enumerate(KINDS.values()) if kind == "bool"}
    arrays = [
        pa.array(map(bool, column) if place in booleans else column, type=schema.field(place).type)
        for place, column in enumerate(columns)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
