"""What containerd keeps on a machine of the tests: sandboxes and containers as files below ROOT/run/containerd,
containers as processes of this system. Shared by the stand-ins of the kubelet and of crictl; knows nothing of kube-cfn.

    python3 pods.py power-off ROOT     ends every process of the machine at once; its sandboxes stay, not ready
"""

import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import time


class Runtime:
    def __init__(self, root):
        self.run = pathlib.Path(root) / "run"
        self.home = self.run / "containerd"
        self.home.mkdir(parents=True, exist_ok=True)

    def sandboxes(self):
        found = []
        for file in sorted(self.home.glob("*/sandbox.json")):
            try:
                found.append(json.loads(file.read_text()))
            except FileNotFoundError:
                pass  # removed meanwhile
        return found

    def make_sandbox(self, name, namespace, labels, hash_):
        sandbox = {
            "id": secrets.token_hex(32),
            "name": name,
            "namespace": namespace,
            "labels": labels,
            "hash": hash_,
            "state": "SANDBOX_READY",
            "created": time.time(),
        }
        self._write(sandbox["id"], "sandbox.json", sandbox)
        return sandbox

    def set_state(self, sandbox, state):
        sandbox["state"] = state
        self._write(sandbox["id"], "sandbox.json", sandbox)

    def containers(self, sandbox_id):
        found = []
        for file in sorted((self.home / sandbox_id).glob("container-*.json")):
            found.append(json.loads(file.read_text()))
        return found

    def start_container(self, sandbox, name, argv):
        log = open(self.run / f"{name}.log", "ab")
        # As with containerd: a container outlives the kubelet that asked for it.
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        container = {"id": secrets.token_hex(32), "name": name, "pid": process.pid, "started": time.time()}
        self._write(sandbox["id"], f"container-{container['id']}.json", container)
        (self.run / f"{name}.pid").write_text(f"{process.pid}\n")
        return process, container

    def remove(self, sandbox_id):
        shutil.rmtree(self.home / sandbox_id, ignore_errors=True)

    def _write(self, sandbox_id, name, value):
        place = self.home / sandbox_id
        place.mkdir(exist_ok=True)
        draft = place / f".{name}.{os.getpid()}"
        draft.write_text(json.dumps(value))
        draft.rename(place / name)


def runs(pid):
    """Whether a process is there and no zombie."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def end(pid, seconds):
    """SIGTERM, and SIGKILL after some seconds."""
    for sign, left in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10)):
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return
        until = time.monotonic() + left
        while time.monotonic() < until:
            if not runs(pid):
                return
            time.sleep(0.02)


def is_abandoned(root):
    """Whether the test that made the machine is gone, as after a kill: nobody would ever turn it off."""
    return not pathlib.Path("/proc", (pathlib.Path(root) / "test-process").read_text()).exists()


def power_off(root):
    runtime = Runtime(root)
    # Who starts others first.
    for unit in ("kube-cfn-boot.service", "kubelet.service"):
        file = runtime.run / f"{unit}.pid"
        if file.exists():
            try:
                group = int(file.read_text())
                if group != os.getpgrp():
                    os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                pass
            file.unlink()
    for sandbox in runtime.sandboxes():
        for container in runtime.containers(sandbox["id"]):
            end(container["pid"], 0)
        runtime.set_state(sandbox, "SANDBOX_NOTREADY")
    # /run is memory: what systemd knew of its units is gone.
    for file in runtime.run.glob("*.state"):
        file.unlink()
    (runtime.run / "api-answers").unlink(missing_ok=True)


if __name__ == "__main__":
    if sys.argv[1:2] != ["power-off"]:
        sys.exit(__doc__)
    power_off(sys.argv[2])
