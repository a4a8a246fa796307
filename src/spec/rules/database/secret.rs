//! The Secret of the database: which namespaces may have it, and which users are not ours to make.

use crate::spec::DatabaseSecret;
use crate::spec::rules::Violation;

/// Users that PostgreSQL and RDS keep for themselves.
const TAKEN_USERS: [(&str, &str); 5] = [
    ("postgres", "RDS rotates the master's password"),
    ("rdsadmin", "RDS keeps it for itself"),
    ("public", "it means every user"),
    ("none", "SQL reads it as no user"),
    ("user", "SQL reads it as the current user"),
];
/// What such users begin with.
const TAKEN_PREFIXES: [(&str, &str); 2] = [
    ("pg_", "PostgreSQL keeps names with `pg_` for itself"),
    ("rds_", "RDS keeps names with `rds_` for itself"),
];

pub(super) fn check(secret: &DatabaseSecret, broken: &mut Vec<Violation>) {
    for (index, namespace) in secret.namespaces.iter().enumerate() {
        let at = format!("database.secret.namespaces[{index}]");
        if namespace.starts_with("kube-") {
            let what = format!("the namespace `{namespace}` is not one of workloads");
            let help = "names with `kube-` belong to Kubernetes and to this tool: name another one";
            broken.push(Violation::new(at, what, help));
        } else if secret.namespaces[..index].contains(namespace) {
            let what = format!("the namespace `{namespace}` is listed twice");
            broken.push(Violation::new(at, what, "remove one of them"));
        }
    }
    let user = secret.user.as_str();
    let taken = TAKEN_USERS.iter().find(|(name, _)| *name == user);
    let prefix = || {
        TAKEN_PREFIXES
            .iter()
            .find(|(start, _)| user.starts_with(start))
    };
    if let Some((_, why)) = taken.or_else(prefix) {
        let what = format!("the user `{user}` is taken");
        let help = format!("{why}: choose another name, such as `app`");
        broken.push(Violation::new("database.secret.user", what, help));
    }
}
