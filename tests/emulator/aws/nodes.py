"""The node stand-in: what an emulated instance does for its stack, which is one signal.

No instance here runs anything. A booted machine would call cfn-signal at the end of its user data; the stand-in
sends that signal after the time a boot takes, SUCCESS unless a rule says FAILURE or none.
"""

import contextvars
import threading
import time
from dataclasses import dataclass

from ministack.services.cloudformation import wait_conditions


@dataclass(frozen=True)
class Nodes:
    """Instances that boot now: each sends `signal` after `boot_seconds`."""

    instances: list
    signal: str
    boot_seconds: float


def await_signals(stack, logical_id, resource_type, nodes, count, timeout):
    """Waits for `count` signals, `timeout` seconds at most; raises with AWS's reason when they do not come."""
    slot = wait_conditions.register_slot(stack["StackId"])
    if nodes.signal != "none":
        for instance in nodes.instances:
            _boot(slot, (stack["StackId"], logical_id), instance, nodes)
    try:
        wait_conditions.wait_for(
            slot, stack["StackId"], stack["StackName"], logical_id, resource_type, count, timeout
        )
    except TimeoutError as late:
        received = str(late).partition("Received ")[2].split(" ")[0] or "0"
        raise ValueError(_unmet(f"{received} SUCCESS signal(s) out of {count}")) from late
    except RuntimeError as failure:
        # ministack counts a signal first and records its event a moment later.
        time.sleep(0.02)
        raise ValueError(_unmet(f"1 FAILURE signal(s) out of {count}")) from failure
    time.sleep(0.02)


def _boot(slot, waiting, instance, nodes):
    def boot():
        time.sleep(nodes.boot_seconds)
        # A signal that comes before anybody waits would count but leave no event.
        while waiting not in wait_conditions._waiting:
            time.sleep(0.005)
        wait_conditions.deliver_signal(slot, {"Status": nodes.signal, "UniqueId": instance})

    threading.Thread(target=_in_this_context(boot), daemon=True, name=f"boot-{instance}").start()


def _in_this_context(function):
    """The account and region of a request travel in context variables, which a new thread does not inherit."""
    context = contextvars.copy_context()
    return lambda: context.run(function)


def _unmet(received):
    return f"Received {received}.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement"
