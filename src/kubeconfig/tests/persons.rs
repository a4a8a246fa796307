//! Certificates for somebody else beside those of the file's owner.

use super::*;

fn for_person(person: &str) -> Entry {
    Entry {
        person: Some(person.to_owned()),
        login: Login::Certificate {
            certificate_pem: format!("certificate of {person}"),
            key: "another key".into(),
        },
        ..entry()
    }
}

fn names(document: &Value, list: &str) -> Vec<String> {
    let items = document[list].as_array().unwrap().iter();
    items
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn person_gets_a_context_beside_the_owner_s() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    let before = data(&path);
    let written = put(&path, &for_person("jane")).unwrap();
    assert_eq!(
        (written.context.as_str(), written.created),
        ("canary-jane", true)
    );
    assert!(
        !written.current,
        "the owner's context stays the current one"
    );
    let after = data(&path);
    assert_eq!(names(&after, "clusters"), ["canary"]);
    assert_eq!(names(&after, "users"), ["canary", "canary-jane"]);
    assert_eq!(names(&after, "contexts"), ["canary", "canary-jane"]);
    assert_eq!(
        after["users"][0], before["users"][0],
        "the owner's key stays"
    );
    let context = &after["contexts"][1]["context"];
    assert_eq!(
        (&context["cluster"], &context["user"]),
        (&json!("canary"), &json!("canary-jane"))
    );
    assert!(!put(&path, &for_person("jane")).unwrap().created);
    assert!(!put(&path, &entry()).unwrap().created);
    assert_eq!(data(&path), after, "each writes its own alone");
}

#[test]
fn person_is_written_before_the_owner_too() {
    let place = Place::new();
    let path = place.path("config");
    assert!(put(&path, &for_person("jane")).unwrap().created);
    assert!(put(&path, &entry()).unwrap().created);
    assert_eq!(names(&data(&path), "users"), ["canary-jane", "canary"]);
}

#[test]
fn person_s_name_is_safe_in_a_shell() {
    for (person, name) in [
        ("jane@example.com", "canary-jane@example.com"),
        ("kube-cfn:ci:github", "canary-kube-cfn-ci-github"),
        ("a b/$(c)", "canary-a-b---c-"),
    ] {
        assert_eq!(for_person(person).context(), name);
    }
    assert_eq!(entry().context(), "canary");
}

#[test]
fn person_of_the_same_safe_name_is_not_overwritten() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &for_person("a:b")).unwrap();
    let message = put(&path, &for_person("a/b")).unwrap_err().to_string();
    assert!(
        message.contains("the user `a:b` of the cluster `canary`"),
        "{message}"
    );
    // Nor by the owner of a cluster that is named so.
    let other = Entry {
        cluster: "canary-a-b".to_owned(),
        ..entry()
    };
    let message = put(&path, &other).unwrap_err().to_string();
    assert!(
        message.contains("`canary-a-b`")
            && message.contains("delete-user canary-a-b")
            && message.contains("delete-context canary-a-b"),
        "{message}"
    );
}

#[test]
fn owner_s_entry_is_not_overwritten_by_a_person() {
    let place = Place::new();
    let path = place.path("config");
    let other = Entry {
        cluster: "canary-jane".to_owned(),
        ..entry()
    };
    put(&path, &other).unwrap();
    let before = data(&path);
    let message = put(&path, &for_person("jane")).unwrap_err().to_string();
    assert!(
        message.contains("somebody else than the user `jane`"),
        "{message}"
    );
    assert_eq!(data(&path), before);
}

#[test]
fn remove_takes_persons_with_their_cluster() {
    let place = Place::new();
    let path = place.put("config", OTHERS);
    let target = KubeconfigPaths::file(&path);
    let before = data(&path);
    put(&path, &entry()).unwrap();
    write(
        &target,
        &for_person("jane"),
        Current::Switch,
        LockTries::NONE,
    )
    .unwrap();
    let other = Entry {
        cluster: "canary-2".to_owned(),
        person: Some("jane".to_owned()),
        ..entry()
    };
    put(&path, &other).unwrap();
    assert_eq!(data(&path)["current-context"], "canary-jane");
    remove(&target, "canary", ORIGIN, LockTries::NONE).unwrap();
    let after = data(&path);
    assert_eq!(after["current-context"], "");
    assert_eq!(names(&after, "users"), ["zoe", "canary-2-jane"]);
    remove(&target, "canary-2", ORIGIN, LockTries::NONE).unwrap();
    assert_eq!(data(&path)["contexts"], before["contexts"]);
}

#[test]
fn certificates_of_persons_are_found() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    put(&path, &for_person("jane")).unwrap();
    let target = KubeconfigPaths::file(&path);
    let found = client_certificates(&target, "canary", ORIGIN).unwrap();
    let found: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(found, ["certificate", "certificate of jane"]);
    let other = client_certificates(&target, "canary", "1/us-east-1").unwrap();
    assert_eq!(other, []);
}

#[test]
fn foreign_entry_is_named_with_what_has_the_name() {
    let place = Place::new();
    // What is left after `kubectl config rename-context canary old`.
    let text =
        "clusters: [{name: canary, cluster: {server: x}}]\nusers: [{name: canary, user: {}}]\n";
    let path = place.put("config", text);
    let message = put(&path, &entry()).unwrap_err().to_string();
    assert!(message.contains("delete-cluster canary"), "{message}");
    assert!(message.contains("delete-user canary"), "{message}");
    assert!(!message.contains("delete-context"), "{message}");
}

#[test]
fn cluster_of_a_person_s_name_stays() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &for_person("jane")).unwrap();
    edit(&path, |document| {
        let clusters = document["clusters"].as_array_mut().unwrap();
        clusters.push(json!({"name": "canary-jane", "cluster": {"server": "https://other"}}));
    });
    let files = KubeconfigPaths::file(&path);
    remove(&files, "canary", &entry().origin, LockTries::NONE).unwrap();
    let after = data(&path);
    assert_eq!(names(&after, "clusters"), ["canary-jane"]);
    assert_eq!(names(&after, "users"), [""; 0]);
    assert_eq!(names(&after, "contexts"), [""; 0]);
}
