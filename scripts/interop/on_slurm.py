"""scripts/deploy/slurm on a real Slurm of one node: its controller, its node's daemon and munge, all on loopback."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from lab import PATIENCE, ROOT, Checks, free_ports, fresh, wait_for
from night import Nights

DEPLOY = ROOT / "scripts" / "deploy" / "slurm"
CONF = """
ClusterName=interop
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
# A task that is put back into the queue waits until its old credential has expired.
AuthInfo=socket={dir}/munge/socket,cred_expire=5
StateSaveLocation={dir}/state
SlurmdSpoolDir={dir}/spool
SlurmctldPidFile={dir}/slurmctld.pid
SlurmdPidFile={dir}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
# Four processors whatever the machine has, so that tasks run side by side.
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 NodeHostname={host} CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=night Nodes={host} Default=YES State=UP
"""


@contextlib.contextmanager
def cluster(dir: Path) -> Iterator[dict[str, str]]:
    """A cluster of this machine alone. Yields the environment of its clients; ends all it started."""
    for name in ["munge", "state", "spool", "log"]:
        (dir / name).mkdir(mode=0o700)
    key = dir / "munge" / "key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    host = socket.gethostname().split(".")[0]
    (dir / "slurm.conf").write_text(CONF.format(dir=dir, host=host, ports=free_ports(2)))
    environment = os.environ | {"SLURM_CONF": str(dir / "slurm.conf")}
    daemons: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> None:
        with (dir / "log" / command[0]).open("wb") as log:
            daemons.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    try:
        files = {"socket": "socket", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
        start("munged", "--foreground", "--force", f"--key-file={key}", *(f"--{k}={dir}/munge/{v}" for k, v in files.items()))
        wait_for("Slurm: munge's socket", (dir / "munge" / "socket").exists)
        start("slurmctld", "-D", "-c")
        start("slurmd", "-D")
        idle = ["sinfo", "--noheader", "--format=%T"]
        wait_for("Slurm: an idle node", lambda: subprocess.run(idle, env=environment, capture_output=True, text=True).stdout == "idle\n")
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(30)
            daemon.kill()


def listens_elsewhere() -> list[str]:
    """Addresses beside loopback on which a daemon of Slurm listens."""
    lines = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    ours = [line.split()[3] for line in lines if "slurm" in line]
    return [address for address in ours if not address.startswith("127.")] if ours else ["nothing listens"]


def main() -> None:
    checks = Checks()
    nights = Nights("slurm", checks)
    with cluster(fresh("slurm-cluster")) as environment:
        checks.same("Slurm: listens beside loopback", listens_elsewhere(), [])
        environment |= {"PATH": nights.environment()["PATH"]}

        def night(what: str, code: int, *args: str | Path, first_shard: str = "well") -> Path:
            """A night that must end with an exit code. Returns its output."""
            output = nights.begin(what, first_shard)
            command = [DEPLOY / "night", "3", "-c", nights.config, "--set", f"output={output}", *args]
            started = time.monotonic()
            done = subprocess.run(command, cwd=nights.dir, env=environment, capture_output=True, text=True, timeout=PATIENCE)
            print(
                f"Slurm: {what}: exit {done.returncode}, {time.monotonic() - started:.0f} s",
                done.stdout.strip()[:160],
                sep="\n    ",
            )
            checks.same(f"Slurm: {what}: exit", done.returncode, code)
            return output

        output = night("a task is killed", 0, first_shard="killed")
        checks.same("Slurm: tasks, one killed and put back", sorted(nights.calls("shard")), ["0", "0", "0", "killed"])
        nights.published("a task is killed", output)

        output = night("a gate refuses", 3, "--set", "gates.max_excluded=0.01")
        checks.same("Slurm: commits, by exit code", nights.calls("commit"), ["3"])
        nights.not_published("a gate refuses", output)

        output = night("a task is refused", 1, first_shard="3")
        checks.same("Slurm: tasks, one refused and not repeated", sorted(nights.calls("shard")), ["0", "0", "3"])
        checks.same("Slurm: commits after a refused task", nights.calls("commit"), [])
        nights.not_published("a task is refused", output)
    checks.exit()


if __name__ == "__main__":
    main()
