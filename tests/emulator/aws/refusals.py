"""Calls that answer AccessDenied because an account's `refuses` names them: `DescribeVolumes`, or with the service's
prefix of IAM where several services have one of that name: `elasticloadbalancing:DescribeTags`. Each service words it in
its own protocol.
"""

import functools
import json

from ministack.core.responses import get_account_id
from ministack.services import alb, cloudwatch_logs, ec2, iam, kms, rds, route53, tagging

# Route 53, CloudWatch Logs and KMS have no table of actions, but a function for each.
FUNCTIONS = {
    route53: {"ListHostedZones": "_list_hosted_zones", "ListHostedZonesByName": "_list_hosted_zones_by_name",
              "ListResourceRecordSets": "_list_resource_record_sets",
              "ChangeResourceRecordSets": "_change_resource_record_sets", "GetHostedZone": "_get_hosted_zone"},
    cloudwatch_logs: {"DescribeLogGroups": "_describe_log_groups", "DeleteLogGroup": "_delete_log_group"},
    kms: {"DescribeKey": "_describe_key", "ScheduleKeyDeletion": "_schedule_key_deletion"},
}


def install(accounts):
    for table, error in ((ec2._ACTION_MAP, _of_ec2), (rds._ACTION_MAP, _of_rds), (iam._IAM_HANDLERS, _of_iam),
                         (alb._ACTION_MAP, _of_balancing), (tagging._HANDLERS, _of_tagging)):
        for action in list(table):
            table[action] = _allowed(accounts, action, table[action], error)
    errors = {route53: _of_route53, cloudwatch_logs: _of_logs, kms: _of_kms}
    for module, functions in FUNCTIONS.items():
        for action, name in functions.items():
            setattr(module, name, _allowed(accounts, action, getattr(module, name), errors[module]))


def sentence(account, action):
    return f"User: arn:aws:iam::{account}:user/operator is not authorized to perform: {action}"


def _allowed(accounts, action, run, error):
    prefix = error("")
    @functools.wraps(run)
    def checked(*params, **named):
        refused = accounts.of_caller().get("refuses", [])
        if action in refused or f"{prefix}:{action}" in refused:
            return error(action)
        return run(*params, **named)

    return checked


def _said(service, action):
    return f"{sentence(get_account_id(), f'{service}:{action}')} because no identity-based policy allows the " \
           f"{service}:{action} action"


def _denial(service, answer):
    """What refuses an action of a service; of no action, the prefix that IAM has for the service."""
    return lambda action: answer(_said(service, action)) if action else service


def _json(message):
    return 400, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(
        {"__type": "AccessDeniedException", "Message": message}).encode()


_of_ec2 = _denial("ec2", lambda message: ec2._error(
    "UnauthorizedOperation", f"You are not authorized to perform this operation. {message}", 403))
_of_rds = _denial("rds", lambda message: rds._error("AccessDenied", message, 403))
_of_iam = _denial("iam", lambda message: iam._error(403, "AccessDenied", message, ns="iam"))
_of_balancing = _denial("elasticloadbalancing", lambda message: alb._error("AccessDenied", message, 403))
_of_route53 = _denial("route53", lambda message: route53._error_response("AccessDenied", message, 403))
_of_tagging = _denial("tag", _json)
_of_logs = _denial("logs", _json)
_of_kms = _denial("kms", _json)
