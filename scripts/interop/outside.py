"""What monitoring and lineage are told of runs, by their own parsers, classes and schemas.

Figures: the official parser of Prometheus reads the metrics file of a run that was published and of one that was refused, and
they are those of run.json; the dashboard and the alerts ask for metrics that there are, and promtool, where it is installed,
checks and tries the rules. Lineage: openlineage-python has a class for every facet, and the published JSON schemas accept
every event.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import openlineage.client.facet_v2 as facets
import yaml
from jsonschema import Draft202012Validator
from openlineage.client.event_v2 import Dataset, InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from prometheus_client.parser import text_string_to_metric_families
from referencing import Registry, Resource

from lab import ROOT, Checks, assent, fresh, quietly, sample

PARENT = "airflow/market.nightly/01234567-89ab-7def-8123-456789abcdef"
DEPLOY = ROOT / "scripts" / "deploy"
CORPUS = Path(os.environ.get("ASSENT_OPENLINEAGE", ROOT.parent / "shared" / "corpora" / "openlineage"))

CLASSES = {
    "processing_engine": facets.processing_engine_run.ProcessingEngineRunFacet, "parent": facets.parent_run.ParentRunFacet,
    "errorMessage": facets.error_message_run.ErrorMessageRunFacet, "jobType": facets.job_type_job.JobTypeJobFacet,
    "version": facets.dataset_version_dataset.DatasetVersionDatasetFacet, "schema": facets.schema_dataset.SchemaDatasetFacet,
    "columnLineage": facets.column_lineage_dataset.ColumnLineageDatasetFacet,
    "outputStatistics": facets.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
}  # fmt: skip


def figures(file: Path) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value
        for family in text_string_to_metric_families(file.read_text()) for each in family.samples
    }  # fmt: skip


def check_metrics(checks: Checks, file: Path, manifest: dict[str, Any], refused: Path) -> None:
    got, no = figures(file), figures(refused)
    checks.same("metrics: exit codes", [got["assent_exit_code", ()], no["assent_exit_code", ()]], [0, 3])
    for name, dataset in manifest["datasets"].items():
        for outcome in ["kept", "excluded"]:
            labels = (("dataset", name), ("outcome", outcome))
            checks.same(f"metrics: {name}: {outcome}", got["assent_records", labels], dataset[f"rows_{outcome}"])
        for reason, count in dataset["excluded_by_reason"].items():
            labels = (("dataset", name), ("reason", reason))
            checks.same(f"metrics: {name}: {reason}", got["assent_excluded_records", labels], count)
        size = sum(each["bytes"] for each in dataset["files"])
        checks.same(f"metrics: {name}: bytes", got["assent_data_bytes", (("dataset", name),)], size)
    gate = (("dataset", "messages"), ("gate", "max_excluded"))
    checks.same("metrics: the gate that refused", (no["assent_gate_limit", gate], no["assent_gate_passed", gate]), (0.01, 0))
    checks.that(no["assent_gate_value", gate] > 0.01, "metrics: its value")

    known = {name for name, _ in got}
    rules = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"][0]["rules"]
    panels = json.loads((DEPLOY / "dashboard.json").read_text())["panels"]
    asked = [rule["expr"] for rule in rules] + [target["expr"] for panel in panels for target in panel["targets"]]
    for expression in asked:
        names = set(re.findall(r"assent_[a-z_]+", expression))
        checks.that(bool(names) and names <= known, f"deploy: {expression}", f"unknown: {names - known}")
    checks.same("deploy: alerts", len(rules), 3)


def series(values: dict[tuple[str, tuple[tuple[str, str], ...]], float]) -> list[dict[str, str]]:
    """The figures as promtool's tests of rules take them: the same for an hour."""
    made = []
    for (name, labels), value in values.items():
        text = ",".join(f"{key}={json.dumps(label)}" for key, label in labels)
        made.append({"series": f"{name}{{{text}}}", "values": f"{value!r}x60"})
    return made


def check_alerts(checks: Checks, work: Path, published: Path, refused: Path) -> None:
    """promtool tries each rule on what real runs wrote: the one that was published and the one that was refused."""
    promtool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if not promtool:
        print("promtool is not installed: the alerts are not tried", flush=True)
        return
    rules = DEPLOY / "alerts.yaml"
    checks.same("promtool check rules", subprocess.run([promtool, "check", "rules", rules], capture_output=True, check=False).returncode, 0)
    text = published.read_text().encode()
    checks.same("promtool check metrics", subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False).returncode, 0)
    for name, file, firing in [
        ("published", published, set()),
        ("refused", refused, {"AssentRunFailed"}),
        ("near", published, {"AssentGateNearLimit"}),
        ("stale", published, {"AssentHorizonStale"}),
    ]:  # fmt: skip
        values = figures(file)
        for key in values:
            if key[0] == "assent_horizon_timestamp_seconds":
                values[key] = -40 * 3600 if name == "stale" else 0  # the clock of these tests begins at 0
            if key[0] == "assent_gate_limit" and name == "near":
                values[key] = values.get(("assent_gate_value", key[1]), 0) / 0.95
        lines = [
            {"expr": f'count(ALERTS{{alertname="{rule}", alertstate="firing"}}) or vector(0)', "eval_time": "30m",
             "exp_samples": [{"labels": "{}", "value": "WANT"}]}
            for rule in ["AssentRunFailed", "AssentGateNearLimit", "AssentHorizonStale"]
        ]  # fmt: skip
        tests = []
        for line in lines:
            rule = line["expr"].split('"')[1]
            if rule in firing and rule == "AssentGateNearLimit":
                want = 3  # data sets
            else:
                want = int(rule in firing)
            tests.append(line | {"exp_samples": [{"labels": "{}", "value": want}]})
        test = work / f"alerts-{name}.yaml"
        test.write_text(yaml.safe_dump({
            "rule_files": [str(rules)], "evaluation_interval": "1m",
            "tests": [{"interval": "1m", "input_series": series(values), "promql_expr_test": tests}],
        }))  # fmt: skip
        done = subprocess.run([promtool, "test", "rules", test], capture_output=True, text=True, check=False)
        checks.same(f"promtool test rules: {name}", done.returncode, 0)
        if done.returncode:
            print(done.stdout, done.stderr, flush=True)


def made(kind: type, node: dict[str, Any]) -> Any:
    """The class of openlineage-python with a facet's fields: an unknown or a missing one is an error."""
    return kind(**{key: value for key, value in node.items() if not key.startswith("_")})


def facets_of(node: dict[str, Any] | None) -> dict[str, Any]:
    return {name: made(CLASSES[name], each) for name, each in (node or {}).items()}


def check_class(checks: Checks, event: dict[str, Any]) -> None:
    inputs = [InputDataset(each["namespace"], each["name"], facets=facets_of(each["facets"])) for each in event["inputs"]]
    outputs = [
        OutputDataset(
            each["namespace"], each["name"], facets=facets_of(each["facets"]), outputFacets=facets_of(each["outputFacets"])
        )
        for each in event["outputs"]
    ]
    whole = RunEvent(
        eventType=RunState[event["eventType"]], eventTime=event["eventTime"], producer=event["producer"],
        run=Run(event["run"]["runId"], facets_of(event["run"]["facets"])),
        job=Job(event["job"]["namespace"], event["job"]["name"], facets_of(event["job"]["facets"])), inputs=inputs, outputs=outputs,
    )  # fmt: skip
    checks.that(isinstance(whole.inputs[0], Dataset), f"openlineage-python: {event['eventType']}")


def check_schemas(checks: Checks, events: list[dict[str, Any]]) -> None:
    """The published schemas accept each event and each of its facets, and refuse one without a run id."""
    if not CORPUS.is_dir():
        print("OpenLineage's schemas are not there: events are not validated", flush=True)
        return
    documents = [json.loads(file.read_text()) for file in sorted(CORPUS.glob("*.json"))]
    registry = Registry().with_resources([(each["$id"], Resource.from_contents(each)) for each in documents])
    known = {each["$id"] for each in documents}

    def errors(node: Any, schema: str) -> list[str]:
        validator = Draft202012Validator({"$ref": schema}, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)
        return [each.message for each in validator.iter_errors(node)]

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "_schemaURL" in node:
                url = node["_schemaURL"]
                checks.that(url.split("#")[0] in known, f"OpenLineage: {url}", "no such schema")
                checks.same(f"OpenLineage: {url.split('/')[-1]}", errors(node, url), [])
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    for event in events:
        checks.same(f"OpenLineage: {event['eventType']}: RunEvent", errors(event, event["schemaURL"]), [])
        walk(event)
    broken = events[0] | {"run": {}}
    checks.that(bool(errors(broken, broken["schemaURL"])), "OpenLineage: an event without a run id is refused")


def main() -> None:
    checks = Checks()
    work = fresh("outside")
    market = sample("outside/market", 2_000, 6)
    log, metrics, refused = work / "events.json", work / "run.prom", work / "refused.prom"
    os.environ |= {"OPENLINEAGE__TRANSPORT__TYPE": "file", "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": str(log), "OPENLINEAGE_PARENT_ID": PARENT}
    answer = assent("run", "-c", market / "job.yaml", "--set", f"output={work / 'out'}", "--metrics-file", metrics)
    code, _ = quietly("run", "-c", market / "job.yaml", "--set", f"output={work / 'no'}", "--set", "gates.max_excluded=0.01", "--metrics-file", refused)
    checks.same("a run that is refused: exit", code, 3)
    manifest = json.loads((Path(answer["uri"]) / "_manifest" / "run.json").read_text())
    check_metrics(checks, metrics, manifest, refused)
    check_alerts(checks, work, metrics, refused)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    checks.same("events", [each["eventType"] for each in events], ["START", "COMPLETE", "START", "FAIL"])
    for event in events:
        check_class(checks, event)
    check_schemas(checks, events)
    filters = events[1]["outputs"][0]["facets"]["columnLineage"]["dataset"]
    checks.that(any(each["field"] == "opted_in" and each["transformations"] == [{"type": "INDIRECT", "subtype": "FILTER"}] for each in filters), "consent is an indirect filter")
    checks.exit()


if __name__ == "__main__":
    main()
