"""Drift detection for every type: ministack reads a few of them, and where it cannot, a resource counts as it was
made. A test describes a manual change with a rule; nothing else about the resource changes.
"""

import copy
import json

from ministack.services.cloudformation import drift

from .rules import Step

_compare = drift.detect_resource_drift
_read_by_ministack = drift.supports_drift


def install(rules):
    """Puts the rules behind ministack's own detection."""

    def detect(stack, logical_id, record, timestamp):
        resource_type = record.get("ResourceType", "")
        facts = rules.facts(Step("drift", resource_type, stack["StackName"], logical_id))
        if not facts and _read_by_ministack(resource_type):
            return _compare(stack, logical_id, record, timestamp)
        return _drifted(stack, logical_id, record, timestamp, facts)

    drift.detect_resource_drift = detect
    drift.supports_drift = lambda _resource_type: True


def _drifted(stack, logical_id, record, timestamp, facts):
    found = {
        "StackId": stack["StackId"], "LogicalResourceId": logical_id,
        "PhysicalResourceId": record.get("PhysicalResourceId", ""), "ResourceType": record.get("ResourceType", ""),
        "Timestamp": timestamp,
    }
    if any(fact.get("gone") for fact in facts):
        return {**found, "StackResourceDriftStatus": "DELETED"}
    expected = record.get("Properties") or {}
    actual = copy.deepcopy(expected)
    for fact in facts:
        for pointer, value in fact.get("actual", {}).items():
            put(actual, pointer.strip("/").split("/"), value)
    differences = drift._differences(expected, actual, "")
    found.update(
        StackResourceDriftStatus="MODIFIED" if differences else "IN_SYNC",
        ExpectedProperties=json.dumps(expected, sort_keys=True, default=str),
        ActualProperties=json.dumps(actual, sort_keys=True, default=str),
    )
    return {**found, "PropertyDifferences": differences} if differences else found


def put(value, steps, wanted):
    """Sets what the steps lead to; None removes it."""
    *way, last = steps
    for step in way:
        value = value[int(step)] if isinstance(value, list) else value.setdefault(step, {})
    if isinstance(value, list):
        last = int(last)
        if wanted is None or last < len(value):
            value[last:last + 1] = [] if wanted is None else [wanted]
        else:
            value.append(wanted)
    elif wanted is None:
        value.pop(last, None)
    else:
        value[last] = wanted
