"""Spark (parquet-mr) as a reader of a published run, and as a writer and reader of the engine's files.

Takes the runs and markets that readers.py and transforms.py leave. Spark knows no nanoseconds: it reads
such columns as integers (spark.sql.legacy.parquet.nanosAsLong), or not at all.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

import engine
import transforms
import writers
from lab import WORK, Checks, fresh, run
from oracle import Policy, decide
from readers import QUERIES, answer, expected, queries, sorted_by

QUERIES_SHOWN = 10  # of each data set: each takes Spark a while


def session() -> SparkSession:
    settings: dict[str, bool | float | int | str | None] = {
        "spark.driver.memory": "1g",
        "spark.log.level": "OFF",
        "spark.sql.legacy.parquet.nanosAsLong": "true",
        "spark.sql.parquet.aggregatePushdown": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[2]").appName("interop")
    return builder.config(map=settings).getOrCreate()


def nanos_as_long(table: pa.Table) -> pa.Table:
    """The table with nanoseconds as Spark reads them."""
    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            table = table.set_column(i, field.name, table.column(i).cast(pa.int64()))
    return table


def check_published(checks: Checks, spark: SparkSession) -> None:
    market, output = WORK / "readers" / "market", WORK / "readers" / "out"
    published = output / json.loads((output / "current.json").read_text())["run"]
    fates = decide(market, Policy())
    for dataset, (record, columns) in QUERIES.items():
        want = nanos_as_long(sorted_by(expected(market, dataset, fates), record))
        frame = spark.read.parquet(str(published / dataset))
        checks.that("run" not in frame.columns, f"Spark: {dataset}: no column of the run's directory", str(frame.columns))
        got = sorted_by(frame.toArrow().select(want.column_names).cast(want.schema), record)
        checks.same(f"Spark: {dataset}: rows", got.num_rows, want.num_rows)
        for name in want.column_names:
            checks.that(got[name].equals(want[name]), f"Spark: {dataset}: {name}: values")
        wheres = queries(want, columns)
        for where in wheres[:: len(wheres) // QUERIES_SHOWN]:
            checks.same(f"Spark: {dataset}: rows where {where.sql()}", frame.where(where.sql()).count(), answer(want, where))
        manifest = spark.read.parquet(str(published / "_manifest" / "exclusions" / dataset))
        excluded = [row for (of, _), fate in fates.items() if of == dataset for row in fate.exclusions]
        counted = {row["reason"]: row["count"] for row in manifest.groupBy("reason").count().collect()}
        reasons = [row["reason"] for row in excluded]
        checks.same(f"Spark: {dataset}: exclusions by reason", counted, {reason: reasons.count(reason) for reason in set(reasons)})
        [[subjects]] = manifest.select(f.sum(f.size("subjects"))).collect()
        checks.same(f"Spark: {dataset}: subjects of exclusions", subjects, sum(len(row["subjects"]) for row in excluded))


def check_transformed(checks: Checks, spark: SparkSession) -> None:
    """Spark reads the run that transforms.py leaves, and one over files of its own, whose metadata has Spark's schema."""
    published = transformed(WORK / "transforms" / "transformed")
    compare_transformed(checks, spark, published, "pandas' files")
    market = WORK / "spark" / "market"
    shutil.copytree(WORK / "transforms" / "market", market)
    for path in sorted((market / "messages").rglob("*.parquet")):
        pq.write_table(pq.ParquetFile(path).read().drop_columns(["unique"]), path)  # Spark knows no UUIDs
        spark.read.parquet(str(path)).coalesce(1).write.mode("overwrite").parquet(str(market / "parts"))
        [part] = (market / "parts").glob("part-*.parquet")
        part.rename(path)
    shutil.rmtree(market / "parts")
    settings = [f"pseudonym_key_file={market / 'pseudonym.key'}", *(s.replace(", unique]", "]") for s in transforms.TRANSFORMS)]
    run(market, WORK / "spark" / "out", *transforms.options(settings))
    published = transformed(WORK / "spark" / "out")
    for path in (published / "messages").rglob("*.parquet"):
        told = pq.ParquetFile(path).metadata.metadata
        names = [field["name"] for field in json.loads(told[b"org.apache.spark.sql.parquet.row.metadata"])["fields"]]
        checks.same(f"{path.name}: Spark's schema in the metadata", names, pq.ParquetFile(path).schema_arrow.names)
    compare_transformed(checks, spark, published, "Spark's files")


def transformed(output: Path) -> Path:
    return output / json.loads((output / "current.json").read_text())["run"]


def compare_transformed(checks: Checks, spark: SparkSession, published: Path, whose: str) -> None:
    """Types and values are as pyarrow reads them."""
    want = ds.dataset(published / "messages", partitioning="hive").to_table().sort_by("message_id")
    frame = spark.read.parquet(str(published / "messages"))
    kinds = dict(frame.dtypes)
    checks.that(not set(transforms.GONE) & set(frame.columns), f"Spark: {whose}: what is left out is no column", str(frame.columns))
    for name in ["freelancer_id", "client_id", "sender_id", "number"] + ["unique"] * ("unique" in want.column_names):
        checks.same(f"Spark: {whose}: type of {name}", kinds[name], "string")
    checks.same(f"Spark: {whose}: type of a coarse instant", kinds["sent_at"], "timestamp")
    got = frame.toArrow().sort_by("message_id")
    for name in want.column_names:
        values, wanted = got[name], want[name]
        if pa.types.is_timestamp(wanted.type):  # Spark writes INT96, of which pyarrow does not say that it is UTC
            values, wanted = (each.cast(pa.timestamp("us")) for each in (values, wanted))
        checks.that(values.to_pylist() == wanted.to_pylist(), f"Spark: {whose}: values of {name}")
    [[client]] = frame.select("client_id").where("client_id IS NOT NULL").limit(1).collect()
    found = sum(each == client for each in want["client_id"].to_pylist())
    checks.same(f"Spark: {whose}: rows of a pseudonym", frame.where(f.col("client_id") == client).count(), found)


def everything(spark: SparkSession) -> DataFrame:
    """A table of Spark's types."""
    return spark.range(0, writers.ROWS, 1, 1).selectExpr(
        "id",
        "if(id % 5 > 0, concat('word ', id % 700), null) AS word",
        "concat('contract ', id div 400) AS clustered",
        "id % 3 = 0 AS flag",
        "cast(id % 100 AS tinyint) AS tiny", "cast(id AS int) AS int", "cast(sqrt(id) AS float) AS float", "-id / 7 AS double",
        "cast(id * 1.01 AS decimal(9, 2)) AS decimal9",
        "cast(id * 1.01 AS decimal(18, 4)) AS decimal18",
        "if(id % 6 > 0, cast(id * 1.01 AS decimal(38, 10)), null) AS decimal38",
        "date_add(date'2020-01-01', cast(id AS int)) AS date",
        "timestamp_seconds(1577836800 + id * 60) AS instant",
        "cast(timestamp_seconds(1577836800 + id * 60) AS timestamp_ntz) AS local",
        "unhex(md5(cast(id AS string))) AS binary",
        "if(id % 4 > 0, sequence(0, id % 6), null) AS list",
        "named_struct('a', id, 'b', named_struct('c', concat('c', id % 10))) AS struct",
        "map(concat('k', id % 5), if(id % 7 > 0, id, null)) AS map",
        "array(map(id, array(id, null)), null) AS deep",
    )  # fmt: skip


def write_files(spark: SparkSession, to: Path) -> None:
    small = {"parquet.page.size": "2048", "parquet.page.row.count.limit": "100", "parquet.block.size": "131072"}
    bloom = {"parquet.bloom.filter.enabled#word": "true", "parquet.bloom.filter.expected.ndv#word": "700"}
    variants = {f"v1 {codec}": {"compression": codec} for codec in ["uncompressed", "gzip", "zstd", "lz4", "lz4_raw"]}
    variants |= {
        "v1 small pages": {"compression": "snappy"} | small | bloom,
        "v2 small pages": {"compression": "zstd", "parquet.writer.version": "v2"} | small | bloom,
        "v2 no dictionary": {"compression": "snappy", "parquet.writer.version": "v2", "parquet.enable.dictionary": "false"} | small,
        "v1 checksums": {"compression": "snappy", "parquet.page.write-checksum.enabled": "true"} | small,
    }
    frame = everything(spark)
    for form in ["INT96", "TIMESTAMP_MICROS"]:
        spark.conf.set("spark.sql.parquet.outputTimestampType", form)
        for name, options in variants.items() if form == "TIMESTAMP_MICROS" else {"INT96": {"compression": "snappy"}}.items():
            frame.write.options(**options).mode("overwrite").parquet(str(to / "parts"))
            [part] = (to / "parts").glob("part-*.parquet")
            part.rename(to / f"Spark, {name}.parquet")
    shutil.rmtree(to / "parts")
    known = ["id", "word", "clustered", "bool", "int32", "int64", "float64", "binary", "decimal38", "date", "instant_us"]
    table = pa.table(writers.flat()).select(known)
    for version in ["1.0", "2.0"]:
        pq.write_table(
            table, to / f"pyarrow, small pages v{version[0]}.parquet", data_page_version=version, row_group_size=writers.GROUP,
            data_page_size=512, write_batch_size=64, write_page_index=True, bloom_filter_options={"word": True},
        )  # fmt: skip


def check_engine(checks: Checks, spark: SparkSession, written: Path) -> None:
    """Spark reads what the engine made of its own files and of pyarrow's, also by page index."""
    outcomes = [engine.examine(path) for path in sorted(written.glob("Spark*.parquet"))]
    engine.table("Files of Spark", outcomes)
    for outcome in outcomes:
        checks.passed += outcome.checks.passed
        checks.failed += outcome.checks.failed
    for source in sorted(written.glob("*small pages*")):
        output = written / "output.parquet"
        done = engine.filterfile(source, "random:10:2", output)
        checks.same(f"{source.name}: filterfile", done.returncode, 0)
        want = pq.read_table(output)
        frame = spark.read.parquet(str(output))
        checks.same(f"{source.name}: Spark: rows", frame.count(), want.num_rows)
        for low in range(0, writers.ROWS, 500):
            ids = sorted(row["id"] for row in frame.where(f"id BETWEEN {low} AND {low + 20}").select("id").collect())
            have = [i for i in want["id"].to_pylist() if low <= i <= low + 20]
            checks.same(f"{source.name}: Spark: ids from {low}", ids, have)
        for word in want["word"].drop_null().unique().to_pylist()[::60]:
            have = sum(other == word for other in want["word"].to_pylist())
            checks.same(f"{source.name}: Spark: word {word}", frame.where(f.col("word") == word).count(), have)


def main() -> None:
    checks = Checks()
    written = fresh("spark")
    spark = session()
    check_published(checks, spark)
    check_transformed(checks, spark)
    write_files(spark, written)
    check_engine(checks, spark, written)
    spark.stop()
    checks.exit()


if __name__ == "__main__":
    main()
