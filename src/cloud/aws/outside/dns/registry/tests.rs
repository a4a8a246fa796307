//! Registries as external-dns writes them, and those that are ambiguous.

use super::*;

fn set(name: &str, kind: &str) -> RecordSet {
    RecordSet {
        name: format!("{name}.example.org."),
        kind: kind.to_owned(),
        identifier: None,
        values: Vec::new(),
        is_alias: false,
        body: format!("<{name}/>"),
    }
}

fn alias(name: &str, kind: &str) -> RecordSet {
    RecordSet {
        is_alias: true,
        ..set(name, kind)
    }
}

fn txt(name: &str, owner: &str) -> RecordSet {
    let text = format!(
        "\"heritage=external-dns,external-dns/owner={owner},external-dns/resource=service/default/web\""
    );
    RecordSet {
        values: vec![text],
        ..set(name, "TXT")
    }
}

/// Name and type of what `canary` owns.
fn ours(sets: &[RecordSet]) -> Result<Vec<String>, String> {
    let owned = owned("Z1", sets, "canary")?;
    let short = owned.iter().map(|one| {
        let id = one.id.replace(".example.org.", "");
        id.trim_start_matches("Z1 ").to_owned()
    });
    Ok(short.collect())
}

#[test]
fn records_of_both_forms_are_owned_with_their_registry() {
    let sets = [
        set("old", "A"),
        set("old", "CAA"),
        txt("old", "canary"),
        set("new", "A"),
        txt("a-new", "canary"),
        alias("alias", "A"),
        alias("alias", "AAAA"),
        txt("cname-alias", "canary"),
        set("foreign", "A"),
        txt("foreign", "production"),
        set("unmanaged", "CNAME"),
        RecordSet {
            values: vec!["\"v=spf1 -all\"".to_owned()],
            ..set("spf", "TXT")
        },
    ];
    let expected = [
        "a-new TXT",
        "alias A",
        "alias AAAA",
        "cname-alias TXT",
        "new A",
        "old A",
        "old TXT",
    ];
    let found = ours(&sets).expect("clear");
    assert_eq!(found, expected);
}

#[test]
fn record_is_described_by_its_registry_and_keeps_its_body() {
    let sets = [set("web", "A"), txt("web", "canary")];
    let owned = owned("Z1", &sets, "canary").expect("clear");
    let record = &owned[0];
    assert_eq!(record.id, "Z1 web.example.org. A");
    assert_eq!(
        record.description.as_deref(),
        Some(
            "heritage=external-dns,external-dns/owner=canary,external-dns/resource=service/default/web"
        )
    );
    assert_eq!(record.body, "<web/>");
}

#[test]
fn wildcards_are_named_as_route53_writes_them() {
    let sets = [set("\\052", "A"), txt("a-\\052", "canary")];
    assert_eq!(ours(&sets).expect("clear"), ["\\052 A", "a-\\052 TXT"]);
}

#[test]
fn sets_of_one_name_differ_by_their_identifiers() {
    let with = |set: RecordSet, identifier: &str| RecordSet {
        identifier: Some(identifier.to_owned()),
        ..set
    };
    let sets = [
        with(set("web", "A"), "blue"),
        with(txt("a-web", "canary"), "blue"),
        with(set("web", "A"), "green"),
        with(txt("a-web", "production"), "green"),
    ];
    assert_eq!(
        ours(&sets).expect("clear"),
        ["a-web TXT blue", "web A blue"]
    );
}

#[test]
fn name_that_looks_like_a_type_is_decided_by_other_entries() {
    // `a-web` is somebody's own record; ours is `web`, in both forms.
    let sets = [
        set("a-web", "A"),
        txt("a-web", "canary"),
        set("web", "A"),
        txt("web", "canary"),
    ];
    let found = ours(&sets).expect("clear");
    assert_eq!(found, ["a-web TXT", "web A", "web TXT"]);
    // The other way round: `web` is somebody else's.
    let sets = [
        set("a-web", "A"),
        txt("a-web", "canary"),
        txt("a-a-web", "canary"),
        set("web", "A"),
        txt("web", "production"),
    ];
    let found = ours(&sets).expect("clear");
    assert_eq!(found, ["a-a-web TXT", "a-web A", "a-web TXT"]);
    // Nothing decides.
    let sets = [set("a-web", "A"), txt("a-web", "canary"), set("web", "A")];
    let error = ours(&sets).expect_err("unclear");
    assert!(error.contains("a-web.example.org. of canary"), "{error}");
}

#[test]
fn prefixes_and_suffixes_are_not_guessed() {
    for name in ["ext-cname-web", "cname-web-suffix", "ext.cname-web"] {
        let sets = [set("web", "CNAME"), txt(name, "canary")];
        assert!(ours(&sets).is_err(), "{name}");
    }
    // What another entry stands for is not meant.
    let sets = [
        set("web", "CNAME"),
        txt("cname-web", "production"),
        txt("cname-web-test", "canary"),
    ];
    assert_eq!(ours(&sets).expect("clear"), ["cname-web-test TXT"]);
}

#[test]
fn entry_whose_record_is_gone_is_owned_alone() {
    let sets = [txt("a-gone", "canary"), set("other", "A")];
    assert_eq!(ours(&sets).expect("clear"), ["a-gone TXT"]);
}
