"""Runs the yardsticks and prints them: see README.md. Started by scripts/bench/run.

Only the standard library, so that this process stays small: the kernel counts the
memory of a parent against a child's peak.
"""

import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROWS = int(os.environ.get("BENCH_ROWS", 5_000_000))
EVENTS = int(os.environ.get("BENCH_EVENTS", 2 * ROWS))
RUNS = int(os.environ.get("BENCH_RUNS", 3))
THREADS = os.environ.get("BENCH_THREADS", "2")
CASES = os.environ.get("BENCH_CASES", "random clustered wide history memory").split()

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build/bench"
DATA = BUILD / f"data-{ROWS}"
OUT = BUILD / "out"
ASSENT, PYTHON, FLOOR = pathlib.Path(os.environ.get("BENCH_ASSENT", ROOT / "assent")), BUILD / "venv/bin/python", BUILD / "floor"
ENV = os.environ | {"ASSENT_SUBJECT_KEY": "eWFyZHN0aWNrLXlhcmRzdGljay15YXJkc3RpY2shISE="}

PEERS = {
    "DuckDB": ["peer_duckdb.py", "fast"],
    "DuckDB, lean": ["peer_duckdb.py", "lean"],
    "Polars": ["peer_polars.py"],
}
COMPARED = {  # case: its moments, and how many times less CPU and memory is wanted
    "random": (["sent_at", "edited_at"], 2, 2),
    "clustered": (["sent_at", "edited_at"], 10, None),
    "wide": (["sent_at"], 3, None),
}
MIB = 1 << 20


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def measure(command, env=ENV):
    """Runs a command; its CPU, time and peak memory, and what it wrote to stdout and stderr."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begin = time.monotonic()
        child = subprocess.Popen([str(c) for c in command], stdout=out, stderr=err, env=env)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        figures = {"cpu_s": used.ru_utime + used.ru_stime, "wall_s": wall,
                   "peak_rss": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)}
        log = err.read()
        if child.returncode:
            sys.exit(f"{log}bench: {command[0]} {command[1]}: exit code {child.returncode}")
        return figures, out.read(), log


def python(script, *args):
    done = subprocess.run([PYTHON, HERE / script, *map(str, args)], stdout=subprocess.PIPE, text=True)
    return done.stdout if done.returncode == 0 else sys.exit(f"bench: {script}: exit code {done.returncode}")


def warm(d):
    """Reads all files once, so that every program finds them in the page cache."""
    for f in d.rglob("*.parquet"):
        with f.open("rb", buffering=0) as r:
            while r.read(MIB):
                pass


def fresh(name):
    d = OUT / name
    shutil.rmtree(d, ignore_errors=True)
    d.parent.mkdir(parents=True, exist_ok=True)
    os.sync()  # what the last program wrote is not written back while the next one runs
    return d


def size(pattern, d):
    return sum(f.stat().st_size for f in d.glob(pattern))


def assent(data, *flags, env=ENV):
    """One run of assent over a data set; what it published stays until the next one."""
    out = fresh("assent")
    figures, answer, log = measure([ASSENT, "run", "--json", "--log-format=json", "-c", data / "job.yaml", *flags], env)
    loaded = next(l for l in map(json.loads, log.splitlines()) if l["msg"] == "history loaded")
    figures |= {"index_bytes": loaded["index_bytes"], "kept_bytes": size("run=*/messages/**/*.parquet", out),
                "excluded_bytes": size("run=*/_manifest/exclusions/**/*.parquet", out)}
    return figures, json.loads(answer)


def peer(name, data, moments):
    out = fresh("peer")
    script, *form = PEERS[name]
    figures, answer, _ = measure([PYTHON, HERE / script, *form, data, out, THREADS, *moments])
    # Starting Python and importing the library is not their work.
    figures["cpu_s"] -= json.loads(answer)["startup_cpu_s"]
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


def peers(case):
    """The lean form is there for its memory alone; a wide table does not fit its limit."""
    return [p for p in PEERS if COMPARED[case][2] or not p.endswith("lean")]


def compare(case):
    """assent, then each peer, then assent again …: whatever slows the machine down for
    a while slows all of them."""
    data, moments = DATA / case, COMPARED[case][0]
    warm(data)
    env = ENV | {"GOMAXPROCS": THREADS}
    runs, agreed, floors = {name: [] for name in ("assent", *peers(case))}, None, []
    for n in range(RUNS):
        say(f"{case}: round {n + 1} of {RUNS}")
        runs["assent"].append(assent(data, "--workers", THREADS, env=env)[0])
        agreed = agree(case, "assent", data, agreed)
        floors.append(json.loads(measure([FLOOR, data, *(OUT / "assent").glob("run=*")])[1]))
        for name in peers(case):
            runs[name].append(peer(name, data, moments))
            agree(case, name, data, agreed)
    return {"runs": runs, "outcome": agreed, "pages": pages(OUT / "assent"), "floor": floors,
            "input_bytes": size("messages/**/*.parquet", data)}


def history():
    """Loading a long consent history end to end, and the index by itself."""
    data = DATA / f"history-{EVENTS}"
    warm(data)
    runs = []
    for n in range(RUNS):
        say(f"history: round {n + 1} of {RUNS}")
        runs.append(assent(data, "--dry-run", "--workers", THREADS, env=ENV | {"GOMAXPROCS": THREADS})[0])
    say("history: go test -bench")
    short = ["-short"] if EVENTS < 50_000_000 else []
    lines = subprocess.run(["go", "test", "-run", "^$", "-bench", "^Benchmark(Build|Decide)$", "-benchtime", "3x",
                            "-cpu", "1", *short, "./filter"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    micro = {name: {unit: float(v) for v, unit in re.findall(r"([\d.e+]+) (\S+/\S+)", rest)}
             for name, rest in re.findall(r"^Benchmark(\w+)\s+\d+\s+(.*)$", lines, re.M)}
    return {"runs": runs, "events": EVENTS, "micro": micro}


def memory():
    """Peak memory as the program comes, over many files and over one."""
    runs = {}
    for case in "random", "one_file":
        warm(DATA / case)
        say(f"memory: {case}")
        runs[case] = assent(DATA / case)[0]
    return runs


def spread(values, form="{:.2f}"):
    lo, mid, hi = (form.format(v) for v in (min(values), statistics.median(values), max(values)))
    return mid if lo == hi else f"{mid} ({lo}–{hi})"


def ratios(runs, names, of):
    """The best of names over assent, round by round."""
    return [min(runs[p][n][of] for p in names) / runs["assent"][n][of] for n in range(RUNS)]


def tables(results):
    """The figures of each program, and the yardsticks, in Markdown."""
    yield "| case | program | CPU s | wall s | peak MiB | kept MB | excluded MB | CPU ÷ assent's |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for case in (c for c in COMPARED if c in results):
        runs = results[case]["runs"]
        for name, figures in runs.items():
            each = lambda k, unit=1: [f[k] / unit for f in figures]
            yield (f"| {case} | {name} | {spread(each('cpu_s'))} | {spread(each('wall_s'))} | {spread(each('peak_rss', MIB), '{:.0f}')} "
                   f"| {spread(each('kept_bytes', 1e6), '{:.1f}')} | {spread(each('excluded_bytes', 1e6), '{:.1f}')} "
                   f"| {spread(ratios(runs, [name], 'cpu_s'))} |")
    yield ""
    yield "| yardstick | wanted | measured |"
    yield "| --- | --- | --- |"
    for case, (_, cpu, rss) in COMPARED.items():
        if case not in results:
            continue
        r, names = results[case], peers(case)
        runs, floors = r["runs"], [f["decompress_cpu_s"] + f["compress_cpu_s"] for f in r["floor"]]
        kept, excluded = r["outcome"]["kept"]["rows"], sum(x["rows"] for x in r["outcome"]["excluded"].values())
        fate = ", ".join(f"{n / sum(r['pages'].values()):.0%} {how}" for how, n in r["pages"].items())
        yield f"| {case}: CPU of the best peer ÷ assent's | ≥ {cpu} | {spread(ratios(runs, names, 'cpu_s'))} |"
        yield f"| {case}: peak memory of the best peer ÷ assent's | {f'≥ {rss}' if rss else '–'} | {spread(ratios(runs, names, 'peak_rss'))} |"
        yield (f"| {case}: size of assent's data files ÷ the smallest peer's | ≤ 1.05 "
               f"| {spread([1 / x for x in ratios(runs, names, 'kept_bytes')], '{:.3f}')} |")
        yield (f"| {case}: assent's CPU ÷ the codec floor ({spread(floors)} s) | {'≤ 1.3' if case == 'random' else '–'} "
               f"| {spread([x['cpu_s'] / f for x, f in zip(runs['assent'], floors)])} |")
        yield (f"| {case}: rows kept; pages mixed by the selection; pages as assent wrote them | – | {kept / (kept + excluded):.0%}; "
               f"{r['floor'][0]['mixed_pages'] / r['floor'][0]['pages']:.0%}; {fate} |")
    if "history" in results:
        h = results["history"]
        rate = lambda k, unit, scale: "{:.1f}".format(h["micro"].get(k, {}).get(unit, 0) / scale)
        yield f"| index built, M events/s a core | ≥ 2 | {rate('Build', 'events/cpu-s', 1e6)} |"
        yield f"| index, bytes an event | ≤ 40 | {rate('Build', 'B/event', 1)} |"
        yield f"| M decisions/s a core | ≥ 10 | {rate('Decide', 'decisions/cpu-s', 1e6)} |"
        yield f"| `run --dry-run`, {EVENTS / 1e6:g} M events in Parquet: M events/s a core | – | {spread([EVENTS / r['cpu_s'] / 1e6 for r in h['runs']])} |"
        yield f"| the same: peak MiB (of it the index) | – | {spread([r['peak_rss'] / MIB for r in h['runs']], '{:.0f}')} ({h['runs'][0]['index_bytes'] / MIB:.0f}) |"
    for case, r in results.get("memory", {}).items():
        yield (f"| default settings, {case}: peak MiB beside the index ({r['index_bytes'] / MIB:.0f} MiB) | ≤ 256 "
               f"| {(r['peak_rss'] - r['index_bytes']) / MIB:.0f} |")


def processor():
    try:
        return re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)[1]
    except (OSError, TypeError):
        return platform.machine()


def main():
    if unknown := set(CASES) - {*COMPARED, "history", "memory"}:
        sys.exit(f"bench: BENCH_CASES: no such case: {' '.join(unknown)}")
    if not ASSENT.exists():
        sys.exit(f"bench: no {ASSENT}: make build")
    python("data.py", ASSENT, DATA, ROWS, EVENTS)
    steps = {c: (lambda c=c: compare(c)) for c in COMPARED} | {"history": history, "memory": memory}
    results = {}
    for case in (c for c in steps if c in CASES):
        results[case] = steps[case]()
        publish(results)  # a case that fails costs no other
    shutil.rmtree(OUT, ignore_errors=True)
    print((BUILD / "results.md").read_text(), end="")


def publish(results):
    about = {"assent": measure([ASSENT, "version"])[1].split()[-1], "peers": (HERE / "requirements.txt").read_text().split(),
             "rows": ROWS, "rounds": RUNS, "threads": int(THREADS), "processor": processor(), "cores": os.cpu_count(),
             "load": os.getloadavg()}
    (BUILD / "results.json").write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")
    text = "\n".join([
        f"{ROWS / 1e6:g} M messages, {THREADS} threads of {about['processor']}; assent {about['assent']}, {', '.join(about['peers'])}; "
        f"median of {RUNS} rounds (least–most); load of the machine {about['load'][0]:.1f} at the end.", "", *tables(results)]) + "\n"
    (BUILD / "results.md").write_text(text)


main()
