"""What the checks of the engines share: nights that go well, nights that do not, and what has to be left of each.

An engine runs a program that is called assent. Here that is a script which writes down how it was called and hands on to
the real one, except that the first shard of a night can be made to end otherwise.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from lab import ASSENT, Checks, fresh, run, sample

SCRIPT = """#!/usr/bin/env bash
cd "$(dirname "$0")/.." || exit
first=$(cat first)
code=0
if [[ $1 == shard && $first != well ]] && mkdir tripped 2>/dev/null; then
    code=$first
    if [[ $first == killed || $first == "executor killed" ]]; then
        timeout --signal=KILL 0.05 {assent} "$@" >/dev/null
        echo "$1 killed" >>calls
        victim=$$
        if [[ $first != killed ]]; then # Spark's, the process of Java above this one
            until ((victim <= 1)) || grep -q CoarseGrainedExecutorBackend "/proc/$victim/cmdline"; do
                victim=$(ps -o ppid= -p "$victim" | tr -d ' ')
            done
        fi
        kill -KILL "$victim" $$
    fi
else
    {assent} "$@" || code=$?
fi
echo "$1 $code" >>calls
exit $code
"""


class Nights:
    """A market, the run that one process publishes of it, and nights over the same market on an engine."""

    def __init__(self, engine: str, checks: Checks) -> None:
        self.engine, self.checks = engine, checks
        self.dir = fresh(engine)
        self.market = sample(f"{engine}/market", rows=20_000, seed=11)
        self.want = run(self.market, self.dir / "one process")
        self.config = self.market / "job.yaml"
        self.bin = self.dir / "bin"
        self.bin.mkdir()
        (self.bin / "assent").write_text(SCRIPT.format(assent=Path(ASSENT).resolve()))
        (self.bin / "assent").chmod(0o755)

    def environment(self) -> dict[str, str]:
        """What an engine is started with."""
        return os.environ | {"PATH": f"{self.bin}:{os.environ['PATH']}", "TZ": "UTC"}

    def begin(self, name: str, first_shard: str = "well") -> Path:
        """The output of a new night. Its first shard ends well, is killed, alone or with its
        Spark executor, or ends with an exit code."""
        (self.dir / "first").write_text(first_shard)
        (self.dir / "calls").write_text("")
        shutil.rmtree(self.dir / "tripped", ignore_errors=True)
        return self.dir / f"out {name}".replace(" ", "-")

    def damaged(self) -> Path:
        """The configuration of the same market, with one data file damaged in its middle."""
        market = self.dir / "damaged"
        shutil.copytree(self.market, market)
        file = sorted((market / "messages").rglob("*.parquet"))[3]
        data = bytearray(file.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 64] = bytes(64)
        file.write_bytes(data)
        return market / "job.yaml"

    def calls(self, verb: str) -> list[str]:
        """How each process of a verb ended, this night: an exit code, or killed."""
        lines = [line.split() for line in (self.dir / "calls").read_text().splitlines()]
        return [end for of, end in lines if of == verb]

    def published(self, what: str, output: Path) -> None:
        """The night left what one process publishes."""
        what = f"{self.engine}: {what}"
        if not self.checks.that((output / "current.json").exists(), f"{what}: published"):
            return
        got = output / json.loads((output / "current.json").read_text())["run"]
        names = [sorted(str(p.relative_to(of)) for p in of.rglob("*") if p.is_file()) for of in [got, self.want]]
        self.checks.same(f"{what}: objects", *names)
        for name in set(names[0]) & set(names[1]) - {"_SUCCESS", "_manifest/report.html"}:
            both = [(of / name).read_bytes() for of in [got, self.want]]
            if name == "_manifest/run.json":
                both = [without_invocation(data) for data in both]
            self.checks.that(both[0] == both[1], f"{what}: bytes of {name}")

    def not_published(self, what: str, output: Path) -> None:
        left = [path.name for path in output.glob("*") if path.name == "current.json" or path.name.startswith("run=")]
        self.checks.same(f"{self.engine}: {what}: published", left, [])


def without_invocation(manifest: bytes) -> dict[str, Any]:
    document = json.loads(manifest)
    del document["invocation"]
    return document
