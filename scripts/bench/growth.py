"""Makes the data of one size of the growth table. usage: growth.py DIR WHAT SIZE

Against messages: in files of 1 M, of 100,000 accounts. Against accounts: each with two events, over 100,000 messages. Against
files: of 200 messages each, of 100,000 accounts.
"""

import pathlib
import sys

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

import text

START, DAYS = np.datetime64("2026-01-05", "us"), 300
US = pa.timestamp("us", "UTC")
JOB = """version: 1
program: {name: growth, starts_at: 2026-01-05T00:00:00Z}
output: ../out/assent
inputs:
  consent: {path: consent/, as_of: 2026-11-20T00:00:00Z}
datasets:
  messages: {path: messages/, subjects: {}, moments: {sent: sent_at}}
"""


def instants(rng, n):
    return pa.array(np.sort(START + (rng.random(n) * DAYS * 86400e6).astype("timedelta64[us]")), US)


def ids(rng, n, accounts):
    return pa.array(np.char.add("a", rng.integers(0, accounts, n).astype(str)))


def write(table, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", compression_level=3)


def pool(path):
    """Some 500,000 bodies of real text, from which all sizes draw; cut once and kept."""
    if not path.exists():
        pyarrow.feather.write_feather(pa.table({"body": text.messages(500_000)}), path, compression="uncompressed")
    return pyarrow.feather.read_table(path)["body"].combine_chunks()


def messages(d, rows, accounts, files, bodies):
    rng, each = np.random.default_rng(rows + files), rows // files
    for i in range(files):
        write(pa.table({
            "message_id": pa.array(np.char.add(f"m{i}-", np.arange(each).astype(str))),
            "freelancer_id": ids(rng, each, accounts), "client_id": ids(rng, each, accounts),
            "sent_at": instants(rng, each), "body": bodies.take(pa.array(rng.integers(0, len(bodies), each))),
        }), d / f"messages/part-{i:05}.parquet")


def consent(d, accounts):
    rng, per_file = np.random.default_rng(accounts), 2_000_000
    for i, first in enumerate(range(0, 2 * accounts, per_file)):
        n = min(per_file, 2 * accounts - first)
        write(pa.table({
            "account_id": pa.array(np.char.add("a", ((first + np.arange(n)) // 2).astype(str))), "category": pa.array(["communications"] * n),
            "opted_in": pa.array(rng.random(n) < 0.8), "effective_at": instants(rng, n),
        }), d / f"consent/part-{i:03}.parquet")


def main():
    d, what, size = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    bodies = pool(d.parent / "bodies.arrow")
    rows, accounts, files = {"messages": (size, 100_000, max(1, size // 1_000_000)), "accounts": (100_000, size, 2),
                             "files": (size * 200, 100_000, size)}[what]
    messages(d, rows, accounts, files, bodies)
    consent(d, accounts)
    (d / "job.yaml").write_text(JOB)


main()
