"""The nights in scripts/deploy on engines that no single machine is: Kubernetes, Cloud Run, AWS Batch and Google's Batch.

The scripts run as they are, against clients.py beside this file, which runs each task of a manifest as a process with the
variables of the engine. That the engines know what is in the manifests, scripts/deploy/check tests.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from lab import HERE, ROOT, Checks
from night import Nights

TASKS = "5"
PATIENCE = 600  # seconds


def main() -> None:
    checks = Checks()
    nights = Nights("clouds", checks)
    clients = nights.dir / "clients"
    (clients / "etc").mkdir(parents=True)
    for name in ["kubectl", "gcloud", "aws"]:
        client = nights.bin / name
        client.write_text(f'#!/usr/bin/env bash\nexec "{sys.executable}" "{HERE}/clients.py" {name} "$@"\n')
        client.chmod(0o755)
    settings = {"CLIENTS": str(clients), "POLL": "0", "TASKS": TASKS, "IMAGE": "assent", "AS_OF": "2026-11-20T00:00:00Z"}
    settings |= {"PROJECT": "project", "LOCATION": "here", "QUEUE": "queue"}
    environment = nights.environment() | settings

    def night(engine: str, what: str, code: int, first_shard: str = "well", gates: str = "1.0") -> Path:
        """A night that must end with an exit code. Returns its output."""
        output = nights.begin(f"{engine} {what}", first_shard)
        text = (
            nights.config.read_text()
            .replace("output: out", f"output: {output}")
            .replace("max_excluded: 1.0", f"max_excluded: {gates}")
        )
        job = nights.market / "night.yaml"
        job.write_text(text)
        shutil.copytree(nights.market, clients / "etc", dirs_exist_ok=True)
        job.rename(clients / "etc" / "job.yaml")
        script = str(ROOT / "scripts" / "deploy" / engine / "night")
        config = ["-c", str(clients / "etc" / "job.yaml")]
        command = {"kubernetes": [script], "cloudrun": [script, TASKS, *config]}.get(engine, [script, *config])
        start = time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        print(f"{engine}: {what}: exit {done.returncode}, {time.monotonic() - start:.0f} s", flush=True)
        if not checks.same(f"{engine}: {what}: exit", done.returncode, code):
            print(done.stdout, done.stderr)
        return output

    for engine in ["kubernetes", "cloudrun", "aws-batch", "gcp-batch"]:
        nights.engine = engine
        output = night(engine, "a task is killed", 0, first_shard="killed")
        checks.same(f"{engine}: tasks, one killed and repeated", sorted(nights.calls("shard")), ["0"] * int(TASKS) + ["killed"])
        nights.published("a task is killed", output)

        output = night(engine, "a gate refuses", 1 if engine == "kubernetes" else 3, gates="0.01")
        checks.same(f"{engine}: commits, by exit code", nights.calls("commit"), ["3"])
        nights.not_published("a gate refuses", output)

        if engine == "cloudrun":
            continue  # it repeats whatever the exit code was
        output = night(engine, "a task is refused", 1, first_shard="3")
        checks.same(
            f"{engine}: tasks, one refused and not repeated", sorted(nights.calls("shard")), ["0"] * (int(TASKS) - 1) + ["3"]
        )
        checks.same(f"{engine}: commits after a refused task", nights.calls("commit"), [])
        nights.not_published("a task is refused", output)
    checks.exit()


if __name__ == "__main__":
    main()
