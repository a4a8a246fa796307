"""Network load balancers: ministack makes every load balancer an application load balancer."""

from ministack.core.responses import get_region
from ministack.services import alb, ec2

from ..handlers import TABLE, attributes, before_create, before_delete
from ..words import as_list, refused

BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
# Hosted zones of network load balancers, from AWS's list of service endpoints.
ZONES = {"eu-west-1": "Z2IFOLAFXWLO4F", "eu-central-1": "Z3F0SRJ5LGBH90", "us-east-1": "Z26RNL4JYFTOTI",
         "us-east-2": "ZLMOA37VPKANP", "us-west-2": "Z18D5FSROUN65G"}


def install():
    before_create(BALANCER, _subnets_exist)
    stock = TABLE[BALANCER]["create"]

    def create(logical_id, properties, stack):
        arn, known = stock(logical_id, properties, stack)
        return (_as_network(arn), known) if properties.get("Type") == "network" else (arn, known)

    TABLE[BALANCER]["create"] = create
    attributes(BALANCER, _balancer_attributes)
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


def _as_network(arn):
    network = arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
    for store in (alb._lbs, alb._lb_attrs, alb._tags):
        if arn in store:
            store[network] = store.pop(arn)
    record = alb._lbs[network]
    name, tail = network.split("/")[-2:]
    record.update(LoadBalancerArn=network, DNSName=f"{name}-{tail}.elb.{get_region()}.amazonaws.com")
    return network


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
    if any(a.get("TargetGroupArn") == arn for listener in alb._listeners.values() for a in listener["DefaultActions"]):
        raise refused("ElasticLoadBalancingV2",
                      f"Target group '{arn}' is currently in use by a listener or a rule", "ResourceConflict")
