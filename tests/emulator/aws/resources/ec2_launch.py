"""Launch templates and the instances made from them. An instance is a record: nothing runs."""

from ministack.services import ec2, iam

from ..handlers import before_create, before_update
from ..words import Refused, as_list, refused
from . import ec2_attached, ec2_interfaces, ec2_managed_interfaces


def install():
    before_create("AWS::EC2::LaunchTemplate", _check)
    before_update("AWS::EC2::LaunchTemplate", lambda _old, new: _check(new))
    stock = ec2._ACTION_MAP["DescribeInstanceAttribute"]
    ec2._ACTION_MAP["DescribeInstanceAttribute"] = lambda params: _user_data(params) or stock(params)


def _user_data(params):
    """The answer to who asks for an instance's user data, which is shown as it was given."""
    instance = ec2._p(params, "InstanceId")
    given = ec2._instances.get(instance, {}).get("UserData")
    if ec2._p(params, "Attribute") != "userData" or not given:
        return None
    return ec2._xml(200, "DescribeInstanceAttributeResponse",
                    f"<instanceId>{instance}</instanceId><userData><value>{given}</value></userData>")


def template_data(specification):
    """The launch template data that a group's specification names."""
    wanted, name = specification.get("LaunchTemplateId"), specification.get("LaunchTemplateName")
    template = ec2._launch_templates.get(wanted) if wanted else next(
        (t for t in ec2._launch_templates.values() if t["LaunchTemplateName"] == name), None)
    if template is None:
        raise Refused("You must use a valid fully-formed launch template. The specified launch template, with "
                      f"template ID {wanted or name}, does not exist.")
    version = str(specification.get("Version", "$Default"))
    number = {"$Latest": template["LatestVersionNumber"], "$Default": template["DefaultVersionNumber"]}.get(
        version, version)
    for made in template["Versions"]:
        if str(made["VersionNumber"]) == str(number):
            return made["LaunchTemplateData"]
    raise Refused(f"You must use a valid fully-formed launch template. Could not find launch template version {version}")


def launch(data, instance_type, subnet, zone, tags):
    """An instance from a template: in the subnet given, or on the template's own network interface."""
    interface = primary_interface(data)
    record = ec2._network_interfaces.get(interface) if interface else None
    if record and record["Attachment"]:
        raise Refused(f"Interface: [{interface}] in use. Launching EC2 instance failed.")
    within = ec2._subnets.get(subnet)
    profile = data.get("IamInstanceProfile") or {}
    instance = ec2._launch_instances_internal(
        image_id=data.get("ImageId", ""), instance_type=instance_type, count=1,
        subnet_id=record["SubnetId"] if record else subnet, user_data=data.get("UserData", ""),
        sg_ids=[g["GroupId"] for g in record["Groups"]] if record else _groups(data),
        requested_private_ip=record["PrivateIpAddress"] if record else within and ec2_interfaces.free_address(within),
        iam_profile=_profile(profile) if profile else None,
    )[0]
    instance["Placement"]["AvailabilityZone"] = zone
    if record:
        instance["PublicIpAddress"] = ec2_attached.elastic_address(interface)
    elif within and not ec2_attached.wants_public_address(data, subnet):
        instance["PublicIpAddress"] = None
    ec2._tags[instance["InstanceId"]] = _with_own_tags(data, tags)
    if record:
        record["Status"] = "in-use"
        record["Attachment"] = {"AttachmentId": "eni-attach-" + interface[4:], "InstanceId": instance["InstanceId"],
                                "DeviceIndex": 0, "Status": "attached", "AttachTime": ec2._now_ts()}
    else:
        ec2_managed_interfaces.of_instance(instance, _own_tags(data, "network-interface"))
    _tag_volumes(instance, _own_tags(data, "volume"))
    return instance


def _tag_volumes(instance, tags):
    for mapping in instance["BlockDeviceMappings"]:
        volume = mapping["Ebs"]["VolumeId"]
        ec2._volumes[volume]["AvailabilityZone"] = instance["Placement"]["AvailabilityZone"]
        if tags:
            ec2._tags[volume] = list(tags)


def _with_own_tags(data, tags):
    """The group's tags, and those that the template has for instances; of one key the group's."""
    known = {tag["Key"] for tag in tags}
    return [*tags, *(tag for tag in _own_tags(data, "instance") if tag["Key"] not in known)]


def _own_tags(data, resource_type):
    """The tags that a template has for what comes with an instance."""
    return [{"Key": tag["Key"], "Value": tag["Value"]} for one in as_list(data.get("TagSpecifications"))
            if one.get("ResourceType") == resource_type for tag in as_list(one.get("Tags"))]


def terminate(instance_id):
    """Ends an instance: its interface and volumes become free, its root volume goes."""
    ec2_managed_interfaces.of_ended_instance(instance_id)
    for volume in list(ec2._volumes.values()):
        attached = [a for a in volume["Attachments"] if a["InstanceId"] == instance_id]
        if any(a["DeleteOnTermination"] for a in attached):
            del ec2._volumes[volume["VolumeId"]]
        elif attached:
            volume.update(State="available", Attachments=[])
    ec2._terminate_instances({"InstanceId.1": [instance_id]})


def primary_interface(data):
    """The network interface that a template attaches first, if it names one."""
    return next((i["NetworkInterfaceId"] for i in as_list(data.get("NetworkInterfaces"))
                 if i.get("NetworkInterfaceId") and int(i.get("DeviceIndex", 0)) == 0), None)


def _groups(data):
    nested = [g for i in as_list(data.get("NetworkInterfaces")) for g in as_list(i.get("Groups"))]
    return as_list(data.get("SecurityGroupIds")) or nested


def _profile(profile):
    name = profile.get("Name") or profile["Arn"].rpartition("/")[2]
    if name not in iam._instance_profiles:
        raise Refused(f"Invalid IamInstanceProfile: {profile.get('Arn') or name}")
    return {"Arn": iam._instance_profiles[name]["Arn"], "Id": iam._instance_profiles[name].get("InstanceProfileId", "")}


def _check(properties):
    data = properties.get("LaunchTemplateData") or {}
    if primary_interface(data) and data.get("SecurityGroupIds"):
        raise refused("Ec2", "Network interfaces and an instance-level security groups may not be specified on the "
                             "same request")
    if len(data.get("UserData") or "") > 4 * 16384 // 3:
        raise refused("Ec2", "User data is limited to 16384 bytes")
