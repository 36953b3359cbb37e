"""scripts/deploy/spark on a real Spark: a local cluster of two executors, of which one is killed in the middle of a shard."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from lab import ROOT, Checks
from night import Nights

SUBMIT = ROOT / "build" / "venv" / "bin" / "spark-submit"
SCRIPT = ROOT / "scripts" / "deploy" / "spark" / "assent_night.py"
PATIENCE = 900  # seconds a night, on a machine that has other things to do
TASKS = 4
SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.executor.memory": "512m",
    "spark.log.level": "ERROR",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def main() -> None:
    checks = Checks()
    nights = Nights("spark-night", checks)
    environment = nights.environment() | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_WORKER_DIR": str(nights.dir / "work")}
    environment["PYSPARK_PYTHON"] = str(SUBMIT.with_name("python"))
    settings = [word for key, value in SETTINGS.items() for word in ["--conf", f"{key}={value}"]]

    def night(what: str, code: int, config: Path, first_shard: str = "well") -> Path:
        """A night that must end with an exit code. Returns its output."""
        output = nights.begin(what, first_shard)
        job = ["-c", config, "--set", f"output={output}"]
        start = time.monotonic()
        done = subprocess.run(
            [SUBMIT, "--master", "local-cluster[2,1,1024]", *settings, SCRIPT, str(TASKS), *job],
            cwd=nights.dir, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        print(f"Spark: {what}: exit {done.returncode}, {time.monotonic() - start:.0f} s", flush=True)
        if not checks.same(f"Spark: {what}: exit", done.returncode, code):
            print(done.stdout[-2000:], done.stderr[-4000:], sep="\n")
        answer = json.loads((done.stdout.strip().splitlines() or ["{}"])[-1])
        checks.same(f"Spark: {what}: exit in the answer", answer.get("exit"), code)
        return output

    output = night("an executor is killed", 0, nights.config, first_shard="executor killed")
    checks.same("Spark: shards, one killed and repeated", sorted(nights.calls("shard"))[-1], "killed")
    checks.that(len(nights.calls("shard")) > TASKS, "Spark: shards' processes", str(nights.calls("shard")))
    nights.published("an executor is killed", output)

    output = night("a file is damaged", 4, nights.damaged())
    checks.same("Spark: shards, one of bad input and not repeated", sorted(nights.calls("shard")), ["0"] * (TASKS - 1) + ["4"])
    checks.same("Spark: commits after bad input", nights.calls("commit"), [])
    nights.not_published("a file is damaged", output)
    checks.exit()


if __name__ == "__main__":
    main()
