"""Makes the data of the yardsticks, once for each size, below a directory.

usage: data.py ASSENT DIR MESSAGES EVENTS

All files are written by pyarrow as it comes: dictionaries, 1 MiB pages of at most
20,000 rows, row groups of up to 1 Mi rows; and zstd level 3.
"""

import pathlib
import shutil
import subprocess
import sys

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import text

START, HORIZON = "2026-01-05T00:00:00Z", "2026-11-20T00:00:00Z"
RUN, OUT_SHARE = 640_000, 0.43  # messages of two organisations where exclusions cluster: one in, one out


def write(table, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):  # DuckDB calls UTC by the name that the machine has for it
            table = table.set_column(i, field.name, table[i].cast(pa.timestamp("us", "UTC")))
    pq.write_table(table, path, compression="zstd", compression_level=3)


def sample(d, assent, rows):
    """The marketplace that assent itself makes, with bodies of real text; all message data derives from it."""
    subprocess.run([assent, "sample", "--to", d, "--rows", str(rows)], check=True, stdout=subprocess.DEVNULL)
    for other in "deliverables", "platform_events":
        shutil.rmtree(d / other)
    files = sorted((d / "messages").rglob("*.parquet"))
    bodies = text.messages(sum(pq.ParquetFile(f).metadata.num_rows for f in files))
    for f in files:
        table = pq.ParquetFile(f).read()
        body, bodies = bodies.slice(0, table.num_rows), bodies.slice(table.num_rows)
        write(table.set_column(table.schema.get_field_index("body"), "body", body), f)


def parts(table, d):
    """Writes messages in files of about 500,000 rows, two at least."""
    n = max(2, round(table.num_rows / 500_000))
    for i in range(n):
        lo, hi = table.num_rows * i // n, table.num_rows * (i + 1) // n
        write(table.slice(lo, hi - lo), d / f"messages/part-{i:03}.parquet")


def read(d, columns=None):
    return pa.concat_tables([pq.ParquetFile(f).read(columns) for f in sorted(d.rglob("*.parquet"))])


def random(d, source):
    """Exclusions fall at random over messages in about the order of their load. Some more
    accounts opt out than in the sample, so that about 57 % of messages are kept: the
    sample's job has more rules to exclude by than this one."""
    parts(read(source / "messages"), d)
    write(read(source / "consent_history"), d / "consent_history/part-000.parquet")
    more = duckdb.sql(f"""
        SELECT id AS account_id, 'communications' AS category, false AS opted_in,
               TIMESTAMPTZ '{START}' + to_days((hash(id) % 320)::INTEGER) AS effective_at, 1::BIGINT AS sequence
        FROM (SELECT DISTINCT unnest([freelancer_id, client_id]) AS id FROM read_parquet('{source}/messages/**/*.parquet'))
        WHERE id <> '' AND hash(id || 'more') % 9 = 0 ORDER BY effective_at""").to_arrow_table()
    write(more, d / "consent_history/more.parquet")


def one_file(d, source):
    """The same in one file, of several row groups where it is large."""
    write(read(source / "messages"), d / "messages/all.parquet")
    shutil.copytree(source / "consent_history", d / "consent_history")


def clustered(d, source):
    """Messages sorted by contract. Their clients are organisations of many contracts,
    of which every other one is out: exclusions come in long runs."""
    messages = f"read_parquet('{source}/messages/**/*.parquet', hive_partitioning=false)"
    con = duckdb.connect()
    [(rows,)] = con.sql(f"SELECT count(*) FROM {messages}").fetchall()
    run = min(RUN, rows // 2)
    table = con.sql(f"""
        WITH clean AS (
            SELECT * FROM {messages}
            WHERE freelancer_id <> '' AND client_id <> '' AND contract_id IS NOT NULL
              AND sent_at >= '{START}' AND greatest(sent_at, edited_at) < '{HORIZON}'),
        sorted AS (SELECT *, row_number() OVER (ORDER BY contract_id, message_id) - 1 AS n FROM clean)
        SELECT * EXCLUDE (n) REPLACE (
            'org' || n // {run} || CASE WHEN n % {run} < {run * OUT_SHARE} THEN 'out' ELSE 'in' END AS client_id)
        FROM sorted ORDER BY n""").to_arrow_table()
    parts(table, d)
    orgs = [c for c in table["client_id"].unique().to_pylist() if c.endswith("out")]
    history = con.sql(f"""
        SELECT account_id, CASE category WHEN 'communications' THEN 'platform' ELSE category END AS category,
               opted_in, effective_at, sequence FROM read_parquet('{source}/consent_history/*.parquet')
        UNION ALL
        SELECT unnest({orgs}), 'communications', false, TIMESTAMPTZ '2026-01-01T00:00:00Z', 1""").to_arrow_table()
    write(history, d / "consent_history/part-000.parquet")


def wide(d, source):
    """4 keys and 96 columns of what feature tables hold; every fifth row, in two files."""
    keys = ["message_id", "freelancer_id", "client_id", "sent_at"]
    table = read(source / "messages", keys)
    fifth, rng = table.take(np.arange(0, table.num_rows, 5)), np.random.default_rng(1)
    for part in range(2):
        table = fifth.slice(part * fifth.num_rows // 2, fifth.num_rows // 2)
        n = table.num_rows
        days = np.datetime64("2026-01-01") + rng.integers(0, 300, n).astype("timedelta64[D]")
        for i in range(24):  # counts, many of them small
            table = table.append_column(f"count_{i}", pa.array(rng.negative_binomial(1, 0.5 / (1 + i * i), n).astype(np.int32)))
        for i in range(16):  # amounts of money
            table = table.append_column(f"amount_{i}", pa.array(np.round(rng.lognormal(3 + i / 8, 1, n), 2)))
        for i in range(16):  # scores that a model gave, with gaps
            table = table.append_column(f"score_{i}", pa.array(rng.normal(size=n).astype(np.float32), mask=rng.random(n) < i / 32))
        for i in range(20):  # categories
            values = np.array([f"value {j} of {i}" for j in range(4 << (i // 2))])
            table = table.append_column(f"category_{i}", pa.array(values[(rng.random(n) ** 3 * len(values)).astype(int)]))
        for i in range(8):
            table = table.append_column(f"flag_{i}", pa.array(rng.random(n) < 1 / (2 + i)))
        for i in range(8):
            table = table.append_column(f"day_{i}", pa.array(days + rng.integers(0, 30 * i + 1, n).astype("timedelta64[D]")))
        for i in range(4):  # times in microseconds
            table = table.append_column(f"at_{i}", pa.array(days.astype("datetime64[us]") + rng.integers(0, 86_400_000_000, n), pa.timestamp("us", "UTC")))
        write(table, d / f"messages/part-{part:03}.parquet")
    shutil.copytree(source / "consent_history", d / "consent_history")


def history(d, source, events):
    """A long consent history in the order of time, of 2.5 events an account, in files of
    1 M events; and a few messages whose parties are among its accounts."""
    rng = np.random.default_rng(2)
    accounts, per_file = max(events * 2 // 5, 1), 1_000_000
    categories = np.array(["communications", "work_product", "platform"])

    def ids(n):
        numbers = rng.integers(0, accounts, n).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(24)
        return pa.array([f"ac{v:010x}" for v in numbers.tolist()])

    for i, first in enumerate(range(0, events, per_file)):
        n = min(per_file, events - first)
        at = np.datetime64("2026-01-01", "us") + ((first + np.arange(n)) * (320 * 86400e6 / events)).astype("timedelta64[us]")
        write(pa.table({
            "account_id": ids(n),
            "category": pa.array(categories[rng.integers(0, 3, n)]),
            "opted_in": pa.array(rng.random(n) < 0.5),
            "effective_at": pa.array(at, pa.timestamp("us", "UTC")),
            "sequence": pa.array(first + np.arange(n)),
        }), d / f"consent_history/part-{i:03}.parquet")
    few = pq.ParquetFile(next((source / "messages").rglob("*.parquet"))).read().slice(0, 10_000)
    for name in "freelancer_id", "client_id":
        few = few.set_column(few.schema.get_field_index(name), name, ids(few.num_rows))
    write(few, d / "messages/part-000.parquet")


def job(d, moments):
    (d / "job.yaml").write_text(f"""version: 1
program: {{name: yardstick, starts_at: {START}}}
output: ../../out/assent
inputs:
  consent: {{path: consent_history/, as_of: {HORIZON}}}
datasets:
  messages:
    path: messages/
    category: communications
    record: message_id
    parties: {{freelancer: freelancer_id, client: client_id}}
    subjects: {{}}
    moments: {{{moments}}}
""")


def main():
    assent, root, rows, events = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    root.mkdir(parents=True, exist_ok=True)
    source = root / "sample"
    both = "sent: sent_at, edited: edited_at"
    for name, make, moments in (
        ("sample", lambda d: sample(d, assent, rows), None),
        ("random", lambda d: random(d, source), both),
        ("clustered", lambda d: clustered(d, source), both),
        ("wide", lambda d: wide(d, root / "random"), "sent: sent_at"),
        ("one_file", lambda d: one_file(d, root / "random"), both),
        (f"history-{events}", lambda d: history(d, source, events), both),
    ):
        d = root / name
        if d.exists():
            continue
        print(f"bench: making {d}", file=sys.stderr, flush=True)
        tmp = root / "tmp"
        shutil.rmtree(tmp, ignore_errors=True)
        make(tmp)
        if moments:
            job(tmp, moments)
        tmp.rename(d)


main()
