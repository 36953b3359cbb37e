"""Reads a run on which every transform is at work with other programs.

Each has to find the same rows as in the same run without transforms, less what is left out and with the types that follow. What is left
out is nowhere in a file: not in the schema, the footer, ARROW:schema, or the metadata of pandas. Pseudonyms join between data sets as
the ids did.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from base64 import b64decode
from pathlib import Path

import datasets
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from lab import Checks, assent, fresh, run, sample

ROWS = 4_000
SEED = 6
GONE = ["room_id", "gone_field", "gone_element"]
TRANSFORMS = [
    "datasets.messages.columns.drop=[room_id, extra.gone_field, items.list.element.gone_element]",
    "datasets.messages.pseudonymise=[freelancer_id, client_id, sender_id, number, unique]",
    "datasets.messages.redact={body: [email, phone, link, handle]}",
    "datasets.messages.coarsen={sent_at: day}",
    "datasets.deliverables.pseudonymise=[freelancer_id, client_id]",
]


def nested(path: Path) -> None:
    """Write a file again as pandas does, with a struct and a list of structs more."""
    frame = pq.ParquetFile(path).read().to_pandas(date_as_object=False)
    frame["extra"] = [{"kept": i, "gone_field": f"value {i}"} for i in range(len(frame))]
    frame["items"] = [[{"kept": i, "gone_element": i * 2}] for i in range(len(frame))]
    frame["number"] = pd.Series(range(len(frame)), dtype="int64") * 7
    table = pa.Table.from_pandas(frame.set_index("message_id"))
    assert b"pandas" in table.schema.metadata
    unique = pa.array([uuid.UUID(int=i * 11).bytes for i in range(len(frame))], pa.binary(16))
    table = table.append_column("unique", pa.ExtensionArray.from_storage(pa.uuid(), unique))
    pq.write_table(table, path, coerce_timestamps="us")


def pseudonym(key: bytes, account: str) -> str:
    """As semantics.md has it."""
    return hmac.new(key, b"pseudonym:" + account.encode(), hashlib.sha256).hexdigest()[:32]


def check_bytes(checks: Checks, path: Path) -> None:
    data, file = path.read_bytes(), pq.ParquetFile(path)
    for name in GONE:
        checks.that(name.encode() not in data, f"{path.name}: {name} is nowhere in the bytes")
    told = file.metadata.metadata
    checks.that(b"pandas" in told and b"ARROW:schema" in told, f"{path.name}: the metadata of pandas and Arrow is there")
    for column in json.loads(told.get(b"pandas", b'{"columns": []}'))["columns"]:
        checks.that(column["name"] in file.schema_arrow.names, f"{path.name}: pandas' metadata: {column['name']} is a column")


def check_frame(checks: Checks, got: Path, was: Path) -> None:
    """pandas finds its index and its types again, by the metadata that pyarrow takes from ARROW:schema."""
    have, want = pq.ParquetFile(got).read().to_pandas(), pq.ParquetFile(was).read().to_pandas()
    checks.same(f"{got.name}: pandas: the index", have.index.name, "message_id")
    checks.that(have.index.equals(want.index), f"{got.name}: pandas: values of the index")
    changed = {"number", "unique"}
    for name, kind in want.dtypes.items():
        if name not in changed and name not in GONE:
            checks.same(f"{got.name}: pandas: type of {name}", have.dtypes[name], kind)
    checks.same(f"{got.name}: pandas: columns", sorted(have.columns), sorted(set(want.columns) - set(GONE)))


def check_hugging_face(checks: Checks, got: Path, want: pa.Table) -> None:
    """Hugging Face `datasets` reads what is left of a file, types and values, streamed or not."""
    files = [str(path) for path in sorted(got.rglob("*.parquet"))]
    for streaming in [False, True]:
        loaded = datasets.load_dataset("parquet", data_files=files, split="train", streaming=streaming, cache_dir=str(got.parent / ".cache"))
        kinds = {name: feature.dtype for name, feature in loaded.features.items() if isinstance(feature, datasets.Value)}
        texts = {kinds[name] for name in ["client_id", "number", "unique"]} - {"large_string"}  # as pandas writes text
        checks.same("datasets: types of pseudonyms", texts, {"string"})
        checks.that(kinds["sent_at"].startswith("timestamp[us"), "datasets: type of a coarse instant", kinds["sent_at"])
        checks.that(not set(GONE) & set(loaded.features), "datasets: what is left out is no column")
        rows = sorted(loaded, key=lambda row: row["message_id"])
        for name in ["message_id", "client_id", "number", "unique", "body", "extra", "items"]:
            checks.same(f"datasets: {name}", [row[name] for row in rows], want[name].to_pylist())
        days = [at and at.replace(tzinfo=None) for at in want["sent_at"].to_pylist()]
        checks.same("datasets: sent_at", [row["sent_at"] and row["sent_at"].replace(tzinfo=None) for row in rows], days)


def options(settings: list[str]) -> list[str]:
    return [option for setting in settings for option in ("--set", setting)]


def main() -> None:
    checks = Checks()
    work = fresh("transforms")
    market = sample("transforms/market", ROWS, SEED)
    datasets.disable_progress_bars()
    key = market / "pseudonym.key"
    for path in sorted((market / "messages").rglob("*.parquet")):
        nested(path)
    plain = run(market, work / "plain")
    settings = [f"pseudonym_key_file={key}", *TRANSFORMS]
    got = run(market, work / "transformed", *options(settings))

    for path in sorted((got / "messages").rglob("*.parquet")):
        check_bytes(checks, path)
        check_frame(checks, path, plain / path.relative_to(got))
    audit = assent("verify", "-c", market / "job.yaml", *options(settings), "--set", f"output={work / 'transformed'}", "--run", got)
    checks.same("verify", audit["status"], "verified")
    want = ds.dataset(plain / "messages", partitioning="hive").to_table().sort_by("message_id")
    have = ds.dataset(got / "messages", partitioning="hive").to_table().sort_by("message_id")
    checks.same("pyarrow: ids", have["message_id"].to_pylist(), want["message_id"].to_pylist())
    checks.same("pyarrow: edited_at, which is not coarsened", have["edited_at"].to_pylist(), want["edited_at"].to_pylist())
    checks.same("pyarrow: sent_at", have["sent_at"].to_pylist(), [at and at.replace(hour=0, minute=0, second=0, microsecond=0) for at in want["sent_at"].to_pylist()])
    checks.same("pyarrow: type of sent_at", have.schema.field("sent_at").type, want.schema.field("sent_at").type)
    checks.same("pyarrow: extra", have["extra"].to_pylist(), [{"kept": each["kept"]} for each in want["extra"].to_pylist()])
    checks.same("pyarrow: items", have["items"].to_pylist(), [[{"kept": each[0]["kept"]}] for each in want["items"].to_pylist()])
    secret = b64decode(key.read_text())
    checks.same("pyarrow: pseudonyms of integers", have["number"].to_pylist(), [pseudonym(secret, str(i)) for i in want["number"].to_pylist()])
    checks.same("pyarrow: pseudonyms of UUIDs", have["unique"].to_pylist(), [pseudonym(secret, str(i)) for i in want["unique"].to_pylist()])
    check_hugging_face(checks, got / "messages", have)
    rows = have.num_rows
    checks.same("pandas: rows", len(pd.read_parquet(got / "messages")), rows)
    checks.same("Polars: rows and ids", pl.scan_parquet(got / "messages").collect()["message_id"].sort().to_list(), have["message_id"].to_pylist())

    def joined(published: Path) -> list[tuple[int, ...]]:
        return duckdb.sql(f"""
            SELECT count(*) AS n, count(DISTINCT m.message_id), count(DISTINCT d.deliverable_id)
            FROM '{published}/messages/**/*.parquet' m JOIN '{published}/deliverables/**/*.parquet' d USING (freelancer_id)
        """).fetchall()

    before, after = joined(plain), joined(got)
    checks.that(before[0][0] > 0, "DuckDB: the data sets join")
    checks.same("DuckDB: a join of two data sets by pseudonyms", after, before)
    ids = duckdb.sql(f"SELECT DISTINCT freelancer_id FROM '{got}/messages/**/*.parquet' WHERE freelancer_id IS NOT NULL").fetchall()
    checks.that(all(len(each) == 32 for (each,) in ids), "DuckDB: each id is a pseudonym")
    checks.exit()


if __name__ == "__main__":
    main()
