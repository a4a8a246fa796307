"""EC2's own calls for network interfaces, which ministack answers without looking at what uses them."""

from xml.sax.saxutils import escape

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2

from .. import releases
from ..words import identifier
from . import ec2_interfaces


def install():
    attach, detach = (ec2._ACTION_MAP[f"{verb}NetworkInterface"] for verb in ("Attach", "Detach"))
    ec2._eni_fields_xml = _show
    ec2._ACTION_MAP.update(
        CreateNetworkInterface=_create, DeleteNetworkInterface=_delete,
        AttachNetworkInterface=lambda params: _not_attachable(params) or attach(params),
        DetachNetworkInterface=lambda params: _not_detachable(params) or detach(params))


def _create(params):
    subnet = ec2._subnets.get(ec2._p(params, "SubnetId"))
    if subnet is None:
        return ec2._error("InvalidSubnetID.NotFound", f"The subnet ID '{ec2._p(params, 'SubnetId')}' does not exist", 400)
    default = [g["GroupId"] for g in ec2._security_groups.values()
               if g["VpcId"] == subnet["VpcId"] and g["GroupName"] == "default"]
    groups = ec2._parse_member_list(params, "SecurityGroupId") or default
    for group in groups:
        if group not in ec2._security_groups:
            return ec2._error("InvalidGroup.NotFound", f"The security group '{group}' does not exist", 400)
    name = identifier("eni")
    ec2._network_interfaces[name] = {
        "NetworkInterfaceId": name, "SubnetId": subnet["SubnetId"], "VpcId": subnet["VpcId"],
        "AvailabilityZone": subnet["AvailabilityZone"], "Description": ec2._p(params, "Description"),
        "OwnerId": get_account_id(), "Status": "available", "InterfaceType": "interface", "SourceDestCheck": True,
        "PrivateIpAddress": ec2._p(params, "PrivateIpAddress") or ec2_interfaces.free_address(subnet),
        "MacAddress": ec2_interfaces.hardware_address(name), "Groups": ec2_interfaces.named_groups(groups),
        "Attachment": None, "RequesterManaged": False,
    }
    ec2._parse_tag_specs(params, "network-interface", name)
    return ec2._xml(200, "CreateNetworkInterfaceResponse", _show(ec2._network_interfaces[name], "networkInterface"))


def _delete(params):
    releases.settle()
    name = ec2._p(params, "NetworkInterfaceId")
    record = ec2._network_interfaces.get(name)
    if record is None:
        return ec2._error("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{name}' does not exist", 400)
    if record["Attachment"]:
        # The code that AWS sends; its list of codes has InvalidNetworkInterface.InUse for it.
        return ec2._error("InvalidParameterValue", f"Network interface '{name}' is currently in use.", 400)
    del ec2._network_interfaces[name]
    ec2._tags.pop(name, None)
    return ec2._xml(200, "DeleteNetworkInterfaceResponse", "<return>true</return>")


def _not_attachable(params):
    record = ec2._network_interfaces.get(ec2._p(params, "NetworkInterfaceId"))
    if record and record["Attachment"]:
        return ec2._error("InvalidNetworkInterface.InUse",
                          f"Interface: {record['NetworkInterfaceId']} in use.", 400)
    return None


def _not_detachable(params):
    wanted = ec2._p(params, "AttachmentId")
    if wanted.startswith("ela-attach-"):
        return ec2._error("OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.", 400)
    attached = (record["Attachment"] for record in ec2._network_interfaces.values() if record["Attachment"])
    if wanted not in {attachment["AttachmentId"] for attachment in attached}:
        return ec2._error("InvalidAttachmentID.NotFound", f"The networkInterface attachment ID '{wanted}' does not exist", 400)
    return None


def _show(record, tag="item"):
    groups = "".join(f"<item><groupId>{g['GroupId']}</groupId><groupName>{escape(g['GroupName'])}</groupName></item>"
                     for g in record["Groups"])
    requester = f"<requesterId>{record['RequesterId']}</requesterId>" if record.get("RequesterId") else ""
    address = record["PrivateIpAddress"]
    managed = "true" if record.get("RequesterManaged") else "false"
    checked = "true" if record.get("SourceDestCheck", True) else "false"
    return (
        f"<{tag}><networkInterfaceId>{record['NetworkInterfaceId']}</networkInterfaceId>"
        f"<subnetId>{record['SubnetId']}</subnetId><vpcId>{record['VpcId']}</vpcId>"
        f"<availabilityZone>{record['AvailabilityZone']}</availabilityZone>"
        f"<description>{escape(record['Description'])}</description><ownerId>{record['OwnerId']}</ownerId>{requester}"
        f"<requesterManaged>{managed}</requesterManaged><status>{record['Status']}</status>"
        f"<macAddress>{record['MacAddress']}</macAddress><privateIpAddress>{address}</privateIpAddress>"
        f"<sourceDestCheck>{checked}</sourceDestCheck><groupSet>{groups}</groupSet>{_attachment(record)}"
        f"{_association(record)}{ec2._tag_set_xml(record['NetworkInterfaceId'])}"
        f"<privateIpAddressesSet><item><privateIpAddress>{address}</privateIpAddress><primary>true</primary>"
        f"{_association(record)}</item></privateIpAddressesSet><interfaceType>{record['InterfaceType']}</interfaceType></{tag}>"
    )


def _attachment(record):
    attachment = record.get("Attachment")
    if not attachment:
        return ""
    instance = f"<instanceId>{attachment['InstanceId']}</instanceId>" if attachment.get("InstanceId") else ""
    ends = "true" if attachment.get("DeleteOnTermination") else "false"
    return (f"<attachment><attachmentId>{attachment['AttachmentId']}</attachmentId>{instance}"
            f"<instanceOwnerId>{attachment.get('InstanceOwnerId', record['OwnerId'])}</instanceOwnerId>"
            f"<deviceIndex>{attachment['DeviceIndex']}</deviceIndex><status>{attachment['Status']}</status>"
            f"<attachTime>{attachment['AttachTime']}</attachTime><deleteOnTermination>{ends}</deleteOnTermination></attachment>")


def _association(record):
    if not record.get("PublicIp"):
        return ""
    name = f"ec2-{record['PublicIp'].replace('.', '-')}.{get_region()}.compute.amazonaws.com"
    return (f"<association><ipOwnerId>{record['RequesterId']}</ipOwnerId><publicDnsName>{name}</publicDnsName>"
            f"<publicIp>{record['PublicIp']}</publicIp></association>")
