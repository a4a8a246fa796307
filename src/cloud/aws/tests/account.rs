//! What EC2, RDS, Service Quotas, S3 Control and IAM answer about an account.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::cloud::Quota;
use crate::cloud::account::{Account, Effect, RightsQuestion};

fn xml(call: &str, inside: &str) -> Answer {
    Answer::Xml(200, format!("<{call}Response>{inside}</{call}Response>"))
}

#[tokio::test]
async fn quota_of_the_account_comes_before_the_default_of_aws() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("L-1216C47A") {
            Answer::Xml(200, r#"{"Quota": {"Value": 16.0}}"#.to_owned())
        } else {
            let none = r#"{"__type": "NoSuchResourceException", "Message": "none"}"#;
            Answer::Xml(400, none.to_owned())
        }
    })
    .await;
    let standard = crate::cloud::account::Family::Standard;
    assert_eq!(aws.quota(Quota::OnDemand(standard)).await, Ok(16));
    let request = asked.recv().expect("a request");
    assert_eq!(request, r#"{"ServiceCode":"ec2","QuotaCode":"L-1216C47A"}"#);
    let none = aws.quota(Quota::Vpcs).await;
    assert!(matches!(none, Err(CloudError::NotFound(_))), "{none:?}");
    assert_eq!(asked.try_iter().count(), 2, "the default is asked for too");
}

#[tokio::test]
async fn quota_without_a_value_is_no_answer() {
    let (aws, _asked) = serve(|_| Answer::Xml(200, "{}".to_owned())).await;
    let error = aws.quota(Quota::ElasticIps).await.expect_err("no value");
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn account_is_read_page_by_page() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("Action=DescribeAddresses") {
            let item = |pool: &str| format!("<item>{pool}</item>");
            let own = item("<publicIpv4Pool>ipv4pool-ec2-1</publicIpv4Pool>");
            let items = [item(""), item("<publicIpv4Pool>amazon</publicIpv4Pool>"), own].concat();
            xml("DescribeAddresses", &format!("<addressesSet>{items}</addressesSet>"))
        } else if asked.contains("Action=DescribeVpcs") && asked.contains("NextToken=two") {
            xml("DescribeVpcs", "<vpcSet><item><isDefault>true</isDefault></item></vpcSet>")
        } else if asked.contains("Action=DescribeVpcs") {
            let one = "<vpcSet><item><isDefault>false</isDefault></item></vpcSet>";
            xml("DescribeVpcs", &format!("{one}<nextToken>two</nextToken>"))
        } else if asked.contains("Action=DescribeAvailabilityZones") {
            let zone = |name: &str, state: &str, kind: &str| {
                format!("<item><zoneName>{name}</zoneName><zoneState>{state}</zoneState><zoneType>{kind}</zoneType></item>")
            };
            let zones = [
                zone("eu-west-1a", "available", "availability-zone"),
                zone("eu-west-1b", "constrained", "availability-zone"),
                zone("eu-west-1-lon-1a", "available", "local-zone"),
            ];
            let set = format!("<availabilityZoneInfo>{}</availabilityZoneInfo>", zones.concat());
            xml("DescribeAvailabilityZones", &set)
        } else {
            let machine = |kind: &str, more: &str| {
                format!("<item><instancesSet><item><instanceType>{kind}</instanceType>{more}</item></instancesSet></item>")
            };
            let options = "<cpuOptions><coreCount>2</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>";
            let spot = "<instanceLifecycle>spot</instanceLifecycle>";
            let all = machine("m5.xlarge", options) + &machine("m7g.large", spot);
            xml("DescribeInstances", &format!("<reservationSet>{all}</reservationSet>"))
        }
    })
    .await;
    assert_eq!(
        aws.addresses().await,
        Ok(2),
        "those of the account's own ranges are free"
    );
    let vpcs = aws.vpcs().await.expect("read");
    assert_eq!((vpcs.number, vpcs.has_default), (2, true));
    assert_eq!(
        aws.zones().await,
        Ok(BTreeSet::from(["eu-west-1a".to_owned()]))
    );
    let machines = aws.running_machines().await.expect("read");
    let machines: Vec<_> = machines
        .iter()
        .map(|one| (one.machine_type.as_str(), one.vcpus, one.is_spot))
        .collect();
    assert_eq!(
        machines,
        [("m5.xlarge", Some(4), false), ("m7g.large", None, true)]
    );
    let requests: Vec<String> = asked.try_iter().collect();
    let of_machines = requests.last().expect("a request");
    assert!(
        of_machines.contains("Filter.1.Value.2=running"),
        "{of_machines}"
    );
}

#[tokio::test]
async fn list_without_its_element_is_no_answer() {
    let (aws, _asked) = serve(|_| xml("DescribeSomething", "")).await;
    for failed in [
        aws.addresses().await.err(),
        aws.vpcs().await.err(),
        aws.running_machines().await.err(),
        aws.database_offers("db.t4g.medium", None).await.err(),
        aws.account_access_block("1").await.err(),
    ] {
        assert!(
            failed.as_ref().is_some_and(CloudError::is_transient),
            "{failed:?}"
        );
    }
}

#[tokio::test]
async fn machine_types_are_asked_for_by_filter() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("Action=DescribeInstanceTypeOfferings") {
            let item = |zone: &str| {
                format!("<item><instanceType>m7g.large</instanceType><location>{zone}</location></item>")
            };
            let set = item("eu-west-1a") + &item("eu-west-1b");
            xml("DescribeInstanceTypeOfferings", &format!("<instanceTypeOfferingSet>{set}</instanceTypeOfferingSet>"))
        } else {
            let item = "<item><instanceType>m99.large</instanceType><hypervisor>nitro</hypervisor>\
                <processorInfo><supportedArchitectures><item>arm64</item></supportedArchitectures></processorInfo>\
                <vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>8192</sizeInMiB></memoryInfo></item>";
            xml("DescribeInstanceTypes", &format!("<instanceTypeSet>{item}</instanceTypeSet>"))
        }
    })
    .await;
    let types = BTreeSet::from(["m7g.large".to_owned(), "none.large".to_owned()]);
    let offered = aws.offerings(&types).await.expect("read");
    let zones = BTreeSet::from(["eu-west-1a".to_owned(), "eu-west-1b".to_owned()]);
    assert_eq!(offered, BTreeMap::from([("m7g.large".to_owned(), zones)]));
    let request = asked.recv().expect("a request");
    assert!(
        request.contains(
            "Filter.1.Name=instance-type&Filter.1.Value.1=m7g.large&Filter.1.Value.2=none.large"
        ),
        "{request}"
    );
    assert!(
        request.contains("LocationType=availability-zone"),
        "{request}"
    );
    let facts = aws.machine_types(&types).await.expect("read");
    let facts = &facts["m99.large"];
    assert_eq!((facts.vcpus, facts.memory_mib), (2, 8192));
    assert!(facts.architectures.contains("arm64"));
    assert_eq!(facts.hypervisor.as_deref(), Some("nitro"));
}

#[tokio::test]
async fn database_offers_have_a_gp3_disk() {
    let (aws, _asked) = serve(|asked| {
        let option = |version: &str, storage: &str| {
            format!(
                "<OrderableDBInstanceOption><EngineVersion>{version}</EngineVersion><AvailabilityZones>\
                 <AvailabilityZone><Name>eu-west-1a</Name></AvailabilityZone></AvailabilityZones>\
                 <StorageType>{storage}</StorageType></OrderableDBInstanceOption>"
            )
        };
        let (options, marker) = if asked.contains("Marker=two") {
            (option("17.12", "gp3"), "")
        } else {
            (option("17.11", "gp2") + &option("17.11", "gp3"), "<Marker>two</Marker>")
        };
        let list = format!("<OrderableDBInstanceOptions>{options}</OrderableDBInstanceOptions>");
        ok("DescribeOrderableDBInstanceOptions", &format!("{list}{marker}"))
    })
    .await;
    let offers = aws
        .database_offers("db.t4g.medium", None)
        .await
        .expect("read");
    let versions: Vec<_> = offers.iter().map(|offer| offer.version.as_str()).collect();
    assert_eq!(versions, ["17.11", "17.12"]);
    assert!(
        offers
            .iter()
            .all(|offer| offer.zones.contains("eu-west-1a"))
    );
}

#[tokio::test]
async fn access_block_of_the_account_is_read_and_may_be_missing() {
    let mut calls = 0;
    let (aws, _asked) = serve(move |_| {
        calls += 1;
        match calls {
            1 => Answer::Xml(
                200,
                "<PublicAccessBlockConfiguration><BlockPublicAcls>false</BlockPublicAcls>\
                 <BlockPublicPolicy>true</BlockPublicPolicy></PublicAccessBlockConfiguration>"
                    .to_owned(),
            ),
            2 => refusal("NoSuchPublicAccessBlockConfiguration", "none"),
            _ => refusal("AccessDenied", "Access Denied"),
        }
    })
    .await;
    let on = aws.account_access_block("123456789012").await;
    assert_eq!(on, Ok(BTreeSet::from(["BlockPublicPolicy".to_owned()])));
    assert_eq!(
        aws.account_access_block("123456789012").await,
        Ok(BTreeSet::new())
    );
    let denied = aws.account_access_block("123456789012").await;
    assert!(
        matches!(denied, Err(CloudError::Denied { .. })),
        "{denied:?}"
    );
}

#[tokio::test]
async fn policy_simulator_is_asked_with_resource_and_region() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("Action=GetRole&") {
            let arn = "<Arn>arn:aws:iam::1:role/aws-reserved/admin</Arn>";
            return ok("GetRole", &format!("<Role><Path>/aws-reserved/</Path>{arn}</Role>"));
        }
        let member = |action: &str, decision: &str, missing: &str| {
            format!(
                "<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision>\
                 <MatchedStatements><member><SourcePolicyId>x</SourcePolicyId></member></MatchedStatements>\
                 <MissingContextValues>{missing}</MissingContextValues></member>"
            )
        };
        let (members, more) = if asked.contains("Marker=two") {
            (member("c:C", "explicitDeny", "<member>aws:MultiFactorAuthPresent</member>"), "<IsTruncated>false</IsTruncated>")
        } else {
            let members = member("a:A", "allowed", "") + &member("b:B", "implicitDeny", "");
            (members, "<IsTruncated>true</IsTruncated><Marker>two</Marker>")
        };
        let results = format!("<EvaluationResults>{members}</EvaluationResults>{more}");
        ok("SimulatePrincipalPolicy", &results)
    })
    .await;
    let arn = aws.role_arn("admin").await.expect("read");
    assert_eq!(
        arn.as_deref(),
        Some("arn:aws:iam::1:role/aws-reserved/admin")
    );
    let question = RightsQuestion {
        principal: "arn:aws:iam::1:user/me".to_owned(),
        resources: ["arn:aws:ssm:eu-west-1:1:parameter/x".to_owned()].into(),
        actions: ["a:A", "b:B", "c:C"].map(str::to_owned).into(),
    };
    let decisions = aws.decisions(&question).await.expect("read");
    let decisions: Vec<_> = decisions
        .iter()
        .map(|one| (one.effect, one.lacks_context))
        .collect();
    assert_eq!(
        decisions,
        [
            (Effect::Allowed, false),
            (Effect::NotAllowed, false),
            (Effect::Denied, true)
        ]
    );
    let request = asked.try_iter().nth(1).expect("a request");
    for part in [
        "ActionNames.member.3=c%3AC",
        "ResourceArns.member.1=arn%3Aaws%3Assm",
        "ContextKeyName=aws%3ARequestedRegion",
        "ContextKeyValues.member.1=eu-west-1",
    ] {
        assert!(request.contains(part), "{part}: {request}");
    }
}
