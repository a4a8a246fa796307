//! Access of a CI: what was granted, which grants exist, what stays after a revocation.

use jiff::Timestamp;
use serde::Serialize;

use super::format::{self, moment};
use crate::access::{Grant, GrantResult};
use crate::common::duration::age;
use crate::common::text::{listed_line, wrap_behind};
use crate::kube::{Binding, IssuedCertificate, NamespaceRole, reserved};

/// Width of the text of `--help`.
const HELP: usize = 78;

/// A binding as it is listed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantView<'a> {
    user: String,
    #[serde(flatten)]
    binding: &'a Binding,
    /// What the role can reach; `None` where the role is not known.
    reach: Option<&'static str>,
    /// Why no right should be given in that namespace, where it is the cluster's own.
    reserved: Option<&'static str>,
}

/// The bindings as data.
pub fn rows(bindings: &[Binding]) -> Vec<GrantView<'_>> {
    let rows = bindings.iter().map(|binding| GrantView {
        user: Binding::user(&binding.who),
        binding,
        reach: binding.role.map(NamespaceRole::reach),
        reserved: reserved(&binding.namespace),
    });
    rows.collect()
}

/// What `access grant --help` says of grants.
pub fn help() -> String {
    let roles = NamespaceRole::ALL.map(|role| {
        let label = format!("  {:<9} ", role.to_string());
        wrap_behind(&label, role.reach(), HELP).join("\n")
    });
    let wrapped = |text: &str| wrap_behind("", text, HELP).join("\n");
    let parts = [
        "Bind a role and print a kubeconfig, or the certificates, for a CI variable".to_owned(),
        wrapped(
            "A grant is a role in one namespace for the Kubernetes user kube-cfn:ci:USER, and a client \
             certificate for it that the cluster itself signs. The roles:",
        ),
        roles.join("\n"),
        wrapped(
            "Give a CI a namespace of its own. Namespaces of the cluster itself (kube-...) are refused. A role \
             that starts pods needs a namespace whose label makes Pod Security enforce `baseline` or `restricted`: \
             a privileged pod is root on its machine. Granting again issues another certificate; the earlier one stays \
             valid until it expires.",
        ),
    ];
    parts.join("\n\n")
}

/// What the roles among the bindings can reach, and bindings that should not be.
pub fn notes(bindings: &[Binding], cluster: &str) -> Vec<String> {
    let has = |role: &NamespaceRole| bindings.iter().any(|binding| binding.role == Some(*role));
    let roles = NamespaceRole::ALL.into_iter().filter(has);
    let mut lines: Vec<_> = roles.map(reach_line).collect();
    lines.extend(bindings.iter().filter_map(|binding| {
        let Binding { who, namespace, .. } = binding;
        let reason = reserved(namespace)?;
        let what = listed_line("!! ", &format!("{who} has a role in {namespace}: {reason}"));
        Some(format!(
            "{what}\n   `kube-cfn access revoke {cluster} {who} --namespace {namespace}` takes it away"
        ))
    }));
    lines
}

fn reach_line(role: NamespaceRole) -> String {
    listed_line("", &format!("{role}: {}", role.reach()))
}

/// What was granted, a line each.
pub fn granted(wish: &Grant, granted: &GrantResult) -> String {
    let IssuedCertificate {
        serial, expires, ..
    } = &granted.issued;
    let (user, role, namespace) = (Binding::user(&wish.who), wish.role, &wish.namespace);
    let shortened = if granted.shortened {
        "; the cluster's signer gave less than was asked for"
    } else {
        ""
    };
    let mut lines = vec![
        format!("{user} is {role} in namespace {namespace}"),
        format!("certificate {serial}"),
        format!("valid until {}{shortened}", moment(*expires)),
    ];
    lines.push(reach_line(role));
    lines.extend(granted.pod_security.as_ref().map(|found| {
        let label = if found.confines_pods() { "" } else { "!! " };
        listed_line(label, &format!("Pod Security in {namespace}: {found}"))
    }));
    lines.extend(
        granted
            .replaced
            .map(|role| format!("it was {role} there before")),
    );
    lines.extend(granted.earlier.iter().map(|earlier| {
        let until = moment(earlier.expires);
        format!("an earlier certificate of it stays valid until {until}")
    }));
    lines.join("\n")
}

/// The bindings for people.
pub fn table(bindings: &[Binding], now: Timestamp) -> String {
    let rows = bindings.iter().map(|binding| {
        let newest = binding.certificates.iter().max_by_key(|one| one.expires);
        let (until, left) = match newest {
            None => ("no record".to_owned(), String::new()),
            Some(one) if one.expires <= now => (moment(one.expires), "expired".to_owned()),
            Some(one) => (moment(one.expires), age(one.expires.duration_since(now))),
        };
        let role = binding
            .role
            .map_or("not known".to_owned(), |role| role.to_string());
        let valid = binding.certificates.iter().filter(|one| one.expires > now);
        vec![
            binding.who.clone(),
            binding.namespace.clone(),
            role,
            until,
            left,
            valid.count().to_string(),
        ]
    });
    format::table(
        &["USER", "NAMESPACE", "ROLE", "VALID UNTIL", "LEFT", "CERTS"],
        rows,
    )
}

/// What stays after a revocation.
pub fn revoked(who: &str, gone: &[Binding], left: &[Binding], now: Timestamp) -> String {
    let recorded = gone.iter().flat_map(|binding| &binding.certificates);
    let valid = recorded
        .map(|one| one.expires)
        .filter(|expires| *expires > now);
    let user = Binding::user(who);
    let pods = what_pods_leave(gone);
    let Some(until) = valid.max() else {
        let none = format!("no recorded certificate of {user} is still valid{pods}");
        return listed_line("", &none);
    };
    let until = moment(until);
    let rights = if left.is_empty() {
        "it gives access to no namespace, only to what every authenticated user may do (who am I, the \
         API's version and its list of kinds)"
            .to_owned()
    } else {
        let names: Vec<_> = left.iter().map(|one| one.namespace.as_str()).collect();
        format!("it still has its role in {}", names.join(", "))
    };
    listed_line(
        "",
        &format!(
            "Kubernetes can't revoke a certificate: that of {user} is accepted until {until}; \
             {rights}. Other bindings of that user or of the group kube-cfn:ci stay. \
             Remove it from the CI's variables too{pods}"
        ),
    )
}

/// What a user who could start pods may have left in the namespaces: it is no right of theirs, and stays.
fn what_pods_leave(gone: &[Binding]) -> String {
    let starts = |binding: &&Binding| binding.role.is_none_or(NamespaceRole::starts_pods);
    let names: Vec<_> = gone
        .iter()
        .filter(starts)
        .map(|one| one.namespace.as_str())
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        ". What it started in {} runs on, and tokens of service accounts that it read or made there stay valid: \
         delete what you do not know, Secrets of type kubernetes.io/service-account-token first",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::NamespaceRole;

    fn binding(namespace: &str, expires: &str) -> Binding {
        Binding {
            who: "github".to_owned(),
            namespace: namespace.to_owned(),
            role: Some(NamespaceRole::Deployer),
            certificates: vec![IssuedCertificate {
                serial: "0a".to_owned(),
                issued: "2026-11-23T10:00:00Z".parse().unwrap(),
                expires: expires.parse().unwrap(),
                by: "arn".to_owned(),
            }],
        }
    }

    #[test]
    fn revoke_says_how_long_the_certificate_is_accepted() {
        let now = "2026-12-01T00:00:00Z".parse().unwrap();
        let gone = [binding("web", "2027-02-21T10:00:00Z")];
        let text = revoked("github", &gone, &[], now).replace("\n  ", " ");
        assert!(
            text.contains("is accepted until 2027-02-21T10:00:00Z"),
            "{text}"
        );
        assert!(text.contains("gives access to no namespace"), "{text}");
        let left = [binding("api", "2027-02-21T10:00:00Z")];
        let text = revoked("github", &gone, &left, now).replace("\n  ", " ");
        assert!(text.contains("still has its role in api"), "{text}");
        let over = [binding("web", "2026-11-30T10:00:00Z")];
        let text = revoked("github", &over, &[], now);
        assert!(
            text.starts_with("no recorded certificate of kube-cfn:ci:github"),
            "{text}"
        );
    }

    #[test]
    fn revoke_says_what_a_deployer_leaves() {
        let now = "2026-12-01T00:00:00Z".parse().unwrap();
        let mut gone = binding("web", "2027-02-21T10:00:00Z");
        let text = revoked("github", std::slice::from_ref(&gone), &[], now).replace("\n  ", " ");
        assert!(text.contains("What it started in web runs on"), "{text}");
        gone.role = Some(NamespaceRole::Viewer);
        let text = revoked("github", &[gone], &[], now);
        assert!(!text.contains("runs on"), "{text}");
    }

    #[test]
    fn notes_say_what_roles_reach_and_name_reserved_namespaces() {
        let until = "2027-02-21T10:00:00Z";
        let notes =
            |bindings: &[Binding]| notes(bindings, "canary").join("\n").replace("\n  ", " ");
        let text = notes(&[binding("web", until)]);
        assert!(text.starts_with("deployer: writes workloads"), "{text}");
        assert!(!text.contains("viewer:") && !text.contains("!!"), "{text}");
        let text = notes(&[binding("web", until), binding("kube-system", until)]);
        assert!(
            text.contains("!! github has a role in kube-system"),
            "{text}"
        );
        let advice = "`kube-cfn access revoke canary github --namespace kube-system`";
        assert!(text.contains(advice), "{text}");
        assert_eq!(notes(&[]), "");
    }

    #[test]
    fn grants_table_shows_expiry() {
        let bindings = [binding("web", "2026-11-30T10:00:00Z")];
        let text = table(&bindings, "2026-12-01T00:00:00Z".parse().unwrap());
        assert!(text.contains("expired"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    }
}
