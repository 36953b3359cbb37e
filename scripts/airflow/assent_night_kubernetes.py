"""A night of assent on Airflow 3, each step in a pod of its own: plan, shards side by side, commit. Then the asset says
that there is a new run.

From the environment: ASSENT_IMAGE, which has assent and sh; ASSENT_CONFIG, the job's configuration in the pod;
ASSENT_NAMESPACE; ASSENT_TASKS, how many pods share the shards of a night at most; ASSENT_RETRY_SECONDS, how long a step
that failed waits. The namespace has the config map assent (job.yaml) and the secret assent (ASSENT_SUBJECT_KEY).

What is repeated, and what is not, is as in assent_night.py.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import Asset, dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from kubernetes.client import models as k8s

CONFIG = os.environ.get("ASSENT_CONFIG", "/etc/assent/job.yaml")
TASKS = int(os.environ.get("ASSENT_TASKS", "16"))
RETRY = timedelta(seconds=int(os.environ.get("ASSENT_RETRY_SECONDS", "60")))
RUNS = Asset("assent_runs")
HORIZON = "{{ (dag_run.logical_date or dag_run.run_after).strftime('%Y-%m-%dT00:00:00Z') }}"  # the midnight before

POD: dict[str, Any] = {
    "image": os.environ.get("ASSENT_IMAGE", "registry/assent:v1"),
    "namespace": os.environ.get("ASSENT_NAMESPACE", "assent"),
    "service_account_name": "assent",
    # The answer is the task's result: Airflow takes it from this file.
    "cmds": ["sh", "-c", 'exec assent "$@" --json >/airflow/xcom/return.json', "assent"],
    "do_xcom_push": True,
    "env_from": [k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name="assent"))],
    "volumes": [k8s.V1Volume(name="job", config_map=k8s.V1ConfigMapVolumeSource(name="assent"))],
    "volume_mounts": [k8s.V1VolumeMount(name="job", mount_path="/etc/assent", read_only=True)],
    "container_resources": k8s.V1ResourceRequirements(requests={"cpu": "2", "memory": "1Gi"}, limits={"memory": "1Gi"}),
}


class Assent(KubernetesPodOperator):
    """A pod that runs assent. It is not repeated where it would end the same way again."""

    def cleanup(self, pod: k8s.V1Pod, remote_pod: k8s.V1Pod, *args: Any, **kwargs: Any) -> None:
        try:
            super().cleanup(pod, remote_pod, *args, **kwargs)
        except AirflowException as error:
            for status in remote_pod.status.container_statuses or []:
                ended = status.state.terminated
                if status.name == self.base_container_name and ended and ended.exit_code in (2, 3, 4):
                    raise AirflowFailException(f"exit {ended.exit_code}: {error}") from error
            raise


@dag(
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 5),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": RETRY},
)
def assent_night_kubernetes() -> None:
    plan = Assent(task_id="plan", arguments=["plan", "-c", CONFIG, "--set", f"inputs.consent.as_of={HORIZON}"], **POD)

    @task
    def shards(plan: dict[str, Any]) -> list[list[str]]:
        """The arguments of each shard task."""
        if plan["status"] == "already_published":
            raise AirflowSkipException(f"nothing is new: {plan['uri']}")
        tasks = min(TASKS, plan["shards"])
        return [["shard", "--plan", plan["plan"], "--index", str(index), "--count", str(tasks)] for index in range(tasks)]

    shard = Assent.partial(task_id="shard", **POD).expand(arguments=shards(plan.output))
    commit = Assent(task_id="commit", arguments=["commit", "--plan", "{{ ti.xcom_pull('plan')['plan'] }}"], **POD)

    @task(outlets=[RUNS])
    def published(run: dict[str, Any], outlet_events: Any = None) -> dict[str, Any]:
        outlet_events[RUNS].extra = {"uri": run["uri"]}
        return run

    shard >> commit >> published(commit.output)


assent_night_kubernetes()
