"""Runs the yardsticks and prints them: see README.md. Started by scripts/bench/run."""

import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys

import picture
import tables
from measure import ASSENT, BUILD, FLOOR, HERE, MIB, OUT, PYTHON, ROOT, assent, fresh, measure, python, say, size, warm

ROWS = int(os.environ.get("BENCH_ROWS", 3_000_000))
EVENTS = int(os.environ.get("BENCH_EVENTS", 2 * ROWS))
RUNS = int(os.environ.get("BENCH_RUNS", 5))
VM_HOUR = float(os.environ.get("BENCH_VM_HOUR", 0.0971))  # of 2 vCPUs and 8 GiB
ALL = "random clustered wide night scan verify access history memory growth".split()
CASES = os.environ.get("BENCH_CASES", " ".join(ALL)).split()
DATA = BUILD / f"data-{ROWS}"

PEERS = {
    "DuckDB": ["peer_duckdb.py", "fast"],
    "DuckDB, lean": ["peer_duckdb.py", "lean"],
    "Polars": ["peer_polars.py"],
    "pyarrow": ["peer_pyarrow.py"],
}
GROWTH = {
    "messages": [1_000_000, 3_000_000, 10_000_000, 30_000_000],
    "accounts": [10_000, 100_000, 1_000_000, 5_000_000, 20_000_000],
    "files": [10, 100, 1_000, 5_000, 20_000],
}
MOMENTS = {"random": ["sent_at", "edited_at"], "clustered": ["sent_at", "edited_at"], "wide": ["sent_at"]}


def peer(name, data, moments, threads):
    out = fresh("peer")
    script, *form = PEERS[name]
    figures, answer, _ = measure([PYTHON, HERE / script, *form, data, out, threads, *moments])
    # Starting Python and importing the library is not their work.
    startup = json.loads(answer)["startup_cpu_s"]
    figures["cpu_s"] -= startup
    figures["wall_s"] -= startup
    return figures | {"kept_bytes": size("kept.parquet", out), "excluded_bytes": size("excluded.parquet", out)}


def agree(case, name, data, agreed):
    """Holds what a program put out against what the first one did."""
    program, out = ("assent", "assent") if name == "assent" else ("peer", "peer")
    said = json.loads(python("check.py", program, data, OUT / out))
    if agreed and said != agreed:
        sys.exit(f"bench: {case}: {name} differs from assent:\n{json.dumps(said)}\n{json.dumps(agreed)}")
    return said


def pages(out):
    """What became of the data pages, from the run manifest."""
    total = {}
    for f in json.loads(next(out.glob("run=*/_manifest/run.json")).read_text())["datasets"]["messages"]["files"]:
        for k, v in f["pages"].items():
            total[k] = total.get(k, 0) + v
    return total


def compare(case):
    """assent, then each peer, then assent again …: whatever slows the machine down for a while slows all of them.
    The lean form of DuckDB is there for its memory alone; a wide table does not fit its limit."""
    data, moments = DATA / case, MOMENTS[case]
    warm(data)
    names = ["assent", *(p for p in PEERS if case == "random" or not p.endswith("lean"))]
    runs, one, agreed, floors = {name: [] for name in names}, {name: [] for name in names if not name.endswith("lean")}, None, []
    for n in range(RUNS):
        say(f"{case}: round {n + 1} of {RUNS}")
        runs["assent"].append(assent(data, "--workers", "2")[0])
        agreed = agree(case, "assent", data, agreed)
        floors.append(json.loads(measure([FLOOR, data, *(OUT / "assent").glob("run=*")])[1]))
        for name in names[1:]:
            runs[name].append(peer(name, data, moments, "2"))
            agree(case, name, data, agreed)
        for name in one:
            one[name].append(assent(data, "--workers", "1", threads="1")[0] if name == "assent" else peer(name, data, moments, "1"))
    return {"runs": runs, "one_thread": one, "outcome": agreed, "pages": pages(OUT / "assent"), "floor": floors,
            "input_bytes": size("messages/**/*.parquet", data)}


def night():
    """A night after another, each from the one before and from nothing: see nights.py."""
    say("night")
    return json.loads(python("nights.py", ASSENT, BUILD / "nights", max(2000, ROWS // 200), max(1, RUNS // 2)))


def scan():
    """DuckDB reads what assent wrote, and what DuckDB wrote of the same rows."""
    assent(DATA / "random", "--workers", "2")
    peer("DuckDB", DATA / "random", MOMENTS["random"], "2")
    say("scan")
    return json.loads(python("scan.py", OUT / "assent", OUT / "peer", RUNS))


def after(*command):
    """A command over a published run of the random case, beside the run itself."""
    runs = []
    for n in range(RUNS):
        say(f"{command[0]}: round {n + 1} of {RUNS}")
        published = assent(DATA / "random", "--workers", "2")[0]
        root, to = next((OUT / "assent").glob("run=*")), ["--to", fresh("access")] if command[0] == "access" else []
        runs.append({"run": published, "command": measure([ASSENT, *command, "--run", root, *to])[0]})
    return runs


def access():
    account = json.loads(python("account.py", DATA / "random"))["account"]
    return after("access", "-c", DATA / "random/job.yaml", "--set", f"output={OUT / 'assent'}", "--subject", account)


def history():
    """Loading a long consent history end to end, and the index by itself."""
    data = DATA / f"history-{EVENTS}"
    warm(data)
    runs = []
    for n in range(RUNS):
        say(f"history: round {n + 1} of {RUNS}")
        runs.append(assent(data, "--dry-run", "--workers", "2")[0])
    say("history: go test -bench")
    short = ["-short"] if EVENTS < 50_000_000 else []
    lines = subprocess.run(["go", "test", "-run", "^$", "-bench", "^Benchmark(Build|Decide)$", "-benchtime", "3x",
                            "-cpu", "1", *short, "./filter"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    micro = {name: {unit: float(v) for v, unit in re.findall(r"([\d.e+]+) (\S+/\S+)", rest)}
             for name, rest in re.findall(r"^Benchmark(\w+)\S*\s+\d+\s+(.*)$", lines, re.M)}  # of several sizes the last, the largest
    return {"runs": runs, "events": EVENTS, "micro": micro}


def memory():
    """Peak memory as the program comes, over many files and over one."""
    runs = {}
    for case in "random", "one_file":
        warm(DATA / case)
        say(f"memory: {case}")
        runs[case] = assent(DATA / case, threads=str(os.cpu_count()))[0]
    return runs


def growth():
    """One run for each size: see growth.py. Where there are few messages, sizes are cut in proportion, to see that all works."""
    results, d = {}, BUILD / "growth"
    for what, sizes in GROWTH.items():
        results[what] = []
        for n in sizes:
            n = max(2, int(n * min(1, ROWS / 3_000_000)))
            say(f"growth: {n:,} {what}")
            shutil.rmtree(d, ignore_errors=True)
            python("growth.py", d, what, n)
            figures = assent(d, "--workers", "2")[0]
            index = figures["index_bytes"] / MIB
            results[what].append({"size": n, "cpu_s": figures["cpu_s"], "index_mib": index, "peak_mib": figures["peak_rss"] / MIB - index})
    shutil.rmtree(d, ignore_errors=True)
    return results


def processor():
    try:
        return re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)[1]
    except (OSError, TypeError):
        return platform.machine()


def publish(results):
    about = {"assent": measure([ASSENT, "version"])[1].split()[-1], "peers": (HERE / "requirements.txt").read_text().split(),
             "rows": ROWS, "rounds": RUNS, "vm_hour": VM_HOUR, "processor": processor(), "cores": os.cpu_count(),
             "load": os.getloadavg()}
    (BUILD / "results.json").write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")
    (BUILD / "results.md").write_text("\n".join(tables.lines(about, results)) + "\n")
    (BUILD / "results.svg").write_text(picture.draw(about, results))


def main():
    if unknown := set(CASES) - set(ALL):
        sys.exit(f"bench: BENCH_CASES: no such case: {' '.join(unknown)}")
    if not ASSENT.exists():
        sys.exit(f"bench: no {ASSENT}: make build")
    python("data.py", ASSENT, DATA, ROWS, EVENTS)
    steps = {c: (lambda c=c: compare(c)) for c in MOMENTS} | {
        "night": night, "scan": scan, "verify": lambda: after("verify", "-c", DATA / "random/job.yaml", "--set", f"output={OUT / 'assent'}"), "access": access,
        "history": history, "memory": memory, "growth": growth}
    results = {}
    for case in (c for c in ALL if c in CASES):
        results[case] = steps[case]()
        publish(results)  # a case that fails costs no other
    shutil.rmtree(OUT, ignore_errors=True)
    print((BUILD / "results.md").read_text(), end="")


if __name__ == "__main__":
    main()
