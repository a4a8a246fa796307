"""Lists that are too long and numbers out of range, refused in AWS's words. The figures are those of botocore's models of the
services; what AWS documents beside them is in the tables below.
"""

import functools
import json
import re
from html import escape
from urllib.parse import parse_qs

import botocore.session

from .account import body_of, headers_of

# The start of a target of the JSON protocols, without the version, and the API's version of the query ones.
TARGETS = {"AmazonSSM": "ssm", "ResourceGroupsTaggingAPI_20170126": "resourcegroupstaggingapi", "secretsmanager": "secretsmanager",
           "Logs_20140328": "logs", "TrentService": "kms"}
VERSIONS = {"2010-05-15": "cloudformation", "2010-05-08": "iam", "2011-01-01": "autoscaling", "2012-06-01": "elb",
            "2014-10-31": "rds"}
EC2_VERSION = "2016-11-15"
# "Up to 50 instance ids" and "by default, up to 100 groups" of the API's reference: the models say nothing.
DOCUMENTED = {"DescribeAutoScalingInstances": {"InstanceIds": 50}, "DescribeAutoScalingGroups": {"MaxRecords": 100}}
FILTER_VALUES = 200
DELETED_OBJECTS = 1000
XML = "application/xml"


class _Models:
    def __init__(self):
        self._session = botocore.session.get_session()

    @functools.cache
    def members(self, service, action):
        model = self._session.get_service_model(service)
        if action not in model.operation_names:
            return {}
        shape = model.operation_model(action).input_shape
        return dict(shape.members) if shape else {}


def front(app):
    """Refuses before `app` sees a call."""
    models = _Models()

    async def limited(scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST":
            return await app(scope, receive, send)
        headers, query = headers_of(scope), scope["query_string"].decode()
        if not ("x-amz-target" in headers or "form-urlencoded" in headers.get("content-type", "") or query.startswith("delete")):
            return await app(scope, receive, send)
        body = await body_of(receive)
        refusal = _refusal(models, headers, query, body)
        if refusal is None:
            return await app(scope, replayed(body, receive), send)
        kind, text = refusal
        await send({"type": "http.response.start", "status": 400,
                    "headers": [(b"content-type", kind.encode()), (b"x-amzn-requestid", b"1")]})
        await send({"type": "http.response.body", "body": text.encode()})

    return limited


def replayed(body, receive):
    """A `receive` that gives this body first."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def received():
        return waiting.pop() if waiting else await receive()

    return received


def _refusal(models, headers, query, body):
    """The answer's type and text, or None."""
    target, _, action = headers.get("x-amz-target", "").partition(".")
    if target:
        problem = _problem(models, TARGETS.get(target), action, _object(body))
        return problem and ("application/x-amz-json-1.1", json.dumps({"__type": "ValidationException", "message": problem}))
    if query.startswith("delete"):
        too_many = body.count(b"<Key>") > DELETED_OBJECTS
        return (XML, _error("MalformedXML", "The XML you provided was not well-formed or did not validate against our published "
                          "schema")) if too_many else None
    asked = {name: values[0] for name, values in parse_qs(body.decode(errors="replace"), keep_blank_values=True).items()}
    if asked.get("Version") == EC2_VERSION:
        values = sum(1 for name in asked if re.fullmatch(r"Filter\.\d+\.Value\.\d+", name))
        return (XML, _ec2("FilterLimitExceeded", f"The maximum number of filter values specified on a single call is {FILTER_VALUES}")
                ) if values > FILTER_VALUES else None
    problem = _problem(models, VERSIONS.get(asked.get("Version")), asked.get("Action", ""), _members(asked))
    return problem and ("text/xml", f"<ErrorResponse>{_error('ValidationError', problem)}<RequestId>1</RequestId></ErrorResponse>")


def _problem(models, service, action, given):
    if service is None:
        return None
    for name, shape in models.members(service, action).items():
        value, most = given.get(name), DOCUMENTED.get(action, {}).get(name, shape.metadata.get("max"))
        if value is None or most is None:
            continue
        if shape.type_name == "list" and isinstance(value, list) and len(value) > most:
            shown, what = f"[{', '.join(map(str, value))}]", "length"
        elif shape.type_name in ("integer", "long") and str(value).isdigit() and int(value) > most:
            shown, what = value, "value"
        else:
            continue
        return (f"1 validation error detected: Value '{shown}' at '{name[0].lower()}{name[1:]}' failed to satisfy constraint: "
                f"Member must have {what} less than or equal to {most}")
    return None


def _object(body):
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _members(asked):
    """Lists of the query protocol, `Name.member.1` and so on, and what is no list."""
    found = {}
    for name, value in asked.items():
        outer, _, rest = name.partition(".member.")
        if not rest:
            found[name] = value
        elif rest.partition(".")[0] not in (seen := found.setdefault(outer, {})):
            seen[rest.partition(".")[0]] = value
    return {name: list(value.values()) if isinstance(value, dict) else value for name, value in found.items()}


def _error(code, message):
    return f"<Error><Code>{code}</Code><Message>{escape(message, quote=False)}</Message></Error>"


def _ec2(code, message):
    return f"<Response><Errors>{_error(code, message)}</Errors><RequestID>1</RequestID></Response>"
