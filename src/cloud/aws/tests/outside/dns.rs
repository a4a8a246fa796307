//! Route 53: zones, record sets and their deletion.

use super::*;

const SPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

fn answer(call: &str, inside: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\"?>\n<{call}Response xmlns=\"{SPACE}\">{inside}</{call}Response>"
    );
    Answer::Xml(200, body)
}

fn zone(id: &str, sets: u32, more: &str) -> String {
    format!(
        "<HostedZone><Id>/hostedzone/{id}</Id><Name>example.org.</Name><CallerReference>1</CallerReference>\
         <Config><PrivateZone>false</PrivateZone></Config><ResourceRecordSetCount>{sets}</ResourceRecordSetCount>{more}\
         </HostedZone>"
    )
}

fn zones(inside: &str, next: Option<&str>) -> Answer {
    let next = match next {
        Some(next) => {
            format!("<IsTruncated>true</IsTruncated><NextMarker>{next}</NextMarker>")
        }
        None => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    let list = format!("<HostedZones>{inside}</HostedZones>{next}<MaxItems>100</MaxItems>");
    answer("ListHostedZones", &list)
}

fn sets(inside: &str, next: &str) -> Answer {
    let is_cut = !next.is_empty();
    let list = format!(
        "<ResourceRecordSets>{inside}</ResourceRecordSets><IsTruncated>{is_cut}</IsTruncated>{next}<MaxItems>300</MaxItems>"
    );
    answer("ListResourceRecordSets", &list)
}

const WEB: &str = "<ResourceRecordSet><Name>web.example.org.</Name><Type>A</Type><AliasTarget>\
    <HostedZoneId>Z32O12XQLNTSW2</HostedZoneId><DNSName>a1b2.elb.eu-west-1.amazonaws.com.</DNSName>\
    <EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget></ResourceRecordSet>";

fn registry(owner: &str) -> String {
    format!(
        "<ResourceRecordSet><Name>cname-web.example.org.</Name><Type>TXT</Type><TTL>300</TTL><ResourceRecords>\
         <ResourceRecord><Value>&quot;heritage=external-dns,external-dns/owner={owner},\
         external-dns/resource=service/default/web&quot;</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>"
    )
}

#[tokio::test]
async fn records_of_the_registry_are_found_in_every_zone_on_every_page() {
    let (aws, asked) = serve_paths(|asked| {
        let path = asked.lines().next().unwrap_or_default();
        match path {
            "GET /2013-04-01/hostedzone" => zones(&zone("Z1", 4, ""), Some("Z2")),
            "GET /2013-04-01/hostedzone?marker=Z2" => {
                let linked = "<LinkedService><ServicePrincipal>servicediscovery.amazonaws.com</ServicePrincipal>\
                    </LinkedService>";
                let rest = [zone("Z2", 4, ""), zone("ZEMPTY", 2, ""), zone("ZLINKED", 9, linked)];
                zones(&rest.concat(), None)
            }
            "GET /2013-04-01/hostedzone/Z1/rrset?maxitems=300" => sets(
                WEB,
                "<NextRecordName>\\052.example.org.</NextRecordName><NextRecordType>TXT</NextRecordType>\
                 <NextRecordIdentifier>blue set</NextRecordIdentifier>",
            ),
            "GET /2013-04-01/hostedzone/Z1/rrset?maxitems=300&name=%5C052.example.org.&type=TXT&identifier=blue%20set" => {
                sets(&registry("canary"), "")
            }
            "GET /2013-04-01/hostedzone/Z2/rrset?maxitems=300" => {
                sets(&(WEB.to_owned() + &registry("production")), "")
            }
            other => panic!("{other}"),
        }
    })
    .await;
    let found = listed(&aws, OutsideKind::DnsRecord).await;
    let expected = ["Z1 cname-web.example.org. TXT", "Z1 web.example.org. A"];
    assert_eq!(ids(&found), expected);
    assert_eq!(found[1].body, WEB);
    let text = found[1].description.as_deref();
    assert!(text.is_some_and(|text| text.ends_with("external-dns/resource=service/default/web")));
    assert!(found[0].body.contains("&quot;heritage="), "as it was read");
    assert_eq!(asked.try_iter().count(), 5);
}

#[tokio::test]
async fn too_many_record_sets_are_an_error_before_any_is_read() {
    let (aws, asked) = serve_paths(|_| zones(&zone("Z1", 40_000, ""), None)).await;
    let error = aws.outside(OutsideKind::DnsRecord, &scope()).await;
    let error = error.expect_err("not looked at").to_string();
    assert!(error.contains("134 calls to Route 53"), "{error}");
    assert_eq!(asked.try_iter().count(), 1);
}

#[tokio::test]
async fn registry_that_is_not_understood_is_an_error() {
    let (aws, _asked) = serve_paths(|asked| {
        if asked.contains("rrset") {
            let named = registry("canary").replace("cname-web", "ext-cname-web");
            sets(&(WEB.to_owned() + &named), "")
        } else {
            zones(&zone("Z1", 4, ""), None)
        }
    })
    .await;
    let error = aws.outside(OutsideKind::DnsRecord, &scope()).await;
    let error = error.expect_err("unclear");
    assert!(!error.is_transient(), "{error:?}");
    let text = error.to_string();
    assert!(
        text.starts_with("hosted zone Z1: external-dns's TXT record ext-cname-web.example.org."),
        "{text}"
    );
}

#[tokio::test]
async fn zone_that_goes_away_has_no_records() {
    let (aws, _asked) = serve_paths(|asked| {
        if asked.contains("rrset") {
            let error = "<Error><Type>Sender</Type><Code>NoSuchHostedZone</Code><Message>none</Message></Error>";
            Answer::Xml(404, format!("<ErrorResponse xmlns=\"{SPACE}\">{error}</ErrorResponse>"))
        } else {
            zones(&zone("Z1", 4, ""), None)
        }
    })
    .await;
    assert_eq!(listed(&aws, OutsideKind::DnsRecord).await, []);
}

#[tokio::test]
async fn list_that_is_cut_names_where_it_goes_on() {
    let (aws, _asked) = serve_paths(|_| {
        let list = "<HostedZones/><IsTruncated>true</IsTruncated><MaxItems>100</MaxItems>";
        answer("ListHostedZones", list)
    })
    .await;
    let error = aws.outside(OutsideKind::DnsRecord, &scope()).await;
    assert!(error.expect_err("not whole").is_transient());
}

fn record() -> OutsideResource {
    OutsideResource {
        body: WEB.to_owned(),
        ..OutsideResource::new(OutsideKind::DnsRecord, "Z1 web.example.org. A")
    }
}

/// Route 53's two forms of a refused batch.
fn batch_refusals(message: &str) -> [String; 2] {
    let error = format!(
        "<Error><Type>Sender</Type><Code>InvalidChangeBatch</Code><Message>[{message}]</Message></Error>"
    );
    [
        format!("<ErrorResponse xmlns=\"{SPACE}\">{error}<RequestId>1</RequestId></ErrorResponse>"),
        format!(
            "<InvalidChangeBatch xmlns=\"{SPACE}\"><Messages><Message>{message}</Message></Messages>\
             <RequestId>1</RequestId></InvalidChangeBatch>"
        ),
    ]
}

#[tokio::test]
async fn record_is_deleted_as_it_was_read() {
    let (aws, asked) = serve_paths(|_| {
        let info = "<ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status>\
            <SubmittedAt>2026-11-23T10:00:00.000Z</SubmittedAt></ChangeInfo>";
        answer("ChangeResourceRecordSets", info)
    })
    .await;
    assert_eq!(aws.remove(&record()).await, Ok(()));
    let request = asked.recv().expect("a request");
    let line = "POST /2013-04-01/hostedzone/Z1/rrset/\n";
    assert!(request.starts_with(line), "{request}");
    let change = format!("<Change><Action>DELETE</Action>{WEB}</Change>");
    assert!(request.contains(&change), "{request}");
}

#[tokio::test]
async fn record_that_is_gone_is_no_error_and_one_that_changed_is_refused() {
    let missing = "Tried to delete resource record set [name='web.example.org.', type='A'] but it was not found";
    for body in batch_refusals(missing) {
        let (aws, asked) = serve_paths(move |asked| {
            if asked.starts_with("POST") {
                Answer::Xml(400, body.clone())
            } else {
                // The next one in the zone.
                sets(&registry("canary"), "")
            }
        })
        .await;
        assert_eq!(aws.remove(&record()).await, Ok(()));
        let second = asked.try_iter().nth(1).expect("it is looked for");
        assert!(
            second.contains("rrset?maxitems=1&name=web.example.org.&type=A"),
            "{second}"
        );
    }
    let changed = "but the values provided do not match the current values";
    for body in batch_refusals(changed) {
        let (aws, _asked) = serve_paths(move |asked| {
            if asked.starts_with("POST") {
                Answer::Xml(400, body.clone())
            } else {
                sets(WEB, "")
            }
        })
        .await;
        let error = aws.remove(&record()).await;
        let Err(CloudError::Refused { message, .. }) = error else {
            panic!("{error:?}")
        };
        assert!(message.contains(changed), "{message}");
    }
}
