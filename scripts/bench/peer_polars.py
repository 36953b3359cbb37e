"""The yardsticks' job, done by Polars. usage: peer_polars.py DATA OUT THREADS MOMENT...

Decides over the key columns, which gives the exclusion list and a mask, and then
streams all columns through the mask: of what was tried, about the least CPU, and the
least memory by far.
"""

import json
import os
import pathlib
import sys
from datetime import datetime, timezone

data, out, threads, *moments = sys.argv[1:]
os.environ["POLARS_MAX_THREADS"] = threads  # before the import

import polars as pl
from polars import col

startup = sum(os.times()[:2])
start, horizon, forever = (datetime(*d, tzinfo=timezone.utc) for d in ((2026, 1, 5), (2026, 11, 20), (9999, 12, 31)))
sink = dict(compression="zstd", compression_level=3, maintain_order=False, lazy=True)
os.makedirs(out)

# When each account was out. Of several events at one instant the highest sequence
# counts; at equal ones, out wins.
spans = (
    pl.scan_parquet(f"{data}/consent_history/*.parquet")
    .filter(col("category") == "communications")
    .sort("account_id", "effective_at", "sequence", ~col("opted_in"))
    .group_by("account_id", "effective_at", maintain_order=True).agg(col("opted_in").last())
    .filter(col("opted_in") != col("opted_in").shift(1).over("account_id").fill_null(True))
    .with_columns(until=col("effective_at").shift(-1).over("account_id").fill_null(forever))
    .filter(~col("opted_in"), col("until") > start, col("effective_at") < horizon)
    .select(account="account_id", n=pl.int_range(pl.len()).over("account_id"), since="effective_at", until="until")
    .collect()
)
# A row an account, with as many spans as the account with most has: one join a party.
most = spans["n"].max() + 1
by_account = spans.filter(n=0).select("account", since_0="since", until_0="until")
for n in range(1, most):
    more = spans.filter(n=n).select("account", col("since").alias(f"since_{n}"), col("until").alias(f"until_{n}"))
    by_account = by_account.join(more, on="account", how="left")

files = sorted(pathlib.Path(data, "messages").rglob("*.parquet"))
messages = pl.concat([
    pl.scan_parquet(f, row_index_name="source_row", hive_partitioning=False).with_columns(source_file=pl.lit(str(f)))
    for f in files])
columns = [c for c in messages.collect_schema().names() if c not in ("source_file", "source_row")]

keys = messages.select("message_id", "freelancer_id", "client_id", *moments, "source_file", "source_row")
for p in "freelancer", "client":
    prefixed = by_account.lazy().select(pl.all().name.prefix(f"{p}_"))
    keys = keys.join(prefixed, left_on=f"{p}_id", right_on=f"{p}_account", how="left", maintain_order="left").with_columns(
        pl.coalesce([
            pl.when(col(m) >= col(f"{p}_since_{n}"), col(m) < col(f"{p}_until_{n}")).then(col(f"{p}_since_{n}"))
            for m in moments for n in range(most)
        ]).alias(f"{p}_out"))


def missing(c):
    return c.is_null() | (c == "")


decided = keys.with_columns(
    reason=pl.when(missing(col("freelancer_id")) | missing(col("client_id"))).then(pl.lit("party_unknown"))
    .when(col(moments[0]).is_null()).then(pl.lit("moment_unknown"))
    .when(pl.min_horizontal(moments) < start).then(pl.lit("before_program"))
    .when(pl.max_horizontal(moments) >= horizon).then(pl.lit("after_horizon"))
    .when(col("freelancer_out").is_not_null() | col("client_out").is_not_null()).then(pl.lit("opted_out")))
excluded = decided.filter(col("reason").is_not_null()).select(
    col("message_id").alias("record_id"), "source_file", "source_row", "reason", "freelancer_out", "client_out")
_, mask = pl.collect_all(
    [excluded.sink_parquet(f"{out}/excluded.parquet", **sink), decided.select(keep=col("reason").is_null())],
    engine="streaming")
kept = pl.concat([messages.select(columns), mask.lazy()], how="horizontal").filter("keep").select(columns)
kept.sink_parquet(f"{out}/kept.parquet", **sink).collect(engine="streaming")
print(json.dumps({"startup_cpu_s": startup}))
