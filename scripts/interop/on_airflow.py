"""scripts/airflow on a real Airflow 3, by `airflow dags test`: one DAG that runs processes, and one that runs pods.

The pods' API server is pods.py beside this file. Airflow has a virtual environment of its own.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab import HERE, ROOT, Checks
from night import Nights

BIN = ROOT / "build" / "venv-airflow" / "bin"
PATIENCE = 900  # seconds a night, on a machine that has other things to do
TASKS = 3


class Airflow:
    def __init__(self, nights: Nights, environment: dict[str, str]) -> None:
        self.nights, self.checks = nights, nights.checks
        self.home = nights.dir / "home"
        self.home.mkdir()
        self.environment = nights.environment() | environment
        self.environment["PATH"] = f"{nights.bin}:{BIN}:{self.environment['PATH']}"
        self.environment |= {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": str(PATIENCE),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "scripts" / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "ASSENT_RETRY_SECONDS": "1",
            "ASSENT_TASKS": str(TASKS),
        }
        self.command("db", "migrate")

    def command(self, *args: str, may_fail: bool = False) -> int:
        log = self.home / "log"
        with log.open("ab") as to:
            done = subprocess.run(["airflow", *args], env=self.environment, stdout=to, stderr=to, timeout=PATIENCE, check=False)
        if done.returncode and not may_fail:
            sys.exit(f"airflow {' '.join(args)}: exit {done.returncode}\n{log.read_text()[-5000:]}")
        return done.returncode

    def night(self, dag: str, what: str, fails: bool = False) -> None:
        (self.home / "log").write_bytes(b"")
        start = time.monotonic()
        code = self.command("dags", "test", dag, "2026-11-20", may_fail=True)
        print(f"Airflow: {dag}: {what}: exit {code}, {time.monotonic() - start:.0f} s", flush=True)
        if not self.checks.same(f"Airflow: {dag}: {what}: exit", code, int(fails)):
            print((self.home / "log").read_text()[-5000:])

    def select(self, query: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.home / "airflow.db")) as db:
            return db.execute(query).fetchall()

    def states(self, dag: str) -> dict[str, list[tuple[str, int]]]:
        """How each task of the DAG's last run ended, and in which try."""
        states: dict[str, list[tuple[str, int]]] = {}
        query = f"SELECT task_id, state, try_number FROM task_instance WHERE dag_id = '{dag}' ORDER BY task_id, map_index"
        for task, state, tries in self.select(query):
            states.setdefault(task, []).append((state, tries))
        return states


@contextlib.contextmanager
def pods(dir: Path, environment: dict[str, str]) -> Iterator[Path]:
    """The pods' API server. Yields the file that says where it is."""
    dir.mkdir()
    log = (dir / "log").open("wb")
    server = subprocess.Popen([BIN / "python", HERE / "pods.py", dir], env=environment, stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE
        while not (dir / "kubeconfig").exists():
            if time.monotonic() > end or server.poll() is not None:
                sys.exit(f"pods.py does not listen\n{(dir / 'log').read_text()}")
            time.sleep(0.1)
        yield dir / "kubeconfig"
    finally:
        server.terminate()
        server.wait()
        log.close()


def check(airflow: Airflow, dag: str, last: str) -> None:
    """Nights of a DAG, whose last task hands on the answer and publishes the asset."""
    nights, checks = airflow.nights, airflow.checks

    def settings(name: str, first_shard: str = "well", gates: str = "1.0") -> Path:
        output = nights.begin(f"{dag} {name}", first_shard)
        job = nights.market / f"{dag}-{name}.yaml"
        text = nights.config.read_text().replace("output: out", f"output: {output}")
        job.write_text(text.replace("max_excluded: 1.0", f"max_excluded: {gates}"))
        airflow.environment["ASSENT_CONFIG"] = str(job)
        return output

    output = settings("killed", "killed")
    airflow.night(dag, "a shard is killed")
    states = airflow.states(dag)
    checks.same(
        f"Airflow: {dag}: shards, and their tries", sorted(states["shard"]), [("success", 1)] * (TASKS - 1) + [("success", 2)]
    )
    checks.same(f"Airflow: {dag}: shards' processes", sorted(nights.calls("shard")), ["0"] * TASKS + ["killed"])
    nights.published(f"{dag}: a shard is killed", output)
    [(value,)] = airflow.select(f"SELECT value FROM xcom WHERE dag_id = '{dag}' AND task_id = '{last}' AND key = 'return_value'")
    answer = json.loads(value)
    answer = json.loads(answer) if isinstance(answer, str) else answer
    checks.same(f"Airflow: {dag}: what is handed on", answer.get("status"), "published")
    events = [json.loads(extra) for (extra,) in airflow.select("SELECT extra FROM asset_event ORDER BY id DESC LIMIT 1")]
    checks.same(f"Airflow: {dag}: asset's event", events, [{"uri": answer.get("uri")}])

    nights.begin(f"{dag} killed")
    airflow.night(dag, "nothing is new")
    others = {task: ends for task, ends in airflow.states(dag).items() if task not in ("plan", "shards")}
    checks.that(
        all(state == "skipped" for ends in others.values() for state, _ in ends),
        f"Airflow: {dag}: nothing new is skipped",
        str(others),
    )
    checks.same(f"Airflow: {dag}: nothing new: processes", [nights.calls("shard"), nights.calls("commit")], [[], []])

    if dag == "assent_night":
        output = settings("refused", first_shard="3")
        airflow.night(dag, "a shard is refused", fails=True)
        ends = sorted(airflow.states(dag)["shard"])
        checks.same(
            f"Airflow: {dag}: shards, one refused and not repeated", ends, [("failed", 1)] + [("success", 1)] * (TASKS - 1)
        )
        checks.same(f"Airflow: {dag}: commits after a refused shard", nights.calls("commit"), [])
    else:
        output = settings("refused", gates="0.01")
        airflow.night(dag, "a gate refuses", fails=True)
        checks.same(f"Airflow: {dag}: commits that were refused", nights.calls("commit"), ["3"])
        checks.same(f"Airflow: {dag}: how the commit ended", airflow.states(dag)["commit"], [("failed", 1)])
    nights.not_published(f"{dag}: refused", output)


def main() -> None:
    checks = Checks()
    nights = Nights("airflow", checks)
    with pods(nights.dir / "pods", nights.environment()) as kubeconfig:
        airflow = Airflow(nights, {"KUBECONFIG": str(kubeconfig)})
        for dag, last in {"assent_night": "commit", "assent_night_kubernetes": "published"}.items():
            if not sys.argv[1:] or dag in sys.argv[1:]:
                check(airflow, dag, last)
    checks.exit()


if __name__ == "__main__":
    main()
