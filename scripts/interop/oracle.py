"""Holds every decision of assent against decide.sql, and every byte against itself.

Over several made-up marketplaces, and over one of each that stress.sql makes harder:
what a run keeps, what it excludes and why, what its manifests say, all row by row. Then
again with other numbers of workers, other memory limits and the consent events in
another order, which must all give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lab import HERE, Checks, fresh, run, sample
from market import DATASETS, files, raw, read_all, shuffle_consent, stress

ROWS = 40_000
SEEDS = [1, 2, 3]
SHOWN = 10  # differing rows told of a file


@dataclass(frozen=True)
class Policy:
    """What decide.sql is told beside the inputs."""

    starts_at: datetime = datetime(2026, 1, 5, tzinfo=UTC)
    horizon: datetime = datetime(2026, 11, 20, tzinfo=UTC)
    default_opted_in: bool = True
    use_registry: bool = True
    room_consents: bool = False

    def settings(self) -> list[str]:
        """The same as options of assent, where it differs from the sample's job."""
        settings = []
        if self.horizon != Policy.horizon:
            settings.append(f"inputs.consent.as_of={self.horizon:%Y-%m-%dT%H:%M:%SZ}")
        if not self.default_opted_in:
            settings.append("program.default=opted_out")
        if not self.use_registry:
            settings.append("inputs.accounts=null")
        if self.room_consents:
            settings.append(
                "datasets.messages.parties={freelancer: freelancer_id, client: client_id, participant: participants}"
            )
            settings.append("datasets.messages.subjects={sender: sender_id}")
        return [option for setting in settings for option in ("--set", setting)]


@dataclass
class File:
    """What is to become of an input file."""

    rows: int = 0
    exclusions: list[dict[str, Any]] = field(default_factory=list)
    appearances: set[tuple[str, str, int, bool]] = field(default_factory=set)  # reference, role, row, kept


def nanoseconds(t: datetime) -> int:
    return int(t.timestamp()) * 1_000_000_000


def decide(market: Path, policy: Policy) -> dict[tuple[str, str], File]:
    """Put the question to DuckDB. The answer is by data set and file."""
    key = base64.b64decode((market / "subject.key").read_text())

    def ref(account: str) -> str:
        return hmac.new(key, account.encode(), hashlib.sha256).hexdigest()[:32]

    outcome = {(name, file): File() for name, path in DATASETS.items() for file in files(market / path)}
    with duckdb.connect() as con:
        con.create_function("ref", ref, [duckdb.sqltypes.VARCHAR], duckdb.sqltypes.VARCHAR)
        for name, table in read_all(market).items():
            con.register(name, table)
        con.execute(f"SET VARIABLE starts_at = {nanoseconds(policy.starts_at)}")
        con.execute(f"SET VARIABLE horizon = {nanoseconds(policy.horizon)}")
        for flag in ["default_opted_in", "use_registry", "room_consents"]:
            con.execute(f"SET VARIABLE {flag} = {getattr(policy, flag)}")
        con.execute((HERE / "decide.sql").read_text())
        for dataset, file, rows in con.sql("SELECT dataset, file, count(*) FROM records GROUP BY ALL").fetchall():
            outcome[dataset, file].rows = rows
        for row in con.sql("FROM exclusions ORDER BY dataset, file, source_row").to_arrow_table().to_pylist():
            outcome[row.pop("dataset"), row.pop("file")].exclusions.append(row)
        for dataset, file, *appearance in con.sql("FROM appearances").fetchall():
            outcome[dataset, file].appearances.add(tuple(appearance))
    return outcome


def compare(checks: Checks, what: str, market: Path, published: Path, want: dict[tuple[str, str], File]) -> None:
    """Hold a published run against what is to become of its inputs."""
    manifest = json.loads((published / "_manifest" / "run.json").read_text())
    compare_counts(checks, what, manifest, want)
    for name, dataset in manifest["datasets"].items():
        for file in dataset["files"]:
            told, fate = f"{what}: {name}/{file['source']}", want[name, file["source"]]
            source = market / DATASETS[name] / file["source"]
            compare_kept(checks, told, source, published / file["output"], fate)
            compare_exclusions(checks, told, published / file["exclusions"], fate)
            compare_appearances(checks, told, published / file["subjects"], fate)
            for path in ["output", "exclusions", "subjects"]:
                data = (published / file[path]).read_bytes()
                prefix = "" if path == "output" else f"{path}_"
                checks.same(f"{told}: {path}: bytes", file[f"{prefix}bytes"], len(data))
                checks.same(f"{told}: {path}: sha256", file[f"{prefix}sha256"], hashlib.sha256(data).hexdigest())


def compare_counts(checks: Checks, what: str, manifest: dict[str, Any], want: dict[tuple[str, str], File]) -> None:
    sources = {(name, file["source"]) for name, dataset in manifest["datasets"].items() for file in dataset["files"]}
    checks.same(f"{what}: files", sources, set(want))
    for name, dataset in manifest["datasets"].items():
        fates = [fate for (of, _), fate in want.items() if of == name]
        parts = [(dataset, fates)] + [(file, [want[name, file["source"]]]) for file in dataset["files"]]
        for counted, of in parts:
            reasons = [row["reason"] for fate in of for row in fate.exclusions]
            told = f"{what}: run.json: {name}/{counted.get('source', '')}"
            checks.same(f"{told}: rows_in", counted["rows_in"], sum(fate.rows for fate in of))
            checks.same(f"{told}: rows_kept", counted["rows_kept"], sum(fate.rows for fate in of) - len(reasons))
            checks.same(
                f"{told}: excluded_by_reason",
                {reason: n for reason, n in counted["excluded_by_reason"].items() if n > 0},
                dict(Counter(reasons)),
            )
            if "rows_excluded" in counted:
                checks.same(f"{told}: rows_excluded", counted["rows_excluded"], len(reasons))


def compare_kept(checks: Checks, what: str, source: Path, output: Path, fate: File) -> None:
    """The output has the kept rows of the source in order, and its schema and metadata."""
    before, after = pq.ParquetFile(source), pq.ParquetFile(output)
    keep = [True] * fate.rows
    for row in fate.exclusions:
        keep[row["source_row"]] = False
    want, got = before.read().filter(pa.array(keep, pa.bool_())), after.read()
    checks.that(after.schema.equals(before.schema), f"{what}: Parquet schema", f"{after.schema}\n{before.schema}")
    checks.that(
        own_metadata(got.schema).equals(own_metadata(want.schema), check_metadata=True),
        f"{what}: Arrow schema", f"got  {got.schema}\nwant {want.schema}",
    )  # fmt: skip
    if got.replace_schema_metadata().equals(want.replace_schema_metadata()):
        checks.that(True, what)
        return
    differing = [name for name in want.column_names if not got[name].equals(want[name])]
    lines = [f"{got.num_rows} rows kept, want {want.num_rows}; differing columns: {differing}"]
    numbers = [number for number, kept in enumerate(keep) if kept]
    record = want.column_names[0]
    pairs = zip(numbers, got[record].to_pylist(), want[record].to_pylist(), strict=False)
    wrong = [f"row {number}: got {a!r}, want {b!r}" for number, a, b in pairs if a != b]
    checks.that(False, f"{what}: kept rows", "\n".join(lines + wrong[:SHOWN]))


def own_metadata(schema: pa.Schema) -> pa.Schema:
    """The schema without what assent adds to the file's metadata."""
    added = {b"assent.run_id", b"assent.source", b"original.created_by"}
    return schema.with_metadata({k: v for k, v in (schema.metadata or {}).items() if k not in added})


def compare_exclusions(checks: Checks, what: str, manifest: Path, fate: File) -> None:
    got = raw(pq.ParquetFile(manifest).read()).to_pylist()
    want = fate.exclusions
    if got == want:
        checks.that(True, what)
        return
    by_row_got = {row["source_row"]: row for row in got}
    by_row_want = {row["source_row"]: row for row in want}
    lines = [f"{len(got)} exclusions, want {len(want)}"]
    for number in sorted(by_row_got.keys() | by_row_want.keys()):
        a, b = by_row_got.get(number), by_row_want.get(number)
        if a is None or b is None:
            lines.append(f"row {number}: got {a}\nrow {number}: want {b}")
        elif a != b:
            lines += [f"row {number}: {k}: got {a[k]!r}, want {b[k]!r}" for k in b if a[k] != b[k]]
    checks.that(False, f"{what}: exclusion manifest", "\n".join(lines[: 1 + SHOWN]))


def compare_appearances(checks: Checks, what: str, index: Path, fate: File) -> None:
    got = {
        (entry["ref"], role, row, entry["kept"])
        for entry in pq.ParquetFile(index).read().to_pylist()
        for role in entry["roles"]
        for row in entry["rows"]
    }
    missing, extra = fate.appearances - got, got - fate.appearances
    lines = [f"missing {x}" for x in sorted(missing)[:SHOWN]] + [f"extra {x}" for x in sorted(extra)[:SHOWN]]
    checks.that(not missing and not extra, f"{what}: subject index", "\n".join(lines))


def contents(published: Path) -> dict[str, bytes]:
    """All data files and manifests, with the run's id and invocation taken out."""
    found = {}
    run_id = published.name.removeprefix("run=").encode()
    for path in sorted(published.rglob("*.parquet")):
        found[str(path.relative_to(published))] = path.read_bytes().replace(run_id, b"-" * len(run_id))
    manifest = json.loads((published / "_manifest" / "run.json").read_text())
    del manifest["invocation"]
    found["run.json"] = json.dumps(manifest).encode()
    return found


def same_bytes(checks: Checks, what: str, got: Path, want: Path, same_inputs: bool = True) -> None:
    a, b = contents(got), contents(want)
    if not same_inputs:  # the inputs stand in run.json, and the run's id in all files that it has digests of
        del a["run.json"], b["run.json"]
    else:
        checks.same(f"{what}: run", got.name, want.name)
    checks.same(f"{what}: files", sorted(a), sorted(b))
    for name in a.keys() & b.keys():
        checks.that(a[name] == b[name], f"{what}: {name}: bytes", f"{len(a[name])} bytes, want {len(b[name])}, or others")


def check_seed(checks: Checks, seed: int) -> None:
    work = fresh(f"oracle-{seed}")
    market = sample(f"oracle-{seed}/market", ROWS, seed)
    policy = Policy()
    base = run(market, work / "base", "--workers", "1", "--memory", "64MiB")
    compare(checks, f"seed {seed}", market, base, decide(market, policy))
    for workers, memory in [("8", "64MiB"), ("8", "1GiB"), ("1", "1GiB")]:
        again = run(market, work / "again", "--workers", workers, "--memory", memory)
        same_bytes(checks, f"seed {seed}: {workers} workers, {memory}", again, base)
    for parts in [1, 7]:
        events = shuffle_consent(market, work / f"consent-{parts}", seed, parts)
        shuffled = run(market, work / "shuffled", "--set", f"inputs.consent.path={events}")
        same_bytes(checks, f"seed {seed}: events shuffled into {parts} files", shuffled, base, same_inputs=False)

    stressed = stress(market, work / "stressed", seed)
    policies = {"stressed": Policy(room_consents=True)}
    if seed == SEEDS[0]:
        policies["stressed, no registry, opted out by default"] = Policy(use_registry=False, default_opted_in=False)
        policies["stressed, early horizon"] = Policy(horizon=datetime(2026, 6, 1, tzinfo=UTC))
    for name, policy in policies.items():
        published = run(stressed, work / "out", *policy.settings())
        compare(checks, f"seed {seed}: {name}", stressed, published, decide(stressed, policy))


if __name__ == "__main__":
    counter = Checks()
    for each in SEEDS:
        check_seed(counter, each)
    counter.exit()
