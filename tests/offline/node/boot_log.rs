//! A failed boot: its last line, the reason for CloudFormation, and a log in the state bucket without the value of
//! any parameter.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::boot::worker;
use super::machine::{Machine, text};
use crate::support::specs;

/// In front of every stand-in: from call number `fail-at` on the program of that call fails, and says all
/// the values that the boot has come by so far, in the ways in which programs quote what they were given.
const TELLTALE: &str = r#"#!/bin/bash
name="${0##*/}"
exec {lock}> /srv/count.lock
flock "${lock}"
echo "${name}" >> /srv/count
mapfile -t calls < /srv/count
[ "${#calls[@]}" -ne "$(cat /srv/fail-at)" ] || echo "${name}" > /srv/failing
exec {lock}>&-
if [ "${name}" = "$(cat /srv/failing 2> /dev/null)" ]; then
  while IFS= read -r line; do
    printf '%s\n' "${line}" "E1130 ${name}: refused \"${line}\" (400)" "${line}" >&2
  done < /srv/known
  printf '{"value": "%s"}\n' "$(sed -z 's/\n/\\n/g' /srv/known)" >&2
  exit 1
fi
if [ "${name} $1 $2" = 'aws ssm get-parameter' ]; then
  "/srv/doubles/${name}" "$@" | tee -a /srv/known
  exit "${PIPESTATUS[0]}"
elif [ "${name} $1 $2" = 'aws ssm get-parameters' ]; then
  said="$("/srv/doubles/${name}" "$@")" || exit
  jq -r '.found[][1]' <<< "${said}" >> /srv/known
  printf '%s\n' "${said}"
  exit
elif [ "${name} $1 $2" = 'aws ssm put-parameter' ]; then
  tee -a /srv/known | "/srv/doubles/${name}" "$@"
  exit
fi
exec "/srv/doubles/${name}" "$@"
"#;

/// The third attempt; the journal is what it says.
pub const THIRD: &str = "mkdir -p /run/kube-cfn; echo 2 > /run/kube-cfn/attempts\n\
                     /opt/kube-cfn/boot > /srv/journal 2>&1; code=$?; cat /srv/journal; exit $code";

fn program(machine: &Machine, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = machine.path(name);
    let _ = fs::remove_file(&path);
    machine.set(name, script);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// systemd's journal: the tests' boots say into a file.
pub fn with_journal(machine: &Machine) {
    let journal = "#!/bin/bash\ncase \"$*\" in *--sync*) ;; *kubelet*) cat /srv/kubelet-journal ;; \
                   *) cat /srv/journal ;; esac\n";
    program(machine, "local/sbin/journalctl", journal);
}

/// The logs in the bucket: key to text.
pub fn stored(machine: &Machine) -> Vec<(String, String)> {
    let Ok(machines) = fs::read_dir(machine.path("srv/bucket/boot")) else {
        return Vec::new();
    };
    let logs = machines.flat_map(|one| fs::read_dir(one.unwrap().path()).unwrap());
    let paths = logs.map(|log| log.unwrap().path());
    let key = |path: &std::path::Path| {
        path.strip_prefix(machine.path("srv/bucket"))
            .unwrap()
            .display()
            .to_string()
    };
    paths
        .map(|path| (key(&path), fs::read_to_string(&path).unwrap()))
        .collect()
}

#[test]
fn the_log_is_stored_at_the_first_three_attempts_with_the_reason_last() {
    let machine = worker();
    machine.set("srv/machine", "riscv64");
    with_journal(&machine);
    let attempts = "for n in 1 2 3 4; do /opt/kube-cfn/boot > /srv/journal 2>&1 && exit 9; cat /srv/journal; read -rt 1.1 <> <(:); \
                    find /srv/bucket/boot -type f 2> /dev/null; done; ls /run/kube-cfn; exit 1";
    let done = machine.run(&["/bin/bash", "-c", attempts]);
    let said = text(&done.stdout);
    let reason =
        "kube-cfn boot failed: other: use this bundle: it is for aarch64, this machine is riscv64";
    let ends: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("kube-cfn boot failed: "))
        .collect();
    assert_eq!(ends, [reason; 4], "{said}");
    let mut logs = stored(&machine);
    logs.sort();
    assert_eq!(logs.len(), 3, "{said}");
    for (number, (key, log)) in (1..).zip(&logs) {
        assert!(key.starts_with("boot/AROA0EXAMPLE:i-0a/"), "{key}");
        let first = format!("pool-batch of production, attempt {number}\n");
        assert!(log.starts_with(&first), "{log}");
        assert!(log.ends_with(&format!("{reason}\n")), "{log}");
    }
    // Nothing of it stays in memory: not the values, not the log.
    assert!(said.ends_with("\nattempts\n"), "{said}");
    let calls = machine.calls();
    let order: Vec<_> = calls
        .lines()
        .filter(|call| !call.starts_with("uname"))
        .collect();
    let at = |start: &str| order.iter().position(|call| call.starts_with(start));
    assert!(
        at("aws s3 cp") < at("cfn-signal"),
        "the machine goes with its stack: {calls}"
    );
}

#[test]
fn a_log_that_cannot_be_stored_changes_nothing() {
    let machine = worker();
    machine.set("srv/machine", "riscv64");
    program(
        &machine,
        "local/sbin/aws",
        "#!/bin/bash\necho 'Unable to locate credentials' >&2; exit 253\n",
    );
    let done = machine.run(&["/bin/bash", "-c", THIRD]);
    let said = text(&done.stdout);
    assert_eq!(done.status.code(), Some(1));
    assert!(
        said.contains("boot: the log was not stored; see journalctl"),
        "{said}"
    );
    assert!(
        said.trim_end().ends_with("this machine is riscv64"),
        "{said}"
    );
    assert!(
        machine.calls().contains("cfn-signal --exit-code 1 "),
        "{}",
        machine.calls()
    );
    assert_eq!(stored(&machine), []);
}

/// A value as parameters have them: tokens, keys in PEM, YAML with a secret in it, words of any kind.
fn values() -> impl Strategy<Value = String> {
    let words = proptest::collection::vec("[!-~]{3,20}", 3..6).prop_map(|words| words.join(" "));
    prop_oneof![
        "[a-z0-9]{6}\\.[a-z0-9]{16}",
        proptest::collection::vec("[A-Za-z0-9+/]{64}", 2..5).prop_map(|lines| {
            format!(
                "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
                lines.join("\n")
            )
        }),
        "[A-Za-z0-9+/]{40}"
            .prop_map(|secret| format!("keys:\n  - name: key1\n    secret: {secret}=")),
        proptest::collection::vec(words, 1..4).prop_map(|lines| lines.join("\n")),
    ]
}

/// A machine whose parameters have these values, with the telltale in front of its programs.
fn telltale(slot: bool, values: &[String], fail_at: usize) -> Machine {
    let machine = if slot {
        Machine::new(&specs::production(), "control-plane/a")
    } else {
        worker()
    };
    machine.install_less();
    // A token has one form alone: without it no worker asks for a certificate.
    let secrets = ["cp/sa.key", "cp/sa.pub", "cp/encryption.yaml"];
    for (name, value) in secrets.iter().zip(values.iter().cycle()) {
        machine.set(&format!("srv/parameters/{name}"), &format!("{value}\n"));
    }
    for entry in fs::read_dir(machine.path("local/sbin")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        fs::create_dir_all(machine.path("srv/doubles")).unwrap();
        let double = machine.path(&format!("srv/doubles/{name}"));
        fs::rename(machine.path(&format!("local/sbin/{name}")), double).unwrap();
        let script = if name == "sleep" {
            "#!/bin/bash\n"
        } else {
            TELLTALE
        };
        program(&machine, &format!("local/sbin/{name}"), script);
    }
    with_journal(&machine);
    machine.set("srv/fail-at", &fail_at.to_string());
    machine.set("srv/known", "");
    machine
}

/// Every line of a value but those that are as short as any word.
fn lines(values: &str) -> BTreeSet<&str> {
    values
        .lines()
        .map(str::trim)
        .filter(|line| line.len() >= 6)
        .collect()
}

/// What one boot that fails at this call leaves: whether a log was stored, and whether its journal held a
/// value that had to be left out of it.
fn fails_without_a_word(slot: bool, values: &[String], fail_at: usize) -> (bool, bool) {
    let machine = telltale(slot, values, fail_at);
    let done = machine.run(&["/bin/bash", "-c", THIRD]);
    let known = machine.get("srv/known");
    let logs = stored(&machine);
    // What the console says last, and the signal with it.
    let said = text(&done.stdout);
    let last = said.lines().last().unwrap_or_default().to_owned();
    let ends = [("the last line".to_owned(), last)];
    let failed = !done.status.success();
    for (key, log) in logs.iter().chain(ends.iter().filter(|_| failed)) {
        for line in lines(&known) {
            assert!(!log.contains(line), "{line:?} stands in {key}:\n{log}");
        }
        for word in known.split(|one: char| !one.is_ascii_alphanumeric() && !"+/=_-".contains(one))
        {
            assert!(
                word.len() < 12 || !log.contains(word),
                "{word:?} stands in {key}:\n{log}"
            );
        }
        assert!(log.contains("kube-cfn boot failed: "), "{log}");
    }
    let journal = text(&done.stdout);
    let quoted = lines(&known).iter().any(|line| journal.contains(line));
    (!logs.is_empty(), quoted)
}

#[test]
fn a_stored_log_holds_no_value_of_a_parameter() {
    let (mut logs, mut hides) = (0, 0);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let cases = (
        any::<bool>(),
        proptest::collection::vec(values(), 2..5),
        1..60_usize,
    );
    for _ in 0..16 {
        let (slot, values, fail_at) = cases.new_tree(&mut runner).unwrap().current();
        let (stored, hidden) = fails_without_a_word(slot, &values, fail_at);
        logs += usize::from(stored);
        hides += usize::from(stored && hidden);
    }
    assert!(
        logs >= 6 && hides >= 3,
        "{logs} logs, {hides} of them had something to hide"
    );
}

/// `ec2_last_bytes` of the very file that nodes have.
fn last_bytes(count: usize, reason: &str) -> String {
    let script = format!(
        "NODE_REGION=eu-west-1; . {}/templates/node/lib/ec2.sh; ec2_last_bytes {count} \"$1\"",
        env!("CARGO_MANIFEST_DIR")
    );
    let done = Command::new("bash")
        .args(["-c", &script, "bash", reason])
        .output()
        .unwrap();
    String::from_utf8(done.stdout).expect("whole characters")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_long_reason_keeps_its_end_and_whole_characters(reason in "[a-zäß€🔒\n ]{0,60}", count in 8..90_usize) {
        let cut = last_bytes(count, &reason);
        let cut = cut.strip_suffix('\n').expect("one line");
        let flat = reason.replace('\n', " ");
        prop_assert!(cut.len() <= count);
        if flat.len() <= count {
            prop_assert_eq!(cut, flat);
        } else {
            let rest = cut.strip_prefix("...").expect("a mark");
            prop_assert!(flat.ends_with(rest) && rest.len() + 7 > count, "{} of {}", cut, flat);
        }
    }
}
