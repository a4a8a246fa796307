//! When a cached credential counts.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;

#[tokio::test(start_paused = true)]
async fn fresh_cached_credential_is_reused() {
    let (cloud, place) = (cloud().await, tempfile::tempdir().unwrap());
    ensure(&cloud).await.unwrap();
    let cache = Cache::at(place.path().join("cache"));
    let key = cache_key("ada");
    let ask = async |at| {
        credential(&cloud, &cache, &key, limits(), None, at)
            .await
            .unwrap()
    };
    let first = ask(now()).await;
    // Eight hours less a tenth.
    for minutes in [0, 60, 432] {
        assert_eq!(
            ask(later(minutes)).await.certificate_pem,
            first.certificate_pem
        );
    }
    let renewed = ask(later(433)).await;
    assert_ne!(renewed.certificate_pem, first.certificate_pem);
    assert_eq!(
        ask(later(434)).await.certificate_pem,
        renewed.certificate_pem
    );
    assert_ne!(
        ask(now()).await.certificate_pem,
        renewed.certificate_pem,
        "a clock set back"
    );
}

#[tokio::test(start_paused = true)]
async fn cached_credential_belongs_to_one_user_and_authority() {
    let (cloud, place) = (cloud().await, tempfile::tempdir().unwrap());
    ensure(&cloud).await.unwrap();
    let cache = Cache::at(place.path());
    let made = credential(&cloud, &cache, &cache_key("ada"), limits(), None, now())
        .await
        .unwrap();
    let trusted = made.authority();
    assert!(
        cache
            .find(&cache_key("ada"), trusted.as_deref(), now())
            .is_some()
    );
    assert!(
        cache
            .find(&cache_key("ada"), Some("another"), now())
            .is_none()
    );
    assert!(cache.find(&cache_key("bob"), None, now()).is_none());
    let mut elsewhere = cache_key("ada");
    elsewhere.scope = "123456789012/us-east-1".to_owned();
    assert!(cache.find(&elsewhere, None, now()).is_none());
    cache.forget("canary").unwrap();
    assert!(cache.find(&cache_key("ada"), None, now()).is_none());
    cache.forget("canary").unwrap();
}

#[tokio::test(start_paused = true)]
async fn cache_readable_by_others_is_ignored() {
    let (cloud, place) = (cloud().await, tempfile::tempdir().unwrap());
    ensure(&cloud).await.unwrap();
    let (cache, key) = (Cache::at(place.path().join("deep/cache")), cache_key("ada"));
    let issued = credential(&cloud, &cache, &key, limits(), None, now())
        .await
        .unwrap();
    let directory = place.path().join("deep/cache/canary");
    let file = std::fs::read_dir(&directory)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    assert_eq!((mode(&file), mode(&directory)), (0o600, 0o700));
    set(&file, 0o640);
    assert!(cache.find(&key, None, now()).is_none());
    set(&file, 0o600);
    assert!(cache.find(&key, None, now()).is_some());
    set(&directory, 0o755);
    assert!(cache.find(&key, None, now()).is_none());
    cache.keep(&key, &issued).unwrap();
    assert_eq!(mode(&directory), 0o700);
    std::fs::write(&file, "{\"certificate\": ").unwrap();
    assert!(cache.find(&key, None, now()).is_none());
    assert!(
        credential(&cloud, &cache, &key, limits(), None, now())
            .await
            .is_ok()
    );
    assert!(
        cache.find(&key, None, now()).is_some(),
        "the broken file was replaced"
    );
}

#[tokio::test(start_paused = true)]
async fn unwritable_cache_is_no_error() {
    let (cloud, place) = (cloud().await, tempfile::tempdir().unwrap());
    ensure(&cloud).await.unwrap();
    let blocked = place.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let cache = Cache::at(&blocked);
    assert!(
        credential(&cloud, &cache, &cache_key("ada"), limits(), None, now())
            .await
            .is_ok()
    );
}

/// Damage that leaves the file valid JSON: kubectl would get a broken certificate until it expires.
#[tokio::test(start_paused = true)]
async fn a_damaged_credential_is_none() {
    let (cloud, place) = (cloud().await, tempfile::tempdir().unwrap());
    ensure(&cloud).await.unwrap();
    let (cache, key) = (Cache::at(place.path().join("cache")), cache_key("ada"));
    credential(&cloud, &cache, &key, limits(), None, now())
        .await
        .unwrap();
    let directory = std::fs::read_dir(place.path().join("cache/canary")).unwrap();
    let file = directory.flatten().next().unwrap().path();
    let whole = std::fs::read_to_string(&file).unwrap();
    let mut valid = 0;
    for (at, byte) in whole.bytes().enumerate().step_by(7) {
        let other = if byte == b'A' { 'B' } else { 'A' };
        let damaged = format!("{}{other}{}", &whole[..at], &whole[at + 1..]);
        valid += usize::from(serde_json::from_str::<serde_json::Value>(&damaged).is_ok());
        std::fs::write(&file, damaged).unwrap();
        let found = cache.find(&key, None, now());
        assert!(found.is_none(), "byte {at}");
    }
    assert!(valid > 50, "only {valid} damages are valid JSON");
    std::fs::write(&file, &whole).unwrap();
    assert!(cache.find(&key, None, now()).is_some());
}

/// The cluster of the kubeconfig is elsewhere, or was made again: a credential of what is here opens nothing there.
#[tokio::test(start_paused = true)]
async fn credential_of_another_authority_is_refused() {
    let (cloud, place) = (cloud().await, tempfile::tempdir().unwrap());
    ensure(&cloud).await.unwrap();
    let (cache, key) = (Cache::at(place.path().join("cache")), cache_key("ada"));
    let refused = credential(&cloud, &cache, &key, limits(), Some("ab:cd"), now()).await;
    assert!(
        matches!(refused, Err(AccessError::OtherAuthority { .. })),
        "{refused:?}"
    );
    let made = credential(&cloud, &cache, &key, limits(), None, now()).await;
    let trusted = made.unwrap().authority();
    let made = credential(&cloud, &cache, &key, limits(), trusted.as_deref(), now()).await;
    assert!(made.is_ok());
}
