"""The yardsticks' job, done by DuckDB. usage: peer_duckdb.py FORM DATA OUT THREADS MOMENT...

FORM fast decides over the key columns into a table, from which the exclusion list is
written, and then copies the rows that are not in it: the least CPU of what was tried.
FORM lean joins twice, once for each output, and holds no table: the least memory.
"""

import json
import os
import sys

import duckdb

startup = sum(os.times()[:2])
form, data, out, threads, *moments = sys.argv[1:]
start, horizon = "TIMESTAMPTZ '2026-01-05T00:00:00Z'", "TIMESTAMPTZ '2026-11-20T00:00:00Z'"
parquet = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3, WRITE_BLOOM_FILTER false"
if form == "lean":
    parquet += ", ROW_GROUP_SIZE 61440"

os.makedirs(out)
con = duckdb.connect()
con.execute(f"SET threads = {threads}")
con.execute(f"SET memory_limit = '{dict(fast='2GB', lean='300MB')[form]}'")
con.execute(f"SET temp_directory = '{out}/tmp'")
con.execute("SET preserve_insertion_order = false")

# When each account was out. Of several events at one instant the highest sequence
# counts; at equal ones, out wins.
con.execute(f"""
    CREATE TEMP TABLE spans AS
    WITH settled AS (
        SELECT account_id AS account, effective_at AS t, arg_max(opted_in, (sequence, NOT opted_in)) AS state
        FROM read_parquet('{data}/consent_history/*.parquet') WHERE category = 'communications' GROUP BY ALL),
    turns AS (SELECT *, lag(state, 1, true) OVER (PARTITION BY account ORDER BY t) AS was FROM settled),
    flips AS (SELECT *, lead(t, 1, 'infinity') OVER (PARTITION BY account ORDER BY t) AS until FROM turns WHERE state <> was)
    SELECT account, t AS since, until FROM flips WHERE NOT state AND until > {start} AND t < {horizon}""")

# The spans of an account are disjoint: a join over one of them finds one row at most.
joins = "\n".join(
    f"LEFT JOIN spans AS {p}_{m} ON {p}_id = {p}_{m}.account AND {m} >= {p}_{m}.since AND {m} < {p}_{m}.until"
    for p in ("freelancer", "client") for m in moments)
messages = f"read_parquet('{data}/messages/**/*.parquet', hive_partitioning = false)"
decided = f"""
    SELECT messages.*,
        coalesce({', '.join(f'freelancer_{m}.since' for m in moments)}) AS freelancer_out,
        coalesce({', '.join(f'client_{m}.since' for m in moments)}) AS client_out,
        CASE
            WHEN coalesce(freelancer_id, '') = '' OR coalesce(client_id, '') = '' THEN 'party_unknown'
            WHEN {moments[0]} IS NULL THEN 'moment_unknown'
            WHEN least({', '.join(moments)}) < {start} THEN 'before_program'
            WHEN greatest({', '.join(moments)}) >= {horizon} THEN 'after_horizon'
            WHEN freelancer_out IS NOT NULL OR client_out IS NOT NULL THEN 'opted_out'
        END AS reason
    FROM (SELECT *, filename, file_index, file_row_number FROM {messages}) AS messages {joins}"""
excluded = f"""
    SELECT message_id AS record_id, filename AS source_file, file_index, file_row_number AS source_row,
        reason, freelancer_out, client_out
    FROM ({decided}) WHERE reason IS NOT NULL"""
if form == "fast":
    con.execute(f"CREATE TEMP TABLE excluded AS {excluded}")
    excluded = "FROM excluded"
    kept = f"""
        SELECT * FROM {messages} AS m WHERE NOT EXISTS (
            FROM excluded AS e WHERE e.file_index = m.file_index AND e.source_row = m.file_row_number)"""
else:
    kept = f"""
        SELECT * EXCLUDE (filename, file_index, file_row_number, reason, freelancer_out, client_out)
        FROM ({decided}) WHERE reason IS NULL"""
con.execute(f"COPY (SELECT * EXCLUDE (file_index) FROM ({excluded})) TO '{out}/excluded.parquet' ({parquet})")
con.execute(f"COPY ({kept}) TO '{out}/kept.parquet' ({parquet})")
print(json.dumps({"startup_cpu_s": startup}))
