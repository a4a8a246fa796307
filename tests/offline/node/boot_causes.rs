//! Causes for which a machine does not boot: each is produced by breaking what the boot programs meet. What they say then
//! is recorded in `src/simulated/boots`: that is what the emulated AWS and a rehearsal show, and what the catalogue of causes
//! has to recognise.

use kube_cfn::catalog::boot_causes;

use super::boot::{slot, worker};
use super::boot_log::{THIRD, stored, with_journal};
use super::machine::{Machine, text};
use super::user_data::fresh;
use crate::support::golden;
use crate::support::specs;

/// A machine as the user data starts it; the journal is what it says.
const START: &str = "bash /srv/user-data > /dev/null; \
                     /opt/kube-cfn/start > /srv/journal 2>&1; code=$?; cat /srv/journal; exit $code";

/// The first attempt: the third would come after the time that a stack waits.
const FIRST: &str = "/opt/kube-cfn/boot > /srv/journal 2>&1; code=$?; cat /srv/journal; exit $code";

/// The tests' names as marks, in whose place the recordings are shown with those of a cluster.
const MARKS: [(&str, &str); 8] = [
    ("production b'", "{cluster} {other}'"),
    ("production a", "{cluster} {slot}"),
    ("node a", "node {slot}"),
    ("production", "{cluster}"),
    (
        "s3://state-bucket/bundles/pool-batch-0.tar.gz",
        "s3://{bucket}/{bundle}",
    ),
    ("pool-batch", "{stack}"),
    ("vol-0a", "{volume}"),
    ("i-0a", "{instance}"),
];

fn with_marks(text: &str) -> String {
    let text = text.replace("control-plane of production", "{stack} of production");
    let replaced = |text: String, (name, mark): (&str, &str)| text.replace(name, mark);
    in_one_order(&MARKS.into_iter().fold(text, replaced))
}

/// What steps say that run beside others: while they do, and when they fail.
const BESIDE: [&str; 2] = ["boot: install ", "Image is up to date "];
const BESIDE_FAILS: [&str; 6] = [
    "time=\"",
    "boot: pull ",
    "boot: download ",
    "curl: (",
    "ec2: refuse ",
    "boot: attach ",
];

/// Steps begin at other times in each run, and those beside others say what they do anywhere in between: that is put
/// where it has come at the latest, in one order. Why one failed is put where it has come at the earliest: before what
/// other steps say meanwhile.
fn in_one_order(text: &str) -> String {
    const AFTER: &str = " s after power-on";
    let starts = |line: &str, starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
    let (mut lines, mut beside, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    let mut seconds = 20;
    let mut meanwhile = None;
    for line in text.lines() {
        if starts(line, &BESIDE) {
            beside.push(line.to_owned());
            continue;
        }
        let step = line.split_once(AFTER);
        if starts(line, &BESIDE_FAILS) && step.is_none() && !line.starts_with("boot: downloads") {
            failures.push(line.to_owned());
            continue;
        }
        let fails = line.starts_with("boot: attempt ");
        if fails || starts(line, &["boot: containerd: ", "boot: kubelet: "]) {
            beside.sort();
            lines.append(&mut beside);
            meanwhile.get_or_insert(lines.len());
        }
        if fails {
            failures.sort_by_key(|line: &String| (line.starts_with("boot: "), line.clone()));
            // The volume is attached from the beginning, the other steps begin after the last one that can come between.
            let of_volume = |line: &String| starts(line, &["ec2: refuse ", "boot: attach "]);
            let (early, late): (Vec<_>, Vec<_>) = failures.drain(..).partition(of_volume);
            let at = meanwhile.take().unwrap_or(lines.len());
            lines.splice(at..at, early);
            lines.extend(late);
        }
        let Some((start, rest)) = step else {
            lines.push(line.to_owned());
            continue;
        };
        let start = start.trim_end_matches(|one: char| one.is_ascii_digit() || one == '.');
        lines.push(format!("{start}{seconds}.0{AFTER}{rest}"));
        seconds += 3;
    }
    lines.join("\n") + "\n"
}

/// A machine on which this is the case, and how its boot is run.
fn broken(cause: &str) -> (Machine, &'static str) {
    let machine = match cause {
        "clock" | "instance-profile" => fresh(),
        "kubelet" | "join" => worker(),
        _ => slot().1,
    };
    with_journal(&machine);
    match cause {
        "image-pull" => {
            // All others are there: of several that fail any may be the first.
            for image in ["kube-controller-manager", "kube-scheduler"] {
                let version = specs::production().kubernetes;
                machine.set(
                    &format!("srv/images/registry.k8s.io_{image}:v{version}"),
                    "",
                );
            }
            let row =
                kube_cfn::catalog::kubernetes::minor(&specs::production().kubernetes).unwrap();
            machine.set(&format!("srv/images/registry.k8s.io_etcd:{}", row.etcd), "");
            machine.set(
                &format!("srv/images/registry.k8s.io_pause:{}", row.pause),
                "",
            );
            machine.set("srv/registry-is-away", "");
        }
        "download" => {
            machine.install_less();
            let list = machine.get("etc/kube-cfn/binaries");
            let one = list.lines().next().expect("a download");
            machine.set("etc/kube-cfn/binaries", &format!("{one}\n"));
            machine.set("srv/publishers-are-away", "");
        }
        "volume" => {
            let tags = machine.get("srv/volumes.json").replace("\"a\"", "\"b\"");
            machine.set("srv/volumes.json", &tags);
        }
        "clock" => {
            machine.set("srv/clock", "now + 3630 seconds");
            let refused = "fatal error: An error occurred (403) when calling the HeadObject operation: Forbidden\n";
            machine.set("srv/aws-refuses", refused);
            return (machine, START);
        }
        "instance-profile" => {
            machine.set(
                "srv/aws-refuses",
                "fatal error: Unable to locate credentials\n",
            );
            return (machine, START);
        }
        "parameter" => machine.remove("srv/parameters/cp/ca.key"),
        "etcd-quorum" => machine.set("srv/no-quorum", ""),
        "api" => machine.set("srv/readyz", "403"),
        "kubelet" => {
            let condition = r#"{"status": {"conditions": [{"type": "Ready", "status": "False"}]}}"#;
            machine.set("srv/node.json", condition);
            let said = "\"Container runtime network not ready\" networkReady=\"NetworkReady=false \
                        reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized\"\n";
            machine.set("srv/kubelet-journal", said);
        }
        "join" => machine.remove("srv/parameters/worker/bootstrap-token"),
        "etcd-data" => machine.set("srv/parameters/state/etcd-initialized", "yes"),
        other => panic!("no way to produce {other}"),
    }
    let slow = matches!(cause, "etcd-quorum" | "api" | "kubelet" | "join");
    (machine, if slow { FIRST } else { THIRD })
}

/// Boots it; records what its console has, and what lies in the state bucket afterwards.
fn produces(cause: &str) {
    let (machine, script) = broken(cause);
    let done = machine.run(&["/bin/bash", "-c", script]);
    let said = text(&done.stdout);
    assert_ne!(done.status.code(), Some(0), "{said}");
    let ordered = in_one_order(&said);
    let end: Vec<&str> = ordered.lines().collect();
    let last = end.last().copied().unwrap_or_default();
    assert!(last.starts_with("kube-cfn boot failed: "), "{said}");
    // CloudFormation's signal says the same.
    let calls = machine.calls();
    let signalled = calls.contains(&format!("--reason {last} --stack"))
        || calls.contains(&format!("--reason {last}\n"));
    assert_eq!(signalled, script != FIRST, "{calls}");
    let end = end[end.len().saturating_sub(15)..].join("\n") + "\n";
    golden::check(
        &format!("../../src/simulated/boots/{cause}/console.txt"),
        &with_marks(&end),
    );
    let logs = stored(&machine);
    if script == START {
        assert!(logs.is_empty(), "{logs:?}");
    } else {
        let [(_, log)] = &logs[..] else {
            panic!("{logs:?}")
        };
        assert_eq!(log.lines().last(), Some(last));
        golden::check(
            &format!("../../src/simulated/boots/{cause}/log.txt"),
            &with_marks(log),
        );
    }
    let lines: Vec<&str> = said.lines().collect();
    let found = boot_causes::find(&lines).expect("an end of a boot");
    assert_eq!(
        found.cause.map(|cause| cause.code.as_str()),
        Some(cause),
        "{said}"
    );
}

macro_rules! causes {
    ($($name:ident $cause:literal;)+) => {$(
        #[test]
        fn $name() {
            produces($cause);
        }
    )+

    /// The catalogue has no other causes than these.
    #[test]
    fn every_cause_of_the_catalogue_is_produced() {
        let mut produced = vec![$($cause),+];
        let mut known: Vec<&str> = boot_causes::all().map(|cause| cause.code.as_str()).collect();
        produced.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, produced);
    }};
}

causes! {
    boot_fails_where_an_image_cannot_be_pulled "image-pull";
    boot_fails_where_publishers_are_not_reachable "download";
    boot_fails_with_the_volume_of_another_node "volume";
    boot_fails_with_a_wrong_clock "clock";
    boot_fails_without_an_instance_profile "instance-profile";
    boot_fails_where_a_parameter_is_missing "parameter";
    boot_fails_where_etcd_has_no_quorum "etcd-quorum";
    boot_fails_where_etcd_has_lost_its_data "etcd-data";
    boot_fails_where_the_api_is_not_ready "api";
    boot_fails_where_the_kubelet_is_not_ready "kubelet";
    boot_fails_where_no_control_plane_answers "join";
}

/// Where `fail` takes its code from: a name of the environment, too.
#[test]
fn boot_programs_name_causes_of_the_catalogue_alone() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/node");
    let mut directories = vec![root];
    let mut named = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for line in text
                .lines()
                .filter(|line| !line.trim_start().starts_with('#'))
            {
                for (at, _) in line.match_indices("CODE=") {
                    if line[..at].ends_with(|c: char| c == '_' || c.is_ascii_alphanumeric()) {
                        continue;
                    }
                    let value = &line[at + "CODE=".len()..];
                    let (code, rest) = value.split_once(' ').unwrap_or((value, ""));
                    let code = code.trim_matches('\'');
                    assert!(
                        rest.starts_with("fail "),
                        "{}: {line}: a code that stays is taken for that of every failure",
                        path.display()
                    );
                    let known = code == "other" || boot_causes::by_code(code).is_some();
                    assert!(
                        known || code == "\"$(etcd_code)\"",
                        "{}: {line}",
                        path.display()
                    );
                    named += 1;
                }
            }
        }
    }
    assert!(named > 15, "only {named} codes found");
}

/// What etcd's part of a boot says is lost data only where it is.
#[test]
fn other_failures_of_etcd_have_no_cause() {
    let library = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/node/lib");
    let code = |said: &str| {
        let script = format!(
            ". {}/control-plane.sh; etcd_error=$1; etcd_code",
            library.display()
        );
        let mut bash = std::process::Command::new("bash");
        let done = bash.args(["-c", &script, "bash", said]).output().unwrap();
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(
        code("write to x how etcd is started: the disk refuses it"),
        "other"
    );
    assert_eq!(
        code("set the old data of control-plane node a aside: see the lines above"),
        "other"
    );
    assert_eq!(
        code("start it: a restore of k is under way here and not finished"),
        "etcd-data"
    );
    assert_eq!(
        code("start it: the other members list no learner of it that"),
        "etcd-data"
    );
    assert_eq!(
        code("start it: no other member answers with a leader; x"),
        "etcd-quorum"
    );
    assert_eq!(
        code("read the parameter x: SSM does not answer"),
        "parameter"
    );
}

/// With one control-plane node no member can be replaced.
#[test]
fn lost_data_has_a_way_out_with_any_number_of_nodes() {
    let library = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/node/lib");
    let said = |slots: &str| {
        let script = format!(
            ". {}/etcd-volume.sh; NODE_SLOTS=$1 NODE_CLUSTER=x SLOT=a; lost_data_remedy",
            library.display()
        );
        let mut bash = std::process::Command::new("bash");
        let done = bash.args(["-c", &script, "bash", slots]).output().unwrap();
        String::from_utf8(done.stdout).unwrap()
    };
    assert!(said("a=10.0.0.1 b=10.0.0.2 c=10.0.0.3").contains("kube-cfn etcd replace-member x a"));
    let alone = said("a=10.0.0.1");
    assert!(
        alone.contains("kube-cfn etcd list x") && !alone.contains("replace"),
        "{alone}"
    );
}

/// A later boot that succeeds is stored too: the newest log of a machine says how it is.
#[test]
fn success_after_a_stored_failure_is_stored() {
    let machine = worker();
    with_journal(&machine);
    machine.set("srv/machine", "riscv64");
    assert_eq!(
        machine.run(&["/bin/bash", "-c", THIRD]).status.code(),
        Some(1)
    );
    assert!(machine.has("var/lib/kube-cfn/boot-log-stored"));
    machine.set("srv/machine", "aarch64");
    machine.set("srv/journal", "");
    // Names of logs have seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    machine.boots();
    let mut logs = stored(&machine);
    logs.sort();
    assert_eq!(logs.len(), 2, "{logs:?}");
    let last = logs[1].1.lines().last().unwrap_or_default();
    let spec = specs::production();
    let booted = format!(
        "kube-cfn boot succeeded: booted as pool-batch with Kubernetes {}",
        spec.kubernetes
    );
    assert_eq!(last, booted);
    assert!(!machine.has("var/lib/kube-cfn/boot-log-stored"));
    machine.boots();
    assert_eq!(stored(&machine).len(), 2);
}
