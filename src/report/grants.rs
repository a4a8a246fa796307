//! Access of a CI: what was granted, which grants exist, what stays after a revocation.

use jiff::Timestamp;
use serde::Serialize;

use super::format::{self, moment};
use crate::access::{Grant, GrantResult};
use crate::common::duration::age;
use crate::common::text::listed_line;
use crate::kube::{Binding, IssuedCertificate};

/// A binding as it is listed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantView<'a> {
    user: String,
    #[serde(flatten)]
    binding: &'a Binding,
}

/// The bindings as data.
pub fn rows(bindings: &[Binding]) -> Vec<GrantView<'_>> {
    let rows = bindings.iter().map(|binding| GrantView {
        user: Binding::user(&binding.who),
        binding,
    });
    rows.collect()
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
    let Some(until) = valid.max() else {
        return format!("no recorded certificate of {user} is still valid");
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
             Remove it from the CI's variables too"
        ),
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
    fn grants_table_shows_expiry() {
        let bindings = [binding("web", "2026-11-30T10:00:00Z")];
        let text = table(&bindings, "2026-12-01T00:00:00Z".parse().unwrap());
        assert!(text.contains("expired"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    }
}
