//! The kinds of stack, in one table: a kind that is in it can be designed, shown, parsed, protected and
//! deleted. Both designing and parsing go through the table, so no stack is made that can't be deleted.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{DesignError, Stack, Versions};
use super::{base, control_plane, database, edge, network, pool};
use crate::spec::ClusterSpec;
use crate::templates::Templates;

/// Makes the kinds of stack, and the way from each to its module, of one list: nothing can be left out.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $(($name:ty))? = $module:ident,)+) => {
        /// The kinds of stack, in the order in which people read them. They are deleted in the opposite
        /// order.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum StackKind {
            $($(#[$doc])* $kind $(($name))?,)+
        }

        /// Every kind, in the order of [`StackKind`].
        pub(super) static KINDS: &[&KindRow] = &[$(&$module::KIND),+];

        impl StackKind {
            pub(super) fn row(&self) -> &'static KindRow {
                match self {
                    $(Self::$kind { .. } => &$module::KIND,)+
                }
            }
        }
    };
}

kinds! {
    Base = base,
    Network = network,
    Edge = edge,
    Database = database,
    ControlPlane = control_plane,
    /// One stack a node pool, by the pool's name.
    Pool(String) = pool,
}

/// What holds for every stack of a kind. The module of the stack says it.
pub(super) struct KindRow {
    /// A pool's is the one without a name.
    pub kind: StackKind,
    /// Stands in the names of stacks, in tags, and in the name of the template.
    pub name: &'static str,
    /// Whether losing the stack loses data, or the network that data needs: CloudFormation refuses to
    /// delete it where the definition protects the cluster.
    pub holds_data: bool,
    /// Whether it holds machines, which run Kubernetes.
    pub has_machines: bool,
    /// The stack whose API its machines join.
    pub joins: Option<StackKind>,
    /// The kinds that it takes something from, which are deleted after it. Everything but the network
    /// and its edge works with the keys and roles of the base.
    pub suppliers: &'static [StackKind],
    /// Which field of the definition decides what: a table of [`super::FieldOrigin`].
    pub fields: &'static str,
    pub design: Design,
}

/// The stacks of a kind that a cluster has at these versions: none, one, or one a pool.
type Design = fn(&ClusterSpec, &Versions, &Templates) -> Result<Vec<Stack>, DesignError>;

impl StackKind {
    /// Every kind once, a pool by the name NAME: for help texts.
    pub fn examples() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|row| match &row.kind {
            Self::Pool(_) => Self::Pool("NAME".to_owned()),
            kind => kind.clone(),
        })
    }

    /// The kind that a stack's tag names; `None` for a word of a newer version.
    pub fn parse(tag: &str) -> Option<Self> {
        KINDS.iter().find_map(|row| match &row.kind {
            Self::Pool(_) => {
                let name = tag.strip_prefix(row.name)?.strip_prefix('-')?;
                Some(Self::Pool(name.to_owned()))
            }
            single => (tag == row.name).then(|| single.clone()),
        })
    }

    /// The stack's name in CloudFormation for `cluster`.
    pub fn stack_name(&self, cluster: &str) -> String {
        format!("{cluster}-{self}")
    }

    /// The template that stacks of this kind are rendered from.
    pub fn template(&self) -> String {
        format!("stacks/{}.yaml.tera", self.row().name)
    }

    /// The stack whose API the machines of this one join before they report: a stack that makes machines
    /// is done only after that API answers. `None` where machines join nothing, or there are none.
    pub fn joins(&self) -> Option<Self> {
        self.row().joins.clone()
    }

    /// Whether stacks of this kind hold machines, which run Kubernetes.
    pub fn has_machines(&self) -> bool {
        self.row().has_machines
    }

    /// Whether stacks of this kind take something from stacks of the kind `supplier`, so have to be
    /// deleted before them.
    pub fn uses(&self, supplier: &Self) -> bool {
        self.row().suppliers.contains(supplier)
    }
}

impl fmt::Display for StackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)?;
        match self {
            Self::Pool(name) => write!(f, "-{name}"),
            _ => Ok(()),
        }
    }
}

impl Serialize for StackKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StackKind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let unknown = || serde::de::Error::custom(format!("{text} is not a kind of stack"));
        Self::parse(&text).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stack_kinds_are_read_as_they_are_written() {
        for row in KINDS.iter().copied() {
            let kind = match &row.kind {
                StackKind::Pool(_) => StackKind::Pool("a-b".to_owned()),
                single => single.clone(),
            };
            assert!(std::ptr::eq(kind.row(), row), "{kind}");
            assert_eq!(StackKind::parse(&kind.to_string()), Some(kind));
        }
        assert_eq!(StackKind::parse("of-a-newer-version"), None);
        assert!(KINDS.is_sorted_by(|a, b| a.kind < b.kind));
    }

    #[test]
    fn stack_kinds_use_only_kinds_before_them() {
        for row in KINDS {
            let before = |supplier: &StackKind| *supplier < row.kind;
            assert!(row.suppliers.iter().all(before), "{}", row.name);
            assert!(row.joins.iter().all(before), "{}", row.name);
        }
    }
}
