//! What stands in the file afterwards.

use super::*;

#[test]
fn new_file_is_private() {
    let place = Place::new();
    let path = place.path("new/deep/config");
    let written = put(&path, &entry()).unwrap();
    assert!(written.created && written.current && written.kept.is_empty());
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let rendered = render(&entry()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), rendered.expose_secret());
    assert_eq!(
        rendered.expose_secret(),
        "apiVersion: v1
clusters:
- name: canary
  cluster:
    server: https://api.example.com:6443
    certificate-authority-data: YXV0aG9yaXR5IG9uZQ==
    extensions:
    - name: kube-cfn
      extension:
        origin: 123456789012/eu-west-1
        server: https://api.example.com:6443
contexts:
- name: canary
  context:
    cluster: canary
    user: canary
current-context: canary
kind: Config
users:
- name: canary
  user:
    client-certificate-data: Y2VydGlmaWNhdGU=
    client-key-data: dGhlIGtleQ==
"
    );
    assert_eq!(
        fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1,
        "no lock, no leftovers"
    );
}

#[test]
fn foreign_entries_keep_order_and_type() {
    let place = Place::new();
    let path = place.put("config", OTHERS);
    let before = data(&path);
    let written = put(&path, &entry()).unwrap();
    assert!(written.created && !written.current);
    let mut after = data(&path);
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&after), keys(&before));
    assert_eq!(after["clusters"][1]["name"], "canary");
    merge::remove(&mut after, "canary", "canary");
    assert_eq!(after, before);
}

#[test]
fn writing_twice_changes_nothing() {
    let place = Place::new();
    let path = place.put("config", OTHERS);
    put(&path, &entry()).unwrap();
    let first = fs::read_to_string(&path).unwrap();
    assert!(!put(&path, &entry()).unwrap().created);
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
}

#[test]
fn user_changes_in_own_entries_are_kept() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    edit(&path, |document| {
        let cluster = &mut document["clusters"][0]["cluster"];
        cluster["server"] = json!("https://127.0.0.1:16443");
        cluster["tls-server-name"] = json!("api.example.com");
        cluster["proxy-url"] = json!("socks5://127.0.0.1:1080");
        cluster["x-unknown"] = json!("1.10");
        document["contexts"][0]["context"]["namespace"] = json!("shop");
        document["users"][0]["user"]["as"] = json!("auditor");
    });
    let mut moved = entry();
    moved.server = server_url("new.example.com");
    let written = put(&path, &moved).unwrap();
    assert_eq!(
        written.kept,
        [
            "server https://127.0.0.1:16443",
            "proxy-url socks5://127.0.0.1:1080",
            "tls-server-name api.example.com",
            "namespace shop"
        ]
    );
    let after = data(&path);
    assert_eq!(
        after["clusters"][0]["cluster"]["server"],
        "https://127.0.0.1:16443"
    );
    assert_eq!(after["clusters"][0]["cluster"]["x-unknown"], "1.10");
    assert_eq!(after["users"][0]["user"]["as"], "auditor");
}

#[test]
fn unedited_server_is_updated() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    let mut moved = entry();
    moved.server = server_url("new.example.com");
    assert!(put(&path, &moved).unwrap().kept.is_empty());
    assert_eq!(
        data(&path)["clusters"][0]["cluster"]["server"],
        "https://new.example.com:6443"
    );
}

#[test]
fn tunnel_server_and_server_name_are_written_and_removed() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    let cluster = |path: &Path| data(path)["clusters"][0]["cluster"].clone();
    edit(&path, |document| {
        document["clusters"][0]["cluster"]["server"] = json!("https://127.0.0.1:1");
    });
    let mut tunnel = entry();
    tunnel.server = "https://127.0.0.1:6443".to_owned();
    tunnel.server_name = Some("api.example.com".to_owned());
    // Asked for by name, it is written over what was edited.
    for _ in 0..2 {
        assert!(put(&path, &tunnel).unwrap().kept.is_empty());
        assert_eq!(cluster(&path)["server"], "https://127.0.0.1:6443");
        assert_eq!(cluster(&path)["tls-server-name"], "api.example.com");
    }
    assert!(put(&path, &entry()).unwrap().kept.is_empty());
    assert_eq!(cluster(&path)["server"], "https://api.example.com:6443");
    assert!(cluster(&path).get("tls-server-name").is_none());
}

#[test]
fn recreated_cluster_replaces_an_edited_server() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    edit(&path, |document| {
        document["clusters"][0]["cluster"]["server"] = json!("https://127.0.0.1:16443");
    });
    let mut recreated = entry();
    recreated.authority_pem = "authority two".to_owned();
    assert!(put(&path, &recreated).unwrap().kept.is_empty());
    assert_eq!(
        data(&path)["clusters"][0]["cluster"]["server"],
        "https://api.example.com:6443"
    );
}

#[test]
fn insecure_skip_tls_verify_excludes_the_authority() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    edit(&path, |document| {
        document["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = json!(true);
    });
    put(&path, &entry()).unwrap();
    let after = data(&path);
    assert!(
        after["clusters"][0]["cluster"]
            .get("certificate-authority-data")
            .is_none()
    );
}

#[test]
fn new_login_replaces_the_old_one_and_keeps_variables() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    put(&path, &exec_entry()).unwrap();
    let user = data(&path)["users"][0]["user"].clone();
    assert!(user.get("client-key-data").is_none());
    assert_eq!(user["exec"]["interactiveMode"], "Never");
    let args = "credential canary --region eu-west-1 --user ada --group kube-cfn:admins --ttl 8h";
    let found: Vec<_> = user["exec"]["args"].as_array().unwrap().iter().collect();
    assert_eq!(found, args.split(' ').collect::<Vec<_>>());
    edit(&path, |document| {
        let env = document["users"][0]["user"]["exec"]["env"]
            .as_array_mut()
            .unwrap();
        env.push(json!({"name": "HTTPS_PROXY", "value": "http://proxy"}));
    });
    put(&path, &exec_entry()).unwrap();
    let env = data(&path)["users"][0]["user"]["exec"]["env"].clone();
    assert_eq!(
        env,
        json!([
            {"name": "AWS_PROFILE", "value": "ops"},
            {"name": "HTTPS_PROXY", "value": "http://proxy"},
        ])
    );
    put(&path, &entry()).unwrap();
    assert!(data(&path)["users"][0]["user"].get("exec").is_none());
}

#[test]
fn foreign_entry_is_refused() {
    let place = Place::new();
    let stranger = OTHERS.replace("name: old", "name: canary");
    let path = place.put("config", &stranger);
    let error = put(&path, &entry()).unwrap_err().to_string();
    assert!(
        error.contains("belongs to something that kube-cfn did not write"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), stranger);
    let path = place.path("elsewhere");
    put(&path, &entry()).unwrap();
    let mut other = entry();
    other.origin = "123456789012/us-east-1".to_owned();
    let error = put(&path, &other).unwrap_err().to_string();
    assert!(
        error.contains("the cluster of that name in 123456789012/eu-west-1"),
        "{error}"
    );
}
