"""Reads a published run with other programs, as a plain Hive-style directory.

Each has to find the rows and columns that the oracle expects, the partition column among
them, and to answer point and range queries rightly: they go by statistics, page indexes
and bloom filters, so that a stale one shows as rows that are missing.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

import datafusion
import datasets
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from lab import WORK, Checks, fresh, run, sample
from market import DATASETS, files
from oracle import File, Policy, decide

ROWS = 40_000
SEED = 4
PROBES = 12  # rows that queries are made of, for each column

# By data set: the record's id, and columns to query.
QUERIES = {
    "messages": ("message_id", ["message_id", "sent_at", "freelancer_id", "contract_id", "attachments"]),
    "deliverables": ("deliverable_id", ["deliverable_id", "created_at", "client_id", "kind"]),
    "events": ("event_id", ["event_id", "occurred_at", "account_id", "kind"]),
}

MANIFEST = pa.schema([
    pa.field("record_id", pa.string(), nullable=False),
    pa.field("source_file", pa.string(), nullable=False),
    pa.field("source_row", pa.int64(), nullable=False),
    pa.field("reason", pa.string(), nullable=False),
    pa.field("reasons", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
    pa.field("moment", pa.timestamp("ns", "UTC")),
    pa.field("subjects", pa.list_(pa.field("element", pa.struct([
        pa.field("ref", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("cause", pa.string()),
        pa.field("since", pa.timestamp("ns", "UTC")),
    ]), nullable=False)), nullable=False),
    pa.field("request_id", pa.string()),
])  # fmt: skip


@dataclass(frozen=True)
class Range:
    """Rows whose column is in [low, high]: text, integers or UTC datetimes."""

    column: str
    low: str | int | datetime
    high: str | int | datetime

    def sql(self) -> str:
        return f"{self.column} >= {literal(self.low)} AND {self.column} <= {literal(self.high)}" if (
            self.low != self.high) else f"{self.column} = {literal(self.low)}"  # fmt: skip

    def arrow(self) -> pc.Expression:
        field = pc.field(self.column)
        return (field >= self.low) & (field <= self.high) if self.low != self.high else field == self.low

    def polars(self) -> pl.Expr:
        column = pl.col(self.column)
        low, high = (pl.lit(v).dt.cast_time_unit("ns") if isinstance(v, datetime) else pl.lit(v) for v in [self.low, self.high])
        return (column >= low) & (column <= high) if self.low != self.high else column == low


def literal(value: str | int | datetime) -> str:
    """The value in SQL. An instant is text, which takes the type of the column beside it."""
    if isinstance(value, datetime):
        value = f"{value:%Y-%m-%dT%H:%M:%S.%f}Z"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


@dataclass(frozen=True)
class Reader:
    name: str
    table: Callable[[Path], pa.Table]
    count: Callable[[Path, Range], int]
    blind: frozenset[str] = frozenset()  # columns that it does not show


def duckdb_scan(path: Path) -> duckdb.DuckDBPyRelation:
    """DuckDB takes every key=value of a path that it is given for a column, `run` of the run's own directory among them: it is
    left out by name. It is not there either where the path is relative to the run's directory."""
    relation = duckdb.read_parquet(f"{path}/**/*.parquet", hive_partitioning=True)
    return relation.project("* EXCLUDE (run)") if "run" in relation.columns else relation


def datafusion_context(path: Path) -> datafusion.SessionContext:
    config = datafusion.SessionConfig({
        "datafusion.execution.parquet.pushdown_filters": "true",
        "datafusion.execution.parquet.enable_page_index": "true",
        "datafusion.execution.parquet.bloom_filter_on_read": "true",
    })  # fmt: skip
    context = datafusion.SessionContext(config)
    context.register_parquet("data", str(path), table_partition_cols=[("month", pa.string())])
    return context


def hugging_face(path: Path, **options: Any) -> Any:
    """All columns but maps, for which `datasets` has no type."""
    schema = pq.read_schema(path / files(path)[0])
    schema = pa.schema([field for field in schema if not pa.types.is_map(field.type)])
    return datasets.load_dataset(
        "parquet", data_files=str(path / "**" / "*.parquet"), split="train", cache_dir=str(WORK / "readers" / "cache"),
        columns=schema.names, features=datasets.Features.from_arrow_schema(schema), **options,
    ).with_format("arrow")  # fmt: skip


def hugging_face_count(path: Path, where: Range) -> int:
    stream = hugging_face(path, streaming=True, filters=where.arrow())
    return sum(batch.num_rows for batch in stream.iter(batch_size=10_000))


READERS = [
    Reader(
        "DuckDB",
        lambda path: duckdb_scan(path).to_arrow_table(),
        lambda path, where: len(duckdb_scan(path).filter(where.sql())),
    ),
    Reader(
        "Polars",
        lambda path: pl.scan_parquet(path, hive_partitioning=True).collect().to_arrow(),
        lambda path, where: pl.scan_parquet(path).filter(where.polars()).select(pl.len()).collect().item(),
    ),
    Reader(
        "pandas",
        lambda path: pa.Table.from_pandas(pd.read_parquet(path, dtype_backend="pyarrow"), preserve_index=False),
        lambda path, where: len(pd.read_parquet(path, filters=where.arrow(), columns=[where.column])),
    ),
    Reader(
        "pyarrow.dataset",
        lambda path: ds.dataset(path, partitioning="hive").to_table(),
        lambda path, where: ds.dataset(path, partitioning="hive").count_rows(filter=where.arrow()),
    ),
    Reader(
        "DataFusion",
        lambda path: datafusion_context(path).sql("SELECT * FROM data").to_arrow_table(),
        lambda path, where: datafusion_context(path).sql(f"SELECT * FROM data WHERE {where.sql()}").count(),
    ),
    Reader(
        "Hugging Face datasets",
        lambda path: hugging_face(path)[:],
        hugging_face_count,
        blind=frozenset({"month", "properties"}),
    ),
]


def expected(market: Path, dataset: str, fates: dict[tuple[str, str], File]) -> pa.Table:
    """The kept rows, with the partition column that the directories make."""
    parts = []
    for file in files(market / DATASETS[dataset]):
        part = pq.ParquetFile(market / DATASETS[dataset] / file).read()
        dropped = {row["source_row"] for row in fates[dataset, file].exclusions}
        part = part.filter(pa.array([row not in dropped for row in range(part.num_rows)], pa.bool_()))
        month = Path(file).parts[0].removeprefix("month=")
        parts.append(part.append_column("month", pa.repeat(month, part.num_rows)))
    return pa.concat_tables(parts)


def queries(table: pa.Table, columns: list[str]) -> list[Range]:
    """Points and ranges that begin and end at values of kept rows."""
    made = []
    for column in columns:
        values = table[column].drop_null()
        if pa.types.is_timestamp(values.type):  # what Python's datetime can say
            values = pc.floor_temporal(values, unit="microsecond").cast(pa.timestamp("us", "UTC"))
        values = sorted(values.to_pylist()[:: max(1, len(values) // PROBES)])
        made += [Range(column, value, value) for value in values]
        made += [Range(column, low, high) for low, high in itertools.pairwise(values)]
        if isinstance(values[0], datetime):
            made.append(Range(column, values[-1] + timedelta(microseconds=1), datetime(2261, 1, 1, tzinfo=values[0].tzinfo)))
    return made


def answer(table: pa.Table, where: Range) -> int:
    """The number of rows that the range has, found the plain way."""
    column = table[where.column]
    kind = column.type
    low, high = (pa.scalar(value, pa.timestamp("us", "UTC")).cast(kind) if pa.types.is_timestamp(kind) else pa.scalar(value, kind)
                 for value in [where.low, where.high])  # fmt: skip
    return pc.sum(pc.and_(pc.greater_equal(column, low), pc.less_equal(column, high))).as_py() or 0


def sorted_by(table: pa.Table, column: str) -> pa.Table:
    return table.take(pc.sort_indices(table[column]))


def check_data(checks: Checks, reader: Reader, path: Path, dataset: str, want: pa.Table, dropped: list[str]) -> None:
    told, (record, columns) = f"{reader.name}: {dataset}", QUERIES[dataset]
    got = reader.table(path)
    names = [name for name in want.column_names if name not in reader.blind]
    checks.that(set(names) <= set(got.column_names), f"{told}: columns", f"got {got.column_names}")
    checks.that("run" not in got.column_names, f"{told}: no column of the run's directory", f"got {got.column_names}")
    for name in set(names) - {"month"}:  # readers have types of their own for what stands in a path
        checks.that(alike(got.schema.field(name).type, want.schema.field(name).type), f"{told}: {name}: type", str(got.schema.field(name).type))
    checks.same(f"{told}: rows", got.num_rows, want.num_rows)
    got = sorted_by(got.select(names).cast(want.select(names).schema), record)
    for name in names:
        checks.that(got[name].equals(want[name]), f"{told}: {name}: values")
    wheres = queries(want, columns) + [Range(record, each, each) for each in dropped]
    if reader.name.startswith("Hugging"):  # takes a while for each
        wheres = wheres[:: len(wheres) // 8]
    for where in wheres:
        checks.same(f"{told}: rows where {where.sql()}", reader.count(path, where), answer(want, where))


def alike(got: pa.DataType, want: pa.DataType) -> bool:
    """The same type, however long its values may be, and whatever a list's element is called."""
    text, binary = [pa.string(), pa.large_string(), pa.string_view()], [pa.binary(), pa.large_binary(), pa.binary_view()]
    if got == want or any(got in kinds and want in kinds for kinds in [text, binary]):
        return True
    if pa.types.is_map(want):  # Polars and pandas have a list of structs
        return pa.types.is_map(got) or got.num_fields == 1 and alike(got.field(0).type, want.field(0).type)
    if pa.types.is_timestamp(got) and pa.types.is_timestamp(want):
        return got.unit == want.unit and got.tz in {want.tz, "Etc/UTC"}
    return got.num_fields == want.num_fields > 0 and all(
        alike(got.field(i).type, want.field(i).type) for i in range(want.num_fields)
    )


def check_loader(checks: Checks, path: Path, dataset: str, record: str, want: pa.Table) -> None:
    """A PyTorch DataLoader over the streamed data set: every record once, also by two workers."""
    try:
        from torch.utils.data import DataLoader
    except ImportError:
        print(f"PyTorch is not installed: its DataLoader over {dataset} is left out", flush=True)
        return
    for workers in [0, 2]:
        stream = hugging_face(path, streaming=True).with_format(None).select_columns([record])
        got = [each for batch in DataLoader(stream, batch_size=256, num_workers=workers) for each in batch[record]]
        checks.same(f"PyTorch: {dataset}: records by {workers} workers", sorted(got), want[record].to_pylist())


def check_root(checks: Checks, path: Path) -> None:
    """What a reader does at the run's root, where no data set is: it has to refuse, as data and manifests are not to be mixed."""
    for name, read in {
        "pyarrow.dataset": lambda: ds.dataset(path, partitioning="hive"),
        "pandas": lambda: pd.read_parquet(path),
        "Polars": lambda: pl.scan_parquet(path).collect(),
        "Hugging Face datasets": lambda: datasets.load_dataset(str(path), split="train"),
        "Hugging Face datasets, streaming": lambda: datasets.load_dataset(str(path), split="train", streaming=True),
    }.items():
        try:
            read()
            checks.that(False, f"{name}: the run's root", "it was read")
        except (pa.ArrowInvalid, pl.exceptions.InvalidOperationError, ValueError) as told:
            checks.that(True, f"{name}: the run's root")
            print(f"{name} at the run's root: {str(told).splitlines()[0][:110]}", flush=True)


def check_manifests(checks: Checks, path: Path, dataset: str, want: int) -> None:
    """The exclusion manifest has the contract's types in each reader's terms."""
    for file in files(path):
        checks.that(
            pq.read_schema(path / file).remove_metadata().equals(MANIFEST), f"pyarrow: {dataset}/{file}: schema",
            str(pq.read_schema(path / file)),
        )  # fmt: skip
    got = ds.dataset(path, schema=MANIFEST).to_table().num_rows
    checks.same(f"pyarrow: {dataset}: exclusions", got, want)

    scanned = duckdb_scan(path)
    types = dict(zip(scanned.columns, map(str, scanned.types), strict=True))
    checks.same(f"DuckDB: {dataset}: exclusions", len(scanned), want)
    checks.same(f"DuckDB: {dataset}: type of moment", types["moment"], "TIMESTAMPTZ_NS")
    checks.that(types["subjects"].endswith("since TIMESTAMPTZ_NS)[]"), f"DuckDB: {dataset}: type of subjects", types["subjects"])

    frame = pl.scan_parquet(path).collect()
    since = pl.Datetime("ns", "UTC")
    subject = pl.Struct({"ref": pl.String, "role": pl.String, "cause": pl.String, "since": since})
    checks.same(f"Polars: {dataset}: exclusions", frame.height, want)
    checks.same(f"Polars: {dataset}: type of moment", frame.schema["moment"], since)
    checks.same(f"Polars: {dataset}: type of subjects", frame.schema["subjects"], pl.List(subject))


def main() -> None:
    checks = Checks()
    datasets.disable_progress_bars()
    work = fresh("readers")
    market = sample("readers/market", ROWS, SEED)
    fates = decide(market, Policy())
    published = run(market, work / "out")
    for dataset, (record, _) in QUERIES.items():
        want = sorted_by(expected(market, dataset, fates), record)
        excluded = [row["record_id"] for (of, _), fate in fates.items() if of == dataset for row in fate.exclusions]
        kept = set(want[record].to_pylist())
        dropped = [each for each in excluded[:: max(1, len(excluded) // PROBES)] if each not in kept]
        for reader in READERS:
            check_data(checks, reader, published / dataset, dataset, want, dropped)
        check_loader(checks, published / dataset, dataset, record, want)
        check_manifests(checks, published / "_manifest" / "exclusions" / dataset, dataset, len(excluded))
    check_root(checks, published)
    checks.exit()


if __name__ == "__main__":
    main()
