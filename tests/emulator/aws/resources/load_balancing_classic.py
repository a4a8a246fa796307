"""Classic load balancers: the version 2012-06-01 of Elastic Load Balancing, which has names in place of ARNs."""

import functools
from xml.sax.saxutils import escape

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region, new_uuid
from ministack.services import alb, ec2

from . import ec2_managed_interfaces
from .load_balancing_calls import page

VERSION = "2012-06-01"
SPACE = "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/"
MOST_TAGGED = 20

balancers = AccountRegionScopedDict()


def install():
    """Answers calls of this version; those of the other go on to what was there."""
    for action, answer in {
        "CreateLoadBalancer": _create, "DescribeLoadBalancers": _describe, "DeleteLoadBalancer": _delete,
        "RegisterInstancesWithLoadBalancer": functools.partial(_register, True),
        "DeregisterInstancesFromLoadBalancer": functools.partial(_register, False),
        "AddTags": _add_tags, "DescribeTags": _describe_tags,
    }.items():
        alb._ACTION_MAP[action] = _by_version(action, answer, alb._ACTION_MAP.get(action))


def arn(name):
    return f"arn:aws:elasticloadbalancing:{get_region()}:{get_account_id()}:loadbalancer/{name}"


def tags():
    """ARN and tags of every classic load balancer."""
    return [(arn(name), [{"Key": k, "Value": v} for k, v in record["Tags"].items()]) for name, record in balancers.items()]


def _by_version(action, classic, other):
    def answered(params):
        if alb._p(params, "Version") == VERSION:
            return classic(params)
        return other(params) if other else alb._error("InvalidAction", f"Could not find operation {action}")

    return answered


def _xml(action, inner):
    body = (f'<{action}Response xmlns="{SPACE}"><{action}Result>{inner}</{action}Result><ResponseMetadata><RequestId>'
            f"{new_uuid()}</RequestId></ResponseMetadata></{action}Response>")
    return 200, {"Content-Type": "text/xml"}, body.encode()


def _error(code, message, status=400):
    body = (f'<ErrorResponse xmlns="{SPACE}"><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}'
            f"</Message></Error><RequestId>{new_uuid()}</RequestId></ErrorResponse>")
    return status, {"Content-Type": "text/xml"}, body.encode()


def _unknown(name):
    return _error("LoadBalancerNotFound", f"There is no ACTIVE Load Balancer named '{name}'")


def _given_tags(params):
    return {tag["Key"]: tag["Value"] for tag in alb._parse_tags(params)}


def _listeners(params):
    found, number = [], 1
    while port := alb._p(params, f"Listeners.member.{number}.LoadBalancerPort"):
        prefix = f"Listeners.member.{number}"
        protocol = alb._p(params, f"{prefix}.Protocol").upper()
        found.append({"Protocol": protocol, "LoadBalancerPort": port,
                      "InstanceProtocol": alb._p(params, f"{prefix}.InstanceProtocol", protocol).upper(),
                      "InstancePort": alb._p(params, f"{prefix}.InstancePort")})
        number += 1
    return found


def _create(params):
    name, subnets = alb._p(params, "LoadBalancerName"), alb._parse_member_list(params, "Subnets")
    groups = alb._parse_member_list(params, "SecurityGroups")
    if name in balancers:
        return _error("DuplicateLoadBalancerName", f"Load Balancer named {name} already exists and it is configured "
                      "with different parameters.")
    if not subnets:
        return _error("ValidationError", "Either AvailabilityZones or SubnetIds must be specified")
    for subnet in subnets:
        if subnet not in ec2._subnets:
            return _error("SubnetNotFound", f"The requested configuration is not valid: subnet '{subnet}'")
    for group in groups:
        if group not in ec2._security_groups:
            return _error("InvalidSecurityGroup", "One or more of the specified security groups do not exist.")
    scheme, vpc = alb._p(params, "Scheme") or "internet-facing", ec2._subnets[subnets[0]]["VpcId"]
    number = abs(hash((name, vpc))) % 10**9
    balancers[name] = {
        "LoadBalancerName": name, "DNSName": f"{name}-{number}.{get_region()}.elb.amazonaws.com", "Subnets": subnets,
        "VPCId": vpc, "SecurityGroups": groups, "Scheme": scheme, "Listeners": _listeners(params), "Instances": [],
        "CreatedTime": alb._now_iso(), "Tags": _given_tags(params),
    }
    ec2_managed_interfaces.make(arn(name), subnets, groups, f"ELB {name}", "amazon-elb",
                                public=scheme == "internet-facing")
    return _xml("CreateLoadBalancer", f"<DNSName>{balancers[name]['DNSName']}</DNSName>")


def _describe(params):
    names = alb._parse_member_list(params, "LoadBalancerNames")
    for name in names:
        if name not in balancers:
            return _unknown(name)
    found = [one for one in balancers.values() if not names or one["LoadBalancerName"] in names]
    return page(params, found, 400, lambda inner, marker: _xml(
        "DescribeLoadBalancers", f"<LoadBalancerDescriptions>{''.join(map(_show, inner))}</LoadBalancerDescriptions>"
                                 f"{marker('NextMarker')}"), _error)


def _show(one):
    members = lambda values: "".join(f"<member>{value}</member>" for value in values)
    listeners = "".join("<member><PolicyNames/><Listener>" + "".join(f"<{k}>{v}</{k}>" for k, v in listener.items())
                        + "</Listener></member>" for listener in one["Listeners"])
    zones = sorted({ec2._subnets[subnet]["AvailabilityZone"] for subnet in one["Subnets"] if subnet in ec2._subnets})
    instances = members(f"<InstanceId>{instance}</InstanceId>" for instance in one["Instances"])
    return (
        f"<member><SecurityGroups>{members(one['SecurityGroups'])}</SecurityGroups>"
        f"<LoadBalancerName>{one['LoadBalancerName']}</LoadBalancerName><CreatedTime>{one['CreatedTime']}</CreatedTime>"
        f"<VPCId>{one['VPCId']}</VPCId><ListenerDescriptions>{listeners}</ListenerDescriptions>"
        "<HealthCheck><Interval>10</Interval><Target>TCP:80</Target><HealthyThreshold>2</HealthyThreshold>"
        "<Timeout>5</Timeout><UnhealthyThreshold>6</UnhealthyThreshold></HealthCheck>"
        "<Policies><AppCookieStickinessPolicies/><OtherPolicies/><LBCookieStickinessPolicies/></Policies>"
        f"<Instances>{instances}</Instances><AvailabilityZones>{members(zones)}</AvailabilityZones>"
        f"<CanonicalHostedZoneName>{one['DNSName']}</CanonicalHostedZoneName>"
        "<CanonicalHostedZoneNameID>Z32O12XQLNTSW2</CanonicalHostedZoneNameID>"
        f"<Scheme>{one['Scheme']}</Scheme><DNSName>{one['DNSName']}</DNSName><BackendServerDescriptions/>"
        f"<Subnets>{members(one['Subnets'])}</Subnets></member>"
    )


def _delete(params):
    """One that is not there is not an error."""
    name = alb._p(params, "LoadBalancerName")
    if balancers.pop(name, None):
        ec2_managed_interfaces.release(arn(name), late=True)
    return _xml("DeleteLoadBalancer", "")


def _register(adds, params):
    name, number = alb._p(params, "LoadBalancerName"), 1
    if name not in balancers:
        return _unknown(name)
    record = balancers[name]
    while instance := alb._p(params, f"Instances.member.{number}.InstanceId"):
        if adds and instance not in ec2._instances:
            return _error("InvalidInstance", f"Could not find EC2 instance {instance}.")
        record["Instances"] = [one for one in record["Instances"] if one != instance] + ([instance] if adds else [])
        number += 1
    verb = "RegisterInstancesWithLoadBalancer" if adds else "DeregisterInstancesFromLoadBalancer"
    shown = "".join(f"<member><InstanceId>{one}</InstanceId></member>" for one in record["Instances"])
    return _xml(verb, f"<Instances>{shown}</Instances>")


def _add_tags(params):
    for name in alb._parse_member_list(params, "LoadBalancerNames"):
        if name not in balancers:
            return _unknown(name)
        balancers[name]["Tags"].update(_given_tags(params))
    return _xml("AddTags", "")


def _describe_tags(params):
    names, shown = alb._parse_member_list(params, "LoadBalancerNames"), ""
    if len(names) > MOST_TAGGED:
        return _error("ValidationError", f"1 validation error detected: Value at 'loadBalancerNames' failed to satisfy "
                      f"constraint: Member must have length less than or equal to {MOST_TAGGED}")
    for name in names:
        if name not in balancers:
            return _unknown(name)
        pairs = "".join(f"<member><Key>{escape(k)}</Key><Value>{escape(v)}</Value></member>"
                        for k, v in balancers[name]["Tags"].items())
        shown += f"<member><LoadBalancerName>{name}</LoadBalancerName><Tags>{pairs}</Tags></member>"
    return _xml("DescribeTags", f"<TagDescriptions>{shown}</TagDescriptions>")
