"""A real Prometheus scrapes what `assent run --metrics-file` wrote, answers the dashboard and evaluates the alerts.

Two programmes are served over HTTP, as a node exporter would. The file of one is replaced night by night: a good night, one that
was refused, one near a gate and one whose consent is old. On the good night every expression of the dashboard answers through
Prometheus's HTTP API with run.json's figures, and no alert fires; on each bad night the alert that is meant for it fires, for
that programme alone.
"""

from __future__ import annotations

import contextlib
import datetime
import http.server
import json
import math
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lab import PATIENCE, ROOT, Checks, assent, free_ports, fresh, quietly, sample, wait_for

DEPLOY = ROOT / "scripts" / "deploy"
DATASETS = ["deliverables", "events", "messages"]
ALERTS = ["AssentGateNearLimit", "AssentHorizonStale", "AssentRunFailed"]

CONF = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: night
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
    metrics_path: /night
  - job_name: other
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
    metrics_path: /other
"""


@contextlib.contextmanager
def served(files: Path) -> Iterator[int]:
    """Serves the files of a directory on a port, as Prometheus asks for them."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = files / f"{self.path[1:]}.prom"
            if not file.exists():
                self.send_error(404)
                return
            body = file.read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Prometheus:
    """A client of the HTTP API, for what Grafana and people ask."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"

    def get(self, path: str, **parameters: Any) -> Any:
        url = f"{self.base}/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return json.load(answer)["data"]

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base}/-/ready", timeout=PATIENCE) as answer:
                return answer.status == 200
        except OSError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        return self.get("api/v1/query", query=expression)["result"]

    def graph(self, expression: str) -> list[dict[str, Any]]:
        """As Grafana asks for a time series, of the last minute."""
        now = time.time()
        return self.get("api/v1/query_range", query=expression, start=now - 60, end=now, step=1)["result"]

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self.get("api/v1/rules")["groups"] for rule in group["rules"]]

    def settle(self) -> None:
        """Wait until the rules were evaluated on what is served now."""
        served = time.time()
        wait_for("Prometheus: a scrape", lambda: bool(self.query(f'timestamp(assent_exit_code{{job="night"}}) > {served}')))
        scraped = time.time()
        late = datetime.datetime.fromtimestamp(scraped, datetime.UTC)
        wait_for("Prometheus: the rules", lambda: all(datetime.datetime.fromisoformat(rule["lastEvaluation"]) > late for rule in self.rules()))

    def firing(self) -> list[tuple[str, str]]:
        """The alerts that fire, each with the job whose it is."""
        alerts = self.get("api/v1/alerts")["alerts"]
        return sorted({(a["labels"]["alertname"], a["labels"]["job"]) for a in alerts if a["state"] == "firing"})


@contextlib.contextmanager
def started(work: Path, served_at: int) -> Iterator[Prometheus]:
    config = work / "prometheus.yml"
    config.write_text(CONF.format(rules=DEPLOY / "alerts.yaml", port=served_at))
    [port] = free_ports(1)
    command = [
        os.environ.get("PROMETHEUS") or "prometheus", f"--config.file={config}", f"--storage.tsdb.path={work / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (work / "prometheus.log").open("wb") as log:
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        client = Prometheus(port)
        wait_for("Prometheus: an answer", lambda: client.ready() or daemon.poll() is not None)
        if daemon.poll() is not None:
            sys.exit((work / "prometheus.log").read_text())
        yield client
    finally:
        daemon.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.wait(30)
        daemon.kill()


def nights(checks: Checks, work: Path) -> tuple[dict[str, Path], dict[str, Any]]:
    """The metrics files of four nights, and the manifest of the good one."""
    market = sample("prometheus/market", 2_000, 8)
    # The sample's consent files say up to when they are complete. What is to be from last night must not.
    for file in (market / "consent_history").rglob("*.parquet"):
        pq.write_table(pq.read_table(file).replace_schema_metadata(None), file)
    files = {name: work / f"{name}.prom" for name in ["good", "refused", "near", "stale"]}

    def arguments(night: str, hours: int, *more: str) -> list[str | Path]:
        at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=hours)
        sets = [f"output={work / 'out' / night}", f"inputs.consent.as_of={at:%Y-%m-%dT%H:%M:%SZ}", *more]
        return ["run", "-c", market / "job.yaml", "--metrics-file", files[night], *(f"--set={each}" for each in sets)]

    good = assent(*arguments("good", 1))
    manifest = json.loads((Path(good["uri"]) / "_manifest" / "run.json").read_text())
    share = {name: each["rows_excluded"] / each["rows_in"] for name, each in manifest["datasets"].items()}
    checks.that(max(share.values()) < 0.9, "prometheus: a good night is not near a gate", repr(share))
    code, _ = quietly(*arguments("refused", 1, "gates.max_excluded=0.01"))
    checks.same("prometheus: a refused night's exit", code, 3)
    assent(*arguments("near", 1, f"gates.max_excluded={max(share.values()) * 1.02}"))
    assent(*arguments("stale", 48))
    return files, manifest


def wanted(manifest: dict[str, Any]) -> dict[str, Any]:
    """What each expression of the dashboard answers of the good night: by the panel's title and legend, the values by label."""
    sets = manifest["datasets"]
    reasons: dict[str, int] = {}
    for each in sets.values():
        for reason, count in each["excluded_by_reason"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    gates = {each["dataset"]: each for each in manifest["gates"] if each["name"] == "max_excluded"}
    return {
        ("Exit code of the last run", ""): {"": 0},
        ("Horizon age", ""): lambda got: set(got) == {""} and 3600 <= got[""] < 36 * 3600,
        ("Last run took", ""): lambda got: set(got) == {""} and 0 < got[""] < PATIENCE,
        ("Gates that did not pass", ""): {"": 0},
        ("Records kept", "{{dataset}}"): {name: each["rows_kept"] for name, each in sets.items()},
        ("Records excluded by reason", "{{reason}}"): reasons,
        ("Share excluded, and the gate", "{{dataset}}"): {name: each["value"] for name, each in gates.items()},
        ("Share excluded, and the gate", "limit of {{dataset}}"): {f"limit of {name}": each["limit"] for name, each in gates.items()},
        ("Duration by step", "{{step}}"): lambda got: set(got) == {"plan", "shard", "commit"} and all(0 < each < PATIENCE for each in got.values()),
        ("Published bytes", "{{dataset}}"): {name: sum(f["bytes"] for f in each["files"]) for name, each in sets.items()},
        ("Files made and taken over", "{{how}}"): {"made": sum(len(each["files"]) for each in sets.values()), "reused": 0},
    }


def legend(text: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def check_dashboard(checks: Checks, prometheus: Prometheus, manifest: dict[str, Any]) -> None:
    """Every expression, asked for as its kind of panel asks."""
    want = wanted(manifest)
    for panel in json.loads((DEPLOY / "dashboard.json").read_text())["panels"]:
        for target in panel["targets"]:
            if panel["type"] == "timeseries":
                answer = prometheus.graph(target["expr"])
                got = {legend(target.get("legendFormat", ""), each["metric"]): float(each["values"][-1][1]) for each in answer}
            else:
                answer = prometheus.query(target["expr"])
                got = {legend(target.get("legendFormat", ""), each["metric"]): float(each["value"][1]) for each in answer}
            what = f"prometheus: dashboard: {panel['title']}: {target['expr']}"
            expected = want.pop((panel["title"], target.get("legendFormat", "")), None)
            checks.that(bool(got) and len(got) == len(answer) and all(map(math.isfinite, got.values())), what, f"got {answer!r}")
            if callable(expected):
                checks.that(expected(got), what, f"got {got!r}")
            else:
                checks.same(what, got, expected)
    checks.same("prometheus: dashboard: panels that are not there", list(want), [])


def main() -> None:
    if not (os.environ.get("PROMETHEUS") or shutil.which("prometheus")):
        print("prometheus is not installed: the dashboard and the alerts are not asked for\n0 passed, 0 failed", flush=True)
        return
    checks = Checks()
    work = fresh("prometheus")
    files, manifest = nights(checks, work)
    live = work / "served"
    live.mkdir()

    def serve(name: str, night: str) -> None:
        """As assent does it: the file is there as a whole, or not yet."""
        shutil.copy(files[night], live / "new")
        os.replace(live / "new", live / f"{name}.prom")

    serve("night", "good")
    with served(live) as port, started(work, port) as prometheus:
        wait_for("Prometheus: a scrape", lambda: len(prometheus.query("assent_exit_code")) == 1)
        check_dashboard(checks, prometheus, manifest)
        serve("other", "good")
        wait_for("Prometheus: a scrape of the other programme", lambda: len(prometheus.query("assent_exit_code")) == 2)
        checks.same("prometheus: alerts", sorted(rule["name"] for rule in prometheus.rules()), ALERTS)
        for night, alert in [("good", None), ("refused", "AssentRunFailed"), ("good", None), ("near", "AssentGateNearLimit"), ("stale", "AssentHorizonStale")]:
            serve("night", night)
            prometheus.settle()
            checks.same(f"prometheus: alerts on a night that is {night}", prometheus.firing(), [(alert, "night")] if alert else [])
            health = {rule["name"]: (rule["health"], rule.get("lastError")) for rule in prometheus.rules()}
            checks.same(f"prometheus: rules on a night that is {night}", health, {name: ("ok", None) for name in ALERTS})
    checks.exit()


if __name__ == "__main__":
    main()
