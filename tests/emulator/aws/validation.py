"""Early validation and hooks as rules script them, and DescribeEvents, the only call that returns their findings.

On AWS the status reason of a refused change set or stack names only the validation or the hook.
"""

from html import escape

from ministack.core.responses import new_uuid, now_iso
from ministack.services.cloudformation import _change_sets, _stacks, changesets, handlers, helpers, stacks

from .rules import Step

REFUSED = (
    "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]. To troubleshoot Early "
    "Validation errors, use the DescribeEvents API for detailed failure information."
)
NAME = "PROPERTY_VALIDATION"
_validate_by_ministack = stacks._validation_errors


def install(rules):
    """Asks the rules wherever CloudFormation validates."""
    create = handlers._ACTION_HANDLERS["CreateChangeSet"]

    def created(params):
        answer = create(params)
        if answer[0] == 200:
            name = handlers._resolve_stack(helpers._p(params, "StackName"))["StackName"]
            _, change_set = changesets._find_change_set(helpers._p(params, "ChangeSetName"), name)
            _validate(rules, change_set)
        return answer

    def errors(resources, ordered, params, conditions, mappings, stack_name, *rest):
        found = _validate_by_ministack(resources, ordered, params, conditions, mappings, stack_name, *rest)
        facts = _facts(rules, stack_name, resources)
        return found + [(logical_id, resource_type, NAME, f"/Resources/{logical_id}{fact.get('path', '')}", fact["reason"])
                        for logical_id, resource_type, fact in facts if fact.get("mode", "FAIL") == "FAIL"]

    handlers._ACTION_HANDLERS["CreateChangeSet"] = created
    handlers._ACTION_HANDLERS["DescribeEvents"] = _describe
    stacks._validation_errors = errors


def hook_refusal(rules, stack, logical_id, resource_type):
    """The status reason of a resource that a hook refuses, or None; the hook's reason goes to DescribeEvents."""
    facts = rules.facts(Step("hook", resource_type, stack["StackName"], logical_id))
    if not facts:
        return None
    stack.setdefault("_operation_events", []).extend(
        _event(stack["StackId"], EventType="HOOK_INVOCATION_ERROR", LogicalResourceId=logical_id,
               ResourceType=resource_type, HookType=fact["hook"], HookStatus="HOOK_COMPLETE_FAILED",
               HookStatusReason=fact["reason"], HookInvocationPoint="PRE_PROVISION", HookFailureMode="FAIL")
        for fact in facts)
    return f"The following hook(s) failed: [{', '.join(fact['hook'] for fact in facts)}]"


def _validate(rules, change_set):
    resources = change_set["_template"].get("Resources") or {}
    changed = {change["ResourceChange"]["LogicalResourceId"] for change in change_set["Changes"]}
    facts = [found for found in _facts(rules, change_set["StackName"], resources) if found[0] in changed]
    change_set["_events"] = [
        _event(change_set["StackId"], OperationType="CREATE_CHANGESET", EventType="VALIDATION_ERROR",
               LogicalResourceId=logical_id, ResourceType=resource_type, ValidationFailureMode=fact.get("mode", "FAIL"),
               ValidationName=NAME, ValidationStatus="FAILED", ValidationStatusReason=fact["reason"],
               ValidationPath=f"/Resources/{logical_id}{fact.get('path', '')}")
        for logical_id, resource_type, fact in facts]
    if any(fact.get("mode", "FAIL") == "FAIL" for _, _, fact in facts):
        change_set.update(Status="FAILED", ExecutionStatus="UNAVAILABLE", StatusReason=REFUSED, Changes=[])


def _facts(rules, stack_name, resources):
    return [(logical_id, resource.get("Type", ""), fact) for logical_id, resource in resources.items()
            for fact in rules.facts(Step("validate", resource.get("Type", ""), stack_name, logical_id))]


def _event(stack_id, **fields):
    return {"EventId": new_uuid(), "StackId": stack_id, "OperationStatus": "FAILED", "Timestamp": now_iso(), **fields}


def _describe(params):
    """Newest first, like AWS."""
    stack_name, change_set = helpers._p(params, "StackName"), helpers._p(params, "ChangeSetName")
    if change_set:
        _, found = changesets._find_change_set(change_set, stack_name)
        if found is None:
            return helpers._error("ChangeSetNotFound", f"ChangeSet [{change_set}] does not exist", 404)
        events = found.get("_events", [])
    elif stack_name:
        stack = handlers._resolve_stack(stack_name)
        if not stack:
            return helpers._error("ValidationError", f"Stack [{stack_name}] does not exist")
        events = stack.get("_operation_events", [])
    else:
        kept = [*_stacks.values(), *_change_sets.values()]
        events = [e for one in kept for e in one.get("_operation_events") or one.get("_events") or []]
    operation = helpers._p(params, "OperationId")
    events = [e for e in reversed(events) if not operation or e.get("OperationId") == operation]
    page, next_token, error = helpers._page(events, params, "DescribeEvents")
    if error:
        return error
    members = "".join(
        "<member>" + "".join(f"<{key}>{escape(str(value), quote=False)}</{key}>" for key, value in event.items()) + "</member>"
        for event in page)
    return helpers._xml(200, "DescribeEventsResponse",
                        f"<DescribeEventsResult><OperationEvents>{members}</OperationEvents>{next_token}</DescribeEventsResult>")
