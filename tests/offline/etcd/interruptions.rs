//! The restore, interrupted before every one of its steps (one of so many without `tests/run --full`) and called again.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::world::World;
use crate::support::share::{every, share};

/// Sourced by bash before the program: kills it before the step of the number in CUT. A step is a command
/// that changes something, in the program's own words.
const CUT: &str = r#"
unset BASH_ENV
steps=0
cut_off() {
  case "${BASH_COMMAND}" in
    mv\ * | rm\ * | sync\ * | mkdir\ * | sed\ * | etcdutl\ * | ec2_* | systemctl\ * | etcd_crictl\ * | :* | printf*\>\ \"*)
      steps=$((steps + 1))
      [ "${steps}" -ne "${CUT}" ] || kill -KILL "$$" ;;
  esac
}
set -o functrace
trap cut_off DEBUG
"#;

/// Every file below `root` that the restore is about, with what makes two ends the same.
fn picture(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for directory in ["etc/kubernetes", "var/lib/etcd"] {
        gather(root, &root.join(directory), &mut found);
    }
    for unit in ["kubelet.service", "kube-cfn-boot.service"] {
        let state = fs::read_to_string(root.join(format!("run/{unit}.state"))).unwrap_or_default();
        found.push(format!("{unit} {}", state.trim()));
    }
    found.sort();
    found
}

fn gather(root: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(root, &path, found);
        } else {
            let path = path.strip_prefix(root).unwrap().display().to_string();
            // The time of the day is in the name of what is set aside.
            if !path.contains("aside/abandoned-") {
                found.push(path);
            }
        }
    }
}

/// A stopped single slot with a real snapshot, as the bucket of a real member has it.
fn slot_with(snapshot: &[u8], key: &str) -> World {
    let world = World::of("a");
    world.manifest('a');
    // systemd's stand-in notes what runs, and starts nothing.
    fs::write(world.root('a').join("run/nothing-starts"), "").unwrap();
    world.systemctl('a', "start kubelet.service");
    world.systemctl('a', "start kube-cfn-boot.service");
    let data = world.root('a').join("var/lib/etcd/data/member");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("old"), "the old data").unwrap();
    fs::create_dir_all(world.object(key).parent().unwrap()).unwrap();
    fs::write(world.object(key), snapshot).unwrap();
    let sum = world.shell(
        'a',
        &format!(
            "sha256sum {} | cut -d ' ' -f 1",
            world.object(key).display()
        ),
    );
    fs::write(world.object(&format!("{key}.sha256")), sum).unwrap();
    world
}

const KEY: &str = "etcd/20261123T100000Z-2.db";

/// A snapshot that a real member took.
fn snapshot() -> Vec<u8> {
    let world = World::of("a");
    let _a = world.start('a');
    world.serves('a');
    world.put('a', "before", "kept");
    let taken = world.well('a', "etcd-snapshot");
    fs::read(world.object(taken["key"].as_str().unwrap())).unwrap()
}

/// Cuts `line` before each of its steps, of which there are `steps` at least, and calls it again; each time the end has
/// to be `whole`.
fn cut_everywhere(made: impl Fn() -> World, line: &str, whole: &[String], steps: usize) {
    let mut cuts = 0;
    for cut in (1..).step_by(every(steps)) {
        let world = made();
        let said = world.program_cut('a', line, CUT, cut);
        if said.code == Some(0) {
            break;
        }
        cuts += 1;
        assert_eq!((said.code, &said.result), (None, &Value::Null), "cut {cut}");
        let root = world.root('a');
        let data = root.join("var/lib/etcd/data/member");
        assert!(
            !root.join("etc/kubernetes/manifests/etcd.yaml").exists() || data.exists(),
            "cut {cut}: the kubelet would start etcd without data"
        );
        world.well('a', line);
        assert_eq!(picture(&root), whole, "cut {cut}");
    }
    assert!(
        cuts >= share(steps as u64),
        "only {cuts} steps were cut: the steps are not seen"
    );
}

#[test]
fn a_restore_interrupted_at_any_step_can_be_repeated() {
    let snapshot = snapshot();
    let line = format!("etcd-restore {KEY} --token t1");
    let world = slot_with(&snapshot, KEY);
    world.well('a', &line);
    let whole = picture(&world.root('a'));
    assert!(
        whole.contains(&"var/lib/etcd/aside/before-t1/member/old".to_owned())
            && whole.contains(&"etc/kubernetes/manifests/etcd.yaml".to_owned())
            && whole.contains(&"var/lib/etcd/data/member/snap/db".to_owned())
            && whole.contains(&"kubelet.service active".to_owned())
            && whole.contains(&"kube-cfn-boot.service activating".to_owned()),
        "{whole:?}"
    );
    cut_everywhere(|| slot_with(&snapshot, KEY), &line, &whole, 31);
}

#[test]
fn an_abandoned_restore_interrupted_at_any_step_can_be_repeated() {
    let snapshot = snapshot();
    // Another slot has not stopped: the restore waits.
    let made = || {
        let world = slot_with(&snapshot, KEY);
        let env = world.root('a').join("etc/kube-cfn/node.env");
        let text = fs::read_to_string(&env).unwrap();
        fs::write(
            &env,
            text.replace("NODE_SLOTS='", "NODE_SLOTS='b=127.0.0.9 "),
        )
        .unwrap();
        let stopped = world.well('a', &format!("etcd-restore {KEY} --token t1"));
        assert_eq!(stopped["state"], "stopped");
        world
    };
    let line = "etcd-restore --abandon t1";
    let world = made();
    world.well('a', line);
    let whole = picture(&world.root('a'));
    assert!(
        whole.contains(&"var/lib/etcd/data/member/old".to_owned())
            && whole.contains(&"kubelet.service active".to_owned()),
        "{whole:?}"
    );
    cut_everywhere(made, line, &whole, 6);
}
