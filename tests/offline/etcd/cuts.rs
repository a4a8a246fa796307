//! The restore cut off before every one of its steps and called again.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::world::World;

/// Sourced by bash before the program: kills it before the step of the number in CUT. A step is a command
/// that changes something, in the program's own words.
const CUT: &str = r#"
steps=0
cut_off() {
  case "${BASH_COMMAND}" in
    mv\ * | rm\ * | sync\ * | mkdir\ * | sed\ * | etcdutl\ * | ec2_* | :* | printf*\>\ \"*)
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
    found.sort();
    found
}

fn gather(root: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
}

/// A stopped single slot with a real snapshot, as the bucket of a real member has it.
fn slot_with(snapshot: &[u8], key: &str) -> World {
    let world = World::of("a");
    world.manifest('a');
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

#[test]
fn a_restore_cut_off_before_any_step_ends_the_same_when_called_again() {
    let key = "etcd/20261123T100000Z-2.db";
    let snapshot = {
        let world = World::of("a");
        let _a = world.start('a');
        world.serves('a');
        world.put('a', "before", "kept");
        let taken = world.well('a', "etcd-snapshot");
        fs::read(world.object(taken["key"].as_str().unwrap())).unwrap()
    };
    let line = format!("etcd-restore {key} --token t1");
    let world = slot_with(&snapshot, key);
    world.well('a', &line);
    let whole = picture(&world.root('a'));
    assert!(
        whole.contains(&"var/lib/etcd/aside/before-t1/member/old".to_owned())
            && whole.contains(&"etc/kubernetes/manifests/etcd.yaml".to_owned())
            && whole.contains(&"var/lib/etcd/data/member/snap/db".to_owned()),
        "{whole:?}"
    );
    let mut cuts = 0;
    for cut in 1.. {
        let world = slot_with(&snapshot, key);
        let said = world.program_cut('a', &line, CUT, cut);
        if said.code == Some(0) {
            break;
        }
        assert_eq!((said.code, &said.result), (None, &Value::Null), "cut {cut}");
        cuts = cut;
        let root = world.root('a');
        let data = root.join("var/lib/etcd/data/member");
        assert!(
            !root.join("etc/kubernetes/manifests/etcd.yaml").exists() || data.exists(),
            "cut {cut}: the kubelet would start etcd without data"
        );
        world.well('a', &line);
        assert_eq!(picture(&world.root('a')), whole, "cut {cut}");
    }
    assert!(
        cuts > 20,
        "only {cuts} steps were cut: the steps are not seen"
    );
}
