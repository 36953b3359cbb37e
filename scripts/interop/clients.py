"""kubectl, gcloud and aws, as far as scripts/deploy calls them: tasks are processes of this machine, with the variables
that the engine sets, and repeated as the manifest says. What was submitted has ended when the client returns.

    python clients.py kubectl|gcloud|aws ARGUMENTS

CLIENTS is a directory: what was submitted is kept there, and CLIENTS/etc stands for /etc/assent of a container.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

DIR = Path(os.environ["CLIENTS"])
DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
TOGETHER = 4


def tasks(
    command: Sequence[str], n: int, variables: Callable[[int], dict[str, str]], repeats: int, final: Sequence[int]
) -> tuple[bool, str]:
    """Run n tasks. Each is repeated until it ends well, or with a final exit code, or too often. Returns what they answered."""
    command = [word.replace("/etc/assent", str(DIR / "etc")) for word in command]

    def task(index: int) -> tuple[bool, str]:
        for _ in range(repeats + 1):
            done = subprocess.run(command, env=os.environ | variables(index), stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode == 0 or done.returncode in final:
                break
        return done.returncode == 0, done.stdout

    with ThreadPoolExecutor(TOGETHER) as pool:
        ends = list(pool.map(task, range(n)))
    return all(well for well, _ in ends), "".join(log for _, log in ends)


def keep(name: str, well: bool, log: str) -> None:
    (DIR / f"{name}.json").write_text(json.dumps({"well": well, "log": log}))


def kept(name: str) -> dict[str, Any]:
    return json.loads((DIR / f"{name}.json").read_text())


def option(args: list[str], name: str) -> str:
    return args[args.index(name) + 1]


def kubectl(args: list[str]) -> int:
    if args[0] == "create":
        job = yaml.safe_load(sys.stdin)
        spec = job["spec"]
        [container] = spec["template"]["spec"]["containers"]
        name = f"{job['metadata']['generateName']}{len(list(DIR.glob('*.json')))}"
        indexed = spec.get("completionMode") == "Indexed"
        well, log = tasks(
            [*container["command"], *map(str, container["args"])],
            spec.get("completions", 1),
            lambda index: {"JOB_COMPLETION_INDEX": str(index)} if indexed else {},
            spec["backoffLimitPerIndex" if indexed else "backoffLimit"],
            [
                code
                for rule in spec["podFailurePolicy"]["rules"]
                if rule["action"] == "FailJob"
                for code in rule["onExitCodes"]["values"]
            ],
        )
        keep(name, well, log)
        print(f"job.batch/{name}")
    elif args[0] == "get":
        print("SuccessCriteriaMet Complete" if kept(args[1].removeprefix("job.batch/"))["well"] else "FailureTarget Failed")
    else:
        print(kept(args[1].removeprefix("job.batch/"))["log"], end="")
    return 0


def gcloud(args: list[str]) -> int:
    if args[:3] == ["run", "jobs", "execute"]:
        job = yaml.safe_load((DEPLOY / "cloudrun" / "shards.yaml").read_text())
        spec = job["spec"]["template"]["spec"]["template"]["spec"]
        n = int(option(args, "--tasks"))
        command = [*spec["containers"][0]["command"], *option(args, "--args").split(",")]
        well, log = tasks(
            command, n, lambda i: {"CLOUD_RUN_TASK_INDEX": str(i), "CLOUD_RUN_TASK_COUNT": str(n)}, spec["maxRetries"], []
        )
        print(log, end="")
        return 0 if well else 1
    if args[:3] == ["batch", "jobs", "submit"]:
        [group] = json.load(sys.stdin)["taskGroups"]
        n, spec = int(group["taskCount"]), group["taskSpec"]
        container = spec["runnables"][0]["container"]
        well, log = tasks(
            [container["entrypoint"], *container["commands"]],
            n,
            lambda i: {"BATCH_TASK_INDEX": str(i), "BATCH_TASK_COUNT": str(n)},
            spec["maxRetryCount"],
            spec["lifecyclePolicies"][0]["actionCondition"]["exitCodes"],
        )
        keep(args[3], well, log)
        return 0
    print("SUCCEEDED" if kept(args[3])["well"] else "FAILED")
    return 0


def aws(args: list[str]) -> int:
    if args[1] == "submit-job":
        job = json.loads((DEPLOY / "aws-batch" / "shards.json").read_text())
        n = int(option(args, "--array-properties").removeprefix("size="))
        own = {entry["name"]: entry["value"] for entry in json.loads(option(args, "--container-overrides"))["environment"]}
        retry = job["retryStrategy"]
        final = [int(rule["onExitCode"]) for rule in retry["evaluateOnExit"] if rule["action"] == "EXIT"]
        variables = lambda i: own | {"AWS_BATCH_JOB_ARRAY_INDEX": str(i)}  # noqa: E731
        keep("array", *tasks(job["containerProperties"]["command"], n, variables, retry["attempts"] - 1, final))
        print("array")
    else:
        print("SUCCEEDED" if kept("array")["well"] else "FAILED")
    return 0


if __name__ == "__main__":
    sys.exit({"kubectl": kubectl, "gcloud": gcloud, "aws": aws}[sys.argv[1]](sys.argv[2:]))
