"""Rewrites files of other programs without some of their rows, and reads them back.

For each file and selection of rows: pyarrow and DuckDB must read in the output exactly
what they read in the kept rows of the input, with the same schema and metadata; no bound
of a column chunk may be stale; and point queries, which go by statistics, page indexes
and bloom filters, must find what is there and nothing else.

With a directory as argument, takes the files in it instead of writing some. Files of the
public conformance corpus are taken from ASSENT_CORPORA where it is to be found.
"""

from __future__ import annotations

import collections
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import datafusion
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import writers
from lab import ROOT, WORK, Checks, fresh

FILTERFILE = ROOT / "build" / "filterfile"
CORPORA = Path(os.environ.get("ASSENT_CORPORA", ROOT.parent / "shared" / "corpora" / "parquet-testing" / "data"))
REFUSED = 4  # exit code of filterfile
DUCKDB = duckdb.connect(config={"threads": 1, "arrow_lossless_conversion": True})  # one a process

SELECTIONS = ["none", "all", "first", "last", "alternating", "random:1:1", "random:10:2", "random:50:3", "random:90:4"]

# Files of the corpus that the engine has to refuse, though some reader may take them.
TO_BE_REFUSED = {"datapage_v1-corrupt-checksum.parquet", "rle-dict-uncompressed-corrupt-checksum.parquet"}


# Files of the corpus that neither reader takes, and that take a minute.
LEFT_OUT = {"large_string_map.brotli.parquet": "two values of 1 GiB"}


def mask(selection: str, rows: int) -> np.ndarray:
    """The rows that filterfile keeps."""
    numbers = np.arange(rows, dtype=np.uint64)
    match selection.split(":"):
        case ["none"]:
            return np.zeros(rows, bool)
        case ["all"]:
            return np.ones(rows, bool)
        case ["first"]:
            return numbers == 0
        case ["last"]:
            return numbers == rows - 1
        case ["alternating"]:
            return numbers % 2 == 0
        case ["random", percent, seed]:
            x = numbers + np.uint64((int(seed) << 32) + 0x9E3779B97F4A7C15)
            x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
            return (x ^ x >> np.uint64(31)) % np.uint64(100) < int(percent)
    raise ValueError(selection)


def read_arrow(path: Path) -> pa.Table:
    return pq.ParquetFile(path, page_checksum_verification=True).read()


def read_duckdb(path: Path) -> pa.Table:
    return DUCKDB.read_parquet(str(path), hive_partitioning=False).to_arrow_table()


READERS: dict[str, Callable[[Path], pa.Table]] = {"pyarrow": read_arrow, "DuckDB": read_duckdb}


def bits(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with floats as integers, since NaN equals nothing and -0.0 equals 0.0, and without a dictionary."""
    views = {pa.float16(): pa.uint16(), pa.float32(): pa.uint32(), pa.float64(): pa.uint64()}
    if pa.types.is_dictionary(values.type):
        return values.cast(values.type.value_type)
    if kind := views.get(values.type):
        return pa.chunked_array([chunk.view(kind) for chunk in values.chunks], kind)
    return values


def same_values(got: pa.ChunkedArray, want: pa.ChunkedArray) -> bool:
    if bits(got).equals(bits(want)):
        return True
    return pa.types.is_nested(want.type) and repr(got.to_pylist()) == repr(want.to_pylist())  # a NaN further down


@dataclass
class Outcome:
    """What came of an input file."""

    path: Path
    compared: dict[str, int] = field(default_factory=collections.Counter)  # selections, by reader
    unread: dict[str, str] = field(default_factory=dict)  # why a reader could not read the input
    refused: str = ""
    checks: Checks = field(default_factory=Checks)


def filterfile(source: Path, selection: str, to: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FILTERFILE, "-keep", selection, source, to], capture_output=True, text=True, check=False)


def examine(source: Path) -> Outcome:
    outcome = Outcome(source)
    inputs: dict[str, pa.Table] = {}
    for name, read in READERS.items():
        try:
            inputs[name] = read(source)
        except Exception as error:  # whatever a reader raises: it does not take the file
            outcome.unread[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    output = WORK / "engine" / f"{os.getpid()}.parquet"
    for selection in SELECTIONS if inputs else ["alternating"]:
        done = filterfile(source, selection, output)
        if done.returncode == REFUSED:
            outcome.refused = done.stderr.strip().removeprefix(f"filterfile: {source}: ")
            expected = source.name in TO_BE_REFUSED or source.suffix == ".encrypted" or not inputs
            outcome.checks.that(expected, f"{source.name}: refused", outcome.refused)
            break
        if not outcome.checks.that(done.returncode == 0, f"{source.name}: {selection}", done.stderr):
            break
        for name, table in inputs.items():
            compare(outcome, f"{source.name}: {selection}: {name}", table, output, name, selection)
        if "pyarrow" in inputs:
            kept = inputs["pyarrow"].filter(pa.array(mask(selection, inputs["pyarrow"].num_rows)))
            compare_schema(outcome.checks, f"{source.name}: {selection}", source, output, kept.num_rows)
            if selection in ("alternating", "random:10:2"):
                check_bounds(outcome.checks, f"{source.name}: {selection}", inputs["pyarrow"], kept, output)
                check_points(outcome.checks, f"{source.name}: {selection}", inputs["pyarrow"], kept, output)
    output.unlink(missing_ok=True)
    return outcome


def compare(outcome: Outcome, what: str, table: pa.Table, output: Path, reader: str, selection: str) -> None:
    want = table.filter(pa.array(mask(selection, table.num_rows)))
    try:
        got = READERS[reader](output)
    except Exception as error:  # as above
        outcome.checks.that(False, what, f"cannot read the output: {error}")
        return
    outcome.compared[reader] += 1
    outcome.checks.same(f"{what}: rows", got.num_rows, want.num_rows)
    if outcome.checks.same(f"{what}: types", got.schema.remove_metadata(), want.schema.remove_metadata()):
        for name in dict.fromkeys(want.column_names):
            for i in want.schema.get_all_field_indices(name):
                outcome.checks.that(same_values(got.column(i), want.column(i)), f"{what}: {name}: values")


def compare_schema(checks: Checks, what: str, source: Path, output: Path, kept: int) -> None:
    before, after = pq.ParquetFile(source), pq.ParquetFile(output)
    checks.that(after.schema.equals(before.schema), f"{what}: Parquet schema", f"got {after.schema}\nwant {before.schema}")
    want = dict(before.metadata.metadata or {})
    got = dict(after.metadata.metadata or {})
    for added in [b"assent.run_id", b"assent.source", b"original.created_by"]:
        got.pop(added, None)
    if b"pandas" in want:
        want[b"pandas"] = want[b"pandas"].replace(b'"stop": %d' % before.metadata.num_rows, b'"stop": %d' % kept)
    checks.same(f"{what}: metadata that readers need", {k for k in got if k in NEEDED}, {k for k in want if k in NEEDED})
    checks.same(f"{what}: metadata that stays", {k: v for k, v in got.items() if k not in MAY_SHRINK}, {k: v for k, v in want.items() if k in got and k not in MAY_SHRINK})
    checks.that(
        field_ids(after.schema_arrow).equals(field_ids(before.schema_arrow), check_metadata=True),
        f"{what}: Arrow schema with field ids", f"got {after.schema_arrow}\nwant {before.schema_arrow}",
    )  # fmt: skip


# File metadata that names no value of a row stays; other keys may go. Of some that stay, parts may go.
MAY_SHRINK = {b"ARROW:schema", b"org.apache.spark.sql.parquet.row.metadata", b"iceberg.schema", b"parquet.avro.schema", b"avro.schema"}
NEEDED = {b"pandas", b"geo", b"ARROW:schema", b"org.apache.spark.sql.parquet.row.metadata", b"iceberg.schema"}


def field_ids(schema: pa.Schema) -> pa.Schema:
    """The schema without metadata, but for the ids of its fields."""
    key = b"PARQUET:field_id"
    return pa.schema([f.with_metadata({key: f.metadata[key]} if key in (f.metadata or {}) else None) for f in schema])


def check_bounds(checks: Checks, what: str, before: pa.Table, kept: pa.Table, output: Path) -> None:
    """Statistics of flat columns hold the kept values, and no value that was dropped."""
    meta, start = pq.ParquetFile(output).metadata, 0
    leaves = {meta.schema.column(i).path: i for i in range(meta.num_columns)}
    for group in range(meta.num_row_groups):
        rows = kept.slice(start, meta.row_group(group).num_rows)
        start += rows.num_rows
        for name in set(kept.column_names) & set(leaves):
            stats = meta.row_group(group).column(leaves[name]).statistics
            if stats is None:
                continue
            if stats.has_null_count:
                checks.same(f"{what}: row group {group}: {name}: null count", stats.null_count, rows[name].null_count)
            bounded = pa.types.is_integer(kept[name].type) or pa.types.is_string(kept[name].type)
            if stats.has_min_max and bounded and rows[name].null_count < rows.num_rows:
                have = pc.min_max(rows[name]).as_py()
                holds = stats.min <= have["min"] and have["max"] <= stats.max
                checks.that(holds, f"{what}: row group {group}: {name}: bounds", f"{stats.min!r}, {stats.max!r} of {have}")
                gone = {stats.min, stats.max} - set(rows[name].to_pylist())
                checks.that(not gone & set(before[name].to_pylist()), f"{what}: row group {group}: {name}: residue", repr(gone))


def check_points(checks: Checks, what: str, before: pa.Table, kept: pa.Table, output: Path) -> None:
    """Queries for single values find the kept rows, and no others."""
    if not {"id", "word"} <= set(kept.column_names):
        return
    config = datafusion.SessionConfig({
        "datafusion.execution.parquet.pushdown_filters": "true",
        "datafusion.execution.parquet.enable_page_index": "true",
        "datafusion.execution.parquet.bloom_filter_on_read": "true",
    })  # fmt: skip
    context = datafusion.SessionContext(config)
    context.register_parquet("output", str(output))
    ids = before["id"].to_pylist()
    words = before["word"].drop_null().unique().to_pylist()
    queries = [("id", each) for each in ids[:: len(ids) // 8 + 1]] + [("word", each) for each in words[:: len(words) // 8 + 1]]
    for name, value in queries:
        want = pc.sum(pc.equal(kept[name], value)).as_py() or 0
        literal = f"'{value}'" if isinstance(value, str) else value
        found = len(DUCKDB.sql(f"SELECT {name} FROM '{output}' WHERE {name} = {literal}"))
        checks.same(f"{what}: DuckDB: rows where {name} = {literal}", found, want)
        found = context.sql(f"SELECT {name} FROM output WHERE {name} = {literal}").count()
        checks.same(f"{what}: DataFusion: rows where {name} = {literal}", found, want)


def table(title: str, outcomes: list[Outcome]) -> None:
    """Print what was compared, a line for each writer, and what was not and why."""
    print(f"\n{title}")
    print(f"{'writer':<16}{'files':>6}{'rewritten':>11}{'refused':>9}" + "".join(f"{name:>10}" for name in READERS))
    by_writer = collections.defaultdict(list)
    for outcome in outcomes:
        by_writer[outcome.path.name.partition(", ")[0] if ", " in outcome.path.name else "corpus"].append(outcome)
    for writer, some in by_writer.items():
        compared = [sum(outcome.compared[name] > 0 for outcome in some) for name in READERS]
        refused = sum(bool(outcome.refused) for outcome in some)
        print(f"{writer:<16}{len(some):>6}{len(some) - refused:>11}{refused:>9}" + "".join(f"{n:>10}" for n in compared))
    for outcome in outcomes:
        if outcome.refused:
            print(f"  refused   {outcome.path.name}: {outcome.refused}")
        for name, why in outcome.unread.items():
            print(f"  unread by {name}: {outcome.path.name}: {why[:150]}")


def main() -> None:
    checks = Checks()
    work = fresh("engine")
    (work / "written").mkdir()
    sets = {"Files of other writers": writers.write_all(work / "written")} if len(sys.argv) < 2 else {
        sys.argv[1]: sorted(Path(sys.argv[1]).glob("*.parquet"))}  # fmt: skip
    if len(sys.argv) < 2:
        corpus = sorted(
            path for path in CORPORA.glob("**/*.parquet*") if path.suffix in (".parquet", ".encrypted") and path.name not in LEFT_OUT
        )
        if not corpus:
            print(f"no conformance files in {CORPORA} (ASSENT_CORPORA): left out")
        sets["Conformance files"] = corpus
        print(*(f"left out: {name}: {why}" for name, why in LEFT_OUT.items()), sep="\n")
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        for title, paths in sets.items():
            outcomes = list(pool.map(examine, paths))
            table(title, outcomes)
            checks.passed += sum(outcome.checks.passed for outcome in outcomes)
            checks.failed += sum(outcome.checks.failed for outcome in outcomes)
    checks.exit()


if __name__ == "__main__":
    main()
