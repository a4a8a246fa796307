//! Users and groups of certificates: the groups that a cluster of ours binds to a right, and the names that are
//! Kubernetes's own. Data and look-ups; what is bound is in `templates/node/rbac.yaml`, and a test compares both.

/// A group to which every cluster binds a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundGroup {
    pub name: &'static str,
    /// What its members may do.
    pub rights: &'static str,
}

/// The group of a certificate that names none. Removing its binding removes the right, which no certificate of
/// `system:masters` would allow.
pub const ADMINS: &str = "kubeadm:cluster-admins";

/// The groups with a right in every cluster.
pub const BOUND_GROUPS: [BoundGroup; 3] = [
    BoundGroup {
        name: "kube-cfn:viewers",
        rights: "reads everything in all namespaces but Secrets and roles, and nodes, volumes, metrics",
    },
    BoundGroup {
        name: "kube-cfn:admins",
        rights: "everything (cluster-admin)",
    },
    BoundGroup {
        name: ADMINS,
        rights: "everything (cluster-admin): the nodes' own administrators and, without --group, you",
    },
];

/// Users that are components of the cluster and have no `system:` in front.
const COMPONENTS: [&str; 1] = ["kube-apiserver-kubelet-client"];

/// A user or group that is Kubernetes's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemIdentity<'a> {
    User(&'a str),
    Group(&'a str),
}

/// The first of Kubernetes's own names among those of a certificate: a component's, or a group whose rights no
/// binding gives and none can take.
pub fn system_identity<'a>(user: &'a str, groups: &'a [String]) -> Option<SystemIdentity<'a>> {
    let is_system = |name: &str| name.starts_with("system:");
    if is_system(user) || COMPONENTS.contains(&user) {
        return Some(SystemIdentity::User(user));
    }
    let mut names = groups.iter().map(String::as_str);
    names
        .find(|name| is_system(name))
        .map(SystemIdentity::Group)
}

/// A group without a binding of ours, and the bound one that was probably meant.
pub fn unbound(groups: &[String]) -> impl Iterator<Item = (&str, Option<&'static str>)> {
    let bound = |name: &str| BOUND_GROUPS.iter().any(|group| group.name == name);
    let names = groups.iter().map(String::as_str);
    let names = names.filter(move |name| !name.starts_with("system:") && !bound(name));
    names.map(|name| (name, meant(name)))
}

/// The bound group that ends like a name.
fn meant(name: &str) -> Option<&'static str> {
    let word = name.rsplit(':').next()?.trim_end_matches('s');
    let ends = |group: &&BoundGroup| {
        let own = group.name.rsplit(':').next().unwrap_or_default();
        own.trim_end_matches('s') == word
    };
    BOUND_GROUPS.iter().find(ends).map(|group| group.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn system_identity_is_found_among_user_and_groups() {
        for user in [
            "system:node:i-0c0",
            "system:kube-controller-manager",
            COMPONENTS[0],
        ] {
            let found = system_identity(user, &[]);
            assert_eq!(found, Some(SystemIdentity::User(user)));
        }
        for group in [
            "system:masters",
            "system:nodes",
            "system:serviceaccounts:web",
        ] {
            let all = groups(&["kube-cfn:viewers", group]);
            assert_eq!(
                system_identity("ada", &all),
                Some(SystemIdentity::Group(group))
            );
        }
        let plain = groups(&["kube-cfn:admins", ADMINS, "systems", "my:system:masters"]);
        assert_eq!(system_identity("ada", &plain), None);
    }

    #[test]
    fn unbound_group_names_the_one_that_was_meant() {
        let all = groups(&[
            "viewers",
            "kube-cfn:viewer",
            "ops",
            "kube-cfn:viewers",
            ADMINS,
            "admin",
        ]);
        let found: Vec<_> = unbound(&all).collect();
        let viewers = Some("kube-cfn:viewers");
        assert_eq!(
            found,
            [
                ("viewers", viewers),
                ("kube-cfn:viewer", viewers),
                ("ops", None),
                ("admin", Some("kube-cfn:admins")),
            ]
        );
    }
}
