"""What Auto Scaling lists: groups by name and by tag, their machines, and their activities; in pages, with AWS's limits."""

import base64
from xml.sax.saxutils import escape

from ministack.services import autoscaling, ec2

from .. import releases

SHOWN = ("ActivityId", "AutoScalingGroupName", "Description", "Cause", "StartTime", "EndTime", "StatusCode", "StatusMessage",
         "Progress", "Details")


def install():
    described = autoscaling._ACTION_MAP["DescribeAutoScalingGroups"]
    autoscaling._ACTION_MAP.update(
        DescribeAutoScalingGroups=lambda params: _groups(described, params),
        DescribeAutoScalingInstances=_instances,
        DescribeScalingActivities=_activities,
    )


def activity_xml(entry, tag="member"):
    shown = "".join(f"<{key}>{escape(str(entry[key]))}</{key}>" for key in SHOWN if entry[key] != "")
    return f"<{tag}>{shown}</{tag}>"


def _groups(described, params):
    releases.settle()
    wanted = autoscaling._parse_member_list(params, "AutoScalingGroupNames")
    names = []
    for name, group in autoscaling._asgs.items():
        matches = _matches(group, params)
        if isinstance(matches, tuple):
            return matches
        if matches and (not wanted or name in wanted):
            names.append(name)
    page = _page(params, names, 100)
    if isinstance(page[0], int):
        return page
    shown, more = page
    if not shown:
        return autoscaling._xml(200, "DescribeAutoScalingGroupsResponse", "<DescribeAutoScalingGroupsResult><AutoScalingGroups/>"
                                "</DescribeAutoScalingGroupsResult>")
    status, headers, body = described({f"AutoScalingGroupNames.member.{n}": name for n, name in enumerate(shown, 1)})
    text = body.decode() if isinstance(body, bytes) else body
    for name in shown:
        tag = f"<AutoScalingGroupName>{name}</AutoScalingGroupName>"
        text = text.replace(f"<member>{tag}", f"<member>{tag}{_mixed(autoscaling._asgs[name])}")
    text = text.replace("</AutoScalingGroups>", f"</AutoScalingGroups>{_token(more)}")
    return status, headers, text.encode()


def _matches(group, params):
    """Whether the filters hold; an answer of AWS for one that it does not know."""
    tags = {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])}
    holds, n = True, 1
    while name := autoscaling._p(params, f"Filters.member.{n}.Name"):
        values = autoscaling._parse_member_list(params, f"Filters.member.{n}.Values")
        if name.startswith("tag:"):
            found = [tags[name[4:]]] if name[4:] in tags else []
        elif name in ("tag-key", "tag-value"):
            found = list(tags) if name == "tag-key" else list(tags.values())
        else:
            return autoscaling._error("ValidationError", f"Filter {name} is not supported.")
        holds = holds and any(one in values for one in found)
        n += 1
    return holds


def _mixed(group):
    """The policy of a group of several machine types, as far as AWS repeats it."""
    properties = group.get("_made_from", ({}, None))[0]
    policy = properties.get("MixedInstancesPolicy")
    if not policy:
        return ""
    specification = named(policy["LaunchTemplate"]["LaunchTemplateSpecification"])
    overrides = "".join(f"<member><InstanceType>{escape(one['InstanceType'])}</InstanceType></member>"
                        for one in policy["LaunchTemplate"].get("Overrides", []) if one.get("InstanceType"))
    shown = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in specification.items())
    return (f"<MixedInstancesPolicy><LaunchTemplate><LaunchTemplateSpecification>{shown}</LaunchTemplateSpecification>"
            f"<Overrides>{overrides}</Overrides></LaunchTemplate></MixedInstancesPolicy>")


def named(specification):
    """A launch template with its id, its name and the version, as Auto Scaling shows it."""
    found = next((one for one in ec2._launch_templates.values() if one["LaunchTemplateId"] == specification.get("LaunchTemplateId")
                  or one["LaunchTemplateName"] == specification.get("LaunchTemplateName")), {})
    known = {key: found.get(key, specification.get(key, "")) for key in ("LaunchTemplateId", "LaunchTemplateName")}
    return {**known, "Version": str(specification.get("Version", "$Default"))}


def _instances(params):
    releases.settle()
    wanted = autoscaling._parse_member_list(params, "InstanceIds")
    found = [(one, name) for name, group in autoscaling._asgs.items() for one in group["Instances"]
             if not wanted or one["InstanceId"] in wanted]
    page = _page(params, found, 50)
    if isinstance(page[0], int):
        return page
    members = "".join(autoscaling._instance_member_xml(one, include_group_name=name) for one, name in page[0])
    return autoscaling._xml(200, "DescribeAutoScalingInstancesResponse", "<DescribeAutoScalingInstancesResult>"
                            f"<AutoScalingInstances>{members}</AutoScalingInstances>{_token(page[1])}"
                            "</DescribeAutoScalingInstancesResult>")


def _activities(params):
    """Newest first."""
    releases.settle()
    name, ids = autoscaling._p(params, "AutoScalingGroupName"), autoscaling._parse_member_list(params, "ActivityIds")
    if name and name not in autoscaling._asgs:
        return autoscaling._error("ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup {name} not found")
    found = [entry for group in autoscaling._asgs.values() if not name or group["AutoScalingGroupName"] == name
             for entry in group.get("_activities", []) if not ids or entry["ActivityId"] in ids]
    page = _page(params, found, 100)
    if isinstance(page[0], int):
        return page
    members = "".join(activity_xml(entry) for entry in page[0])
    return autoscaling._xml(200, "DescribeScalingActivitiesResponse", f"<DescribeScalingActivitiesResult><Activities>{members}"
                            f"</Activities>{_token(page[1])}</DescribeScalingActivitiesResult>")


def _page(params, found, most):
    """Those of a page and what the next one begins with; an answer of AWS where it refuses."""
    size, token = autoscaling._p(params, "MaxRecords") or "50", autoscaling._p(params, "NextToken")
    if not 1 <= int(size) <= most:
        return autoscaling._error("ValidationError", f"1 validation error detected: Value '{size}' at 'maxRecords' failed to "
                                  f"satisfy constraint: Member must have value less than or equal to {most}")
    try:
        start = int(base64.b64decode(token).decode()) if token else 0
    except ValueError:
        return autoscaling._error("InvalidNextToken", "The token is not valid")
    last = start + int(size)
    return found[start:last], last if last < len(found) else 0


def _token(more):
    return f"<NextToken>{base64.b64encode(str(more).encode()).decode()}</NextToken>" if more else ""
