"""Stack events as CloudFormation sends them, where ministack's differ.

On an update ministack reports unchanged resources too and calls new ones updated; on a create it leaves out the
second CREATE_IN_PROGRESS, the one with the physical id, and tells resources one after another (see `parallel`).
"""

from ministack.services.cloudformation import _stacks, stacks

from . import parallel

STACK = "AWS::CloudFormation::Stack"
_send = stacks._add_event
# Resources of the running update, by stack id: new ones, and those that do not change as far as known.
_new = {}
_unchanged = {}
# What the running operation made: physical ids by logical id, by stack id.
_made = {}


def install():
    """Puts the filter in front of ministack's own function."""
    stacks._add_event = _corrected


def begin(stack_id):
    """A stack operation starts."""
    _new[stack_id] = set()
    _unchanged[stack_id] = set()
    _made[stack_id] = {}


def send(stack, logical_id, resource_type, status, reason="", physical_id=""):
    """An event of ours, past the filter."""
    _send(stack["StackId"], stack["StackName"], logical_id, resource_type, status, reason, physical_id)


def initiated(stack, logical_id, resource_type, physical_id):
    """The resource exists, though it is not ready."""
    _made.setdefault(stack["StackId"], {})[logical_id] = physical_id
    send(stack, logical_id, resource_type, "CREATE_IN_PROGRESS", "Resource creation Initiated", physical_id)


def changing(stack, logical_id, resource_type, physical_id):
    """An existing resource does change in this update."""
    if logical_id in _unchanged.get(stack["StackId"], ()):
        _unchanged[stack["StackId"]].discard(logical_id)
        send(stack, logical_id, resource_type, "UPDATE_IN_PROGRESS", physical_id=physical_id)


def _corrected(stack_id, stack_name, logical_id, resource_type, status, reason="", physical_id="", detailed_status=""):
    if status == "CREATE_FAILED":
        # A resource that was made and did not get ready keeps its id.
        physical_id = physical_id or _made.get(stack_id, {}).get(logical_id, "")
    creation = parallel.of(stack_id)
    if creation:
        _interleaved(creation, (stack_id, stack_name), logical_id, resource_type, status, reason, physical_id, detailed_status)
        return
    stack = _stacks.get(stack_name)
    updating = stack is not None and stack.get("StackStatus") == "UPDATE_IN_PROGRESS" and resource_type != STACK
    if updating and status.startswith("UPDATE_"):
        new, unchanged = _new.setdefault(stack_id, set()), _unchanged.setdefault(stack_id, set())
        if status == "UPDATE_IN_PROGRESS" and not reason:
            if logical_id in stack.get("_resources", {}):
                # Whether it changes is known only when the step begins: `changing` says so then.
                unchanged.add(logical_id)
                return
            new.add(logical_id)
        if logical_id in unchanged:
            if status == "UPDATE_COMPLETE":
                return
            changing(stack, logical_id, resource_type, physical_id)
        if logical_id in new:
            status = status.replace("UPDATE_", "CREATE_", 1)
    _send(stack_id, stack_name, logical_id, resource_type, status, reason, physical_id, detailed_status)


def _interleaved(creation, stack, logical_id, resource_type, status, reason, physical_id, detailed_status):
    if resource_type == STACK:
        if status == "ROLLBACK_IN_PROGRESS" and creation.failed:
            names = ", ".join(creation.failed)
            reason = f"The following resource(s) failed to create: [{names}]. Rollback requested by user."
        _send(*stack, logical_id, resource_type, status, reason, physical_id, detailed_status)
        return
    if status == "CREATE_IN_PROGRESS" and not reason:
        for name, its_type in creation.ready(logical_id):
            _send(*stack, name, its_type, status)
        return
    _send(*stack, logical_id, resource_type, status, reason, physical_id, detailed_status)
    if status == "CREATE_COMPLETE":
        creation.done(logical_id)
    if status == "CREATE_FAILED":
        for name, its_type in creation.fail(logical_id):
            _send(*stack, name, its_type, status, parallel.CANCELLED)
