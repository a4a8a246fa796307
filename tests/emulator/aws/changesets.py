"""What a change set says: computed from the properties the stack has and those it would get, with the values.

ministack compares templates and reports much that does not change; CloudFormation's own property-value mode knows
better, and the tool's guard against data loss is tested on it. A value that only the update itself will bring forth
is `{{changeSet:KNOWN_AFTER_APPLY}}`, as AWS writes it.
"""

import copy
import json
from html import escape

from ministack.services.cloudformation import changesets, engine, handlers, helpers, provisioners

from .replacing import changed_paths, recreation

UNKNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"
# Attributes that an update in place changes, by type. AWS counts every attribute of a changed resource among them.
VOLATILE = {
    "AWS::EC2::LaunchTemplate": {"LatestVersionNumber", "DefaultVersionNumber"},
    "AWS::SSM::Parameter": {"Value"},
}
ATTRIBUTES = ("Metadata", "CreationPolicy", "UpdatePolicy", "DeletionPolicy", "UpdateReplacePolicy")
_POLICY_WORDS = {"Delete": "Delete", "Retain": "Retain", "RetainExceptOnCreate": "Retain", "Snapshot": "Snapshot"}


def install():
    """Replaces ministack's comparison and its rendering."""
    changesets._resolve_props_for_diff = _remember
    changesets._diff_resources = _compare
    handlers._ACTION_HANDLERS["DescribeChangeSet"] = _describe


def _remember(template, params, stack_name, stack_id):
    # Called for the old template and the new one just before `_compare`, which needs more than ministack hands it.
    return {"template": template or {}, "params": params, "stack": (stack_name, stack_id)}


def _compare(old, new, resources=None, template=None, changed_params=(), retag=()):
    comparison = _Comparison(old, new, resources or {}, set(changed_params))
    changes = comparison.additions_and_changes(set(retag)) + comparison.removals()
    return [{"ResourceChange": change} for change in sorted(changes, key=lambda c: c["LogicalResourceId"])]


class _Anything(dict):
    """Attributes of which none is known yet."""

    def __contains__(self, _name):
        return True

    def __getitem__(self, _name):
        return UNKNOWN

    def get(self, _name, _default=None):
        return UNKNOWN


class _Some(dict):
    """Attributes of which some are not known yet."""

    def __init__(self, known, volatile):
        super().__init__(known)
        self.update({name: UNKNOWN for name in volatile})


class _Comparison:
    def __init__(self, old, new, resources, changed_params):
        self._old_definitions = old["template"].get("Resources", {})
        self._template = new["template"]
        self._definitions = self._template.get("Resources", {})
        self._params = new["params"]
        self._stack = new["stack"]
        self._resources = resources
        self._changed_params = changed_params
        self._conditions = engine._evaluate_conditions(self._template, self._params)
        self._order = engine._topological_sort(self._definitions, self._conditions)
        self._after = {}
        self._replaced = set()

    def additions_and_changes(self, retag):
        changes = []
        for logical_id in self._order:
            properties = self._resolved(logical_id)
            if logical_id not in self._resources:
                self._after[logical_id] = {"PhysicalResourceId": UNKNOWN, "Attributes": _Anything()}
                changes.append(self._addition(logical_id, properties))
                continue
            change = self._modification(logical_id, properties, logical_id in retag)
            self._foresee(logical_id, change)
            if change:
                changes.append(change)
        return changes

    def removals(self):
        return [
            {
                "Action": "Remove",
                "LogicalResourceId": logical_id,
                "PhysicalResourceId": resource["PhysicalResourceId"],
                "ResourceType": resource["ResourceType"],
                **_policy_action(self._old_definitions.get(logical_id, {}), "DeletionPolicy", ""),
                "Scope": [],
                "Details": [],
                "BeforeContext": {"Properties": resource["Properties"]},
            }
            for logical_id, resource in self._resources.items()
            if logical_id not in self._order
        ]

    def _resolved(self, logical_id):
        raw = self._definitions[logical_id].get("Properties") or {}
        resolved = engine._resolve_refs(
            copy.deepcopy(raw), self._after, self._params, self._conditions,
            self._template.get("Mappings", {}), *self._stack,
        )
        return {name: value for name, value in resolved.items() if value is not engine._NO_VALUE}

    def _addition(self, logical_id, properties):
        return {
            "Action": "Add",
            "LogicalResourceId": logical_id,
            "ResourceType": self._definitions[logical_id]["Type"],
            "Scope": [],
            "Details": [],
            "AfterContext": {"Properties": properties},
        }

    def _modification(self, logical_id, properties, retagged):
        definition, resource = self._definitions[logical_id], self._resources[logical_id]
        before = self._old_definitions.get(logical_id, {})
        resource_type = definition["Type"]
        details = self._property_details(logical_id, resource, properties)
        details += [
            _detail((attribute,), before.get(attribute), definition.get(attribute), "Never")
            for attribute in ATTRIBUTES
            if before.get(attribute) != definition.get(attribute)
        ]
        if retagged and resource_type in provisioners._STACK_TAG_PROPERTY:
            details.append({"Target": {"Attribute": "Tags", "RequiresRecreation": "Never"}, "Evaluation": "Static"})
        retyped = resource["ResourceType"] != resource_type
        if not details and not retyped:
            return None
        replacement = "True" if retyped else _replacement(details)
        return {
            "Action": "Modify",
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": resource["PhysicalResourceId"],
            "ResourceType": resource_type,
            "Replacement": replacement,
            **(_policy_action(definition, "UpdateReplacePolicy", "ReplaceAnd") if replacement == "True" else {}),
            "Scope": list(dict.fromkeys(detail["Target"]["Attribute"] for detail in details)),
            "Details": details,
            "BeforeContext": {"Properties": resource["Properties"]},
            "AfterContext": {"Properties": properties},
        }

    def _property_details(self, logical_id, resource, properties):
        details = []
        old = resource["Properties"]
        raw_old = self._old_definitions.get(logical_id, {}).get("Properties") or {}
        raw_new = self._definitions[logical_id].get("Properties") or {}
        for path in changed_paths(old, properties):
            if not path:
                continue
            detail = _detail(
                ("Properties", *path), _at(old, path), _at(properties, path), recreation(resource["ResourceType"], path)
            )
            if raw_old.get(path[0]) == raw_new.get(path[0]):
                # The template says the same, so something it refers to changed.
                detail.update(self._cause(raw_new.get(path[0])))
            details.append(detail)
        return details

    def _cause(self, raw):
        for name, attribute in engine._intrinsic_references(raw):
            if attribute is None and name in self._changed_params:
                return {"ChangeSource": "ParameterReference", "CausingEntity": name}
            known = self._after.get(name)
            if known is None:
                continue
            if attribute and known["Attributes"].get(attribute) == UNKNOWN:
                return {
                    "Evaluation": "Static" if name in self._replaced else "Dynamic",
                    "ChangeSource": "ResourceAttribute",
                    "CausingEntity": f"{name}.{attribute}",
                }
            if known["PhysicalResourceId"] == UNKNOWN:
                return {
                    "Evaluation": "Static" if name in self._replaced else "Dynamic",
                    "ChangeSource": "ResourceAttribute" if attribute else "ResourceReference",
                    "CausingEntity": f"{name}.{attribute}" if attribute else name,
                }
        return {}

    def _foresee(self, logical_id, change):
        resource = self._resources[logical_id]
        if change and change["Replacement"] == "True":
            self._replaced.add(logical_id)
            self._after[logical_id] = {"PhysicalResourceId": UNKNOWN, "Attributes": _Anything()}
        elif change and change["Scope"] != ["Metadata"]:
            volatile = VOLATILE.get(change["ResourceType"], ()) if "Properties" in change["Scope"] else ()
            self._after[logical_id] = {**resource, "Attributes": _Some(resource.get("Attributes") or {}, volatile)}
        else:
            self._after[logical_id] = resource


def _detail(path, before, after, recreated):
    target = {"Attribute": path[0]}
    if len(path) > 1:
        target["Name"] = path[1]
    target["RequiresRecreation"] = recreated
    target["Path"] = "/" + "/".join(path)
    if before is not None:
        target["BeforeValue"] = _text(before)
    if after is not None:
        target["AfterValue"] = _text(after)
    kind = "Add" if before is None else "Remove" if after is None else "Modify"
    target["AttributeChangeType"] = kind
    return {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}


def _replacement(details):
    if any(d["Target"]["RequiresRecreation"] == "Always" and d["Evaluation"] == "Static" for d in details):
        return "True"
    if any(d["Target"]["RequiresRecreation"] != "Never" for d in details):
        return "Conditional"
    return "False"


def _policy_action(definition, attribute, prefix):
    default = "Snapshot" if attribute == "DeletionPolicy" and definition.get("Type") == "AWS::RDS::DBInstance" else "Delete"
    word = _POLICY_WORDS.get(definition.get(attribute, default))
    return {"PolicyAction": prefix + word} if word else {}


def _at(value, path):
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value):
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, sort_keys=True) if isinstance(value, (dict, list)) else str(value)


def _describe(params):
    name, stack_name = helpers._p(params, "ChangeSetName"), helpers._p(params, "StackName")
    _, change_set = changesets._find_change_set(name, stack_name)
    if change_set is None:
        return helpers._error("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)
    with_values = helpers._p(params, "IncludePropertyValues").lower() == "true"
    page, next_token, error = helpers._page(change_set["Changes"], params, "DescribeChangeSet")
    if error:
        return error
    shown = {key: change_set[key] for key in (
        "ChangeSetId", "ChangeSetName", "StackId", "StackName", "Status", "StatusReason", "ExecutionStatus",
        "CreationTime", "Description", "ChangeSetType", "Capabilities", "Parameters", "Tags", "OnStackFailure",
    ) if change_set.get(key)}
    shown["Changes"] = [{"Type": "Resource", **_shown(change, with_values)} for change in page]
    return helpers._xml(
        200, "DescribeChangeSetResponse",
        f"<DescribeChangeSetResult>{_xml(shown)}{next_token}</DescribeChangeSetResult>",
    )


def _shown(change, with_values):
    body = dict(change["ResourceChange"])
    for context in ("BeforeContext", "AfterContext"):
        value = body.pop(context, None)
        if with_values and value is not None:
            body[context] = json.dumps(value, sort_keys=True, default=str)
    if not with_values:
        body["Details"] = [
            {**detail, "Target": {k: v for k, v in detail["Target"].items()
                                  if k in ("Attribute", "Name", "RequiresRecreation")}}
            for detail in body["Details"]
        ]
    return {"ResourceChange": body}


def _xml(value):
    if isinstance(value, dict):
        return "".join(f"<{key}>{_xml(inner)}</{key}>" for key, inner in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(inner)}</member>" for inner in value)
    return escape(str(value), quote=False)
