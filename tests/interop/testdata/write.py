"""Writes a run's files again with one library.

usage: write.py pyarrow|polars CODEC OUT FILE...
"""

import sys


def main(library, codec, out, files):
    if library == "pyarrow":
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.concat_tables(pyarrow.parquet.read_table(f, partitioning=None) for f in files)
        pyarrow.parquet.write_table(table.sort_by([("area_mm2", "descending")]), out, compression=codec, row_group_size=16)
        return
    import polars

    table = polars.read_parquet(files, hive_partitioning=False)
    table.sort("area_mm2", descending=True).write_parquet(out, compression=codec)


main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
