"""What every case of the yardsticks needs: where things lie, and one process measured.

Only the standard library, so that this process stays small: the kernel counts the memory of a parent against a child's peak.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build/bench"
OUT = BUILD / "out"
ASSENT, PYTHON, FLOOR = pathlib.Path(os.environ.get("BENCH_ASSENT", ROOT / "assent")), BUILD / "venv/bin/python", BUILD / "floor"
ENV = os.environ | {"ASSENT_SUBJECT_KEY": "eWFyZHN0aWNrLXlhcmRzdGljay15YXJkc3RpY2shISE="}
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


def assent(data, *flags, threads="2"):
    """One run of assent over a data set, from nothing; what it published stays until the next one."""
    out = fresh("assent")
    figures, answer, log = measure([ASSENT, "run", "--json", "--log-format=json", "-c", data / "job.yaml",
                                    "--set", f"output={out}", *flags], ENV | {"GOMAXPROCS": threads})
    loaded = next(l for l in map(json.loads, log.splitlines()) if l["msg"] == "history loaded")
    figures |= {"index_bytes": loaded["index_bytes"], "kept_bytes": size("run=*/messages/**/*.parquet", out),
                "excluded_bytes": size("run=*/_manifest/exclusions/**/*.parquet", out)}
    return figures, json.loads(answer)
