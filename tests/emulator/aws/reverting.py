"""Change sets that compare with the resources (`DeploymentMode=REVERT_DRIFT`): what rules say was changed manually is
in them as a change back, what is gone as an addition, and once such a change set is executed those rules no longer hold.
Only what rules say is set back: ministack compares templates alone.
"""

import copy
from contextvars import ContextVar

from ministack.services.cloudformation import changesets, handlers, helpers

from .drift import put
from .rules import Step

_REVERTING = ContextVar("reverting", default=False)


def install(rules):
    """Goes around the comparison of `changesets`, so it comes after that."""
    compare = changesets._diff_resources
    create, execute = (handlers._ACTION_HANDLERS[name] for name in ("CreateChangeSet", "ExecuteChangeSet"))

    def compare_with_resources(old, new, resources=None, *more):
        if _REVERTING.get():
            resources = _as_they_are(rules, new["stack"][0], resources or {})
        return compare(old, new, resources, *more)

    def create_change_set(params):
        reverts = helpers._p(params, "DeploymentMode") == "REVERT_DRIFT"
        token = _REVERTING.set(reverts)
        try:
            answer = create(params)
        finally:
            _REVERTING.reset(token)
        change_set = _found(params)
        if reverts and change_set is not None:
            change_set["_reverts"] = True
        return answer

    def execute_change_set(params):
        change_set = _found(params)
        available = change_set is not None and change_set["ExecutionStatus"] == "AVAILABLE"
        answer = execute(params)
        if available and change_set.get("_reverts"):
            for change in change_set["Changes"]:
                resource = change["ResourceChange"]
                rules.settle(Step(
                    "drift", resource["ResourceType"], change_set["StackName"], resource["LogicalResourceId"]
                ))
        return answer

    changesets._diff_resources = compare_with_resources
    handlers._ACTION_HANDLERS["CreateChangeSet"] = create_change_set
    handlers._ACTION_HANDLERS["ExecuteChangeSet"] = execute_change_set


def _found(params):
    stack = helpers._p(params, "StackName")
    name = stack.split("/")[1] if stack.startswith("arn:") else stack
    return changesets._find_change_set(helpers._p(params, "ChangeSetName"), name)[1]


def _as_they_are(rules, stack, resources):
    seen = {}
    for logical_id, record in resources.items():
        facts = rules.facts(Step("drift", record["ResourceType"], stack, logical_id))
        if any(fact.get("gone") for fact in facts):
            continue
        record = {**record, "Properties": copy.deepcopy(record.get("Properties") or {})}
        for fact in facts:
            for pointer, value in fact.get("actual", {}).items():
                put(record["Properties"], pointer.strip("/").split("/"), value)
        seen[logical_id] = record
    return seen
