"""Machines that do not boot: what the boot programs said when they were broken for this cause, recorded in
src/simulated/boots by tests/offline/node/boot_causes.rs. It stands on the console of each machine and, where a machine could
store it, as a log in the state bucket, before the signal. The marks in it stand for the names of the cluster.
"""

import hashlib
import time
from pathlib import Path

from ministack.services import s3

RECORDED = Path(__file__).resolve().parents[3] / "src" / "simulated" / "boots"
# Seconds of an attempt that fails for this cause: as long as the boot programs wait.
ATTEMPT = {"join": 1200, "kubelet": 1200, "api": 600, "etcd-quorum": 600, "clock": 290, "instance-profile": 290,
           "download": 115, "image-pull": 60}
# Without its boot programs a machine signals at its first attempt, else at the third.
FIRST = {"clock", "instance-profile"}
# By instance.
_consoles = {}


def fail(cause, stack, logical_id, instances, timeout):
    """The instances of a group fail for this cause; returns their signal: none where the group waits `timeout` seconds,
    and the attempt that is reported takes longer."""
    recorded = RECORDED / cause
    console = (recorded / "console.txt").read_text(encoding="utf-8")
    log = recorded / "log.txt"
    bucket = _parameter(stack, "StateBucket")
    for instance in instances:
        names = _names(stack, logical_id, instance, bucket)
        _consoles[instance] = _filled(console, names).replace("\n", "\r\n")
        if log.exists() and bucket:
            moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            body = _filled(log.read_text(encoding="utf-8"), names).encode()
            s3._put_object(bucket, f"boot/AROAEMULATED:{instance}/{moment}.log", body, {})
    return "FAILURE" if _signals_after(cause) <= timeout else "none"


def _signals_after(cause):
    """Seconds from the launch of a machine to its signal."""
    seconds = ATTEMPT.get(cause, 20)
    return 60 + (seconds if cause in FIRST else 3 * seconds + 2 * 30)


def _names(stack, logical_id, instance, bucket):
    tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
    kind = tags.get("kube-cfn/stack", "control-plane")
    slot = logical_id.removeprefix("Slot").lower() if logical_id.startswith("Slot") else "a"
    digest = hashlib.sha256(stack["StackId"].encode()).hexdigest()
    return {
        "cluster": tags.get("kube-cfn/cluster", stack["StackName"]), "stack": kind, "slot": slot,
        "other": "b" if slot == "a" else "a", "bucket": bucket or "state-bucket", "bundle": f"bundles/{kind}-{digest}.tar.gz",
        "volume": instance.replace("i-", "vol-", 1), "instance": instance,
    }


def _filled(text, names):
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def console(instance):
    """What a machine has said that did not boot."""
    return _consoles.get(instance, "")


def _parameter(stack, name):
    values = {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
    return values.get(name)
