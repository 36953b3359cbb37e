"""A night of assent on Airflow 3: plan, shards side by side, commit. Then the asset says that there is a new run.

assent must be on PATH where tasks run. From the environment: ASSENT_CONFIG, the job's configuration; ASSENT_TASKS, how
many tasks share the shards of a night at most; ASSENT_RETRY_SECONDS, how long a task that failed waits.

A task that failed with exit code 1, or was killed, is repeated: a plan, a shard and a commit that were done before are
found done. Usage errors, refusals and bad input (2, 3 and 4) would end the same way again: such a task is not repeated.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Asset, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

CONFIG = os.environ.get("ASSENT_CONFIG", "/etc/assent/job.yaml")
TASKS = int(os.environ.get("ASSENT_TASKS", "16"))
RETRY = timedelta(seconds=int(os.environ.get("ASSENT_RETRY_SECONDS", "60")))
RUNS = Asset("assent_runs")


def assent(*arguments: str) -> dict[str, Any]:
    """What assent answers. Its log goes to the task's log."""
    done = subprocess.run(["assent", *arguments, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode in (2, 3, 4):
        raise AirflowFailException(f"assent {arguments[0]}: exit {done.returncode}: {done.stdout.strip()}")
    done.check_returncode()
    return json.loads(done.stdout)


@dag(
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 5),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": RETRY},
)
def assent_night() -> None:
    @task
    def plan(dag_run: Any = None) -> list[dict[str, Any]]:
        """The arguments of each shard task."""
        night = dag_run.logical_date or dag_run.run_after
        horizon = night.strftime("%Y-%m-%dT00:00:00Z")  # the midnight before
        answer = assent("plan", "-c", CONFIG, "--set", f"inputs.consent.as_of={horizon}")
        if answer["status"] == "already_published":
            raise AirflowSkipException(f"nothing is new: {answer['uri']}")
        tasks = min(TASKS, answer["shards"])
        return [{"plan": answer["plan"], "index": index, "count": tasks} for index in range(tasks)]

    @task
    def shard(plan: str, index: int, count: int) -> dict[str, Any]:
        return assent("shard", "--plan", plan, "--index", str(index), "--count", str(count))

    @task(outlets=[RUNS])
    def commit(shards: list[dict[str, Any]], outlet_events: Any = None) -> dict[str, Any]:
        answer = assent("commit", "--plan", shards[0]["plan"])
        outlet_events[RUNS].extra = {"uri": answer["uri"]}
        return answer

    commit(shard.expand_kwargs(plan()))


assent_night()
