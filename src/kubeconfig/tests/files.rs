//! Which file is written, and how.

use super::*;

#[test]
fn first_file_with_the_entry_is_written() {
    let place = Place::new();
    let (none, one, two) = (
        place.path("none"),
        place.put("one", OTHERS),
        place.path("two"),
    );
    put(&two, &entry()).unwrap();
    let list = std::env::join_paths([&none, &one, &two]).unwrap();
    let target = KubeconfigPaths::of_user(Some(&list), None).unwrap();
    let written = write(&target, &entry(), Current::IfUnset, LockTries::NONE).unwrap();
    assert_eq!(
        (written.path, written.created, written.current),
        (two.clone(), false, false)
    );
    remove(&target, "canary", ORIGIN, LockTries::NONE).unwrap();
    let written = write(&target, &entry(), Current::IfUnset, LockTries::NONE).unwrap();
    assert_eq!((written.path, written.created), (one, true));
    assert!(!none.exists());
}

#[test]
fn current_context_is_set_in_the_file_that_counts() {
    let place = Place::new();
    let (one, two) = (place.put("one", OTHERS), place.path("two"));
    put(&two, &entry()).unwrap();
    let list = std::env::join_paths([&one, &two]).unwrap();
    let target = KubeconfigPaths::of_user(Some(&list), None).unwrap();
    let written = write(&target, &entry(), Current::Switch, LockTries::NONE).unwrap();
    assert!(written.current);
    assert_eq!(data(&one)["current-context"], "canary");
    let changed = remove(&target, "canary", ORIGIN, LockTries::NONE).unwrap();
    assert_eq!(changed, [one.clone(), two.clone()]);
    assert_eq!(data(&one)["current-context"], "");
    assert_eq!(data(&two)["users"], json!([]));
    assert!(
        remove(&target, "canary", ORIGIN, LockTries::NONE)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn remove_keeps_a_cluster_of_another_origin() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    let target = KubeconfigPaths::file(&path);
    assert!(
        remove(&target, "canary", "1/us-east-1", LockTries::NONE)
            .unwrap()
            .is_empty()
    );
    assert_eq!(data(&path)["clusters"][0]["name"], "canary");
}

#[test]
fn locked_file_is_left_alone() {
    let place = Place::new();
    let path = place.put("config", OTHERS);
    let lock = place.put("config.lock", "");
    let error = put(&path, &entry()).unwrap_err();
    assert!(matches!(error, KubeconfigError::Locked { .. }));
    let message = error.to_string();
    assert!(
        message.contains(&format!("{} exists", lock.display())),
        "{message}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), OTHERS);
    assert!(
        lock.exists(),
        "a lock of somebody else is not ours to remove"
    );
    fs::remove_file(&lock).unwrap();
    put(&path, &entry()).unwrap();
    assert!(!lock.exists());
}

#[test]
fn symlink_and_strict_mode_are_kept() {
    let place = Place::new();
    let real = place.put("real", OTHERS);
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    let link = place.path("link");
    symlink("real", &link).unwrap();
    put(&link, &entry()).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(
        (mode(&real), &data(&real)["clusters"][1]["name"]),
        (0o600, &json!("canary"))
    );
    fs::set_permissions(&real, fs::Permissions::from_mode(0o400)).unwrap();
    put(&link, &entry()).unwrap();
    assert_eq!(mode(&real), 0o400);
}

#[test]
fn invalid_file_is_named_never_quoted() {
    let place = Place::new();
    for (text, word) in [
        ("users:\n- hunter2: [", "not valid YAML (line "),
        ("hunter2", "the document is not a mapping"),
        ("clusters: {hunter2: 1}", "`clusters` is not a list"),
        (
            "clusters: [{name: canary, cluster: hunter2}]",
            "did not write",
        ),
    ] {
        let path = place.put("config", text);
        let error = put(&path, &entry()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(word), "{message}");
        assert!(
            !format!("{message} {error:?}").contains("hunter2"),
            "{message}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn empty_file_and_lists_are_filled() {
    let place = Place::new();
    for text in ["", "\n# mine\n", "clusters: null\ncontexts:\nusers: []\n"] {
        let path = place.put("config", text);
        assert!(put(&path, &entry()).unwrap().created, "{text}");
    }
}

#[test]
fn key_is_not_in_debug_output() {
    let shown = format!("{:?}", entry());
    assert!(!shown.contains("the key"), "{shown}");
}

#[test]
fn owner_of_a_file_keeps_it_only_in_a_directory_of_their_own() {
    let place = Place::new();
    let path = place.put("config", OTHERS);
    let give = |path: &Path| std::os::unix::fs::chown(path, Some(4242), Some(4242)).is_ok();
    // Needs the rights of root.
    if !give(&path) {
        return;
    }
    put(&path, &entry()).unwrap();
    let about = fs::metadata(&path).unwrap();
    assert_ne!(about.uid(), 4242, "who put the file there gets no key");
    assert_eq!(about.mode() & 0o777, 0o600);
    assert!(give(path.parent().unwrap()) && give(&path));
    put(&path, &entry()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().uid(), 4242);
}
