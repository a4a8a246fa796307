"""Stack policies: what an update may do to which resource."""

import fnmatch
import json


def denial(document, logical_id, resource_type, action):
    """The reason for which the policy forbids `action` (`Update:Replace` and so on), or None.

    Without a policy everything is allowed; with one, everything that no statement allows is denied.
    """
    if not document:
        return None
    statements = json.loads(document).get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    allowed = False
    for number, statement in enumerate(statements, start=1):
        if not _applies(statement, logical_id, resource_type, action):
            continue
        if statement.get("Effect") == "Deny":
            return (
                f"Action denied by stack policy: Statement [#{number}] does not allow [{action}] "
                f"for resource [LogicalResourceId/{logical_id}]"
            )
        allowed = True
    if allowed:
        return None
    return (
        f"Action denied by stack policy: Statement [#1] does not allow [{action}] "
        f"for resource [LogicalResourceId/{logical_id}]"
    )


def _applies(statement, logical_id, resource_type, action):
    if "NotAction" in statement:
        acts = not _any(statement["NotAction"], action)
    else:
        acts = _any(statement.get("Action", []), action)
    resource = f"LogicalResourceId/{logical_id}"
    if "NotResource" in statement:
        concerns = not _any(statement["NotResource"], resource)
    else:
        concerns = _any(statement.get("Resource", []), resource)
    return acts and concerns and _holds(statement.get("Condition", {}), resource_type)


def _holds(condition, resource_type):
    for operator, keys in condition.items():
        for wanted in keys.values():
            wanted = wanted if isinstance(wanted, list) else [wanted]
            if operator == "StringLike":
                match = any(fnmatch.fnmatchcase(resource_type, pattern) for pattern in wanted)
            else:
                match = resource_type in wanted
            if not match:
                return False
    return True


def _any(patterns, value):
    patterns = patterns if isinstance(patterns, list) else [patterns]
    return any(fnmatch.fnmatchcase(value, pattern) for pattern in patterns)
