"""Reads a run's files with one library and prints its table as JSON.

usage: read.py pyarrow|polars|duckdb FILE...

Of a bucket one pattern s3://… is given; the environment says where it is.
"""

import datetime
import json
import os
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


def in_bucket(library, pattern):
    """Opens the log in a bucket as docs/trial-log.md says."""
    if library == "pyarrow":
        import pyarrow.dataset
        import pyarrow.fs

        folder = pattern.removeprefix("s3://").removesuffix("/*/*.parquet")
        store = pyarrow.fs.S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL_S3"])
        return pyarrow.dataset.dataset(folder, filesystem=store, format="parquet").to_table().to_pydict()
    if library == "polars":
        import polars

        options = {"aws_endpoint_url": os.environ["AWS_ENDPOINT_URL_S3"], "aws_allow_http": "true"}
        return polars.read_parquet(pattern, storage_options=options, hive_partitioning=False).to_dict(as_series=False)
    import duckdb
    import fsspec

    duckdb.register_filesystem(fsspec.filesystem("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"]))
    rows = duckdb.sql(f"SELECT * FROM read_parquet('{pattern}', hive_partitioning = false)")
    return rows.arrow().read_all().to_pydict()


def by_trial(columns):
    order = sorted(range(len(columns["trial"])), key=lambda i: columns["trial"][i])
    return {name: [values[i] for i in order] for name, values in columns.items()}


def main(library, files):
    if files[0].startswith("s3://"):
        columns, types = by_trial(in_bucket(library, files[0])), {}
    elif library == "pyarrow":
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
