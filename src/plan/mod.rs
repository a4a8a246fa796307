//! Comparing wanted with found: what a run would do to every stack, and how risky each change is.
//! A plan is data: it can be printed, saved, tested and executed. Knows nothing of SDK, time or printing.
//!
//! Asking and comparing are apart. These files ask the cloud, and hold nothing else:
//!
//! 1. [`survey()`] reads the stacks of a cluster, [`running`] which Kubernetes version they run, [`ranges`] which
//!    ranges of addresses it has; what older stacks do not put out is read from their bundle;
//! 2. [`change_sets`] asks for the change sets of what differs, [`inspect`] what failed stacks hold;
//!    [`discard`] removes the change sets that nobody will execute;
//! 3. [`objects`] compares what lies in the state bucket with what belongs there;
//! 4. [`restore`] reads a saved plan's change sets again;
//! 5. [`protection::read`] reads what guards the data in the account;
//! 6. [`live`] reads sizes that AWS changes by itself;
//! 7. [`preflight::ask`] asks whether AWS would refuse what the plan adds.
//!
//! All others are functions without a cloud: [`draft()`] compares wanted stacks with a survey, [`changes`] says which
//! changes can't work or lose something.

pub mod additions;
mod bundle;
pub mod change_sets;
pub mod changes;
mod code;
pub mod compare;
mod damaged;
pub mod deletion;
pub mod drift;
pub mod engines;
mod error;
mod evaluate;
pub mod inspect;
pub mod leftovers;
pub mod live;
mod model;
mod moved;
pub mod normalize;
pub mod objects;
pub mod offline;
pub mod order;
pub mod preflight;
pub mod protection;
pub mod ranges;
pub mod recovery;
pub mod removal_policy;
pub mod request;
pub mod restore;
pub mod risk;
pub mod running;
pub mod saved;
pub mod sizes;
pub mod stack_policy;
pub mod status;
pub mod survey;
pub mod versions;

pub use bundle::Unknown;
pub use change_sets::{DriftDetection, PlanOptions, discard, resolve};
pub use code::Code;
pub use damaged::{Damage, DamagedObject};
pub use deletion::{DeletePlan, Guard, deletion};
pub use drift::{DriftState, Drifted};
pub use error::PlanError;
pub use model::{
    Action, Blocked, ChangeCounts, PendingInput, Plan, PlannedResource, Step, resources_of,
};
pub use offline::{PlanDraft, draft};
pub use order::{joins, needs};
pub use preflight::{Check, CheckCode, Verdict};
pub use recovery::StuckResource;
pub use request::{run_of, token};
pub use risk::{Effect, Risk};
pub use saved::{PlanOrigin, SavedPlan};
pub use sizes::{Grown, LiveSizes};
pub use survey::{Survey, survey};

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// The files that ask the cloud.
    const ASKING: [&str; 12] = [
        "bundle.rs",
        "change_sets.rs",
        "inspect.rs",
        "live.rs",
        "objects.rs",
        "preflight/ask.rs",
        "preflight/ask/machines.rs",
        "protection/read.rs",
        "ranges.rs",
        "restore.rs",
        "running.rs",
        "survey.rs",
    ];

    #[test]
    fn only_asking_files_use_the_cloud() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan");
        let mut files = vec![root.clone()];
        while let Some(path) = files.pop() {
            if path.is_dir() {
                let entries = fs::read_dir(path).unwrap();
                let entries = entries.map(|entry| entry.unwrap().path());
                files.extend(entries.filter(|path| !path.ends_with("tests")));
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let asks = ["async ", ".await", "impl Cloud", "impl Store"]
                .iter()
                .any(|word| code.contains(word));
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            assert_eq!(asks, ASKING.contains(&name), "{name}");
        }
    }
}
