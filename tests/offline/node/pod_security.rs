//! What pods and users may do in a new cluster: the API server's admission configuration, and the bindings of
//! `rbac.yaml`, against the API's own types and against what the program says of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kube_cfn::access::{BOUND_GROUPS, system_identity};
use kube_cfn::catalog::addons;
use kube_cfn::kube::{Api, Binding, NamespaceRole, reserved};
use kube_cfn::node::archive::File;
use kube_cfn::spec::ClusterSpec;
use serde::Deserialize;
use serde_json::Value;

use super::cis::Answer;
use super::cis_policies::{POLICIES, Policies};
use super::documents::file;
use super::machine::tree;
use crate::apiserver::ApiServer;
use crate::support::specs;

/// Where the API server's own files are.
const FILES: &str = "etc/kube-cfn/apiserver/";

/// `AdmissionConfiguration` of `apiserver.config.k8s.io/v1`: staging/src/k8s.io/apiserver/pkg/apis/apiserver/v1.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AdmissionConfiguration {
    api_version: String,
    kind: String,
    plugins: Vec<Plugin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plugin {
    name: String,
    configuration: PodSecurityConfiguration,
}

/// staging/src/k8s.io/pod-security-admission/admission/api/v1/types.go; the API server reads it strictly.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodSecurityConfiguration {
    api_version: String,
    kind: String,
    defaults: Defaults,
    exemptions: Exemptions,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Defaults {
    enforce: String,
    enforce_version: String,
    audit: String,
    audit_version: String,
    warn: String,
    warn_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Exemptions {
    usernames: Vec<String>,
    runtime_classes: Vec<String>,
    namespaces: Vec<String>,
}

fn documents(text: &str) -> Vec<Value> {
    let parts = text.split("\n---\n");
    parts
        .map(|part| serde_saphyr::from_str(part).unwrap())
        .collect()
}

/// What section 5 of the benchmark is held against.
pub fn policies(spec: &ClusterSpec) -> Policies {
    let files = tree(spec, "control-plane/a");
    let admission = file(&files, &format!("{FILES}admission.yaml"));
    let found = addons::of(&spec.kubernetes).unwrap();
    Policies {
        rbac: documents(&file(&files, "etc/kube-cfn/rbac.yaml")),
        deployer: deployer(),
        admission: serde_saphyr::from_str(&admission).unwrap(),
        addons: found.iter().map(|addon| addon.name).collect(),
        asks_consent: |group| system_identity("ada", &[group.to_owned()]).is_some(),
    }
}

/// The role as a grant writes it.
fn deployer() -> Value {
    let server = ApiServer::start();
    let binding = Binding {
        who: "github".to_owned(),
        namespace: "default".to_owned(),
        role: Some(NamespaceRole::Deployer),
        certificates: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let api = Api::connect(&server.connection()).unwrap();
        api.bind(&binding, NamespaceRole::Deployer).await.unwrap();
    });
    let roles = server.objects("apis/rbac.authorization.k8s.io/v1/roles");
    assert_eq!(roles.len(), 1);
    roles[0].clone()
}

#[test]
fn pods_of_namespaces_without_a_label_keep_baseline() {
    for spec in specs::all() {
        let text = file(
            &tree(&spec, "control-plane/a"),
            &format!("{FILES}admission.yaml"),
        );
        let read: AdmissionConfiguration = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(
            (read.api_version.as_str(), read.kind.as_str()),
            ("apiserver.config.k8s.io/v1", "AdmissionConfiguration")
        );
        let [plugin] = &read.plugins[..] else {
            panic!("{} plugins", read.plugins.len())
        };
        let Plugin {
            name,
            configuration,
        } = plugin;
        assert_eq!(
            (
                name.as_str(),
                configuration.api_version.as_str(),
                configuration.kind.as_str()
            ),
            (
                "PodSecurity",
                "pod-security.admission.config.k8s.io/v1",
                "PodSecurityConfiguration"
            )
        );
        let Defaults {
            enforce,
            enforce_version,
            audit,
            audit_version,
            warn,
            warn_version,
        } = &configuration.defaults;
        assert_eq!(
            [enforce, audit, warn],
            ["baseline", "restricted", "restricted"]
        );
        for version in [enforce_version, audit_version, warn_version] {
            assert_eq!(version, "latest");
        }
        let Exemptions {
            usernames,
            runtime_classes,
            namespaces,
        } = &configuration.exemptions;
        assert!(usernames.is_empty() && runtime_classes.is_empty());
        assert_eq!(namespaces, &[addons::NAMESPACE]);
    }
}

#[test]
fn a_namespace_that_pod_security_exempts_is_reserved() {
    let files = tree(&specs::production(), "control-plane/a");
    let text = file(&files, &format!("{FILES}admission.yaml"));
    let read: AdmissionConfiguration = serde_saphyr::from_str(&text).unwrap();
    for namespace in &read.plugins[0].configuration.exemptions.namespaces {
        assert!(
            reserved(namespace).is_some(),
            "a grant in {namespace} would be unconfined"
        );
    }
}

#[test]
fn addons_are_installed_in_the_exempt_namespace_alone() {
    let files = tree(&specs::production(), "control-plane/a");
    let program = file(&files, "opt/kube-cfn/bin/addons");
    let wanted = format!("NAMESPACE='{}'\n", addons::NAMESPACE);
    assert!(program.contains(&wanted));
    let installs: Vec<_> = program
        .lines()
        .filter(|line| line.contains("helm upgrade --install"))
        .collect();
    assert_eq!(installs.len(), 1);
    assert!(
        installs[0].contains("--namespace \"${NAMESPACE}\""),
        "{installs:?}"
    );
    // No value moves a part of an addon elsewhere.
    let values = files
        .iter()
        .filter(|file| file.path.contains("/addons/values/"));
    let values: Vec<&File> = values.collect();
    assert_eq!(values.len(), addons::ORDER.len());
    for file in values {
        let text = file.text.to_lowercase();
        assert!(!text.contains("namespace"), "{}", file.path);
    }
}

#[test]
fn every_file_that_a_flag_of_the_api_server_names_is_there() {
    let files = tree(&specs::production(), "control-plane/a");
    let config = file(&files, "etc/kube-cfn/kubeadm/config.yaml.in");
    let named: BTreeSet<&str> = config
        .lines()
        .filter_map(|line| line.trim().strip_prefix("value: /")?.strip_prefix(FILES))
        .collect();
    // The boot reads the last one from a parameter.
    let wanted = BTreeSet::from([
        "admission.yaml",
        "audit.yaml",
        "authentication.yaml",
        "encryption.yaml",
    ]);
    assert_eq!(named, wanted);
    for name in named.iter().filter(|name| **name != "encryption.yaml") {
        file(&files, &format!("{FILES}{name}"));
    }
    let worker = tree(&specs::production(), "batch");
    assert!(worker.iter().all(|file| !file.path.starts_with(FILES)));
}

/// The names of one kind of subject in the bindings of the whole cluster.
fn subjects(kind: &str) -> BTreeSet<String> {
    let policies = policies(&specs::production());
    let bindings = policies
        .rbac
        .iter()
        .filter(|one| one["kind"] == "ClusterRoleBinding");
    let subjects = bindings
        .filter_map(|one| one["subjects"].as_array())
        .flatten();
    let named = subjects.filter(|one| one["kind"] == kind);
    named
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_groups_in_help_are_those_that_rbac_yaml_binds() {
    let known: BTreeSet<String> = BOUND_GROUPS
        .iter()
        .map(|group| group.name.to_owned())
        .collect();
    let bound = subjects("Group")
        .into_iter()
        .filter(|name| !name.starts_with("system:"));
    assert_eq!(bound.collect::<BTreeSet<_>>(), known);
}

#[test]
fn a_user_that_rbac_yaml_binds_is_a_component() {
    for user in subjects("User") {
        assert!(
            system_identity(&user, &[]).is_some(),
            "a certificate for {user} needs no consent"
        );
    }
}

#[test]
fn open_items_of_the_cis_benchmark_are_in_the_docs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pod-security.md");
    let text = fs::read_to_string(path).unwrap();
    for item in POLICIES {
        let open = matches!(item.answer, Answer::Users(_) | Answer::Refused(_));
        let named = text.contains(&format!("| {} |", item.number));
        assert_eq!(open, named, "{} ({})", item.number, item.asks);
    }
}
