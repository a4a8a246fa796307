"""Auto Scaling groups of stacks with instances, which ministack leaves out; `autoscaling_sizes.py` keeps their sizes.

An update of the launch template alone replaces no instance, as on AWS without an update policy; update policies
that replace instances (AutoScalingRollingUpdate, AutoScalingReplacingUpdate) are refused, not ignored.
"""

from ministack.core.responses import get_region
from ministack.services import autoscaling, ec2

from .. import releases
from ..handlers import TABLE, before_create
from ..words import Refused, as_list, truth
from . import autoscaling_sizes as sizes
from . import ec2_launch, load_balancing_targets
from .autoscaling_describing import named

GROUP = "AWS::AutoScaling::AutoScalingGroup"


def install():
    before_create(GROUP, _check)
    sizes.install(_instance)
    stock = dict(TABLE[GROUP])

    def create(logical_id, properties, stack):
        name, known = stock["create"](logical_id, properties, stack)
        try:
            _scale(name, properties, _origin(stack, logical_id))
        except ValueError:
            delete(name, properties)
            raise
        return name, {**known, "AutoScalingGroupName": name}

    def update(physical_id, old, new, stack, logical_id=None):
        _check(new)
        releases.settle()
        # The group keeps what a scaler set, within its new bounds.
        desired = int(autoscaling._asgs.get(physical_id, {}).get("DesiredCapacity", 0))
        name, known = stock["update"](physical_id, old, new, stack, logical_id)
        _scale(name, new, _origin(stack, logical_id), desired)
        return name, {**known, "AutoScalingGroupName": name}

    def delete(name, properties):
        with sizes.lock:
            for instance in sizes.all_instances(name):
                ec2_launch.terminate(instance)
            stock["delete"](name, properties)

    TABLE[GROUP].update(create=create, update=update, delete=delete)


def _specification(properties):
    policy = properties.get("MixedInstancesPolicy")
    if policy:
        return policy["LaunchTemplate"]["LaunchTemplateSpecification"]
    return properties.get("LaunchTemplate") or {}


def _check(properties):
    specification = _specification(properties)
    if not specification:
        raise Refused("Valid requests must contain either launchTemplate, LaunchConfigurationName, InstanceId or "
                      "MixedInstancesPolicy parameter.")
    data = ec2_launch.template_data(specification)
    subnets = _subnets(properties)
    interface = ec2_launch.primary_interface(data)
    if any(i.get("PrivateIpAddress") or i.get("PrivateIpAddresses") for i in as_list(data.get("NetworkInterfaces"))):
        raise Refused("Auto Scaling does not support Private IP addresses")
    if interface and subnets:
        raise Refused("When you use an existing network interface (ENI) as primary, AvailabilityZones must be used "
                      "instead of VPCZoneIdentifier")
    if interface:
        zone = ec2._network_interfaces[interface]["AvailabilityZone"]
        if zone not in as_list(properties.get("AvailabilityZones")):
            raise Refused(f"The network interface {interface} is in {zone}, which is not among the AvailabilityZones")
    for subnet in subnets:
        if subnet not in ec2._subnets:
            raise Refused(f"The subnet ID '{subnet}' does not exist")
    if int(properties["MinSize"]) > int(properties["MaxSize"]):
        raise Refused("Min bound must be less than or equal to max bound")


def _subnets(properties):
    listed = properties.get("VPCZoneIdentifier") or []
    return [s for s in (listed.split(",") if isinstance(listed, str) else listed) if s]


def _origin(stack, logical_id):
    """The tags that CloudFormation has every instance of a group carry."""
    return [{"Key": "aws:cloudformation:stack-name", "Value": stack},
            {"Key": "aws:cloudformation:logical-id", "Value": logical_id or ""}]


def _scale(name, properties, origin, desired=0):
    with sizes.lock:
        group = autoscaling._asgs[name]
        group["TargetGroupARNs"] = as_list(properties.get("TargetGroupARNs"))
        zones = {ec2._subnets[subnet]["AvailabilityZone"] for subnet in _subnets(properties)}
        group["AvailabilityZones"] = sorted(zones) or as_list(properties.get("AvailabilityZones"))
        group["_made_from"] = (properties, origin)
        if "DesiredCapacity" not in properties:
            group["DesiredCapacity"] = max(int(properties["MinSize"]), min(int(properties["MaxSize"]), desired))
        found = sizes.counted(group)
        for one in found[int(group["DesiredCapacity"]):]:
            group["Instances"].remove(one)
            ec2_launch.terminate(one["InstanceId"])
        for _ in range(int(group["DesiredCapacity"]) - len(found)):
            group["Instances"].append(_instance(group))


def _instance(group):
    """A new machine of a group, of the launch template that it has now."""
    properties, origin = group["_made_from"]
    specification = _specification(properties)
    data = ec2_launch.template_data(specification)
    overrides = (properties.get("MixedInstancesPolicy") or {}).get("LaunchTemplate", {}).get("Overrides") or []
    kind = overrides[0].get("InstanceType") if overrides else None
    kind = kind or data.get("InstanceType", "")
    # Where there are the fewest: so Auto Scaling keeps zones even.
    places = _subnets(properties) or as_list(properties.get("AvailabilityZones")) or [f"{get_region()}a"]
    taken = [one["_place"] for one in sizes.counted(group) if "_place" in one]
    place = min(places, key=taken.count)
    subnet = place if place in ec2._subnets else ""
    zone = ec2._subnets[subnet]["AvailabilityZone"] if subnet else place
    tags = [{"Key": t["Key"], "Value": t["Value"]} for t in as_list(properties.get("Tags"))
            if truth(t.get("PropagateAtLaunch"))]
    tags += [{"Key": "aws:autoscaling:groupName", "Value": group["AutoScalingGroupName"]}, *origin]
    # EC2's own, of what a launch template made.
    tags += [{"Key": f"aws:ec2launchtemplate:{key}", "Value": str(specification[name])}
             for key, name in (("id", "LaunchTemplateId"), ("version", "Version")) if specification.get(name)]
    made = ec2_launch.launch(data, kind, subnet, zone, tags)
    for target_group in group["TargetGroupARNs"]:
        load_balancing_targets.register(target_group, made["InstanceId"])
    return {
        "InstanceId": made["InstanceId"], "AvailabilityZone": zone, "LifecycleState": "InService",
        "HealthStatus": "Healthy", "ProtectedFromScaleIn": False, "InstanceType": kind,
        "LaunchConfigurationName": "", "LaunchTemplate": named(specification), "_place": place,
    }
