"""Names an account with a middling number of messages, as one line of JSON. usage: account.py DATA"""

import json
import sys

import duckdb

[(account, rows)] = duckdb.sql(f"""
    WITH each AS (SELECT freelancer_id AS account, count(*) AS n FROM read_parquet('{sys.argv[1]}/messages/**/*.parquet')
                  WHERE freelancer_id <> '' GROUP BY ALL)
    FROM each ORDER BY abs(n - (SELECT median(n) FROM each)), account LIMIT 1""").fetchall()
print(json.dumps({"account": account, "messages": rows}))
