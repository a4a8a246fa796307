//! Whose policies IAM's simulator can be asked about, from the ARN of a caller. Pure.

/// Whose policies decide what a caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// ARN of a user.
    User(String),
    /// Name of a role: the ARN of a session lacks its path.
    Role(String),
    /// Nobody whose policies can be simulated, in words.
    Other(&'static str),
}

impl Principal {
    /// In the words of [`Other`](Self::Other).
    pub const ROOT: &'static str = "the root user of the account";

    /// From the ARN of a caller.
    pub fn of(caller: &str) -> Self {
        let resource = caller.splitn(6, ':').nth(5).unwrap_or_default();
        match resource.split_once('/') {
            Some(("user", _)) => Self::User(caller.to_owned()),
            Some(("assumed-role", session)) => {
                let role = session.split('/').next().unwrap_or(session);
                Self::Role(role.to_owned())
            }
            Some(("federated-user", _)) => Self::Other("a federated user"),
            _ if resource == "root" => Self::Other(Self::ROOT),
            _ => Self::Other("a caller of a kind that is not known"),
        }
    }
}
