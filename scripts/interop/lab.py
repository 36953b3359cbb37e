"""What the checks share: where things are, how assent is run, how a difference is told."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "scripts" / "interop"
WORK = ROOT / "build" / "interop"
PATIENCE = 600  # seconds, on a machine that has other things to do
ASSENT = os.environ.get("ASSENT", ROOT / "assent")


def fresh(name: str) -> Path:
    """An empty directory below build/interop."""
    path = WORK / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def assent(*args: str | Path) -> dict[str, Any]:
    """Run ./assent and return its answer. What it logs is shown where it fails."""
    done = subprocess.run(
        [ASSENT, *map(str, args)], capture_output=True, text=True, check=False, env=os.environ | {"TZ": "UTC"}
    )
    if done.returncode != 0:
        sys.exit(f"assent {' '.join(map(str, args))}: exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def quietly(*args: str | Path) -> tuple[int, dict[str, Any]]:
    """Run ./assent and return its exit code and its answer, which is empty where there is none."""
    done = subprocess.run(
        [ASSENT, *map(str, args)], capture_output=True, text=True, check=False, env=os.environ | {"TZ": "UTC"}
    )
    return done.returncode, json.loads(done.stdout or "{}")


def sample(name: str, rows: int, seed: int) -> Path:
    """A made-up marketplace below build/interop, with the rules that the checks decide by themselves: its job has no aliases
    and organisations, takes no posting for private and hands over each column as it is."""
    path = WORK / name
    shutil.rmtree(path, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    assent("sample", "--to", path, "--rows", str(rows), "--seed", str(seed))
    job = path / "job.yaml"
    text = re.sub(r"(?m)^  (aliases|organisations):\n(    .*\n)+", "", job.read_text())
    job.write_text(re.sub(r"(?m)^(    (private: |pseudonymise: |redact: |coarsen: |columns: \{drop)|pseudonym_key_file: ).*\n", "", text))
    return path


def run(market: Path, output: Path, *args: str | Path) -> Path:
    """Run the market's job into a fresh output and return the published run."""
    shutil.rmtree(output, ignore_errors=True)
    assent("run", "-c", market / "job.yaml", "--set", f"output={output}", *args)
    return output / json.loads((output / "current.json").read_text())["run"]


def free_ports(n: int) -> list[int]:
    """Ports of loopback on which nothing listens."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(n)]
        return [s.getsockname()[1] for s in sockets]


def wait_for(what: str, holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"not within {PATIENCE} s: {what}")
        time.sleep(0.1)


class Checks:
    """Counts what was compared and tells every difference."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def same(self, what: str, got: Any, want: Any) -> bool:
        return self.that(got == want, what, f"got  {got!r}\nwant {want!r}")

    def that(self, holds: bool, what: str, otherwise: str = "") -> bool:
        if holds:
            self.passed += 1
            return True
        self.failed += 1
        print(f"DIFFERS {what}", *otherwise.splitlines(), sep="\n    ", flush=True)
        return False

    def exit(self) -> None:
        """End the program with the line that a CI reads."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)
