"""The yardsticks' job, done by pyarrow. usage: peer_pyarrow.py DATA OUT THREADS MOMENT...

Decides over the key columns of a file with joins of its compute engine, writes that file's exclusion list, and streams the
file's columns through the mask, a row group at a time.
"""

import functools
import json
import os
import pathlib
import sys
from datetime import datetime, timezone

data, out, threads, *moments = sys.argv[1:]

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

startup = sum(os.times()[:2])
pa.set_cpu_count(int(threads))
us = pa.timestamp("us", "UTC")
start, horizon, forever = (pa.scalar(datetime(*d, tzinfo=timezone.utc), us) for d in ((2026, 1, 5), (2026, 11, 20), (9999, 12, 31)))
parquet = dict(compression="zstd", compression_level=3)
os.makedirs(out)

# When each account was out. Of several events at one instant the highest sequence counts; at equal ones, out wins. A row an
# account, with as many spans as the account with most has: one join a party.
events = ds.dataset(f"{data}/consent_history").to_table(filter=pc.field("category") == "communications")
events = events.append_column("out", pc.invert(events["opted_in"])).sort_by(
    [("account_id", "ascending"), ("effective_at", "ascending"), ("sequence", "ascending"), ("out", "ascending")])
spans, account, since, was = {}, None, None, False
for a, at, is_out in zip(*(events[c].to_pylist() for c in ("account_id", "effective_at", "out"))):
    spans.setdefault(a, {})[at] = is_out
rows = []
for a, at in spans.items():
    of, since = [], None
    for t, is_out in at.items():
        if is_out and since is None:
            since = t
        elif not is_out and since is not None:
            of.append((since, t))
            since = None
    if since is not None:
        of.append((since, forever.as_py()))
    of = [(a0, a1) for a0, a1 in of if a1 > start.as_py() and a0 < horizon.as_py()]
    if of:
        rows.append((a, of))
most = max(len(of) for _, of in rows)
by_account = pa.table({"account": pa.array([a for a, _ in rows])} | {
    f"{edge}_{n}": pa.array([of[n][i] if n < len(of) else None for _, of in rows], us)
    for n in range(most) for i, edge in enumerate(("since", "until"))})


def missing(c):
    return pc.fill_null(pc.equal(c, ""), True)


def decide(keys):
    """The reason of each row, null where it is kept, and since when each party has been out."""
    keys = keys.append_column("row", pa.array(range(keys.num_rows), pa.int64()))
    for p in "freelancer", "client":
        of = by_account.rename_columns([f"{p}_{c}" for c in by_account.column_names])
        keys = keys.join(of, keys=f"{p}_id", right_keys=f"{p}_account", join_type="left outer")
        first = None
        for m in moments:
            for n in range(most):
                since, until = keys[f"{p}_since_{n}"], keys[f"{p}_until_{n}"]
                hit = pc.fill_null(pc.and_(pc.greater_equal(keys[m], since), pc.less(keys[m], until)), False)
                value = pc.if_else(hit, since, pa.scalar(None, us))
                first = value if first is None else pc.coalesce(first, value)
        keys = keys.append_column(f"{p}_out", first)
    keys = keys.select([c for c in keys.column_names if "_since_" not in c and "_until_" not in c]).sort_by("row")
    early = [pc.fill_null(pc.less(keys[m], start), False) for m in moments]
    late = [pc.fill_null(pc.greater_equal(keys[m], horizon), False) for m in moments]
    reason = pc.case_when(
        pc.make_struct(
            pc.or_(missing(keys["freelancer_id"]), missing(keys["client_id"])),
            pc.is_null(keys[moments[0]]),
            functools.reduce(pc.or_, early),
            functools.reduce(pc.or_, late),
            pc.or_(pc.is_valid(keys["freelancer_out"]), pc.is_valid(keys["client_out"]))),
        *(pa.scalar(r) for r in ("party_unknown", "moment_unknown", "before_program", "after_horizon", "opted_out")))
    return keys.append_column("reason", reason)


lists = kept = None
for f in sorted(pathlib.Path(data, "messages").rglob("*.parquet")):
    source = pq.ParquetFile(f)
    keys = decide(source.read(list(dict.fromkeys(["message_id", "freelancer_id", "client_id", *moments]))))
    mask = pc.is_null(keys["reason"])
    excluded = keys.filter(pc.invert(mask))
    excluded = pa.table({
        "record_id": excluded["message_id"], "source_file": pa.array([str(f)] * excluded.num_rows, pa.string()),
        "source_row": excluded["row"], "reason": excluded["reason"],
        "freelancer_out": excluded["freelancer_out"], "client_out": excluded["client_out"]})
    lists = lists or pq.ParquetWriter(f"{out}/excluded.parquet", excluded.schema, **parquet)
    lists.write_table(excluded)
    at = 0
    for group in range(source.num_row_groups):
        for batch in source.iter_batches(row_groups=[group], batch_size=131_072):
            table = pa.table(batch).filter(mask.slice(at, batch.num_rows))
            at += batch.num_rows
            kept = kept or pq.ParquetWriter(f"{out}/kept.parquet", table.schema, **parquet)
            kept.write_table(table)
lists.close(), kept.close()
print(json.dumps({"startup_cpu_s": startup}))
