"""A night of assent on Spark: plan, the shards as tasks, commit.

    spark-submit assent_night.py TASKS -c JOB.YAML [options of `assent plan`]

assent must be on PATH of the driver and of every executor. Spark repeats a task that failed or whose executor went
(spark.task.maxFailures times, 4 by default); a shard that was done before is found done. Usage errors, refusals and bad
input (exit 2, 3 and 4) would end the same way again: such a task hands its code to the driver, which ends with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from pyspark.sql import SparkSession


def assent(*arguments: str) -> dict[str, Any]:
    """What assent answers; where it is refused, the answer says so, and with which exit code."""
    done = subprocess.run(["assent", *arguments, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 2, 3, 4):
        done.check_returncode()
    return json.loads(done.stdout or "{}") | {"exit": done.returncode}


def night(tasks: int, *config: str) -> dict[str, Any]:
    """The answer of the night's last step."""
    answer = assent("plan", *config)
    if answer["exit"] or answer["status"] == "already_published":
        return answer
    plan, tasks = answer["plan"], min(tasks, answer["shards"])
    spark = SparkSession.builder.appName("assent").getOrCreate()
    indexes = spark.sparkContext.parallelize(range(tasks), tasks)
    shards = indexes.map(lambda i: assent("shard", "--plan", plan, "--index", str(i), "--count", str(tasks))).collect()
    spark.stop()
    return next((shard for shard in shards if shard["exit"]), None) or assent("commit", "--plan", plan)


if __name__ == "__main__":
    last = night(int(sys.argv[1]), *sys.argv[2:])
    print(json.dumps(last))
    sys.exit(last["exit"])
