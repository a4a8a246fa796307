"""GetResources of Resource Groups Tagging: load balancers, target groups and EC2's resources too, in pages, and for a
while still what was deleted.
"""

import base64
import json

from ministack.core.responses import get_account_id, get_region
from ministack.services import alb, ec2, tagging

from . import releases
from .resources import load_balancing_classic as classic

# AWS seconds for which a deleted resource is still listed; `tagsStay` of an account has real seconds.
STAY = 60
EC2 = {"instance": "_instances", "volume": "_volumes", "snapshot": "_snapshots", "security-group": "_security_groups",
       "network-interface": "_network_interfaces", "subnet": "_subnets", "vpc": "_vpcs", "route-table": "_route_tables",
       "vpc-endpoint": "_vpc_endpoints", "natgateway": "_nat_gateways"}
_deleted = {}


def install():
    tagging._COLLECTORS.update({"elasticloadbalancing": _balancing, "ec2": _computing, "s3": _buckets})
    tagging._HANDLERS["GetResources"] = _get_resources
    for action in ("DeleteLoadBalancer", "DeleteTargetGroup"):
        alb._ACTION_MAP[action] = _remembering(alb._ACTION_MAP[action])


def _balancing():
    for arn in (*alb._lbs, *alb._tgs, *alb._listeners):
        yield arn, alb._tags.get(arn, [])
    yield from classic.tags()


def _computing():
    for kind, store in EC2.items():
        for name in getattr(ec2, store):
            yield f"arn:aws:ec2:{get_region()}:{get_account_id()}:{kind}/{name}", ec2._tags.get(name, [])


_buckets_of_ministack = tagging._collect_s3


def _buckets():
    from ministack.services import s3
    return ((arn, tags) for arn, tags in _buckets_of_ministack() if arn.rpartition(":")[2] in s3._buckets)


def _remembering(delete):
    """What a call deletes is listed with its tags until later."""
    def remembering(params):
        before = dict(_balancing())
        answer = delete(params)
        for arn in set(before) - set(dict(_balancing())):
            key = (get_account_id(), arn)
            _deleted[key] = before[arn]
            releases.later(STAY, "tagsStay", lambda gone=key: _deleted.pop(gone, None))
        return answer

    return remembering


def _refused(message):
    return tagging._invalid_parameter(message)


def _get_resources(data):
    releases.settle()
    kinds, filters = data.get("ResourceTypeFilters") or [], data.get("TagFilters") or []
    size, token = data.get("ResourcesPerPage", 50), data.get("PaginationToken")
    arns = data.get("ResourceARNList")
    if not 1 <= size <= 100:
        return _refused("Resources per page must be between 1 and 100")
    if arns and (kinds or filters or token or "ResourcesPerPage" in data):
        return _refused("ResourceARNList cannot be specified with filters or pagination parameters")
    if arns and len(arns) > 100 or len(filters) > 50 or len(kinds) > 100:
        return _refused("Too many filters")
    try:
        start = int(base64.b64decode(token)) if token else 0
    except ValueError:
        return 400, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(
            {"__type": "PaginationTokenExpiredException", "Message": "The pagination token is not valid"}).encode()
    found = sorted((arn, tags) for arn, tags in _everything().items()
                   if tags and (not arns or arn in arns) and _is_of(arn, kinds) and tagging._matches_tag_filters(tags, filters))
    end = start + size
    return tagging._json({
        "PaginationToken": base64.b64encode(str(end).encode()).decode() if end < len(found) else "",
        "ResourceTagMappingList": [{"ResourceARN": arn, "Tags": tags} for arn, tags in found[start:end]],
    })


def _everything():
    collectors = dict.fromkeys(tagging._COLLECTORS.values())
    gone = {arn: tags for (account, arn), tags in _deleted.items()
            if account == get_account_id() and arn.split(":")[3] == get_region()}
    return {**gone, **{arn: tags for collect in collectors for arn, tags in collect()}}


def _is_of(arn, kinds):
    """Whether a resource is of a kind `service` or `service:type`; a bucket's ARN names no type."""
    if not kinds:
        return True
    parts = arn.split(":", 5)
    kind = "bucket" if parts[2] == "s3" else parts[5].replace(":", "/").partition("/")[0]
    return any(one in (parts[2], f"{parts[2]}:{kind}") for one in kinds)
