"""A marketplace's inputs as tables of raw integers, and written back as files."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

DATASETS = {"messages": "messages", "deliverables": "deliverables", "events": "platform_events"}
REGISTRIES = ["consent_history", "deletion_requests", "contract_restrictions", "accounts"]


def raw(table: pa.Table) -> pa.Table:
    """The table with its timestamps, nested ones too, as the integers that are stored."""
    return table.cast(pa.schema([field.with_type(_raw_type(field.type)) for field in table.schema]))


def _raw_type(t: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(t):
        return pa.int64()
    if pa.types.is_list(t):
        return pa.list_(t.value_field.with_type(_raw_type(t.value_type)))
    if pa.types.is_struct(t):
        return pa.struct([field.with_type(_raw_type(field.type)) for field in t])
    return t


def files(root: Path) -> list[str]:
    """The Parquet files of a data set, by their path below its root."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.parquet"))


def read_all(market: Path) -> dict[str, pa.Table]:
    """The inputs, as decide.sql takes them."""
    tables = {}
    for name in [*REGISTRIES, *DATASETS.values()]:
        parts = []
        for file in files(market / name):
            part = raw(pq.ParquetFile(market / name / file).read())
            if name not in REGISTRIES:
                part = part.append_column("file", pa.repeat(file, part.num_rows))
                part = part.append_column("row", pa.array(range(part.num_rows), pa.int64()))
            parts.append(part)
        tables[name] = pa.concat_tables(parts)
    return tables


def stress(market: Path, target: Path, seed: int) -> Path:
    """Write a market that stress.sql makes of another one, with the job's other files."""
    tables = read_all(market)
    with duckdb.connect() as con:
        for name, table in tables.items():
            con.register(name, table)
        con.execute(f"SET VARIABLE seed = {seed}")
        con.execute((Path(__file__).parent / "stress.sql").read_text())
        for name in tables:
            stressed = con.table(f"stressed_{name}").to_arrow_table()
            first = files(market / name)[0]
            _write(stressed, pq.read_schema(market / name / first), target / name)
    for name in ["job.yaml", "subject.key"]:
        (target / name).write_bytes((market / name).read_bytes())
    return target


def _write(table: pa.Table, model: pa.Schema, root: Path) -> None:
    """Write the table, its integers as timestamps where the model's are, by its column file."""
    for i, field in enumerate(table.schema):
        if field.name in model.names and pa.types.is_timestamp(kind := model.field(field.name).type):
            table = table.set_column(i, field.name, table.column(i).cast(kind))
    parts = {"part-000.parquet": table}
    if "file" in table.column_names:
        parts = {
            name: table.filter(pc.equal(table["file"], name)).drop_columns(["file", "row"])
            for name in pc.unique(table["file"]).to_pylist()
        }
    for name, part in parts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(part, root / name, row_group_size=1000, compression="zstd")


def shuffle_consent(market: Path, target: Path, seed: int, parts: int) -> Path:
    """Write the consent history in random order into another number of files."""
    target.mkdir(parents=True)
    with duckdb.connect() as con:
        con.execute(f"""
            CREATE TABLE shuffled AS
            SELECT *, hash(account_id, category, effective_at, sequence, opted_in, {seed}) AS dice
            FROM read_parquet('{market}/consent_history/*.parquet')""")
        for part in range(parts):
            con.execute(f"""
                COPY (SELECT * EXCLUDE dice FROM shuffled WHERE dice % {parts} = {part} ORDER BY dice DESC)
                TO '{target}/shuffled-{part}.parquet' (COMPRESSION zstd)""")
    return target
