"""A night after another: what a run costs that starts from the one before, against one from nothing.

usage: nights.py ASSENT DIR [ROWS [ROUNDS]]

200 files of messages, one a day, in the order in which they were sent. Activity has heavy tails, as in marketplaces: most accounts
have one or two contracts, a few have hundreds; most contracts last some days and have few messages a day, which lie within two hours
or so. Three nights follow each other: on the first there is one more file, 500 toggles and three deletions of accounts by chance; on the
second nothing but a later horizon; on the third a client with some 300 contracts asks for deletion. CPU is user and system time of the
process; the two ways take turns. It checks that both publish the same bytes, and prints one line of JSON.

A file that was written less than a minute before a run is read again whole by the next one, as its times may hide a change. Nights lie
further apart than that, so this waits a minute after it has written inputs.
"""

import hashlib
import json
import os
import pathlib
import shutil
import statistics
import sys
import time
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from measure import measure

FILES, FREELANCERS, CLIENTS, CONTRACTS, EVENTS = 200, 50_000, 25_000, 100_000, 100_000
HEAVY = 300  # contracts of the account that asks for deletion on the third night
START = datetime(2026, 1, 5, tzinfo=timezone.utc)
US = pa.timestamp("us", "UTC")


def heavy(rng, accounts, n):
    """An account for each of n contracts: each account has one at least, most have few, some very many."""
    weight = rng.pareto(1.3, accounts)
    return rng.permutation(np.concatenate([np.arange(accounts), rng.choice(accounts, n - accounts, p=weight / weight.sum())]))


def contracts_of(rng):
    """Both sides, the first and the last day, and the messages a day, relative to others', of each contract."""
    first = rng.integers(-20, FILES + 1, CONTRACTS)
    days = np.ceil(rng.lognormal(np.log(4), 1.1, CONTRACTS)).astype(int)
    return heavy(rng, FREELANCERS, CONTRACTS), heavy(rng, CLIENTS, CONTRACTS), first, first + days, rng.lognormal(0, 1, CONTRACTS)


def day(d, number, rows, bodies, contracts):
    """Writes the messages of a day, of contracts that run then."""
    rng = np.random.default_rng(number)
    freelancer, client, first, last, busy = contracts
    running = np.flatnonzero((first <= number) & (number < last))
    c = rng.choice(len(running), rows, p=busy[running] / busy[running].sum())
    talk = rng.random(len(running)) * 22  # the hour at which a contract's people begin to talk
    hours = talk[c] + rng.random(rows) * 2
    order = np.argsort(hours)
    c, hours = running[c[order]], hours[order]
    sent = int((START + timedelta(days=number)).timestamp() * 1e6) + (hours * 3600e6).astype(np.int64)
    table = pa.table({
        "message_id": pa.array([f"m{number:03}-{i}" for i in range(rows)]),
        "contract_id": pa.array(np.char.add("c", c.astype(str))),
        "freelancer_id": pa.array(np.char.add("f", freelancer[c].astype(str))),
        "client_id": pa.array(np.char.add("k", client[c].astype(str))),
        "sent_at": pa.array(sent, pa.int64()).cast(US),
        "body": pa.array(bodies).take(pa.array(rng.integers(0, len(bodies), rows))),
    })
    path = d / f"messages/day-{number:03}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", row_group_size=max(1000, rows // 16))


def history(d, events):
    (d / "consent").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({
        "account_id": pa.array([e[0] for e in events]), "category": pa.array(["communications"] * len(events)),
        "opted_in": pa.array([e[1] for e in events]), "effective_at": pa.array([e[2] for e in events], US),
    }), d / "consent/history.parquet")


def deletions(d, requests):
    (d / "deletions").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({
        "account_id": pa.array([r[0] for r in requests]), "requested_at": pa.array([r[1] for r in requests], US),
        "request_id": pa.array([f"r{i}" for i in range(len(requests))]),
    }), d / "deletions/requests.parquet")


def account(rng):
    n = rng.integers(FREELANCERS + CLIENTS)
    return f"f{n}" if n < FREELANCERS else f"k{n - FREELANCERS}"


def run(assent, d, out, nights, *more):
    """One run; its CPU seconds and its result."""
    as_of = (START + timedelta(days=FILES + nights)).strftime("%Y-%m-%dT%H:%M:%SZ")
    figures, answer, _ = measure([assent, "run", "-c", d / "job.yaml", "--json", "--set", f"output={out}", "--set", f"inputs.consent.as_of={as_of}", *more])
    return figures["cpu_s"], json.loads(answer)


def digest(out, answer):
    """A digest over all that the run published but what differs between repeats."""
    root = pathlib.Path(out) / f"run={answer['run_id']}"
    h = hashlib.sha256()
    for f in sorted(root.rglob("*")):
        if f.is_file() and f.name not in ("run.json", "report.html", "_SUCCESS", "run.intoto.jsonl"):
            h.update(str(f.relative_to(root)).encode() + hashlib.sha256(f.read_bytes()).digest())
    manifest = json.loads((root / "_manifest/run.json").read_text())
    del manifest["invocation"]
    h.update(json.dumps(manifest, sort_keys=True).encode())
    return h.hexdigest()


def settle():
    time.sleep(61)


def compare(assent, d, earlier, nights, rounds):
    """Both ways of a night, in turn; what the one that starts from the earlier run has published is in out."""
    ratios, cpu = [], []
    for _ in range(rounds):
        out, nothing = d / "out", d / "nothing"
        for o in out, nothing:
            shutil.rmtree(o, ignore_errors=True)
        shutil.copytree(earlier, out, copy_function=os.link)
        a, answer = run(assent, d, out, nights)
        b, fresh = run(assent, d, nothing, nights, "--no-reuse")
        if digest(out, answer) != digest(nothing, fresh):
            sys.exit(f"nights: night {nights}: the two runs differ")
        ratios.append(b / a), cpu.append((a, b))
    reused = answer.get("reused", {"files": 0, "row_groups": 0})
    return {"ratio": round(statistics.median(ratios), 1), "reused_files": reused["files"], "reused_row_groups": reused["row_groups"],
            "cpu_s": [round(statistics.median(c[i] for c in cpu), 3) for i in (0, 1)]}


def main(assent, d, rows=50_000, rounds=3):
    d, rows, rounds = pathlib.Path(d), int(rows), int(rounds)
    shutil.rmtree(d, ignore_errors=True)
    d.mkdir(parents=True)
    rng = np.random.default_rng(1)
    words = [w.strip() for w in " the project draft invoice please see attached file review thanks design page code test next week call update version final scope".split()]
    bodies = [" ".join(rng.choice(words, rng.integers(5, 60))) for _ in range(20_000)]
    contracts = contracts_of(rng)
    for number in range(FILES):
        day(d, number, rows, bodies, contracts)
    events = [(account(rng), bool(rng.random() < 0.5), START + timedelta(days=float(rng.random() * FILES))) for _ in range(EVENTS)]
    history(d, events)
    asked = [(account(rng), START + timedelta(days=float(rng.random() * FILES))) for _ in range(100)]
    deletions(d, asked)
    (d / "job.yaml").write_text("""version: 1
program: {name: nights, starts_at: 2026-01-05T00:00:00Z}
output: out
inputs:
  consent: {path: consent/}
  deletions: {path: deletions/}
datasets:
  messages: {path: messages/, subjects: {}, moments: {sent: sent_at}}
""")
    settle()
    earlier = d / "earlier"
    run(assent, d, earlier, 0)
    figures = {"rows": rows * FILES}
    for nights, name in enumerate(("night", "horizon", "heavy"), 1):
        if name == "night":
            day(d, FILES, rows, bodies, contracts)
            for _ in range(500):
                events.append((account(rng), bool(rng.random() < 0.5), START + timedelta(days=FILES + float(rng.random() * 0.9))))
            history(d, events)
            asked += [(account(rng), START + timedelta(days=FILES, hours=5)) for _ in range(3)]
        if name == "heavy":
            client, of = np.unique(contracts[1], return_counts=True)
            heavy_one = np.abs(of - HEAVY).argmin()
            figures["heavy_contracts"] = int(of[heavy_one])
            asked.append((f"k{client[heavy_one]}", START + timedelta(days=FILES + 2, hours=5)))
        if name != "horizon":
            deletions(d, asked)
            settle()
        figures[name] = compare(assent, d, earlier, nights, rounds)
        shutil.rmtree(earlier)
        shutil.move(d / "out", earlier)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
