"""How long DuckDB takes to read assent's output and its own, in turns, as one line of JSON. usage: scan.py ASSENT_OUT DUCKDB_OUT ROUNDS"""

import json
import os
import sys

import duckdb

outs = {"assent": f"{sys.argv[1]}/run=*/messages/**/*.parquet", "DuckDB": f"{sys.argv[2]}/kept.parquet"}
con = duckdb.connect()
con.execute("SET threads = 2")
spent = {name: [] for name in outs}
for n in range(int(sys.argv[3]) + 1):
    for name, files in outs.items():
        begin = sum(os.times()[:2])
        con.sql(f"SELECT bit_xor(hash(*COLUMNS(*))) FROM read_parquet('{files}', hive_partitioning = false)").fetchall()
        if n:  # the first one warms
            spent[name].append(sum(os.times()[:2]) - begin)
print(json.dumps(spent))
