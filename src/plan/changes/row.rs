//! The rows of the table, each with what it compares.

use super::{Pair, Verdict, database, edge, machines, network, protection};

/// Makes the rows and the list of them of one table.
macro_rules! rows {
    ($($(#[$doc:meta])* $row:ident = $judge:path,)+) => {
        /// A kind of change that is judged.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Row {
            $($(#[$doc])* $row,)+
        }

        impl Row {
            /// Every row, in the order in which they are read.
            pub const ALL: &'static [Self] = &[$(Self::$row),+];

            /// What the row says of a stack: nothing where what it compares does not change.
            pub(super) fn judge(self, pair: Pair<'_>) -> Vec<Verdict> {
                match self {
                    $(Self::$row => $judge(pair),)+
                }
            }
        }
    };
}

rows! {
    /// The range of the VPC. Refused: everything in it would be replaced.
    NetworkCidr = network::cidr,
    /// Zones and their order. Refused, but for zones at the end: the order fixes every address.
    Zones = network::zones,
    /// Machines in public or private subnets. Refused: etcd's members are known by their addresses.
    NodeSubnets = network::node_subnets,
    /// The addresses that nodes show to the internet. A warning.
    NatAddresses = edge::nat_addresses,
    /// The API's address. Refused: kubelets, certificates and kubeconfigs hold it.
    ApiAddress = edge::api_address,
    /// The number of control-plane nodes. Refused: etcd's members are fixed.
    ControlPlaneNodes = machines::control_plane_nodes,
    /// The ranges of pods and services. Refused: nodes, certificates and addons hold them.
    Ranges = machines::ranges,
    /// A smaller volume. Refused by EBS.
    VolumeShrink = machines::volume_shrink,
    /// Another architecture of the control plane. A warning.
    ControlPlaneArchitecture = machines::control_plane_architecture,
    /// Another architecture of a pool. Refused: its machines would be of two kinds.
    PoolArchitecture = machines::pool_architecture,
    /// Other groups of a pool. Refused: all its machines would go at once.
    PoolSpread = machines::pool_spread,
    /// The key of new disks. A warning.
    DiskKey = machines::disk_key,
    /// The database's storage. Refused by RDS where it shrinks, or grows too little.
    Storage = database::storage,
    /// A lower limit of the database's storage. A warning.
    StorageLimit = database::storage_limit,
    /// The engine's version, backward or to another major. Refused by RDS.
    EngineVersion = database::engine_version,
    /// Less protection of data when it is deleted. A warning.
    Protection = protection::lowered,
    /// Fewer days of backups. A loss to be named.
    BackupDays = database::backup_days,
}
