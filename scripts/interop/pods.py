"""As much of a Kubernetes API server as Airflow's KubernetesPodOperator asks for; each pod is a process of this machine.

    python pods.py DIR      writes DIR/kubeconfig once it listens, on loopback

A pod's first container runs; what it mounts at /airflow/xcom is a directory below DIR. The second is Airflow's sidecar,
which is there only so that the first one's answer can be read, and is said to run until Airflow ends it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

XCOM = "/airflow/xcom"
NOW = "2026-11-20T00:00:00Z"
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "pods",
    "contexts": [{"name": "pods", "context": {"cluster": "pods", "user": "pods"}}],
    "users": [{"name": "pods", "user": {}}],
}


class Pod:
    def __init__(self, manifest: dict[str, Any], dir: Path) -> None:
        self.manifest, self.dir = manifest, dir
        self.code: int | None = None  # of the first container, once it has ended
        self.sidecar = len(manifest["spec"]["containers"]) > 1
        self.log = b""
        self.ended = asyncio.Event()

    async def run(self) -> None:
        container = self.manifest["spec"]["containers"][0]
        command = [word.replace(XCOM, str(self.dir)) for word in [*container["command"], *container["args"]]]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        self.log, _ = await process.communicate()
        self.code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        self.ended.set()

    def document(self) -> dict[str, Any]:
        phase = "Running" if self.code is None or self.sidecar else "Failed" if self.code else "Succeeded"
        names = [container["name"] for container in self.manifest["spec"]["containers"]]
        ended = [None if self.code is None else self.code, *([None if self.sidecar else 0] * (len(names) - 1))]
        states = [{"running": {"startedAt": NOW}} if code is None else {"terminated": {"exitCode": code}} for code in ended]
        common = {"image": "", "imageID": "", "ready": True, "restartCount": 0}
        statuses = [common | {"name": name, "state": state} for name, state in zip(names, states, strict=True)]
        return self.manifest | {"status": {"phase": phase, "startTime": NOW, "containerStatuses": statuses}}

    def matches(self, selector: str) -> bool:
        labels = self.manifest["metadata"].get("labels", {})
        for term in filter(None, selector.split(",")):
            key, _, value = term.partition("!=" if "!=" in term else "=")
            if (labels.get(key) == value) == ("!=" in term):
                return False
        return True


class Pods:
    def __init__(self, dir: Path) -> None:
        self.dir, self.pods, self.tasks = dir, {}, set()

    def routes(self) -> list[web.RouteDef]:
        base = "/api/v1/namespaces/{namespace}"
        return [
            web.get(f"{base}/events", self.none),
            web.get(f"{base}/pods", self.list),
            web.post(f"{base}/pods", self.create),
            web.get(f"{base}/pods/{{name}}", self.get),
            web.patch(f"{base}/pods/{{name}}", self.patch),
            web.delete(f"{base}/pods/{{name}}", self.delete),
            web.get(f"{base}/pods/{{name}}/log", self.log),
            web.get(f"{base}/pods/{{name}}/exec", self.exec),
        ]

    def named(self, request: web.Request) -> Pod:
        pod = self.pods.get(request.match_info["name"])
        if pod is None:
            raise web.HTTPNotFound(text=json.dumps({"kind": "Status", "code": 404}), content_type="application/json")
        return pod

    async def none(self, request: web.Request) -> web.Response:
        return web.json_response({"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": []})

    async def list(self, request: web.Request) -> web.Response:
        selector = request.query.get("labelSelector", "")
        items = [pod.document() for pod in self.pods.values() if pod.matches(selector)]
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    async def create(self, request: web.Request) -> web.Response:
        manifest = await request.json()
        manifest["metadata"] |= {"uid": str(len(self.pods)), "creationTimestamp": NOW}
        name = manifest["metadata"]["name"]
        dir = self.dir / name
        dir.mkdir()
        (dir / "pod.json").write_text(json.dumps(manifest, indent=1))
        pod = self.pods[name] = Pod(manifest, dir)
        task = asyncio.create_task(pod.run())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return web.json_response(pod.document(), status=201)

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response(self.named(request).document())

    async def patch(self, request: web.Request) -> web.Response:
        pod = self.named(request)
        labels = (await request.json(content_type=None))["metadata"].get("labels", {})
        pod.manifest["metadata"].setdefault("labels", {}).update(labels)
        return web.json_response(pod.document())

    async def delete(self, request: web.Request) -> web.Response:
        document = self.named(request).document()
        del self.pods[request.match_info["name"]]
        return web.json_response(document)

    async def log(self, request: web.Request) -> web.Response:
        pod = self.named(request)
        await pod.ended.wait()
        stamped = [f"{NOW} {line}\n" for line in pod.log.decode(errors="replace").splitlines()]
        return web.Response(text="".join(stamped))

    async def exec(self, request: web.Request) -> web.WebSocketResponse:
        """Answers the one thing that is asked, the file; takes anything else for the end of the sidecar."""
        pod = self.named(request)
        socket = web.WebSocketResponse(protocols=["v4.channel.k8s.io"])
        await socket.prepare(request)
        if any(f"cat {XCOM}" in word for word in request.query.getall("command")):
            file = pod.dir / "return.json"
            text = file.read_text() if file.exists() and file.stat().st_size else "__airflow_xcom_result_empty__"
            await socket.send_bytes(b"\x01" + text.encode())
        else:
            while (await socket.receive()).type not in (WSMsgType.BINARY, WSMsgType.TEXT, WSMsgType.CLOSED):
                pass
            pod.sidecar = False
        await socket.send_bytes(b"\x03" + json.dumps({"status": "Success", "metadata": {}}).encode())
        await socket.close()
        return socket


async def main(dir: Path) -> None:
    app = web.Application()
    app.add_routes(Pods(dir).routes())
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [(host, port)] = runner.addresses
    cluster = {"name": "pods", "cluster": {"server": f"http://{host}:{port}"}}
    part = dir / "kubeconfig.part"
    part.write_text(json.dumps(KUBECONFIG | {"clusters": [cluster]}))
    os.replace(part, dir / "kubeconfig")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
