"""Parquet files as other programs write them, with every option that changes their bytes.

Each has the columns id (0, 1, 2, … through the file) and word (about one row in four
shares it with others), so that any of them can be queried.
"""

from __future__ import annotations

import decimal
import random
import string
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import datafusion
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROWS = 3000
GROUP = 1100  # rows of a row group: two full ones and a rest


def column(make: Callable[[random.Random, int], Any], kind: pa.DataType, nulls: float = 0.2) -> pa.Array:
    dice = random.Random(str(kind))
    return pa.array([None if dice.random() < nulls else make(dice, row) for row in range(ROWS)], kind)


def text(dice: random.Random, longest: int = 12) -> str:
    return "".join(dice.choices(string.ascii_letters + "äß漢😀", k=dice.randrange(longest)))


def floats(kind: pa.DataType) -> pa.Array:
    special = [0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1.5]
    return column(lambda dice, _: dice.choice([dice.choice(special), dice.gauss(0, 1)]), pa.float64()).cast(kind, safe=False)


def integers(kind: pa.DataType, bits: int, signed: bool) -> pa.Array:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    return column(lambda dice, _: dice.choice([low, high - 1, dice.randrange(low, high), dice.randrange(5)]), kind)


def scaled(kind: pa.DataType, digits: int, scale: int) -> pa.Array:
    exact = decimal.Context(prec=digits)
    return column(
        lambda dice, _: decimal.Decimal(dice.randrange(-(10**digits) + 1, 10**digits)).scaleb(-scale, exact), kind)  # fmt: skip


def instants(kind: pa.DataType, low: int, high: int) -> pa.Array:
    return column(lambda dice, _: dice.randrange(low, high), pa.int64()).cast(kind)


def flat() -> dict[str, pa.Array]:
    """Columns of every type that is no group."""
    days = 86400 * 40_000
    return {
        "id": pa.array(range(ROWS), pa.int64()),
        "word": column(lambda dice, _: text(dice, 4), pa.string()),
        "clustered": pa.array([f"contract {row // 400}" for row in range(ROWS)]),
        "bool": column(lambda dice, _: dice.random() < 0.5, pa.bool_()),
        "bool_runs": pa.array([row // 100 % 2 == 0 for row in range(ROWS)]),
        **{f"int{bits}": integers(getattr(pa, f"int{bits}")(), bits, True) for bits in [8, 16, 32, 64]},
        **{f"uint{bits}": integers(getattr(pa, f"uint{bits}")(), bits, False) for bits in [8, 16, 32, 64]},
        **{f"float{bits}": floats(getattr(pa, f"float{bits}")()) for bits in [16, 32, 64]},
        "binary": column(lambda dice, _: dice.randbytes(dice.randrange(40)), pa.binary()),
        "fixed": column(lambda dice, _: dice.randbytes(5), pa.binary(5)),
        "uuid": column(lambda dice, _: uuid.UUID(int=dice.getrandbits(128)).bytes, pa.uuid()),
        "decimal9": scaled(pa.decimal128(9, 2), 9, 2),
        "decimal18": scaled(pa.decimal128(18, 6), 18, 6),
        "decimal38": scaled(pa.decimal128(38, 10), 38, 10),
        "date": column(lambda dice, _: dice.randrange(-20_000, 60_000), pa.int32()).cast(pa.date32()),
        "time_ms": column(lambda dice, _: dice.randrange(86_400_000), pa.int32()).cast(pa.time32("ms")),
        "time_us": instants(pa.time64("us"), 0, 86_400_000_000),
        "time_ns": instants(pa.time64("ns"), 0, 86_400_000_000_000),
        "instant_ms": instants(pa.timestamp("ms", "UTC"), -days * 1000, days * 1000),
        "instant_us": instants(pa.timestamp("us", "UTC"), -days * 10**6, days * 10**6),
        "instant_ns": instants(pa.timestamp("ns", "UTC"), -days * 10**9, days * 10**9),
        "local_us": instants(pa.timestamp("us"), -days * 10**6, days * 10**6),
        "long": column(lambda dice, _: text(dice, 400), pa.large_string()),
        "category": column(lambda dice, _: dice.choice(["red", "green", "blue"]), pa.string()).dictionary_encode(),
        "constant": pa.array(["always"] * ROWS),
        "nothing": pa.nulls(ROWS, pa.string()),
        "untyped": pa.nulls(ROWS),
    }


def nested() -> dict[str, pa.Array]:
    """Columns of groups in groups, with nulls and empty lists at every level."""

    def some(dice: random.Random, make: Callable[[], Any], most: int = 4) -> list[Any] | None:
        return None if dice.random() < 0.1 else [make() for _ in range(dice.randrange(most))]

    def maybe(dice: random.Random, value: Any) -> Any:
        return None if dice.random() < 0.1 else value

    point = pa.struct({"x": pa.int32(), "label": pa.string()})
    return {
        "id": pa.array(range(ROWS), pa.int64()),
        "word": column(lambda dice, _: text(dice, 4), pa.string()),
        "list": column(lambda dice, _: some(dice, lambda: dice.randrange(100)), pa.list_(pa.int64())),
        "lists": column(
            lambda dice, _: some(dice, lambda: some(dice, lambda: maybe(dice, text(dice)))), pa.list_(pa.list_(pa.string()))
        ),
        "struct": column(lambda dice, _: {"x": maybe(dice, dice.randrange(9)), "label": text(dice)}, point),
        "points": column(lambda dice, _: some(dice, lambda: maybe(dice, {"x": 1, "label": maybe(dice, text(dice))})), pa.list_(point)),
        "deep": column(
            lambda dice, _: {"a": {"b": some(dice, lambda: {"c": maybe(dice, dice.random())})}},
            pa.struct({"a": pa.struct({"b": pa.list_(pa.struct({"c": pa.float64()}))})}),
        ),
        "map": column(lambda dice, _: some(dice, lambda: (text(dice), maybe(dice, 1))), pa.map_(pa.string(), pa.int32())),
        "map_of_lists": column(
            lambda dice, _: some(dice, lambda: (dice.randrange(9), some(dice, lambda: text(dice)))),
            pa.map_(pa.int32(), pa.list_(pa.string())),
        ),
        "fixed_list": column(lambda dice, _: [dice.random() for _ in range(3)], pa.list_(pa.float32(), 3)),
        "long_lists": column(lambda dice, row: list(range(row % 300)) if row % 50 == 0 else [], pa.list_(pa.int32()), 0),
    }  # fmt: skip


def required(table: pa.Table) -> pa.Table:
    """The table without its nulls, and a schema that says so."""
    fields = []
    for name in table.column_names:
        if table[name].null_count == 0 and not pa.types.is_nested(table[name].type):
            fields.append(pa.field(name, table[name].type, nullable=False))
    return table.select([field.name for field in fields]).cast(pa.schema(fields))


def with_field_ids(table: pa.Table) -> pa.Table:
    """The table with ids of fields, one of them 0, and metadata of its own."""
    fields = [
        field.with_metadata({"PARQUET:field_id": str(i * 7), "comment": f"column {i}"}) for i, field in enumerate(table.schema)
    ]
    return table.cast(pa.schema(fields, metadata={"owner": "someone", "empty": ""}))


def arrow_files(to: Path) -> Iterator[Path]:
    """Files of pyarrow (parquet-cpp)."""
    flats, nests = pa.table(flat()), pa.table(nested())
    numbers = [name for name in flats.column_names if pa.types.is_integer(flats[name].type)]
    texts = ["word", "binary", "long", "clustered"]
    splits = ["float16", "float32", "float64", "int32", "int64", "fixed", "uuid", "decimal38", "instant_us"]
    plain = {"use_dictionary": False}
    small = {"data_page_size": 512, "write_batch_size": 64, "write_page_index": True}
    nested_deltas = plain | {
        "column_encoding": {
            "list.list.element": "DELTA_BINARY_PACKED",
            "lists.list.element.list.element": "DELTA_BYTE_ARRAY",
            "struct.label": "DELTA_LENGTH_BYTE_ARRAY",
        }
    }

    def encoded(encoding: str, *names: str) -> dict[str, Any]:
        return plain | {"column_encoding": dict.fromkeys(names, encoding)}

    tables: dict[str, tuple[pa.Table, dict[str, Any]]] = {}
    for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
        for version in ["1.0", "2.0"]:
            options = {"compression": codec, "data_page_version": version}
            tables[f"flat {codec} v{version[0]}"] = flats, options
            tables[f"nested {codec} v{version[0]}"] = nests, options | small
    for version in ["1.0", "2.0"]:
        v = f"v{version[0]}"
        page = {"data_page_version": version, "compression": "zstd"}
        tables |= {
            f"plain {v}": (flats, page | plain),
            f"plain small pages {v}": (flats, page | plain | small | {"write_page_checksum": True}),
            f"small pages {v}": (flats, page | small),
            f"nested plain {v}": (nests, page | plain),
            f"dictionary given up {v}": (flats, page | small | {"dictionary_pagesize_limit": 700}),
            f"delta binary packed {v}": (flats, page | small | encoded("DELTA_BINARY_PACKED", *numbers, "instant_ns", "date")),
            f"delta byte array {v}": (flats, page | small | encoded("DELTA_BYTE_ARRAY", *texts, "fixed")),
            f"delta length byte array {v}": (flats, page | small | encoded("DELTA_LENGTH_BYTE_ARRAY", *texts)),
            f"byte stream split {v}": (flats, page | small | encoded("BYTE_STREAM_SPLIT", *splits)),
            f"rle booleans {v}": (flats.select(["id", "word", "bool", "bool_runs"]), page | encoded("RLE", "bool", "bool_runs")),
            f"required {v}": (required(flats), page | small),
            f"nested delta {v}": (nests, page | small | nested_deltas),
        }  # fmt: skip
    blooms = {"id": True, "word": {"ndv": 900, "fpp": 0.01}, "uuid": True}
    hundred = {f"c{i}": pc.add(flats["int16"].cast("int64"), i) for i in range(98)}
    tables |= {
        "bloom filters": (flats, {"bloom_filter_options": blooms, "write_page_index": True}),
        "checksums and index": (flats, {"write_page_checksum": True, "write_page_index": True}),
        "no statistics": (flats, {"write_statistics": False}),
        "no Arrow schema": (flats, {"store_schema": False}),
        "int96": (flats, {"use_deprecated_int96_timestamps": True, "store_schema": False}),
        "decimals as integers": (flats, {"store_decimal_as_integer": True}),
        "version 1.0": (flats.drop_columns(["instant_ns", "uint32"]), {"version": "1.0"}),
        "old list names": (nests, {"use_compliant_nested_type": False}),
        "field ids and metadata": (with_field_ids(flats), {}),
        "sorted": (flats, {"sorting_columns": [pq.SortingColumn(0)]}),
        "content-defined pages": (flats, {"use_content_defined_chunking": True}),
        "rows of a page": (nests, {"max_rows_per_page": 37, "write_page_index": True}),
        "100 columns": (pa.table({"id": flats["id"], "word": flats["word"], **hundred}), {}),
        "no rows": (flats.slice(0, 0), {}),
        "one row": (flats.slice(0, 1), {}),
        "pandas": (pa.Table.from_pandas(flats.select(["id", "word", "int32"]).to_pandas(), preserve_index=None), {}),
    }
    for name, (table, options) in tables.items():
        path = to / f"pyarrow, {name}.parquet"
        pq.write_table(table, path, **({"row_group_size": GROUP, "compression": "snappy"} | options))
        yield path


def duckdb_files(to: Path) -> Iterator[Path]:
    """Files of DuckDB, with the types that only it has."""
    with duckdb.connect() as con:
        con.execute("CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')")
        con.execute(f"""
            CREATE TABLE everything AS
            SELECT i AS id,
                CASE WHEN i % 5 > 0 THEN 'word ' || (i % 700) END AS word,
                md5(i::VARCHAR)::UUID AS uuid,
                i::HUGEINT * 1e20::HUGEINT AS hugeint,
                (['sad', 'ok', 'happy'])[1 + i % 3]::mood AS mood,
                CASE WHEN i % 7 > 0 THEN (i * 1.01)::DECIMAL(9, 2) END AS decimal9,
                (i * 1.01)::DECIMAL(38, 5) AS decimal38,
                (i % 2)::BOOLEAN AS flag, (i % 256)::UTINYINT AS utinyint, i::UBIGINT AS ubigint,
                sqrt(i)::FLOAT AS float, CASE WHEN i % 11 = 0 THEN 'nan'::DOUBLE ELSE -i / 3 END AS double,
                DATE '2020-01-01' + i::INTEGER AS date, TIME '00:00:01' + to_seconds(i) AS time,
                TIMESTAMP '2020-01-01' + to_minutes(i) AS timestamp,
                (TIMESTAMP '2020-01-01' + to_minutes(i))::TIMESTAMP_S AS timestamp_s,
                (TIMESTAMP '2020-01-01' + to_minutes(i))::TIMESTAMP_MS AS timestamp_ms,
                (TIMESTAMP '2020-01-01' + to_minutes(i))::TIMESTAMP_NS AS timestamp_ns,
                TIMESTAMPTZ '2020-01-01 00:00:00+00' + to_minutes(i) AS instant,
                to_months((i % 30)::INTEGER) AS interval,
                md5(i::VARCHAR)::BLOB AS blob, repeat('x', (i % 300)::INTEGER) AS xs,
                CASE WHEN i % 4 > 0 THEN range(i % 6) END AS list,
                [[i, NULL], [], NULL] AS lists,
                {{a: i, b: {{c: 'c' || i % 10}}}} AS struct,
                MAP {{i: 'v' || i}} AS map,
                [i, i + 1, i + 2]::BIGINT[3] AS array
            FROM range({ROWS}) AS rows(i)""")
        variants = {f"{codec} v1": f"COMPRESSION {codec}" for codec in ["uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4_raw"]}
        variants |= {f"{codec} v2": f"COMPRESSION {codec}, PARQUET_VERSION v2" for codec in ["uncompressed", "snappy", "zstd"]}
        variants["no dictionary"] = "DICTIONARY_SIZE_LIMIT 1"
        variants["small dictionary v2"] = "PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 50"
        variants["field ids"] = "FIELD_IDS 'auto', KV_METADATA {owner: 'someone'}"
        for name, options in variants.items():
            path = to / f"DuckDB, {name}.parquet"
            con.execute(f"COPY everything TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 2048, {options})")
            yield path


def polars_files(to: Path) -> Iterator[Path]:
    """Files of Polars."""
    flats = pl.DataFrame(pa.table(flat()).drop_columns(["untyped", "float16", "uuid"]))
    flats = flats.with_columns(
        pl.col("word").cast(pl.Categorical).alias("categorical"),
        pl.col("category").cast(pl.Enum(["red", "green", "blue"])).alias("enum"),
        pl.col("id").cast(pl.Duration("us")).alias("duration"),
    )
    nests = pl.DataFrame(pa.table(nested()))
    codecs: list[Literal["uncompressed", "snappy", "gzip", "brotli", "zstd", "lz4"]] = [
        "uncompressed", "snappy", "gzip", "brotli", "zstd", "lz4",
    ]  # fmt: skip
    for codec in codecs:
        path = to / f"Polars, flat {codec}.parquet"
        flats.write_parquet(path, compression=codec, statistics="full", row_group_size=GROUP)
        yield path
    wide = flats.select("id", "word", pl.col("id").cast(pl.Int128).alias("int128"))  # which pyarrow does not read
    for name, frame in {"flat": flats, "nested": nests, "int128": wide}.items():
        path = to / f"Polars, {name} small pages.parquet"
        frame.write_parquet(path, compression="zstd", statistics="full", row_group_size=GROUP, data_page_size=2048)
        yield path


def datafusion_files(to: Path) -> Iterator[Path]:
    """Files of DataFusion (arrow-rs)."""
    tables = {"flat": pa.table(flat()).drop_columns(["untyped"]), "nested": pa.table(nested())}
    common: dict[str, Any] = {
        "max_row_group_size": GROUP, "data_page_row_count_limit": 100, "bloom_filter_on_write": True, "write_batch_size": 100,
        "allow_single_file_parallelism": False,
    }  # fmt: skip
    variants: dict[str, dict[str, Any]] = {
        "v1": {"writer_version": "1.0", "compression": "zstd(1)"},
        "v2": {"writer_version": "2.0", "compression": "snappy"},
        "v2 no dictionary": {"writer_version": "2.0", "compression": "lz4_raw", "dictionary_enabled": False, "skip_arrow_metadata": True},
        "v1 short bounds": {"compression": "gzip(1)", "column_index_truncate_length": 2, "statistics_truncate_length": 2},
    }
    for kind, table in tables.items():
        for name, options in variants.items():
            path = to / f"DataFusion, {kind} {name}.parquet"
            frame = datafusion.SessionContext().from_arrow(table)
            frame.write_parquet_with_options(path, datafusion.ParquetWriterOptions(**common | options))
            yield path


def write_all(to: Path) -> list[Path]:
    return [path for write in [arrow_files, duckdb_files, polars_files, datafusion_files] for path in write(to)]
