//! The control plane of a simulated fleet: which slots serve, who leads etcd, what its load balancer finds.

use serde_json::{Value, json};

use super::{Fleet, SimInstance};
use crate::cloud::Target;
use crate::simulated::rng::{hex, stream};

/// etcd of every member.
const ETCD: &str = "3.6.14";

impl Fleet {
    /// The machines of slots on which everything serves.
    pub(super) fn serving_slots(&self) -> impl Iterator<Item = &SimInstance> {
        let all = self.instances.values();
        all.filter(|one| one.slot.is_some() && one.runs())
    }

    fn slots(&self) -> impl Iterator<Item = char> {
        self.groups.values().filter_map(|group| group.slot)
    }

    /// Members of etcd that serve, and all.
    pub(super) fn members_serving(&self) -> (usize, usize) {
        (self.serving_slots().count(), self.slots().count())
    }

    pub(super) fn has_quorum(&self) -> bool {
        let (serving, all) = self.members_serving();
        serving * 2 > all
    }

    /// A member that serves leads, the same one as long as it does.
    pub(super) fn elect(&mut self) {
        let serving: Vec<char> = self.serving_slots().filter_map(|one| one.slot).collect();
        if self.leader.is_some_and(|leader| serving.contains(&leader)) {
            return;
        }
        let mut letters = serving;
        letters.sort_unstable();
        let rng = &mut stream(self.seed, &["leader"], self.ticket);
        self.leader = rng.choice(&letters).copied();
    }

    /// What `etcd-member status` prints on the machine of a group; `None` where no machine takes commands.
    pub(in crate::simulated) fn etcd_status(&self, group: &str) -> Option<(String, String)> {
        let slot = self.groups.get(group)?.slot?;
        let asked = self.serving_slots().find(|one| one.slot == Some(slot))?;
        let members: Vec<Value> = self.slots().map(|letter| self.member(letter)).collect();
        let answer = json!({"ok": true, "members": members});
        Some((asked.id.clone(), answer.to_string()))
    }

    fn member(&self, letter: char) -> Value {
        let serves = self.serving_slots().any(|one| one.slot == Some(letter));
        let name = letter.to_string();
        json!({
            "id": hex(&mut stream(self.seed, &["member", &name], 0), 16),
            "slot": name,
            "name": format!("etcd-{letter}"),
            "started": true,
            "learner": false,
            "answers": serves,
            "serves": serves && self.has_quorum(),
            "leader": self.leader == Some(letter),
            "version": if serves { ETCD } else { "" },
            "revision": 1000,
            "bytes": 20 << 20,
        })
    }

    /// The machines of all slots as targets.
    pub(super) fn targets(&self) -> Vec<Target> {
        let slots = self.instances.values();
        let slots = slots.filter(|one| one.slot.is_some() && one.state.is_alive());
        let target = |one: &SimInstance| Target {
            instance: one.id.clone(),
            is_healthy: one.runs() && self.has_quorum(),
            reason: (!one.runs()).then(|| "Target.FailedHealthChecks".to_owned()),
        };
        slots.map(target).collect()
    }
}
