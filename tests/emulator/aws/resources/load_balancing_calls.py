"""Elastic Load Balancing's own calls (2015-12-01): a load balancer has interfaces in its subnets that outlive it, its
listeners go with it, it may be protected, and a target group that a listener uses stays.
"""

import base64

from ministack.core.responses import get_region
from ministack.services import alb, ec2
from ministack.services.cloudformation import provisioners

from . import ec2_managed_interfaces

PREFIXES = {"application": "app", "network": "net", "gateway": "gwy"}
# What AWS calls the interfaces; those of application load balancers are ordinary ones.
INTERFACES = {"network": "network_load_balancer", "gateway": "gateway_load_balancer"}
MOST_TAGGED = 20


def install():
    create = alb._ACTION_MAP["CreateLoadBalancer"]
    listener = alb._ACTION_MAP["CreateListener"]
    tags = alb._ACTION_MAP["DescribeTags"]
    alb._ACTION_MAP.update(
        CreateLoadBalancer=lambda params: _create(create, params),
        CreateListener=lambda params: _no_target_group(params) or listener(params),
        DeleteLoadBalancer=_delete,
        DeleteTargetGroup=_delete_target_group(alb._ACTION_MAP["DeleteTargetGroup"]),
        DescribeLoadBalancers=_describer("LoadBalancers", alb._lbs, "LoadBalancerArn", "LoadBalancerName",
                                         lambda one: alb._lb_xml(one), "LoadBalancerNotFound", "load balancers"),
        DescribeTargetGroups=_describer("TargetGroups", alb._tgs, "TargetGroupArn", "TargetGroupName",
                                        lambda one: alb._tg_xml(one), "TargetGroupNotFound", "target groups"),
        DescribeTags=lambda params: _too_many(params) or tags(params),
    )


def rename(arn, prefix):
    """Gives a load balancer that is no application load balancer the ARN and the name that it has on AWS."""
    renamed = arn.replace(":loadbalancer/app/", f":loadbalancer/{prefix}/")
    for store in (alb._lbs, alb._lb_attrs, alb._tags):
        if arn in store:
            store[renamed] = store.pop(arn)
    name, tail = renamed.split("/")[-2:]
    alb._lbs[renamed].update(LoadBalancerArn=renamed, DNSName=f"{name}-{tail}.elb.{get_region()}.amazonaws.com")
    return renamed


def add_interfaces(arn):
    """The interfaces of a load balancer that was just made."""
    record = alb._lbs[arn]
    name = arn.partition(":loadbalancer/")[2]
    ec2_managed_interfaces.make(arn, record["Subnets"], record["SecurityGroups"], f"ELB {name}", "amazon-elb",
                                INTERFACES.get(record["Type"], "interface"), record["Scheme"] == "internet-facing")


def protected(arn):
    attributes = {one["Key"]: one["Value"] for one in alb._lb_attrs.get(arn, [])}
    return attributes.get("deletion_protection.enabled") == "true"


def _create(create, params):
    subnets = alb._parse_member_list(params, "Subnets")
    number = 1
    while mapped := alb._p(params, f"SubnetMappings.member.{number}.SubnetId"):
        subnets.append(mapped)
        number += 1
    for subnet in subnets:
        if subnet not in ec2._subnets:
            return alb._error("SubnetNotFound", f"The subnet ID '{subnet}' does not exist")
    if not subnets:
        return alb._error("ValidationError", "At least one subnet must be specified")
    for group in alb._parse_member_list(params, "SecurityGroups"):
        if group not in ec2._security_groups:
            return alb._error("InvalidSecurityGroup", f"The security group '{group}' does not exist")
    known = set(alb._lbs)
    answer = create(params)
    if answer[0] != 200:
        return answer
    arn = next(iter(set(alb._lbs) - known))
    alb._lbs[arn].update(Subnets=subnets, VpcId=ec2._subnets[subnets[0]]["VpcId"])
    if alb._lbs[arn]["Type"] != "application":
        arn = rename(arn, PREFIXES[alb._lbs[arn]["Type"]])
    add_interfaces(arn)
    return alb._xml(200, "CreateLoadBalancer", f"<LoadBalancers>{alb._lb_xml(alb._lbs[arn])}</LoadBalancers>")


def _no_target_group(params):
    for action in alb._parse_actions(params, "DefaultActions"):
        arn = action.get("TargetGroupArn")
        if arn and arn not in alb._tgs:
            return alb._error("TargetGroupNotFound", f"Target groups '{arn}' not found")
    return None


def _delete(params):
    arn = alb._p(params, "LoadBalancerArn")
    if ":loadbalancer/" not in arn:
        return alb._error("ValidationError", f"'{arn}' is not a valid load balancer ARN")
    if protected(arn):
        return alb._error("OperationNotPermitted",
                          f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled")
    # One that is not there is not an error.
    provisioners._elbv2_load_balancer_delete(arn, {})
    ec2_managed_interfaces.release(arn, late=True)
    return alb._empty("DeleteLoadBalancer")


def uses_of(target_group):
    """Listeners and rules that forward to a target group."""
    actions = [(name, action) for name, one in alb._listeners.items() for action in one["DefaultActions"]]
    actions += [(name, action) for name, one in alb._rules.items() for action in one["Actions"]]
    return {name for name, action in actions if action.get("TargetGroupArn") == target_group}


def _delete_target_group(delete):
    def deleted(params):
        arn = alb._p(params, "TargetGroupArn")
        if uses_of(arn):
            return alb._error("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
        return delete(params)

    return deleted


def _describer(noun, records, arn, name, show, code, words):
    def describe(params):
        found = list(records.values())
        for parameter, key in ((f"{arn}s", arn), ("Names", name)):
            wanted = alb._parse_member_list(params, parameter)
            if set(wanted) - {one[key] for one in records.values()}:
                return alb._error(code, f"One or more {words} not found")
            found = [one for one in found if not wanted or one[key] in wanted]
        balancer = alb._p(params, "LoadBalancerArn")
        if balancer and balancer not in alb._lbs:
            return alb._error("LoadBalancerNotFound", f"Load balancer '{balancer}' not found")
        if balancer:
            found = [one for one in found if balancer in one["LoadBalancerArns"]]
        return page(params, found, 400, lambda inner, marker: alb._xml(
            200, f"Describe{noun}", f"<{noun}>{''.join(map(show, inner))}</{noun}>{marker('NextMarker')}"), alb._error)

    return describe


def page(params, found, most, answer, error):
    """One page of a Describe call of either version: `PageSize` items, from `Marker` on."""
    size, given = int(alb._p(params, "PageSize") or most), alb._p(params, "Marker")
    if not 1 <= size <= 400:
        return error("ValidationError", "Page size must be between 1 and 400")
    try:
        start = int(base64.b64decode(given)) if given else 0
    except ValueError:
        return error("ValidationError", f"Invalid marker: {given}")
    end = start + size
    token = base64.b64encode(str(end).encode()).decode() if end < len(found) else ""
    return answer(found[start:end], lambda element: f"<{element}>{token}</{element}>" if token else "")


def _too_many(params):
    if len(alb._parse_member_list(params, "ResourceArns")) > MOST_TAGGED:
        return alb._error("ValidationError", f"Cannot have more than {MOST_TAGGED} resources described")
    return None
