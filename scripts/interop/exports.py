"""Jobs in the form in which other systems export their data: README's table "What your export looks like".

Each row of that table stands here once, with files as that system writes them (by pyarrow) and with the keys that
the table tells for job.yaml. All hold the same records, so all must keep the same ones. Without the keys the run
is refused, so that no key stands in the table for nothing.
"""

from __future__ import annotations

import datetime as dt
import decimal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from lab import ASSENT, Checks, assent, fresh

UTC = dt.timezone.utc


def at(day: str) -> dt.datetime:
    return dt.datetime.fromisoformat(day).replace(tzinfo=UTC)


# Accounts 1 and 2 are clients, 11 to 13 freelancers. 11 is out from March on; 13 asked for deletion.
CONSENT = [(11, False, at("2026-03-01")), (1, True, at("2026-01-06"))]
DELETIONS = [(13, at("2026-08-01"))]
MESSAGES = [  # id, freelancer, client, sent, edited
    ("m1", 11, 1, at("2026-02-01"), None),
    ("m2", 11, 1, at("2026-03-05"), None),
    ("m3", 12, 1, at("2026-03-05"), None),
    ("m4", 13, 2, at("2026-02-01"), None),
    ("m5", 12, 2, at("2026-06-01"), None),
]
KEPT = 3

Change = Callable[[Any], Any]


def tables(ident: Change, when: Change, switch: Change, types: dict[str, pa.DataType]) -> dict[str, pa.Table]:
    """The three inputs with each id, instant and switch as a system has it."""

    def table(columns: dict[str, list[Any]]) -> pa.Table:
        return pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})

    return {
        "consent": table({
            "account_id": [ident(a) for a, _, _ in CONSENT],
            "category": ["communications"] * len(CONSENT),
            "opted_in": [switch(s) for _, s, _ in CONSENT],
            "effective_at": [when(t) for _, _, t in CONSENT],
        }),
        "deletions": table({
            "account_id": [ident(a) for a, _ in DELETIONS],
            "requested_at": [when(t) for _, t in DELETIONS],
        }),
        "messages": table({
            "message_id": [m for m, *_ in MESSAGES],
            "freelancer_id": [ident(f) for _, f, *_ in MESSAGES],
            "client_id": [ident(c) for _, _, c, *_ in MESSAGES],
            "sent_at": [when(t) for *_, t, _ in MESSAGES],
            "edited_at": [None if e is None else when(e) for *_, e in MESSAGES],
        }),
    }  # fmt: skip


def same(value: Any) -> Any:
    return value


def naive(value: dt.datetime) -> dt.datetime:
    return value.replace(tzinfo=None)


def epoch(scale: int) -> Change:
    return lambda value: int(value.timestamp()) * scale


def instants(kind: pa.DataType) -> dict[str, pa.DataType]:
    return dict.fromkeys(("effective_at", "requested_at", "sent_at", "edited_at"), kind)


def ids(kind: pa.DataType) -> dict[str, pa.DataType]:
    return dict.fromkeys(("account_id", "freelancer_id", "client_id"), kind)


def write(root: Path, inputs: dict[str, pa.Table], name: str = "part-0.parquet", **options: Any) -> None:
    for role, table in inputs.items():
        path = root / role / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, **options)


def snowflake(root: Path) -> None:
    number = decimal.Decimal
    write(root, tables(number, naive, same, ids(pa.decimal128(38, 0)) | instants(pa.timestamp("ms"))), "data_0_0_0.snappy.parquet")


def bigquery(root: Path) -> None:
    write(root, tables(same, naive, same, ids(pa.int64()) | instants(pa.timestamp("us"))), "000000000000.parquet")


def redshift(root: Path) -> None:
    inputs = tables(str, naive, same, instants(pa.timestamp("us")))
    messages = inputs.pop("messages")
    write(root, inputs, "0000_part_00.parquet")
    for client in ("1", "2"):
        part = messages.filter(pa.compute.equal(messages["client_id"], client)).drop_columns("client_id")
        write(root, {"messages": part}, f"client_id={client}/0000_part_00.parquet")


def spark(root: Path) -> None:
    inputs = tables(str, same, same, instants(pa.timestamp("us", "UTC")) | {"edited_at": pa.null()})
    inputs["consent"] = inputs["consent"].drop_columns("category")
    consent = inputs.pop("consent")
    write(root, inputs, "part-00000.snappy.parquet")
    write(root, {"consent": consent}, "category=communications/part-00000.snappy.parquet", use_deprecated_int96_timestamps=True)
    for role in ("consent", "deletions", "messages"):
        (root / role / "_SUCCESS").touch()
        (root / role / ".part-00000.crc").touch()


def marked(inputs: dict[str, pa.Table], column: str, kept: Any, deleted: Any) -> dict[str, pa.Table]:
    """Each input with a row more, which its source marks as deleted: it would change what is kept."""
    more = {}
    for role, table in inputs.items():
        first = table.slice(0, 1)
        if role == "deletions":  # a request that was taken back
            first = first.set_column(0, "account_id", pa.array(["12"]))
        marks = [kept] * table.num_rows + [deleted]
        more[role] = pa.concat_tables([table, first]).append_column(column, pa.array(marks))
    return more


def dms(root: Path) -> None:
    inputs = tables(str, epoch(1000), same, instants(pa.int64()))
    write(root, marked(inputs, "Op", "I", "D"))


def fivetran(root: Path) -> None:
    inputs = tables(str, same, same, instants(pa.timestamp("us", "UTC")))
    write(root, marked(inputs, "_fivetran_deleted", False, True))


def clickhouse(root: Path) -> None:
    kinds = ids(pa.uint64()) | instants(pa.uint32()) | {"opted_in": pa.uint8()}
    write(root, tables(same, epoch(1), int, kinds))


def pandas(root: Path) -> None:
    write(root, tables(same, naive, same, ids(pa.int64()) | instants(pa.timestamp("ns")) | {"edited_at": pa.null()}))


LOCAL = ["inputs.consent.timezone=UTC", "inputs.deletions.timezone=UTC", "datasets.messages.timezone=UTC"]


def units(unit: str) -> list[str]:
    return [
        f"inputs.consent.units={{effective_at: {unit}}}",
        f"inputs.deletions.units={{requested_at: {unit}}}",
        f"datasets.messages.units={{sent: {unit}, edited: {unit}}}",
    ]


def deleted(column: str, values: str) -> list[str]:
    mark = f"{{column: {column}, values: {values}}}"
    return [f"{where}.deleted={mark}" for where in ("inputs.consent", "inputs.deletions", "datasets.messages")]


# What README's table says of each system: its files, the keys, the rows that the source has deleted.
ROWS: list[tuple[str, Callable[[Path], None], list[str], int]] = [
    ("Snowflake", snowflake, LOCAL, 0),
    ("BigQuery", bigquery, LOCAL, 0),
    ("Redshift", redshift, LOCAL, 0),
    ("Spark", spark, [], 0),
    ("DMS, Debezium", dms, units("ms") + deleted("Op", "[D]"), 1),
    ("Fivetran", fivetran, deleted("_fivetran_deleted", '["true"]'), 1),
    ("ClickHouse", clickhouse, [*units("s"), 'inputs.consent.states={"1": opted_in, "0": opted_out}'], 0),
    ("pandas", pandas, LOCAL, 0),
]

JOB = """version: 1
program: {name: exports, starts_at: 2026-01-05T00:00:00Z}
output: out
subject_key_file: subject.key
inputs:
  consent: {path: consent/, as_of: 2026-11-20T00:00:00Z}
  deletions: {path: deletions/}
datasets:
  messages: {path: messages/, subjects: {}, contract: ""}
"""


def main() -> None:
    checks = Checks()
    for system, files, keys, gone in ROWS:
        root = fresh("exports/" + system.split(",")[0])
        files(root)
        (root / "job.yaml").write_text(JOB)
        (root / "subject.key").write_text("c3ViamVjdCBrZXkgZm9yIHRlc3RzLCAzMiBieXRlcyE=")
        sets = [part for key in keys for part in ("--set", key)]
        answer = assent("run", "-c", root / "job.yaml", *sets)
        counts = answer["datasets"]["messages"]
        checks.same(f"{system}: records", counts["rows_in"], len(MESSAGES) + gone)
        checks.same(f"{system}: kept", counts["rows_kept"], KEPT)
        checks.same(f"{system}: deleted at the source", counts["excluded_by_reason"].get("source_deleted", 0), gone)
        checks.same(f"{system}: verify", assent("verify", "-c", root / "job.yaml", *sets, "--run", answer["uri"])["status"], "verified")
        for left in keys:
            fewer = [part for key in keys if key != left for part in ("--set", key)]
            done = subprocess.run([ASSENT, "run", "--dry-run", "-c", root / "job.yaml", *fewer], capture_output=True, text=True, check=False)
            other = done.returncode == 0 and done.stdout != "" and f'"rows_kept":{KEPT},' in done.stdout and gone == 0
            checks.that(not other, f"{system}: {left} is needed", done.stderr)
    checks.exit()


main()
