"""Load balancers of stacks: ministack makes each an application load balancer, without interfaces."""

from ministack.core.responses import get_region
from ministack.services import alb, ec2

from ..handlers import TABLE, attributes, before_create, before_delete
from ..words import as_list, refused
from . import ec2_managed_interfaces, load_balancing_calls

BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
# Hosted zones of network load balancers, from AWS's list of service endpoints.
ZONES = {"eu-west-1": "Z2IFOLAFXWLO4F", "eu-central-1": "Z3F0SRJ5LGBH90", "us-east-1": "Z26RNL4JYFTOTI",
         "us-east-2": "ZLMOA37VPKANP", "us-west-2": "Z18D5FSROUN65G"}


def install():
    before_create(BALANCER, _subnets_exist)
    before_delete(BALANCER, _not_protected)
    stock = dict(TABLE[BALANCER])

    def create(logical_id, properties, stack):
        arn, known = stock["create"](logical_id, properties, stack)
        return (load_balancing_calls.rename(arn, "net"), known) if properties.get("Type") == "network" else (arn, known)

    def delete(arn, properties, *rest):
        stock["delete"](arn, properties, *rest)
        ec2_managed_interfaces.release(arn, late=True)

    TABLE[BALANCER].update(create=create, delete=delete)
    attributes(BALANCER, _balancer_attributes)
    described = TABLE[BALANCER]["create"]

    def with_interfaces(logical_id, properties, stack):
        arn, known = described(logical_id, properties, stack)
        load_balancing_calls.add_interfaces(arn)
        return arn, known

    TABLE[BALANCER]["create"] = with_interfaces
    attributes("AWS::ElasticLoadBalancingV2::TargetGroup", lambda arn, _properties, _known: {
        "LoadBalancerArns": alb._tgs[arn]["LoadBalancerArns"], "TargetGroupFullName": arn.rpartition(":")[2]})
    before_create("AWS::ElasticLoadBalancingV2::Listener", _protocol_fits)
    before_delete("AWS::ElasticLoadBalancingV2::TargetGroup", _target_group_is_unused)


def _subnets_exist(properties):
    subnets = as_list(properties.get("Subnets")) or [m["SubnetId"] for m in as_list(properties.get("SubnetMappings"))]
    if not subnets:
        raise refused("ElasticLoadBalancingV2", "At least one subnet must be specified")
    for subnet in subnets:
        if subnet not in ec2._subnets:
            raise refused("ElasticLoadBalancingV2", f"The subnet ID '{subnet}' does not exist", "NotFound")
    zones = [ec2._subnets[s]["AvailabilityZone"] for s in subnets]
    if len(set(zones)) < len(zones):
        raise refused("ElasticLoadBalancingV2",
                      "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
    for group in as_list(properties.get("SecurityGroups")):
        if group not in ec2._security_groups:
            raise refused("ElasticLoadBalancingV2", f"Security group '{group}' is not valid", "NotFound")


def _not_protected(arn):
    if load_balancing_calls.protected(arn):
        raise refused("ElasticLoadBalancingV2",
                      f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled")


def _balancer_attributes(arn, properties, _known):
    record = alb._lbs[arn]
    mappings = as_list(properties.get("SubnetMappings"))
    record["Subnets"] = record["Subnets"] or [m["SubnetId"] for m in mappings]
    record["VpcId"] = ec2._subnets[record["Subnets"][0]]["VpcId"]
    known = {"LoadBalancerArn": arn, "LoadBalancerName": record["LoadBalancerName"], "DNSName": record["DNSName"],
             "LoadBalancerFullName": arn.partition(":loadbalancer/")[2], "SecurityGroups": record["SecurityGroups"]}
    if record["Type"] == "network":
        known["CanonicalHostedZoneID"] = record["CanonicalHostedZoneId"] = ZONES.get(get_region(), "Z2IFOLAFXWLO4F")
    return known


def _protocol_fits(properties):
    balancer = alb._lbs.get(properties.get("LoadBalancerArn"))
    if balancer is None:
        raise refused("ElasticLoadBalancingV2",
                      f"Load balancer '{properties.get('LoadBalancerArn')}' not found", "NotFound")
    if balancer["Type"] == "network" and properties.get("Protocol") not in ("TCP", "TLS", "UDP", "TCP_UDP", "QUIC"):
        raise refused("ElasticLoadBalancingV2", f"Listener protocol '{properties.get('Protocol')}' must be one of "
                                                "'TLS, TCP, UDP, TCP_UDP'")


def _target_group_is_unused(arn):
    if load_balancing_calls.uses_of(arn):
        raise refused("ElasticLoadBalancingV2",
                      f"Target group '{arn}' is currently in use by a listener or a rule", "ResourceConflict")
