"""Every resource step of ministack's CloudFormation engine goes through here: time, scripted trouble, signals,
stack policy, snapshots and the events around them.

ministack calls three functions of its own for a step; `install` puts ours in their place. They run on a worker
thread of their own, so a step may sleep while the server answers and other stacks go on.
"""

import functools
import secrets
import string
import time

from ministack.services.cloudformation import _stacks, changesets, engine, handlers, provisioners, stacks

from . import boots, events, nodes, parallel, policy, replacing, validation
from .pace import SIGNALLING_GROUP, iso_seconds
from .rules import Step

GROUP = "AWS::AutoScaling::AutoScalingGroup"


# Types on which CloudFormation puts none of its own tags: `cloudFormationSystemTags` is false in their schemas, which
# cfn-lint has.
WITHOUT_OWN_TAGS = {"AWS::KMS::Key"}


def _tagging(with_stack_tags):
    def tagged(resource_type, *arguments):
        properties = with_stack_tags(resource_type, *arguments)
        if resource_type not in WITHOUT_OWN_TAGS:
            return properties
        tags = [tag for tag in properties.get("Tags", []) if not tag["Key"].startswith("aws:cloudformation:")]
        return {**properties, "Tags": tags}

    return tagged


class Engine:
    """ministack's steps with a pace and rules."""

    def __init__(self, pace, rules, take_snapshot, instances_of):
        """`take_snapshot` is a table of functions `(physical_id, name)` by type; `instances_of(group)` lists ids."""
        self._pace = pace
        self._rules = rules
        self._take_snapshot = take_snapshot
        self._instances_of = instances_of
        self._provision = stacks._provision_resource
        self._update = stacks._update_resource
        self._delete = stacks._delete_resource
        self._deploy = stacks._deploy_stack_async

    def install(self):
        """Takes the place of ministack's own steps."""
        stacks._provision_resource = self.provision
        stacks._update_resource = self.update
        stacks._delete_resource = self.delete
        # Ours are taken in `delete`, under AWS's name and off the event loop.
        stacks._snapshot_resource = lambda *_: None
        stacks._runs_on_worker_thread = lambda _resource_type: True
        stacks._with_stack_tags = _tagging(stacks._with_stack_tags)
        for module in (stacks, handlers, changesets):
            module._deploy_stack_async = self.deploy
        events.install()

    async def deploy(self, stack_name, stack_id, template, params, *arguments, **named):
        """A create or an update of a stack."""
        self._pace.begin(stack_id)
        events.begin(stack_id)
        if named.get("is_update"):
            parallel.end(stack_id)
        else:
            parallel.begin(stack_id, template, params)
        stack = _stacks[stack_name]
        previous = named.get("previous_stack")
        if named.get("is_update") and previous:
            reason = _removal_denied(stack, previous, template)
            if reason:
                _fail_before_start(stack, previous, *reason)
                return
        await self._deploy(stack_name, stack_id, template, params, *arguments, **named)

    def provision(self, resource_type, logical_id, properties, stack_name):
        """Creates a resource."""
        verdict = self._rules.verdict(Step("create", resource_type, stack_name, logical_id))
        stack = _stacks[stack_name]
        with _listed_as_in_progress(stack, logical_id, resource_type) as in_progress:
            refusal = validation.hook_refusal(self._rules, stack, logical_id, resource_type) or verdict.fail
            if refusal:
                time.sleep(verdict.delay)
                raise ValueError(refusal)
            physical_id, attributes = self._provision(resource_type, logical_id, properties, stack_name)
            in_progress.has(physical_id, properties)
            events.initiated(stack, logical_id, resource_type, physical_id)
            time.sleep(verdict.delay)
            definition = _definition(stack, logical_id)
            signals = resource_type == GROUP and definition.get("CreationPolicy", {}).get("ResourceSignal")
            seconds = self._pace.create_seconds(
                stack["StackId"], logical_id, SIGNALLING_GROUP if signals else resource_type, properties,
                _dependencies(stack, definition),
            )
            if not signals:
                time.sleep(seconds)
                return physical_id, attributes
            try:
                self._await_signals(stack, logical_id, physical_id, verdict, seconds)
            except ValueError:
                provisioners._delete_resource(resource_type, physical_id, properties, stack_name, logical_id)
                raise
        return physical_id, attributes

    def update(self, resource_type, physical_id, old, new, stack_name, logical_id=None, attributes=None):
        """Updates a resource in place or replaces it; also the way back in a rollback."""
        stack = _stacks[stack_name]
        if old == new:
            return self._update(resource_type, physical_id, old, new, stack_name, logical_id, attributes)
        events.changing(stack, logical_id, resource_type, physical_id)
        replaced = provisioners._replacing_change(resource_type, old, new)
        if stack["StackStatus"] == "UPDATE_IN_PROGRESS":
            action = "Update:Replace" if replaced else "Update:Modify"
            reason = policy.denial(stack.get("_stack_policy"), logical_id, resource_type, action)
            if reason:
                raise ValueError(reason)
            replacing.refuse_unsupported(resource_type, old, new)
        verdict = self._rules.verdict(Step("update", resource_type, stack_name, logical_id))
        time.sleep(verdict.delay)
        if verdict.fail:
            raise ValueError(verdict.fail)
        result = self._update(resource_type, physical_id, old, new, stack_name, logical_id, attributes)
        if not replaced:
            self._pace.await_change("update", resource_type, new)
            return result
        events.send(
            stack, logical_id, resource_type, "UPDATE_IN_PROGRESS", "Resource creation Initiated", result[0]
        )
        self._pace.await_change("create", resource_type, new)
        if resource_type == GROUP and _definition(stack, logical_id).get("CreationPolicy", {}).get("ResourceSignal"):
            self._await_signals(stack, logical_id, result[0], verdict, 0.05)
        return result

    def delete(self, resource_type, physical_id, properties, stack_name=None, logical_id=None):
        """Deletes a resource: of a stack, of a rollback, or what an update left behind."""
        stack = _stacks[stack_name]
        cleanup = stack["StackStatus"] in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        if cleanup:
            _begin_cleanup(stack)
            events.send(stack, logical_id, resource_type, "DELETE_IN_PROGRESS", physical_id=physical_id)
        verdict = self._rules.verdict(Step("delete", resource_type, stack_name, logical_id))
        time.sleep(verdict.delay)
        if verdict.fail:
            raise ValueError(verdict.fail)
        snapshot = self._take_snapshot.get(resource_type)
        if snapshot and _wants_snapshot(stack, logical_id, resource_type, cleanup):
            snapshot(physical_id, _snapshot_name(stack_name, logical_id))
        self._delete(resource_type, physical_id, properties, stack_name, logical_id)
        self._pace.await_change("delete", resource_type, properties)
        if cleanup:
            events.send(stack, logical_id, resource_type, "DELETE_COMPLETE", physical_id=physical_id)

    def _await_signals(self, stack, logical_id, group, verdict, boot_seconds):
        wanted = _definition(stack, logical_id)["CreationPolicy"]["ResourceSignal"]
        timeout = self._pace.timeout_seconds(iso_seconds(wanted.get("Timeout")))
        instances = self._instances_of(group)
        signal = verdict.signal
        if verdict.boot:
            signal = boots.fail(verdict.boot, stack, logical_id, instances, iso_seconds(wanted.get("Timeout")))
        booting = nodes.Nodes(instances, signal, boot_seconds)
        nodes.await_signals(stack, logical_id, GROUP, booting, int(wanted.get("Count", 1)), timeout)


class _listed_as_in_progress:
    """ListStackResources shows a resource while it is made; ministack lists it only afterwards."""

    def __init__(self, stack, logical_id, resource_type):
        self._resources = stack["_resources"]
        self._logical_id = logical_id
        self._entry = {
            "LogicalResourceId": logical_id, "PhysicalResourceId": "", "ResourceType": resource_type,
            "ResourceStatus": "CREATE_IN_PROGRESS", "Properties": {}, "Attributes": {},
            "Timestamp": stacks.now_iso(),
        }

    def __enter__(self):
        self._resources.setdefault(self._logical_id, self._entry)
        return self

    def has(self, physical_id, properties):
        self._entry.update(PhysicalResourceId=physical_id, Properties=properties)

    def __exit__(self, failure, *_):
        if failure and self._resources.get(self._logical_id) is self._entry:
            del self._resources[self._logical_id]


def _definition(stack, logical_id):
    # While an update runs, `_template` is the one before it; the body is the new one already.
    return _parsed(stack["_template_body"]).get("Resources", {}).get(logical_id) or {}


@functools.lru_cache(maxsize=64)
def _parsed(body):
    return engine._parse_template(body)


def _dependencies(stack, definition):
    return engine._extract_deps(definition, set(stack["_resources"]))


def _wants_snapshot(stack, logical_id, resource_type, cleanup):
    if stack["StackStatus"].endswith("ROLLBACK_IN_PROGRESS"):
        # What a failed operation made itself goes without one.
        return False
    definition = _definition(stack, logical_id)
    if cleanup and definition:
        return definition.get("UpdateReplacePolicy") == "Snapshot"
    if cleanup:
        definition = stack.get("_template", {}).get("Resources", {}).get(logical_id, {})
    default = "Snapshot" if resource_type == "AWS::RDS::DBInstance" else "Delete"
    return definition.get("DeletionPolicy", default) == "Snapshot"


def _snapshot_name(stack_name, logical_id):
    tail = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
    return f"{stack_name}-snapshot-{logical_id}-{tail}".lower()


def _begin_cleanup(stack):
    if stack["StackStatus"] == "UPDATE_IN_PROGRESS":
        stack["StackStatus"] = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
        events.send(
            stack, stack["StackName"], events.STACK, stack["StackStatus"], physical_id=stack["StackId"]
        )


def _removal_denied(stack, previous, template):
    """The first resource that the update would delete against the stack policy, and the reason."""
    kept = template.get("Resources", {})
    for logical_id, resource in previous["_resources"].items():
        if logical_id in kept:
            continue
        reason = policy.denial(stack.get("_stack_policy"), logical_id, resource["ResourceType"], "Update:Delete")
        if reason:
            return logical_id, resource, reason
    return None


def _fail_before_start(stack, previous, logical_id, resource, reason):
    """A failed update that did nothing: the stack is as it was before."""
    name, stack_id = stack["StackName"], stack["StackId"]
    events.send(
        stack, logical_id, resource["ResourceType"], "UPDATE_FAILED", reason, resource["PhysicalResourceId"]
    )
    for key in (
        "_template", "_resolved_params", "_template_body", "Parameters", "Tags", "Outputs", "_conditions"
    ):
        stack[key] = previous[key]
    trouble = f"The following resource(s) failed to update: [{logical_id}]. "
    for status, why in (
        ("UPDATE_ROLLBACK_IN_PROGRESS", trouble),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", ""),
        ("UPDATE_ROLLBACK_COMPLETE", ""),
    ):
        events.send(stack, name, events.STACK, status, why, stack_id)
        stack["StackStatus"] = status
