//! When the certificates on control-plane nodes end, as a program on each node reads them. Must not know what
//! renews them.

use futures::future::join_all;
use jiff::Timestamp;

use super::answer::CertificateEntry;
use super::{EtcdError, Members, Slot};
use crate::cloud::remote::{Program, Remote, RemoteCommand};

/// The name of the entry of a node that could not be asked.
const ALL: &str = "certificates";

/// A certificate on a control-plane node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCertificate {
    /// Letter of the node.
    pub slot: char,
    /// As the node calls it: `etcd-peer`, `admin.conf`, `kubelet`. `certificates` stands for all of a node that
    /// could not be asked.
    pub name: String,
    /// Its end, or why that is not known.
    pub expires: Result<Timestamp, String>,
}

/// The certificates of every control-plane node, which are asked at the same time. A node that can't be asked has
/// one entry, which says why.
pub async fn certificates<R: Remote>(members: &Members<'_, R>) -> Vec<NodeCertificate> {
    let read = members.slots.iter().map(|slot| of_slot(members, slot));
    join_all(read).await.into_iter().flatten().collect()
}

async fn of_slot<R: Remote>(members: &Members<'_, R>, slot: &Slot) -> Vec<NodeCertificate> {
    let unknown = |reason: String| NodeCertificate {
        slot: slot.letter(),
        name: ALL.to_owned(),
        expires: Err(reason),
    };
    let command = RemoteCommand::new(Program::Certificates);
    let answer = members.run_program(slot, "read the certificates", &command);
    match answer.await {
        Ok(answer) if answer.certificates.is_empty() => {
            vec![unknown("its program lists none".to_owned())]
        }
        Ok(answer) => {
            let entries = answer.certificates.into_iter();
            entries
                .map(|entry| of_entry(slot.letter(), entry))
                .collect()
        }
        Err(EtcdError::NoProgram { instance, .. }) => vec![unknown(format!(
            "{instance} has no program for it: either its boot has not finished, or it has older boot files; then \
             replace it"
        ))],
        Err(EtcdError::Cloud { source, .. }) => vec![unknown(source.to_string())],
        Err(EtcdError::Refused { reason, .. }) => vec![unknown(reason)],
        Err(error) => vec![unknown(error.to_string())],
    }
}

fn of_entry(slot: char, entry: CertificateEntry) -> NodeCertificate {
    let unread = || {
        entry
            .error
            .unwrap_or_else(|| "its end is not given".to_owned())
    };
    NodeCertificate {
        slot,
        name: entry.name,
        expires: entry.not_after.ok_or_else(unread),
    }
}
