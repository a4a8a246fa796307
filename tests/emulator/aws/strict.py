"""What CloudFormation refuses and ministack accepts, in CloudFormation's words."""

import re
from urllib.parse import parse_qs, urlparse

from ministack.core.responses import error_response_json, get_region
from ministack.services import s3, ssm
from ministack.services.cloudformation import _change_sets, _stacks, changesets, engine, handlers
from ministack.services.cloudformation.helpers import _error, _p, _resolve_template, _xml

AMI_PATH = "/aws/service/ami-amazon-linux-latest/"
CAN_BE_UPDATED = (
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE",
)

# Update policies that replace instances.
NOT_EMULATED = {"AutoScalingRollingUpdate", "AutoScalingReplacingUpdate"}


def install():
    """Puts the checks in front of the actions that take a template, and fills in public parameters."""
    # Stock asks for acknowledged capabilities only together with IAM evaluation, which is off here.
    handlers._capabilities_enforced = lambda: True
    _public_amis()
    _empty_parameters()
    _template_versions()
    actions = handlers._ACTION_HANDLERS
    for name in ("CreateStack", "UpdateStack", "CreateChangeSet", "ValidateTemplate", "GetTemplateSummary"):
        actions[name] = _checked(name, actions[name])
    actions["CreateStack"] = _idempotent(actions["CreateStack"])
    actions["ExecuteChangeSet"] = _only_when_idle(actions["ExecuteChangeSet"])
    actions["CreateChangeSet"] = _outputs_are_changes(actions["CreateChangeSet"])
    actions["UpdateStack"] = _overtaking(actions["UpdateStack"])
    actions["ListChangeSets"] = _by_name_or_id(actions["ListChangeSets"])


def _public_amis():
    for number, (kernel, arch) in enumerate(
        (kernel, arch) for kernel in ("6.1", "6.12", "6.18", "default") for arch in ("arm64", "x86_64")
    ):
        ssm._PUBLIC_AMI_PARAMETERS[f"{AMI_PATH}al2023-ami-kernel-{kernel}-{arch}"] = f"ami-0a12023{number:02x}c0ffee01"


def _empty_parameters():
    """A parameter's value has a character at least."""
    put = ssm._put_parameter

    def checked(data):
        if data.get("Value") == "":
            return error_response_json("ValidationException", "1 validation error detected: Value at 'value' failed to "
                                       "satisfy constraint: Member must have length greater than or equal to 1", 400)
        return put(data)

    ssm._put_parameter = checked


# Between the key and the version of a template's object.
VERSION = "@version="


def _template_versions():
    """CloudFormation reads the version that a template's URL names."""
    read = s3._get_object_data

    def versioned(bucket, key, version_id=None):
        key, _, named = key.partition(VERSION)
        return read(bucket, key, version_id or named or None)

    s3._get_object_data = versioned


def _checked(action, run):
    def checked(params):
        _path_style(params)
        body, _ = _resolve_template(params)
        refusal = _refusal(action, params, body) if body else None
        return refusal or run(params)

    return checked


def _path_style(params):
    """ministack understands path-style template URLs only, and no versions in them."""
    url = urlparse(_p(params, "TemplateURL"))
    version = "".join(VERSION + version for version in parse_qs(url.query).get("versionId", []))
    virtual = re.fullmatch(r"(?P<bucket>[a-z0-9.-]+)\.s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com", url.netloc)
    if virtual:
        params["TemplateURL"] = [f"https://s3.{get_region()}.amazonaws.com/{virtual['bucket']}{url.path}{version}"]
    elif version:
        params["TemplateURL"] = [f"{url.scheme}://{url.netloc}{url.path}{version}"]


def _refusal(action, params, body):
    try:
        template = engine._parse_template(body)
    except Exception:  # ministack answers it itself
        return None
    if not isinstance(template, dict):
        return None
    problem = _template_problem(template)
    if not problem and action not in ("ValidateTemplate", "GetTemplateSummary"):
        problem = _parameter_problem(action, params, template)
    if problem:
        return _error("ValidationError", problem)
    stack = _stack(_p(params, "StackName"))
    if action == "CreateStack" and stack and stack["StackStatus"] == "ROLLBACK_COMPLETE":
        return _error("AlreadyExistsException", f"Stack [{stack['StackName']}] already exists")
    if action in ("UpdateStack", "CreateChangeSet") and stack and _p(params, "ChangeSetType", "UPDATE") == "UPDATE":
        return _busy(stack)
    return None


def _template_problem(template):
    resources = template.get("Resources") or {}
    if not resources:
        return "Template format error: At least one Resources member must be defined."
    if "Transform" in template:
        return None
    for logical_id, resource in resources.items():
        if NOT_EMULATED & set(resource.get("UpdatePolicy") or {}):
            return f"[{logical_id}] The emulator replaces no instances: it has no {', '.join(sorted(NOT_EMULATED))}."
    known = set(resources) | set(template.get("Parameters") or {})
    depends = {name for resource in resources.values() for name in _names(resource.get("DependsOn"))}
    for block in ("Resources", "Outputs"):
        mentioned = {name for name, _ in engine._intrinsic_references(template.get(block) or {})}
        missing = {name for name in mentioned if name not in known and not name.startswith("AWS::")}
        if block == "Resources":
            missing |= depends - set(resources)
        if missing:
            return (
                f"Template format error: Unresolved resource dependencies [{', '.join(sorted(missing))}] "
                f"in the {block} block of the template"
            )
    try:
        engine._topological_sort(resources, {})
    except ValueError as circle:
        return f"Circular dependency between resources: [{str(circle).rpartition(': ')[2]}]"
    return None


def _parameter_problem(action, params, template):
    declared = template.get("Parameters") or {}
    given = {
        _p(params, key) for key in params if re.fullmatch(r"Parameters\.member\.\d+\.ParameterKey", key)
    } - {""}
    extra = sorted(given - set(declared))
    if extra:
        return f"Parameters: [{', '.join(extra)}] do not exist in the template"
    creates = action == "CreateStack" or _p(params, "ChangeSetType") == "CREATE"
    missing = sorted(name for name, about in declared.items() if "Default" not in about and name not in given)
    if creates and missing:
        return f"Parameters: [{', '.join(missing)}] must have values"
    return None


def _idempotent(create):
    """The same token names the same request: it is answered with the stack it made."""

    def created(params):
        stack, token = _stack(_p(params, "StackName")), _p(params, "ClientRequestToken")
        if stack and token and stack.get("_created_by") == token and stack["StackStatus"] != "DELETE_COMPLETE":
            stack_id = stack["StackId"]
            return _xml(200, "CreateStackResponse", f"<CreateStackResult><StackId>{stack_id}</StackId></CreateStackResult>")
        answer = create(params)
        if answer[0] == 200:
            _stack(_p(params, "StackName"))["_created_by"] = token
        return answer

    return created


def _only_when_idle(execute):
    def executed(params):
        _, change_set = changesets._find_change_set(_p(params, "ChangeSetName"), _p(params, "StackName"))
        stack = _stack(change_set["StackName"]) if change_set else None
        refusal = _busy(stack) if stack and change_set["ChangeSetType"] == "UPDATE" else None
        return refusal or execute(params)

    return executed


def _outputs_are_changes(create):
    """A change of outputs alone makes a change set without resource changes that can be executed."""

    def created(params):
        answer = create(params)
        _, change_set = changesets._find_change_set(_p(params, "ChangeSetName"), _name(_p(params, "StackName")))
        if answer[0] != 200 or change_set["ExecutionStatus"] != "UNAVAILABLE" or change_set["Changes"]:
            return answer
        before = (_stack(change_set["StackName"]).get("_template") or {}).get("Outputs") or {}
        if change_set["ChangeSetType"] == "UPDATE" and before != (change_set["_template"].get("Outputs") or {}):
            change_set.update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE", StatusReason="")
        return answer

    return created


def _overtaking(update):
    """An update by other means makes the change sets that lie with the stack obsolete."""

    def updated(params):
        answer = update(params)
        if answer[0] == 200:
            stack_id = _stack(_p(params, "StackName"))["StackId"]
            for change_set in _change_sets.values():
                if change_set["StackId"] == stack_id and change_set["ExecutionStatus"] == "AVAILABLE":
                    change_set["ExecutionStatus"] = "OBSOLETE"
        return answer

    return updated


def _by_name_or_id(list_change_sets):
    """ministack lists by name only, and nothing for a stack that is not there."""

    def listed(params):
        asked = _p(params, "StackName")
        stack = _stack(asked)
        if not stack or stack["StackStatus"] == "DELETE_COMPLETE":
            return _error("ValidationError", f"Stack [{asked}] does not exist")
        return list_change_sets({**params, "StackName": [stack["StackName"]]})

    return listed


def _busy(stack):
    status = stack["StackStatus"]
    if status in CAN_BE_UPDATED or status in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS"):
        return None
    return _error("ValidationError", f"Stack:{stack['StackId']} is in {status} state and can not be updated.")


def _stack(name_or_id):
    return _stacks.get(_name(name_or_id))


def _name(name_or_id):
    return name_or_id.split("/")[1] if name_or_id.startswith("arn:") else name_or_id


def _names(value):
    return [value] if isinstance(value, str) else value or []
