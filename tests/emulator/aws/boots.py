"""Machines that do not boot: what the boot programs said when they were broken for this cause, recorded in
src/simulated/boots by tests/offline/node/boot_causes.rs. It stands on the console of each machine and, where a machine could
store it, as a log in the state bucket, before the signal.
"""

import time
from pathlib import Path

from ministack.services import s3

RECORDED = Path(__file__).resolve().parents[3] / "src" / "simulated" / "boots"
# Nothing of such a machine reaches AWS.
SILENT = {"instance-profile"}
# By instance.
_consoles = {}


def fail(cause, stack, instances):
    """The instances of a group fail for this cause; returns their signal."""
    recorded = RECORDED / cause
    console = (recorded / "console.txt").read_text(encoding="utf-8")
    log = recorded / "log.txt"
    bucket = _parameter(stack, "StateBucket")
    for instance in instances:
        _consoles[instance] = console.replace("\n", "\r\n")
        if log.exists() and bucket:
            moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            s3._put_object(bucket, f"boot/AROAEMULATED:{instance}/{moment}.log", log.read_bytes(), {})
    return "none" if cause in SILENT else "FAILURE"


def console(instance):
    """What a machine has said that did not boot."""
    return _consoles.get(instance, "")


def _parameter(stack, name):
    values = {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
    return values.get(name)
