"""Says what a program has put out, in hashes that do not depend on order, as one line
of JSON. usage: check.py assent|peer DATA OUT"""

import json
import sys

import duckdb

program, data, out = sys.argv[1:]
if program == "assent":
    kept = f"{out}/run=*/messages/**/*.parquet"

    def since(role):
        return f"list_filter(subjects, lambda s: s.role = '{role}' AND s.cause = 'opted_out')[1].since::TIMESTAMPTZ"

    excluded = f"""
        SELECT *, {since('freelancer')} AS freelancer_out, {since('client')} AS client_out
        FROM read_parquet('{out}/run=*/_manifest/exclusions/**/*.parquet', hive_partitioning = false)"""
else:
    kept = f"{out}/kept.parquet"
    excluded = f"SELECT * REPLACE (source_file[{len(data + '/messages/') + 1}:] AS source_file) FROM '{out}/excluded.parquet'"


def instant(c):  # in the range that nanoseconds have
    return f"CASE WHEN {c} < '1700-01-01' THEN '-infinity' ELSE {c} END"


con = duckdb.connect()
[(rows, ids, values)] = con.sql(f"""
    SELECT count(*), bit_xor(hash(message_id)), bit_xor(hash(*COLUMNS(*)))
    FROM read_parquet('{kept}', hive_partitioning = false)""").fetchall()
reasons = con.sql(f"""
    SELECT reason, count(*), bit_xor(hash(record_id, source_file, source_row::BIGINT)),
        bit_xor(hash(record_id, {instant('freelancer_out')}, {instant('client_out')})) FILTER (reason = 'opted_out')
    FROM ({excluded}) GROUP BY reason ORDER BY reason""").fetchall()
print(json.dumps({"kept": {"rows": rows, "ids": ids, "values": values},
                  "excluded": {reason: {"rows": n, "ids": ids, "since": since} for reason, n, ids, since in reasons}}))
