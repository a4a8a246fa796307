"""What an account has and may do, beside what its stacks hold: quotas, zones, machine types, database classes, the public
access block of S3, rights. As much as anybody asks for, unless a file says otherwise: `ACCOUNT.account` in the rules
directory, a JSON object that is read again at every question.

`quotas`        values by quota code, in place of AWS's defaults
`applied`       whether the account has quotas of its own (true): else Service Quotas knows AWS's defaults alone
`zones`         letters of the zones, in place of "abc"
`notOffered`    machine types with the letters of zones that lack them; "" is all
`databases`     engine versions that can be ordered by class, in place of every one that is asked for
`accessBlock`   parts of the account's public access block that are on
`defaultVpc`    false: there is none
`caller`        ARN of the caller, in place of the root user
`denied`        IAM actions that a policy of the caller denies; `notAllowed`: that none allows; `deniedOn`: parts of ARNs by
                action, on which one denies it
`refuses`       API actions that answer AccessDenied (`refusals.py`)
`holds`         which calls get no answer (`holding.py`)
`interfacesStay`, `tagsStay`, `terminating`, `natsEnd`, `databasesEnd`: real seconds, in place of AWS's divided by the speed,
                that interfaces of a deleted load balancer stay, that tagging still lists a deleted one, that an instance
                takes to terminate, a NAT gateway and a database to be deleted
`launching`, `detaching`: real seconds that a group takes to launch what it misses, and again to have it in service, and to
                detach a machine
"""

import json
import re
from pathlib import Path

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2, iam, rds, sts

from . import refusals

QUOTAS = "ServiceQuotasV20190624."
ACCESS_BLOCK = "/v20180820/configuration/publicAccessBlock"
# AWS's defaults of 2026, but for vCPUs: new accounts have 5, those that run clusters have asked for more.
DEFAULTS = {"L-0263D0A3": 5, "L-F678F1CE": 5, "L-1216C47A": 640, "L-34B43A08": 640}
KNOWN = {"quotas", "applied", "zones", "notOffered", "databases", "accessBlock", "defaultVpc", "caller", "denied", "deniedOn",
         "notAllowed", "refuses", "holds", "interfacesStay", "tagsStay", "terminating", "natsEnd", "databasesEnd", "launching",
         "detaching"}

STRICTER = ["allowed", "implicitDeny", "explicitDeny"]


class Accounts:
    """The files of a directory; `None` has none."""

    def __init__(self, directory, catalogue):
        self._directory = Path(directory) if directory else None
        self._types = json.loads((catalogue / "instance-types.json").read_text(encoding="utf-8"))["types"]

    def facts(self, account):
        try:
            facts = json.loads((self._directory / f"{account}.account").read_text(encoding="utf-8"))
        except (OSError, TypeError):
            return {}
        unknown = set(facts) - KNOWN
        if unknown:
            raise ValueError(f"{account}.account has no {', '.join(sorted(unknown))}")
        return facts

    def of_caller(self):
        return self.facts(get_account_id())

    def zones(self):
        return [get_region() + letter for letter in self.of_caller().get("zones", "abc")]

    def install(self):
        actions = ec2._ACTION_MAP
        actions["DescribeAvailabilityZones"] = self._describe_zones
        actions["DescribeInstanceTypeOfferings"] = self._describe_offerings
        actions["DescribeInstanceTypes"] = self._describe_types
        actions["DescribeVpcs"] = self._without_default(actions["DescribeVpcs"])
        rds._ACTION_MAP["DescribeOrderableDBInstanceOptions"] = self._orderable
        iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = self._simulate
        refusals.install(self)
        stock = sts._caller_identity

        def caller(headers, query_params=None):
            found = stock(headers, query_params)
            arn = self.of_caller().get("caller")
            return {**found, "userArn": arn} if arn and isinstance(found, dict) else found

        sts._caller_identity = caller

    def _describe_zones(self, _params):
        items = "".join(
            f"<item><zoneName>{name}</zoneName><zoneState>available</zoneState><regionName>{get_region()}</regionName>"
            f"<zoneId>{ec2._az_id_for_zone_name(name)}</zoneId><optInStatus>opt-in-not-required</optInStatus>"
            "<zoneType>availability-zone</zoneType></item>" for name in self.zones())
        return ec2._xml(200, "DescribeAvailabilityZonesResponse", f"<availabilityZoneInfo>{items}</availabilityZoneInfo>")

    def _describe_offerings(self, params):
        lacking = self.of_caller().get("notOffered", {})
        offered = [(name, zone) for name in _types(params) if name in self._types for zone in self.zones()
                   if name not in lacking or (lacking[name] and zone[-1] not in lacking[name])]
        items = "".join(f"<item><instanceType>{name}</instanceType><locationType>availability-zone</locationType>"
                        f"<location>{zone}</location></item>" for name, zone in offered)
        return ec2._xml(200, "DescribeInstanceTypeOfferingsResponse",
                        f"<instanceTypeOfferingSet>{items}</instanceTypeOfferingSet>")

    def _describe_types(self, params):
        known = [(name, self._types[name]) for name in _types(params) if "vcpu" in self._types.get(name, {})]
        items = "".join(
            f"<item><instanceType>{name}</instanceType><hypervisor>nitro</hypervisor><processorInfo>"
            f"<supportedArchitectures><item>{facts['arch']}</item></supportedArchitectures></processorInfo>"
            f"<vCpuInfo><defaultVCpus>{facts['vcpu']}</defaultVCpus></vCpuInfo>"
            f"<memoryInfo><sizeInMiB>{facts['memoryMiB']}</sizeInMiB></memoryInfo></item>" for name, facts in known)
        return ec2._xml(200, "DescribeInstanceTypesResponse", f"<instanceTypeSet>{items}</instanceTypeSet>")

    def _without_default(self, describe):
        def described(params):
            if self.of_caller().get("defaultVpc", True):
                return describe(params)
            hidden = [vpc for vpc in ec2._vpcs.values() if vpc["IsDefault"]]
            for vpc in hidden:
                del ec2._vpcs[vpc["VpcId"]]
            try:
                return describe(params)
            finally:
                for vpc in hidden:
                    ec2._vpcs[vpc["VpcId"]] = vpc

        return described

    def _orderable(self, params):
        name, version = rds._p(params, "DBInstanceClass"), rds._p(params, "EngineVersion")
        versions = self.of_caller().get("databases", {}).get(name)
        if versions is None:
            versions = [version or "18.4"]
        zones = "".join(f"<AvailabilityZone><Name>{zone}</Name></AvailabilityZone>" for zone in self.zones())
        members = "".join(
            f"<OrderableDBInstanceOption><Engine>postgres</Engine><EngineVersion>{one}</EngineVersion><DBInstanceClass>{name}"
            f"</DBInstanceClass><AvailabilityZones>{zones}</AvailabilityZones><MultiAZCapable>true</MultiAZCapable>"
            "<StorageType>gp3</StorageType></OrderableDBInstanceOption>"
            for one in versions if not version or one == version)
        return rds._xml(200, "DescribeOrderableDBInstanceOptionsResponse",
                        "<DescribeOrderableDBInstanceOptionsResult><OrderableDBInstanceOptions>"
                        f"{members}</OrderableDBInstanceOptions></DescribeOrderableDBInstanceOptionsResult>")

    def _simulate(self, params):
        facts = self.of_caller()
        decided = {**{action: "implicitDeny" for action in facts.get("notAllowed", [])},
                   **{action: "explicitDeny" for action in facts.get("denied", [])}}
        def listed(name):
            return [_text(params[key]) for key in params if key.startswith(f"{name}.member.")]

        def decision(action, resource):
            on = facts.get("deniedOn", {}).get(action, [])
            return "explicitDeny" if any(part in resource for part in on) else decided.get(action, "allowed")

        # One result an action, with the strictest decision of all resources; that of each is below it.
        def result(action):
            each = [(one, decision(action, one)) for one in resources]
            strictest = max([one for _, one in each] or [decision(action, "*")], key=STRICTER.index)
            below = "".join(f"<member><EvalResourceName>{one}</EvalResourceName><EvalResourceDecision>{effect}"
                            "</EvalResourceDecision><MatchedStatements/><MissingContextValues/></member>"
                            for one, effect in each)
            below = f"<ResourceSpecificResults>{below}</ResourceSpecificResults>" if below else ""
            return (f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>*</EvalResourceName>"
                    f"<EvalDecision>{strictest}</EvalDecision><MatchedStatements/><MissingContextValues/>{below}</member>")

        resources = listed("ResourceArns")
        members = "".join(result(action) for action in listed("ActionNames"))
        return iam._xml(200, "SimulatePrincipalPolicyResponse",
                        f"<SimulatePrincipalPolicyResult><EvaluationResults>{members}</EvaluationResults>"
                        "<IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult>")

    def front(self, app):
        """Answers Service Quotas and S3 Control, which `app` lacks."""
        async def answered(scope, receive, send):
            if scope["type"] != "http":
                return await app(scope, receive, send)
            headers = headers_of(scope)
            target = headers.get("x-amz-target", "")
            if target.startswith(QUOTAS):
                body = json.loads(await body_of(receive) or b"{}")
                status, kind, text = self._quota(target.removeprefix(QUOTAS), caller_of(headers), body)
            elif scope["path"] == ACCESS_BLOCK:
                status, kind, text = self._access_block(caller_of(headers), headers)
            else:
                return await app(scope, receive, send)
            await send({"type": "http.response.start", "status": status,
                        "headers": [(b"content-type", kind), (b"x-amzn-requestid", b"1")]})
            await send({"type": "http.response.body", "body": text.encode()})

        return answered

    def _quota(self, action, account, body):
        facts = self.facts(account)
        kind = b"application/x-amz-json-1.1"
        if action in facts.get("refuses", []):
            error = {"__type": "AccessDeniedException", "Message": refusals.sentence(account, f"servicequotas:{action}")}
            return 400, kind, json.dumps(error)
        code = body.get("QuotaCode")
        own = action == "GetServiceQuota"
        values = {**DEFAULTS, **facts.get("quotas", {})} if own and facts.get("applied", True) else {}
        if not own:
            values = DEFAULTS
        if code not in values:
            return 400, kind, json.dumps({"__type": "NoSuchResourceException", "Message": f"no quota {code}"})
        return 200, kind, json.dumps({"Quota": {"QuotaCode": code, "Value": float(values[code])}})

    def _access_block(self, account, headers):
        facts = self.facts(account)
        kind = b"application/xml"
        if headers.get("x-amz-account-id") != account or "GetPublicAccessBlock" in facts.get("refuses", []):
            return 403, kind, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error></ErrorResponse>"
        on = facts.get("accessBlock")
        if on is None:
            return 404, kind, ("<ErrorResponse><Error><Code>NoSuchPublicAccessBlockConfiguration</Code><Message>The public "
                               "access block configuration was not found</Message></Error></ErrorResponse>")
        parts = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        inside = "".join(f"<{part}>{str(part in on).lower()}</{part}>" for part in parts)
        return 200, kind, f"<PublicAccessBlockConfiguration>{inside}</PublicAccessBlockConfiguration>"


def headers_of(scope):
    return {name.decode().lower(): value.decode() for name, value in scope["headers"]}


async def body_of(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def caller_of(headers):
    found = re.search(r"Credential=(\d{12})/", headers.get("authorization", ""))
    return found.group(1) if found else ""


def _text(value):
    return value[0] if isinstance(value, list) else value


def _types(params):
    return [name for name in ec2._parse_filters(params).get("instance-type", []) if "." in name]
