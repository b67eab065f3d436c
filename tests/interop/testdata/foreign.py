"""Writes trial logs as other tools do, one folder each, below the folder in
argv[1], and prints for each what its rows say: {"name": {"rows": [[trial, x, z,
cost], ...], "refused": ""}}. Numbers are written as the bits of a double, NULL
as null. `refused` is a word of the error where nothing may be read."""
import datetime, decimal, json, os, random, struct, sys, uuid
import numpy as np, pandas as pd, polars as pl, pyarrow as pa, pyarrow.parquet as pq, duckdb

os.chdir(sys.argv[1])
N = 60
rng = random.Random(7)
X = [rng.randrange(101) for _ in range(N)]
Z = [rng.choice(["aa", "bb", "cc", "dd"]) for _ in range(N)]
COST = [round((x - 37) ** 2 / 1e4 + 0.25 + i / 1e3, 4) for i, x in enumerate(X)]
OUT = {}

def bits(v):
    return None if v is None or v != v else "%016x" % struct.unpack(">Q", struct.pack(">d", float(v)))[0]

def says(name, x=X, z=Z, cost=COST, trials=None, **more):
    trials = list(range(len(x))) if trials is None else trials
    rows = sorted([t, bits(a), b, bits(c)] for t, a, b, c in zip(trials, x, z, cost))
    OUT[name] = dict(rows=rows, refused="", left_out=0, damaged=0, empty=0, unkeyed=0)
    OUT[name].update(more)

def table(**columns):
    c = dict(study=pa.array(["src"] * N), run=pa.array(["0badcafe"] * N), trial=pa.array(range(N), pa.int64()),
             p_x=pa.array(X, pa.int64()), p_z=pa.array(Z), cost=pa.array(COST), outcome=pa.array(["measured"] * N))
    c.update(columns)
    return pa.table({k: v for k, v in c.items() if v is not None})

def write(name, t, file="a.parquet", **how):
    os.makedirs(name, exist_ok=True)
    pq.write_table(t, os.path.join(name, file), **how)

def nulls(values, every=5):
    return [None if i % every == 0 else v for i, v in enumerate(values)]

# Every way of pyarrow to write the same values.
HOW = dict(plain={}, nodict=dict(use_dictionary=False), fallback=dict(dictionary_pagesize_limit=16, data_page_size=64, write_batch_size=8),
           v2=dict(data_page_version="2.0"), v2small=dict(data_page_version="2.0", data_page_size=64, write_batch_size=8, use_dictionary=False),
           old=dict(version="1.0"), checksum=dict(write_page_checksum=True), groups=dict(row_group_size=7), nostatistics=dict(write_statistics=False),
           index=dict(write_page_index=True), bytestream=dict(use_dictionary=False, use_byte_stream_split=["cost"]),
           delta=dict(use_dictionary=False, column_encoding=dict(trial="DELTA_BINARY_PACKED", p_x="DELTA_BINARY_PACKED", study="DELTA_BYTE_ARRAY",
                      p_z="DELTA_LENGTH_BYTE_ARRAY", outcome="DELTA_BYTE_ARRAY", cost="BYTE_STREAM_SPLIT")))
for codec in ("none", "snappy", "gzip", "zstd", "brotli"):
    for how, options in HOW.items():
        for some in ("", "_nulls"):
            t = table() if not some else table(p_x=pa.array(nulls(X), pa.int64()), p_z=pa.array(nulls(Z, 3)), cost=pa.array(nulls(COST, 7)))
            write(codec + "_" + how + some, t, compression=codec, **options)
            says(codec + "_" + how + some, *((nulls(X), nulls(Z, 3), nulls(COST, 7)) if some else ()))
write("lz4", table(), compression="lz4")
says("lz4", refused="LZ4")

# Types of numbers.
def numbers(name, typ, values, want=None, **how):
    write(name, table(p_x=pa.array(values, typ)), **how)
    says(name, x=want or values)
for t in (pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.float32(), pa.float64()):
    for some in (False, True):
        v = nulls(X) if some else X
        numbers(f"x_{t}{'_nulls' if some else ''}", t, v)
numbers("x_uint32_high", pa.uint32(), [2**32 - 1 - x for x in X])
numbers("x_int64_exact", pa.int64(), [2**53 - x for x in X])
inf = float("inf")
numbers("x_int64_beyond", pa.int64(), [2**53 + 1 + x for x in X], [inf if x % 2 == 0 else 2**53 + 1 + x for x in X])
numbers("x_uint64_high", pa.uint64(), [2**64 - 1 - x for x in X], [inf] * N)
numbers("x_uint64_double", pa.uint64(), [2**63 + 2048 * x for x in X])
numbers("x_bool", pa.bool_(), [x > 50 for x in X], [int(x > 50) for x in X])
numbers("x_dictionary", pa.dictionary(pa.int32(), pa.int64()), X)
for size in (16, 64):
    numbers(f"x_bytestream_int{size}", pa.int32(), X, use_dictionary=False, column_encoding=dict(p_x="BYTE_STREAM_SPLIT"))
D = decimal.Decimal
for t in (pa.decimal32(9, 2), pa.decimal64(18, 4), pa.decimal128(9, 2), pa.decimal128(18, 2), pa.decimal128(38, 10), pa.decimal256(60, 20)):
    numbers(f"x_{t}", t, [D(-x) / 4 for x in X], [-x / 4 for x in X])
    numbers(f"x_{t}_nulls", t, nulls([D(x) / 4 for x in X]), nulls([x / 4 for x in X]))
numbers("x_decimal_as_int", pa.decimal128(9, 2), [D(x) / 4 for x in X], [x / 4 for x in X], store_decimal_as_integer=True)
numbers("x_decimal_delta", pa.decimal128(18, 2), [D(x) / 4 for x in X], [x / 4 for x in X], use_dictionary=False, column_encoding=dict(p_x="DELTA_BYTE_ARRAY"))
numbers("x_decimal_beyond", pa.decimal128(30, 3), [D(10**20 + x) + D("0.125") for x in X], [inf] * N)
numbers("x_decimal_tenth", pa.decimal128(30, 1), [D(x) + D("0.1") for x in X], [x + 0.1 for x in X])
for how, options in (("", {}), ("_nodict", dict(use_dictionary=False)), ("_bss", dict(use_dictionary=False, column_encoding=dict(p_x="BYTE_STREAM_SPLIT")))):
    half = np.array(X, dtype=np.float16) / np.float16(8)
    numbers("x_float16" + how, pa.float16(), half, [float(v) for v in half], **options)
write("cost_nan", table(cost=pa.array([float("nan") if i % 3 == 0 else c for i, c in enumerate(COST)])))
says("cost_nan", cost=nulls(COST, 3))
for t, word in ((pa.date32(), "DATE"), (pa.time64("us"), "TIME"), (pa.timestamp("ms"), "TIMESTAMP"), (pa.list_(pa.int64()), "nested"),
                (pa.struct([("a", pa.int64())]), "nested"), (pa.map_(pa.string(), pa.int64()), "nested")):
    v = [[x] for x in X] if word == "nested" and pa.types.is_list(t) else [{"a": x} for x in X] if pa.types.is_struct(t) else [[("a", x)] for x in X] if pa.types.is_map(t) else X
    name = "x_" + "".join(c for c in str(t) if c.isalnum())
    write(name, table(p_x=pa.array(v, t)))
    says(name, refused=word)

# Types of labels.
for name, a in dict(large=pa.array(Z, pa.large_string()), view=pa.array(Z).cast(pa.string_view()), dictionary=pa.array(Z).dictionary_encode(),
                    binary=pa.array([z.encode() for z in Z]), fixed=pa.array([z.encode() for z in Z], pa.binary(2))).items():
    write("z_" + name, table(p_z=a))
    says("z_" + name)
write("z_fixed_bytes", table(p_z=pa.array([bytes([0, x]) for x in X], pa.binary(2))))
says("z_fixed_bytes", refused="FIXED_LEN_BYTE_ARRAY")
U = [uuid.UUID(int=x) for x in X]
write("z_uuid", table(p_z=pa.ExtensionArray.from_storage(pa.uuid(), pa.array([u.bytes for u in U], pa.binary(16)))))
says("z_uuid", z=[str(u) for u in U])
wide = ["label-%d-%s" % (i, "ä" * 300) for i in range(N)]
write("z_large_dictionary", table(p_z=pa.array(wide)), data_page_size=512)
says("z_large_dictionary", z=wide)
write("z_prefixes", table(p_z=pa.array(wide)), use_dictionary=False, column_encoding=dict(p_z="DELTA_BYTE_ARRAY"))
says("z_prefixes", z=wide)
write("z_bool", table(p_z=pa.array([x > 50 for x in X])))
says("z_bool", z=["true" if x > 50 else "false" for x in X])
write("z_json", table(p_z=pa.ExtensionArray.from_storage(pa.json_(), pa.array(Z))))
says("z_json", refused="JSON")

# Columns beside, of any type and name, change nothing.
beside = dict(start_time=pa.array([datetime.datetime(2024, 1, 1)] * N, pa.timestamp("ns")), extra=pa.nulls(N), note=pa.nulls(N), energy_j=pa.nulls(N, pa.float64()),
              reason_code=pa.nulls(N), end_time=pa.nulls(N, pa.timestamp("ms", "UTC")), attempts=pa.array(["one"] * N), parents=pa.array([[1, 2]] * N),
              stream_seq=pa.array([2**64 - 1] * N, pa.uint64()), nest=pa.array([{"a": 1, "b": [1, 2]}] * N), p_other=pa.array([[1]] * N), id=pa.array([2**62 + 1] * N))
beside["p_dots.and spaces"], beside["ünïcode 列"], beside["a.b"], beside[""] = (pa.array(range(N)) for _ in range(4))
write("beside", table(**beside))
says("beside")
write("int96", table(**beside), use_deprecated_int96_timestamps=True)
says("int96")
t = table()
write("twice_beside", t.append_column("note", pa.array(X)).append_column("note", pa.array(Z)))
says("twice_beside")
write("twice", t.append_column("p_x", pa.array(X)))
says("twice", refused="twice")
write("needless", table(batch=None, feasible=pa.array([1] * N)))
says("needless")
write("no_trial", table(trial=None))
says("no_trial", refused='column "trial" is missing')

# Files of one source.
half, rest = t.slice(0, 30), t.slice(30)
def two(name, a, b, **how):
    write(name, a)
    write(name, b, "b.parquet")
    says(name, **how)
with_x = lambda a: rest.set_column(3, "p_x", a)
two("int_and_double", half, with_x(pa.array(X[30:], pa.float64())))
two("int_and_decimal", half, with_x(pa.array([D(x) for x in X[30:]], pa.decimal128(9, 2))))
two("int_and_null", half, with_x(pa.nulls(30)), x=X[:30] + [None] * 30)
two("int_and_null_text", half, with_x(pa.nulls(30, pa.string())), x=X[:30] + [None] * 30)
two("int_and_text", half, with_x(pa.array([str(x) for x in X[30:]])), refused="of type INT64 in")
two("int_and_list", half, with_x(pa.array([[x] for x in X[30:]])), refused="nested in")
two("double_and_bool_metric", half, rest.set_column(5, "cost", pa.array([True] * 30)), refused="BOOLEAN in")
two("label_and_null_number", half, rest.set_column(4, "p_z", pa.nulls(30, pa.int32())), z=Z[:30] + [None] * 30)
two("metric_added", half, rest.append_column("energy_j", pa.array([1.0] * 30)))
two("parameter_added", half, rest.append_column("p_w", pa.array([1] * 30)))
two("parameter_missing", half, rest.drop_columns(["p_x"]), x=X[:30] + [None] * 30)
two("order", half, rest.select(list(reversed(rest.column_names))))
two("units", half.replace_schema_metadata({"apollo.units": '{"cost": "s"}'}), rest.replace_schema_metadata({"apollo.units": '{"cost": "ms"}'}),
    x=X[:30], left_out=1)
two("outcome_int", half, rest.set_column(6, "outcome", pa.array([1] * 30)), x=X[:30], left_out=1)
two("no_run", half, rest.set_column(1, "run", pa.nulls(30, pa.string())), x=X[:30], unkeyed=30)
write("zero_rows", t)
write("zero_rows", t.slice(0, 0), "b.parquet")
write("zero_rows", pa.table({"trial": pa.array([], pa.string()), "p_x": pa.array([], pa.list_(pa.int64()))}), "c.parquet")
pq.ParquetWriter("zero_rows/d.parquet", t.schema).close()
says("zero_rows", empty=3)
write("only_zero_rows", t.slice(0, 0))
says("only_zero_rows", refused="have no rows")
write("damaged", t)
with open("damaged/a.parquet", "rb") as f, open("damaged/b.parquet", "wb") as g:
    g.write(f.read()[:500])
says("damaged", damaged=1)

# Encrypted, whole or in part.
import pyarrow.parquet.encryption as pe
class Kms(pe.KmsClient):
    def __init__(self, config): pe.KmsClient.__init__(self)
    def wrap_key(self, key, master): return key.hex().encode()
    def unwrap_key(self, key, master): return bytes.fromhex(key.decode())
factory = pe.CryptoFactory(Kms)
for name, plain in (("encrypted", False), ("encrypted_column", True)):
    config = pe.EncryptionConfiguration(footer_key="k", column_keys={"k": ["cost"]}, plaintext_footer=plain)
    os.makedirs(name)
    with pq.ParquetWriter(name + "/a.parquet", t.schema, encryption_properties=factory.file_encryption_properties(pe.KmsConnectionConfig(), config)) as w:
        w.write_table(t)
    says(name, refused="encrypted")

# Columns that are only in the names of folders.
import pyarrow.dataset as ds
def folders(name, t, keys, x=None, z=None, **more):
    ds.write_dataset(t, name, format="parquet", partitioning=ds.partitioning(pa.schema([t.schema.field(k) for k in keys]), flavor="hive"))
    says(name, x or X, z or Z, **more)
folders("hive_key", t, ["study", "run"])
folders("hive_number", t, ["p_x"])
folders("hive_label", t, ["p_z"])
odd = ["a=b/c", "100 %", "ünï", "#?&"]
special = [odd["aa bb cc dd".split().index(z)] for z in Z]
folders("hive_special", table(p_z=pa.array(special)), ["p_z"], z=special)
folders("hive_null", table(p_z=pa.array(nulls(Z, 3))), ["p_z"], z=nulls(Z, 3))
duckdb.sql("COPY t TO 'duckdb_hive' (FORMAT parquet, PARTITION_BY (study, run, p_x))")
says("duckdb_hive")
empty = table(p_z=pa.array(["" if z == "aa" else z for z in Z]))
duckdb.sql("COPY empty TO 'duckdb_hive_empty' (FORMAT parquet, PARTITION_BY (p_z))")
says("duckdb_hive_empty", z=[None if z == "aa" else z for z in Z])

# Other writers.
frame = t.to_pandas()
def pandas(name, f, **how):
    os.makedirs(name)
    f.to_parquet(name + "/a.parquet", **how)
    says(name)
pandas("pandas", frame)
pandas("pandas_category", frame.astype({"p_z": "category", "outcome": "category"}))
pandas("pandas_none", frame.assign(reason_code=None, extra=None, energy_j=float("nan")))
pandas("pandas_nullable", frame.convert_dtypes())
pandas("pandas_float", frame.assign(trial=frame.trial.astype(float), p_x=frame.p_x.astype(float)))
pandas("pandas_unsorted", frame.sample(frac=1, random_state=1))
p = pl.from_arrow(t)
def polars(name, f, **how):
    os.makedirs(name)
    f.write_parquet(name + "/a.parquet", **how)
    says(name)
polars("polars", p)
polars("polars_category", p.with_columns(pl.col("p_z").cast(pl.Categorical)))
polars("polars_enum", p.with_columns(pl.col("p_z").cast(pl.Enum(["aa", "bb", "cc", "dd"]))))
polars("polars_none", p.with_columns(reason_code=None, extra=None, energy_j=None))
polars("polars_small", p.with_columns(pl.col("p_x").cast(pl.UInt8)), row_group_size=9, data_page_size=64)
polars("polars_decimal", p.with_columns(pl.col("p_x").cast(pl.Decimal(20, 3))))
for version in ("V1", "V2"):
    def duck(name, q, **more):
        os.makedirs(name)
        duckdb.sql(f"COPY ({q}) TO '{name}/a.parquet' (FORMAT parquet, PARQUET_VERSION {version})")
        says(name, **more)
    duck("duckdb_" + version, "SELECT * FROM t")
    duck("duckdb_null_" + version, "SELECT *, NULL AS reason_code, NULL AS extra, NULL AS energy_j, NULL AS p_other FROM t")
    duck("duckdb_enum_" + version, "SELECT * REPLACE (p_z::ENUM('aa', 'bb', 'cc', 'dd') AS p_z) FROM t")
    duck("duckdb_decimal_" + version, "SELECT * REPLACE (p_x::DECIMAL(5, 1) AS p_x, cost::DECIMAL(18, 4) AS cost) FROM t")
    duck("duckdb_hugeint_" + version, "SELECT * REPLACE (p_x::HUGEINT AS p_x, trial::UTINYINT AS trial) FROM t")
    duck("duckdb_some_null_" + version, "SELECT * REPLACE (CASE WHEN trial % 5 = 0 THEN NULL ELSE p_x END AS p_x) FROM t", x=nulls(X))
print(json.dumps(OUT))
