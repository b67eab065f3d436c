"""Reads a run's files with one library and prints its table as JSON.

usage: read.py pyarrow|polars FILE...
"""

import datetime
import json
import struct
import sys

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(v):
    if v is None:
        return "NULL"
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, float):
        return struct.pack(">d", v).hex()
    if isinstance(v, datetime.datetime):
        return str((v - EPOCH) // datetime.timedelta(microseconds=1))
    return str(v)


def main(library, files):
    if library == "pyarrow":
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.concat_tables(pyarrow.parquet.read_table(f, partitioning=None) for f in files)
        table = table.sort_by("trial")
        columns = table.to_pydict()
        types = {f.name: str(f.type) for f in table.schema}
    else:
        import polars

        table = polars.read_parquet(files, hive_partitioning=False).sort("trial")
        columns = table.to_dict(as_series=False)
        types = {name: str(t) for name, t in table.schema.items()}
    json.dump({"types": types, "columns": {k: [plain(v) for v in c] for k, c in columns.items()}}, sys.stdout)


main(sys.argv[1], sys.argv[2:])
