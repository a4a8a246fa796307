//! The flags that say for whom a client certificate is: its groups, and the consent to names of Kubernetes's own.

use super::error::{CommandError, Exit};
use super::out::eprint;
use crate::access::{self, ADMINS, BOUND_GROUPS, SystemIdentity};
use crate::common::text;

/// The flag that consents, as a credential plugin is called with it.
pub const ALLOW_SYSTEM_IDENTITY: &str = "--allow-system-identity";

/// Groups of a certificate.
#[derive(clap::Args, Default)]
pub struct GroupArgs {
    #[arg(
        long = "group",
        value_name = "GROUP",
        help = format!("Kubernetes group; may be repeated [default: {ADMINS}]"),
        long_help = groups_help()
    )]
    pub groups: Vec<String>,
    /// Accept users and groups that are Kubernetes's own (system:...): their rights can't be taken away by
    /// removing a binding
    #[arg(long)]
    allow_system_identity: bool,
}

/// Who consented to a name of Kubernetes's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A person or a script: the flag has to be there.
    Person,
    /// kubectl, for an entry of a kubeconfig: it was decided when the entry was written.
    Kubectl,
}

impl GroupArgs {
    /// Refuses a name of Kubernetes's own without consent.
    pub fn check(&self, user: Option<&str>, caller: Caller) -> Result<(), CommandError> {
        let user = user.unwrap_or_default();
        let Some(found) = access::system_identity(user, &self.groups) else {
            return Ok(());
        };
        if self.allow_system_identity || caller == Caller::Kubectl {
            return Ok(());
        }
        let (kind, name) = match found {
            SystemIdentity::User(name) => ("user", name),
            SystemIdentity::Group(name) => ("group", name),
        };
        let message = format!(
            "the {kind} `{}` is Kubernetes's own: removing a binding does not take its rights away, and the \
             audit log shows a component in place of a person",
            text::clean(name)
        );
        Err(CommandError::new(Exit::Usage, message).help(format!(
            "for an administrator: --group kube-cfn:admins; if it has to be this {kind}: {ALLOW_SYSTEM_IDENTITY}"
        )))
    }

    /// Says of each group that no binding of ours names that it probably has no right.
    pub fn warn_unbound(&self) {
        for line in self.unbound() {
            eprint(&line);
        }
    }

    fn unbound(&self) -> Vec<String> {
        let line = |(name, meant): (&str, Option<&str>)| {
            let meant = meant.map_or_else(
                || ".".to_owned(),
                |meant| format!("; did you mean {meant}?"),
            );
            format!(
                "warning: no ClusterRoleBinding of kube-cfn names the group `{}`{meant} If you bound it \
                 yourself, ignore this",
                text::clean(name)
            )
        };
        access::unbound(&self.groups).map(line).collect()
    }
}

fn groups_help() -> String {
    let mut lines = vec![format!(
        "Kubernetes group; may be repeated [default: {ADMINS}]\n\nGroups that have a right in every cluster:"
    )];
    let groups = BOUND_GROUPS.iter();
    lines.extend(groups.map(|group| format!("- {}: {}", group.name, group.rights)));
    lines.push("Any other group has the rights of the bindings that you make for it.".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(names: &[&str]) -> GroupArgs {
        GroupArgs {
            groups: names.iter().map(ToString::to_string).collect(),
            allow_system_identity: false,
        }
    }

    #[test]
    fn system_identity_needs_consent() {
        for (user, names) in [
            (None, ["system:masters"]),
            (Some("ada"), ["system:nodes"]),
            (Some("system:kube-controller-manager"), ["kube-cfn:viewers"]),
        ] {
            let mut args = groups(&names);
            let error = args.check(user, Caller::Person).unwrap_err();
            assert_eq!(error.exit, Exit::Usage);
            assert!(args.check(user, Caller::Kubectl).is_ok());
            args.allow_system_identity = true;
            assert!(args.check(user, Caller::Person).is_ok());
        }
        assert!(
            groups(&["kube-cfn:admins"])
                .check(None, Caller::Person)
                .is_ok()
        );
    }

    #[test]
    fn unbound_group_is_warned_about() {
        assert_eq!(
            groups(&["kube-cfn:viewers", ADMINS]).unbound(),
            Vec::<String>::new()
        );
        assert_eq!(
            groups(&["viewers", "ops"]).unbound(),
            [
                "warning: no ClusterRoleBinding of kube-cfn names the group `viewers`; did you mean \
                 kube-cfn:viewers? If you bound it yourself, ignore this",
                "warning: no ClusterRoleBinding of kube-cfn names the group `ops`. If you bound it yourself, \
                 ignore this",
            ]
        );
    }

    #[test]
    fn help_lists_the_bound_groups() {
        let help = groups_help();
        assert!(
            BOUND_GROUPS.iter().all(|group| help.contains(group.name)),
            "{help}"
        );
    }
}
