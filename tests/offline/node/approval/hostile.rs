//! Requests that an attacker with a bootstrap token would make, from the real openssl and with random subjects: each is
//! denied, and none of it reaches a shell or a log.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rcgen::string::BmpString;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

use super::cluster::{Cluster, Decision};
use super::requests::{GROUP, Request, new_key, pem, ssl, subject};
use super::{NEW, assert_denied, cluster, decided};

/// Whether a shell has run what is in a request: their programs start in the root directory.
fn pwned(cluster: &Cluster) -> bool {
    cluster.machine.has("srv/pwned") || cluster.machine.has("pwned")
}

#[test]
fn hostile_requests_are_denied_with_a_reason() {
    let cluster = cluster();
    let cases = hostile(NEW);
    for (_, request) in &cases {
        cluster.ask(request);
    }
    let said = cluster.round();
    for (why, request) in &cases {
        let decision = cluster.decision(&request.name);
        assert!(matches!(decision, Decision::Denied(_)), "{}", request.name);
        assert_denied(&decision, why);
    }
    assert_eq!(cluster.records(), Vec::<serde_json::Value>::new());
    assert!(!pwned(&cluster), "{said}");
    assert_eq!(said.lines().count(), cases.len(), "{said}");
    for line in said.lines() {
        let printable = line.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        assert!(printable, "{line}");
        assert!(
            line.starts_with("approve-nodes: ") && line.contains(": denied"),
            "{line}"
        );
    }
    // The machine whose name they wanted is none the worse for it.
    assert_eq!(decided(&cluster, &Request::of(NEW)), Decision::Approved);
}

#[test]
fn random_subjects_and_names_are_never_approved() {
    let cluster = cluster();
    let cases = random(NEW, 48);
    for request in &cases {
        cluster.ask(request);
    }
    let said = cluster.round();
    for request in &cases {
        let decision = cluster.decision(&request.name);
        assert!(
            matches!(decision, Decision::Denied(_)),
            "{request:?}: {decision:?}"
        );
    }
    assert!(!pwned(&cluster), "{said}");
    assert!(
        said.chars().all(|c| c == '\n' || (' '..='~').contains(&c)),
        "{said}"
    );
    assert_eq!(cluster.records(), Vec::<serde_json::Value>::new());
}

/// What an attacker with a bootstrap token would try for this instance's name, with a part of the reason that it gets.
fn hostile(instance: &str) -> Vec<(&'static str, Request)> {
    let mut cases = subjects(instance);
    cases.extend(contents(instance));
    cases.extend(forms(instance));
    for name in [
        "a\n$(touch pwned)",
        "$(touch ${PPID})`touch pwned`",
        "--raw",
        "-f",
        "; reboot #",
        "x y\t'\"\\",
        "?fieldSelector=a&b#c",
        "größe\u{1b}[31m\u{202e}",
        "x[$(touch pwned)]",
        "a]",
    ] {
        let request = Request::of(instance)
            .with_usages(&["server auth"])
            .named(name);
        cases.push(("its usages are not those", request));
    }
    cases
}

/// Whatever is not exactly the subject of a node.
fn subjects(instance: &str) -> Vec<(&'static str, Request)> {
    let node = format!("system:node:{instance}");
    let wrong = [
        format!("/O=system:masters/CN={node}"),
        format!("/O=system:nodes/O=system:masters/CN={node}"),
        format!("/O=system:nodes/CN={node}/CN=system:node:i-0fffffffffffffff0"),
        format!("/CN=kubernetes-admin/O=system:nodes/CN={node}"),
        format!("/CN={node}/O=system:nodes"),
        format!("/O=system:nodes+CN={node}"),
        format!("/O=system:nodes/OU=x/CN={node}"),
        format!("/O=system:nodes/CN={node},O=system:nodes"),
        format!("/O=system:nodes\\,x/CN={node}"),
        format!("/CN={node}"),
        "/O=system:nodes/CN=system:node:ip-10-20-0-10".to_owned(),
        "/O=system:nodes/CN=system:node:".to_owned(),
        "/O=system:nodes/CN=system:node:i-0123456".to_owned(),
        "/O=system:nodes/CN=system:node:i-0123456789abcdef01".to_owned(),
        "/O=system:nodes/CN=system:node:i-0123456789ABCDEF0".to_owned(),
        format!("/O=system:nodes/CN={node}\n"),
        format!("/O=system:nodes/CN={node} "),
        format!("/O=system:nodes/CN=x\n{node}"),
        format!("/O=system:nodes/CN={node}$(touch \\/srv\\/pwned)"),
        format!("/O=system:nodes/CN={node}`touch \\/srv\\/pwned`;x"),
        "/O=system:nodes/CN=system:serviceaccount:kube-system:x".to_owned(),
    ];
    let key = new_key();
    let request = |subject: String| {
        let request = Request::with_pem(&pem(&subject, &key, &[]));
        ("its subject is not", request)
    };
    wrong.into_iter().map(request).collect()
}

/// The right subject, and more than that.
fn contents(instance: &str) -> Vec<(&'static str, Request)> {
    let (subject, key) = (subject(instance), new_key());
    let with = |extension: &str| {
        let request = Request::with_pem(&pem(&subject, &key, &["-addext", extension]));
        ("it asks for more than a name", request)
    };
    let mut cases: Vec<_> = [
        "subjectAltName=DNS:kubernetes.default.svc",
        "subjectAltName=IP:10.20.0.10",
        "subjectAltName=URI:spiffe://x,email:a@example.com",
        "basicConstraints=CA:TRUE",
        "extendedKeyUsage=serverAuth",
    ]
    .into_iter()
    .map(with)
    .collect();
    let settings = tempfile::NamedTempFile::new().unwrap();
    let password = format!(
        "[req]\ndistinguished_name=d\nattributes=a\nprompt=no\n[d]\nO=system:nodes\n\
         CN=system:node:{instance}\n[a]\nchallengePassword=abcd\n"
    );
    std::fs::write(settings.path(), password).unwrap();
    let path = settings.path().to_str().unwrap();
    let arguments = ["req", "-new", "-key", "/dev/stdin", "-config", path];
    let attribute = Request::with_pem(&ssl(&arguments, &key));
    cases.push(("it asks for more than a name", attribute));
    cases
}

/// The form of the request itself.
fn forms(instance: &str) -> Vec<(&'static str, Request)> {
    let good = pem(&subject(instance), &new_key(), &[]);
    let other = pem(&subject("i-0fffffffffffffff0"), &new_key(), &[]);
    let with = |text: &str| Request::with_pem(text);
    let raw = |request: &str| {
        let mut made = Request::with_pem(&good);
        request.clone_into(&mut made.encoded);
        made
    };
    let half: Vec<_> = good.lines().collect();
    let half = [&half[..2], &half[half.len() - 1..]].concat().join("\n") + "\n";
    let not_pem = "it is not one certificate request in PEM";
    let usages = "its usages are not those";
    let of = || Request::with_pem(&good);
    vec![
        (not_pem, with(&format!("{good}{other}"))),
        (not_pem, with(&format!("a text\n{good}"))),
        (not_pem, with(&format!("{good}$(touch /srv/pwned)\n"))),
        (not_pem, with(&good.replace("REQUEST", "REQUEST\0"))),
        (
            not_pem,
            with(&good.replace("CERTIFICATE", "NEW CERTIFICATE")),
        ),
        (not_pem, with(&good.replace('\n', "\r\n"))),
        (not_pem, with("")),
        (not_pem, raw("$(touch /srv/pwned)")),
        (not_pem, raw("/w==")),
        ("it is longer than", with(&good.repeat(20))),
        ("it is longer than", raw(&"A".repeat(300_000))),
        ("openssl cannot read it", with(&half)),
        (usages, of().with_usages(&["client auth"])),
        (
            usages,
            of().with_usages(&["digital signature", "client auth", "server auth"]),
        ),
        (
            usages,
            of().with_usages(&["digital signature", "client auth", "client auth"]),
        ),
        (
            usages,
            of().with_usages(&["digital signature", "client auth", "cert sign"]),
        ),
        (
            "its token is of another group",
            of().by(
                "system:bootstrap:abcdef",
                &["system:bootstrappers", "system:bootstrappers:x"],
            ),
        ),
        (
            "its token is of another group",
            of().by("system:bootstrap:abcdef", &[&format!("{GROUP}\n")]),
        ),
    ]
}

/// Requests with random subjects and names, none of them a node's, from a fixed seed.
fn random(instance: &str, number: usize) -> Vec<Request> {
    const HOSTILE: &str =
        "[a-z0-9 :,=+;$(){}<>|&!'\"`\\\\/\\*\\?\\[\\]\n\r\t\u{7f}\u{1b}äß€🔒\u{202e}-]{0,24}";
    let node = format!("system:node:{instance}");
    let around = (HOSTILE, HOSTILE).prop_filter("no node", |(before, after)| {
        !before.is_empty() || !after.is_empty()
    });
    let name = HOSTILE.prop_map(|text| text.replace('/', "_"));
    let strategy = (
        around,
        prop_oneof![Just("system:nodes".to_owned()), HOSTILE],
        name,
        0..3_u8,
    );
    let mut runner = TestRunner::deterministic();
    let key = KeyPair::generate().unwrap();
    let one = |position: usize| {
        let ((before, after), organization, name, kind) =
            strategy.new_tree(&mut runner).unwrap().current();
        let common = format!("{before}{node}{after}");
        let mut wanted = CertificateParams::default();
        wanted.distinguished_name = DistinguishedName::new();
        wanted
            .distinguished_name
            .push(DnType::OrganizationName, organization);
        let utf16 = BmpString::try_from(common.as_str())
            .ok()
            .filter(|_| kind == 0);
        let common = utf16.map_or(DnValue::Utf8String(common), DnValue::BmpString);
        wanted.distinguished_name.push(DnType::CommonName, common);
        let pem = wanted.serialize_request(&key).unwrap().pem().unwrap();
        Request::with_pem(&pem.replace("\r\n", "\n")).named(&format!("{name}{position}"))
    };
    (0..number).map(one).collect()
}
