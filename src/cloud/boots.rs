//! How the machines of a cluster boot, as far as AWS knows: which there are, and what one said on its console. Their
//! stored logs are objects of the state bucket.

use jiff::Timestamp;

use super::remote::Remote;
use super::{CloudError, Console};

/// Below it a machine stores the log of a failed boot: `boot/ROLE-ID:INSTANCE-ID/TIME.log`.
pub const BOOT_LOGS: &str = "boot/";

/// A machine of a cluster. The newest is the greatest; one whose age is unknown is the least.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Machine {
    /// When it was launched; `None` where EC2 does not say.
    pub launched: Option<Timestamp>,
    /// The instance's id.
    pub instance: String,
    /// The kind of its stack, as the tag has it: `control-plane`, `pool-workers`.
    pub stack: Option<String>,
}

/// The boots of machines.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Boots: Remote {
    /// The machines of a cluster that are pending or running, oldest first.
    async fn machines(&self, cluster: &str) -> Result<Vec<Machine>, CloudError>;

    /// The machines of an Auto Scaling group, newest first; those that were terminated within the hour, too.
    async fn machines_of(&self, group: &str) -> Result<Vec<Machine>, CloudError>;

    /// The console output of one machine, also of one that was terminated within the hour; `None` when
    /// it does not exist or has said nothing.
    async fn console_of(&self, instance: &str) -> Result<Option<Console>, CloudError>;
}

/// The instance whose boot log has this key; `None` for any other object.
pub fn instance_of_log(key: &str) -> Option<&str> {
    let (owner, _) = key.strip_prefix(BOOT_LOGS)?.split_once('/')?;
    let (_, instance) = owner.split_once(':')?;
    instance.starts_with("i-").then_some(instance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_log_key_names_the_instance() {
        let key = "boot/AROA0EXAMPLE:i-0a/20261130T000000Z.log";
        assert_eq!(instance_of_log(key), Some("i-0a"));
        assert_eq!(instance_of_log("boot/AROA0EXAMPLE:admin/x.log"), None);
        assert_eq!(instance_of_log("etcd/x/y"), None);
    }
}
