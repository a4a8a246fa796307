"""The node stand-in: what an emulated instance does for its stack, which is one signal.

No instance here runs anything. A booted machine would call cfn-signal at the end of its user data; the stand-in
sends that signal after the time a boot takes, SUCCESS unless a rule says FAILURE or none.
"""

import contextvars
import threading
import time

from ministack.services.cloudformation import wait_conditions

from .pace import iso_seconds


def await_signals(pace, stack, logical_id, resource_type, creation_policy, instances, signal):
    """Waits as the creation policy says; raises with AWS's reason when it is not met."""
    wanted = creation_policy.get("ResourceSignal", {})
    count = int(wanted.get("Count", 1))
    seconds = pace.timeout_seconds(iso_seconds(wanted.get("Timeout")))
    slot = wait_conditions.register_slot(stack["StackId"])
    if signal != "none":
        for instance in instances:
            _boot(slot, instance, signal, pace.boot_seconds())
    try:
        wait_conditions.wait_for(
            slot, stack["StackId"], stack["StackName"], logical_id, resource_type, count, seconds
        )
    except TimeoutError as timeout:
        received = str(timeout).partition("Received ")[2].split(" ")[0] or "0"
        raise ValueError(_unmet(f"{received} SUCCESS signal(s) out of {count}")) from timeout
    except RuntimeError as failure:
        raise ValueError(_unmet(f"1 FAILURE signal(s) out of {count}")) from failure


def _boot(slot, instance, status, seconds):
    def boot():
        time.sleep(seconds)
        wait_conditions.deliver_signal(slot, {"Status": status, "UniqueId": instance})

    threading.Thread(target=_in_this_context(boot), daemon=True, name=f"boot-{instance}").start()


def _in_this_context(function):
    """The account and region of a request travel in context variables, which a new thread does not inherit."""
    context = contextvars.copy_context()
    return lambda: context.run(function)


def _unmet(received):
    return f"Received {received}.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement"
