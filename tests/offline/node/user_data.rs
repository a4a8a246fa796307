//! User data: what cloud-init runs at every boot, and the start program that it writes.

use kube_cfn::node::archive::{self, File};
use kube_cfn::node::{self, BootParams, Bundle};
use kube_cfn::templates::Templates;
use proptest::prelude::*;

use super::machine::{Machine, assert_same, sha256, text, tree};
use crate::support::specs;

const POOL: &str = "batch";
/// What a shell might take for more than text.
const HOSTILE: &str = "([a-z '\"\\\\$`;&|<>#*?~!(){}\n-]|\\$\\(id\\)|';reboot;'){0,12}";
const TOKEN: &str = "srv/parameters/worker/bootstrap-token";

/// A machine with nothing but its user data; its bundle lies in the state bucket.
pub fn fresh() -> Machine {
    let spec = specs::production();
    let machine = Machine::new(&spec, POOL);
    machine.set(TOKEN, "abcdef.0123456789abcdef");
    let mut files = tree(&spec, POOL);
    files.retain(|file| file.path != "etc/kube-cfn/host.env");
    for file in &mut files {
        // Its downloads are the stand-ins'.
        file.text = machine.get(&file.path);
        machine.remove(&file.path);
    }
    machine.remove("etc/kube-cfn/host.env");
    let script = user_data(&machine, &files);
    machine.set("srv/user-data", &script);
    machine
}

fn user_data(machine: &Machine, files: &[File]) -> String {
    let key = "bundles/pool-batch-0.tar.gz";
    let path = format!("srv/bucket/{key}");
    machine.set(&path, "");
    let bytes = archive::pack(files).unwrap();
    std::fs::write(machine.path(&path), &bytes).unwrap();
    let bundle = Bundle {
        key: key.to_owned(),
        sha256: sha256(&machine.path(&path)),
        bytes,
        kubernetes: specs::production().kubernetes,
    };
    let boot = BootParams {
        signal: "Group".to_owned(),
        stack: "production-pool-batch".to_owned(),
        slot: None,
    };
    let templates = Templates::new(None).unwrap();
    let rest = node::user_data(&specs::production(), &bundle, &boot, &templates).unwrap();
    format!("#!/bin/bash\nSTATE_BUCKET='state-bucket'\nAPI_HOST='api.example.com'\n{rest}")
}

/// What cloud-init and systemd do at every boot.
fn start(machine: &Machine) -> std::process::Output {
    machine.run(&["bash", "-c", "bash /srv/user-data && /opt/kube-cfn/start"])
}

fn starts(machine: &Machine) {
    let done = start(machine);
    assert!(
        done.status.success(),
        "{}{}",
        text(&done.stdout),
        text(&done.stderr)
    );
}

#[test]
fn user_data_leaves_a_unit_that_boots_the_bundle() {
    let machine = fresh();
    starts(&machine);
    let calls = machine.calls();
    let expected = "systemctl daemon-reload\nsystemctl enable kube-cfn-boot.service\n\
                    systemctl start --no-block kube-cfn-boot.service\n\
                    curl --silent --max-time 5 --head http://169.254.169.254/\n\
                    aws s3 cp --region eu-west-1 --only-show-errors \
                    s3://state-bucket/bundles/pool-batch-0.tar.gz /opt/kube-cfn/bundle.tar.gz\n";
    assert!(calls.starts_with(expected), "{calls}");
    assert!(
        calls.ends_with(
            "cfn-signal --exit-code 0 --reason booted as pool-batch with Kubernetes 1.36.4 \
             --stack production-pool-batch --resource Group --region eu-west-1\n"
        ),
        "{calls}"
    );
    let unit = machine.get("etc/systemd/system/kube-cfn-boot.service");
    assert!(unit.contains("ExecStart=/opt/kube-cfn/start\n"), "{unit}");
    let before = machine.kept();
    starts(&machine);
    assert_same(
        &machine.kept(),
        &before,
        "the second start changed something",
    );
    assert!(!machine.calls().contains("aws s3"), "{}", machine.calls());
}

#[test]
fn an_interrupted_start_is_finished() {
    let whole = fresh();
    starts(&whole);
    let cut = fresh();
    cut.cut(0, 1);
    let mut cuts = 0;
    while !start(&cut).status.success() {
        cuts += 1;
        assert!(cuts < 100, "{}", cut.calls());
    }
    assert_eq!(cuts, cut.get("srv/seen").lines().count());
    assert!(cuts > 35, "only {cuts} cuts");
    assert_same(&cut.kept(), &whole.kept(), "the cuts left their marks");
}

#[test]
fn a_bundle_that_is_not_the_one_named_is_refused() {
    let machine = fresh();
    machine.set("srv/bucket/bundles/pool-batch-0.tar.gz", "another one");
    let done = start(&machine);
    assert_eq!(done.status.code(), Some(1));
    let calls = machine.calls();
    let reason = "--reason kube-cfn boot failed: download: verify bundles/pool-batch-0.tar.gz (exit code 1, ";
    assert!(calls.contains(reason), "{calls}");
    // The last line on the console, where kube-cfn reads it.
    let last = "kube-cfn boot failed: download: verify bundles/pool-batch-0.tar.gz (exit code 1, see journalctl -u kube-cfn-boot)\n";
    assert!(text(&done.stdout).ends_with(last), "{}", text(&done.stdout));
    assert!(!machine.has("opt/kube-cfn/boot"));
}

#[test]
fn stack_values_reach_the_boot_programs() {
    let machine = fresh();
    starts(&machine);
    let env = machine.get("etc/kube-cfn/host.env");
    for line in [
        "API_HOST=api.example.com",
        "STATE_BUCKET=state-bucket",
        "STACK=production-pool-batch",
        "SIGNAL=Group",
        "SLOT=''",
    ] {
        assert!(env.lines().any(|found| found == line), "{line}: {env}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The values of the definition and of overridden templates, as the script of user data sets them and as
    /// the programs of the node read them back.
    #[test]
    fn hostile_values_stay_values(signal in HOSTILE, stack in HOSTILE, key in HOSTILE) {
        let bundle = Bundle {
            key: key.clone(),
            sha256: String::new(),
            bytes: Vec::new(),
            kubernetes: specs::production().kubernetes,
        };
        let boot = BootParams { signal: signal.clone(), stack: stack.clone(), slot: None };
        let templates = Templates::new(None).unwrap();
        let script = node::user_data(&specs::production(), &bundle, &boot, &templates).unwrap();
        let (values, _) = script.split_once("set -euo pipefail").expect("the values come first");
        let read = "eval \"$(printf '%s=%q\\n' A \"${SIGNAL}\" B \"${STACK}\" C \"${BUNDLE_KEY}\")\"\n\
                    printf '%s\\0' \"${A}\" \"${B}\" \"${C}\"";
        let script = format!("{values}\n{read}");
        let ran = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
        prop_assert!(ran.stderr.is_empty(), "{}", text(&ran.stderr));
        prop_assert_eq!(text(&ran.stdout), format!("{signal}\0{stack}\0{key}\0"));
    }
}
