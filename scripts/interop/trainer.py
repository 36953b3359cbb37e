"""What a trainer checks before it trains: Croissant by mlcroissant, the dataset card by Hugging Face, and `assent verify --use`.

mlcroissant validates the document and loads every record set; each record has to be what pyarrow reads, value by value.
`load_dataset(<run>)` has to know one config a data set, and to read no manifest.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import math
import os
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

import absl.logging
import datasets
import mlcroissant
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from lab import WORK, Checks, fresh, quietly, run, sample
from market import DATASETS

ROWS = 3_000  # mlcroissant makes some thousand records a second
SEED = 5

AUDIENCE = {"messages": "exclusive", "deliverables": "exclusive", "events": "marketplace"}


def plain(value: Any) -> Any:
    """A value in a form in which those of mlcroissant and of pyarrow can be compared."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, float) and math.isnan(value) or value is pd.NaT:
        return None
    return value


def named(record: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The record by its columns' names, where mlcroissant has the ids of fields."""
    made = {}
    for key, value in record.items():
        below = key + "/"
        if isinstance(value, dict):
            value = named(value, below)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            value = [named(each, below) for each in value]
        made[key.removeprefix(prefix)] = value
    return made


def absent(value: Any, kind: pa.DataType) -> Any:
    """A null group or list as mlcroissant has it: with parts that are null."""
    if pa.types.is_struct(kind):
        return {field.name: absent(None if value is None else value[field.name], field.type) for field in kind}
    if pa.types.is_map(kind):
        pairs = [{"key": key, "value": each} for key, each in value or []]
        return pairs or ([{"key": None, "value": None}] if value is None else None)
    return value


def with_unique(file: Path) -> None:
    """Gives a file a column of UUIDs."""
    table = pq.ParquetFile(file).read()
    unique = pa.array([uuid.UUID(int=i * 11).bytes for i in range(len(table))], pa.binary(16))
    pq.write_table(table.append_column("unique", pa.ExtensionArray.from_storage(pa.uuid(), unique)), file)


def check_records(checks: Checks, path: Path, document: mlcroissant.Dataset, dataset: str) -> None:
    """Every record of the record set is the row that pyarrow reads."""
    table = ds.dataset(path / dataset, partitioning="hive").to_table()
    table = table.select([field.name for field in table.schema if field.type != pa.uuid()])  # the document tells of these in words
    rows = [
        {name: absent(row[name], table.schema.field(name).type) for name in table.column_names} for row in table.to_pylist()
    ]
    told = f"mlcroissant: {dataset}"
    count, different = 0, 0
    for record in document.records(dataset):
        got = plain(named(record, dataset + "/"))
        if count < len(rows):
            want = plain(rows[count])
            if {key: value or None for key, value in got.items()} != {key: value or None for key, value in want.items()}:
                different += 1
                if different == 1:
                    print(got, want, sep="\n")
        count += 1
    checks.same(f"{told}: records", count, len(rows))
    checks.same(f"{told}: records that differ", different, 0)


def check_croissant(checks: Checks, path: Path) -> None:
    file = path / "_manifest" / "croissant.json"
    said = json.loads(file.read_text())
    warned = io.StringIO()
    with contextlib.redirect_stderr(warned):
        document = mlcroissant.Dataset(file)
    issues = document.metadata.ctx.issues
    checks.same("mlcroissant validate: errors", sorted(map(str, issues.errors)), [])
    checks.same("mlcroissant validate: warnings", sorted(map(str, issues.warnings)), [])

    manifest = json.loads((path / "_manifest" / "run.json").read_text())
    checks.same("croissant: horizon", said["assent:consentAsOf"], manifest["consent_as_of"])
    listed = []
    for node in said["distribution"]:
        if node["@type"] == "cr:FileObject" and node["@id"] != "~run":
            data = (path / node["contentUrl"]).read_bytes()
            checks.same(f"croissant: {node['@id']}: sha256", node["sha256"], hashlib.sha256(data).hexdigest())
            checks.same(f"croissant: {node['@id']}: size", node["contentSize"], f"{len(data)} B")
            listed.append(f"{node['sha256']}  {node['contentUrl']}\n")
    on_disk = sorted(str(each.relative_to(path)) for name in DATASETS for each in (path / name).rglob("*.parquet"))
    checks.same("croissant: files", sorted(line.split("  ")[1].strip() for line in listed), on_disk)
    digest = hashlib.sha256("".join(listed).encode()).hexdigest()
    checks.same("croissant: digest of the list", said["distribution"][0]["sha256"], digest)
    for record_set in said["recordSet"]:
        permission = record_set["usageInfo"]["odrl:permission"]
        audience = permission["odrl:constraint"]["odrl:rightOperand"]["@id"]
        checks.same(f"croissant: {record_set['@id']}: audience", audience, "assent:" + AUDIENCE[record_set["@id"]])
        checks.same(
            f"croissant: {record_set['@id']}: prohibition",
            record_set["usageInfo"]["odrl:prohibition"]["odrl:action"]["@id"], "assent:trainThirdParty",
        )  # fmt: skip
    told = {record_set["@id"]: "unique, too: it is of UUIDs" in record_set["description"] for record_set in said["recordSet"]}
    checks.same("croissant: the column of UUIDs is told of", told, {name: name == "messages" for name in DATASETS})
    for dataset in DATASETS:
        check_records(checks, path, document, dataset)


def check_card(checks: Checks, path: Path) -> None:
    """One config a data set; no manifest is read; and the run as a whole has no default that mixes them."""
    where = str(path)
    cache = str(WORK / "trainer" / "cache")
    checks.same("Hugging Face: configs", sorted(datasets.get_dataset_config_names(where)), sorted(DATASETS))
    for dataset, streaming in itertools.product(DATASETS, [False, True]):
        told = f"Hugging Face: {dataset}, streaming {streaming}"
        want = ds.dataset(path / dataset).to_table()
        want = want.select([field.name for field in want.schema if not pa.types.is_map(field.type)])
        for i, field in enumerate(want.schema):
            if field.type == pa.uuid():  # they have it as bytes
                want = want.set_column(i, field.name, want[i].cast(pa.binary(16)).cast(pa.binary()))
        loaded = datasets.load_dataset(where, dataset, split="train", streaming=streaming, cache_dir=cache).with_format("arrow")
        got = pa.concat_tables(loaded.iter(batch_size=10_000)) if streaming else loaded[:]
        checks.same(f"{told}: columns", got.column_names, want.column_names)
        checks.same(f"{told}: types", got.schema.types, want.schema.types)
        checks.that(got.cast(want.schema).equals(want), f"{told}: rows", f"{got.num_rows} of {want.num_rows} rows")
    try:
        datasets.load_dataset(where, split="train", cache_dir=cache)
        checks.that(False, "Hugging Face: the run without a config", "it was loaded")
    except ValueError as told:
        checks.that("Config name is missing" in str(told), "Hugging Face: the run without a config", str(told))


def check_use(checks: Checks, market: Path, path: Path) -> None:
    """The preflight of a training: exit 0 where the use is allowed, 3 where it is not."""
    for want, args in [
        (0, ["--use", "marketplace", "--dataset", "events"]),
        (3, ["--use", "marketplace"]),
        (3, ["--use", "marketplace", "--dataset", "messages"]),
        (3, ["--use", "account:acbc9aada8a1", "-c", market / "job.yaml"]),
        (0, ["--use", "account:acbc9aada8a1", "--dataset", "events", "-c", market / "job.yaml"]),
        (2, ["--use", "third_party"]),
    ]:
        code, _ = quietly("verify", "--quick", "--run", path, *args)
        checks.same(f"assent verify --quick {' '.join(map(str, args))}: exit", code, want)


def main() -> None:
    checks = Checks()
    datasets.disable_progress_bars()
    absl.logging.set_verbosity(absl.logging.ERROR)
    work = fresh("trainer")
    market = sample("trainer/market", ROWS, SEED)
    for file in (market / "messages").rglob("*.parquet"):
        with_unique(file)
    path = run(market, work / "out")
    check_croissant(checks, path)
    check_card(checks, path)
    check_use(checks, market, path)
    checks.exit()


if __name__ == "__main__":
    main()
