//! `tests/run` itself, with stand-ins for cargo and the emulated AWS: how much of the seeded runs and kills it asks for, and
//! what its end says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Notes how it was called; as the tests do, names what it leaves out, and fails where `FAILS` says so.
const CARGO: &str = r#"#!/bin/bash
echo "full=${KUBE_CFN_TEST_FULL:-} cargo $*" >> "${CALLS}"
[ "$*" != 'test --locked --no-run' ] || exit 0
printf '%s\n' 'the b: no a' 'the a: no b' 'the b: no a' >> "${KUBE_CFN_TEST_UNTESTED}"
exit "${FAILS:-0}"
"#;

const EMULATOR: &str = "#!/bin/bash\nKUBE_CFN_TEST_TOOLS=\"${0%/*}\" exec \"$@\"\n";

fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

struct Suite(TempDir);

impl Suite {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let of = |name: &str| directory.path().join(name);
        let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run");
        program(&of("tests/run"), &fs::read_to_string(run).unwrap());
        program(&of("tests/emulator/run"), EMULATOR);
        program(&of("tests/emulator/python"), "#!/bin/bash\n");
        program(&of("bin/cargo"), CARGO);
        Self(directory)
    }

    /// What it ended with, and the calls of cargo.
    fn run(&self, arguments: &[&str], fails: &str) -> (Output, String) {
        let calls = self.0.path().join("calls");
        let path = std::env::var("PATH").unwrap();
        let output = Command::new(self.0.path().join("tests/run"))
            .args(arguments)
            .env(
                "PATH",
                format!("{}:{path}", self.0.path().join("bin").display()),
            )
            .env("CALLS", &calls)
            .env("FAILS", fails)
            .env("KUBE_CFN_TEST_FULL", "")
            .output()
            .unwrap();
        let said = fs::read_to_string(&calls).unwrap_or_default();
        let _ = fs::remove_file(calls);
        (output, said)
    }
}

/// With this variable `tests/support/share.rs` leaves nothing out.
#[test]
fn full_asks_for_every_seeded_run_and_kill() {
    let suite = Suite::new();
    for (arguments, full) in [(&["--full"][..], "1"), (&[], "")] {
        let (output, calls) = suite.run(arguments, "0");
        assert!(output.status.success(), "{output:?}");
        let mut calls: Vec<_> = calls.lines().collect();
        calls.sort_unstable();
        let wanted = [
            "--doc",
            "--no-fail-fast --lib --bins --test offline",
            "--no-run",
            "--test emulated",
        ];
        let wanted = wanted.map(|targets| format!("full={full} cargo test --locked {targets}"));
        assert_eq!(calls, wanted);
    }
    let (_, calls) = suite.run(&["--full", "versions::"], "0");
    assert!(
        calls.ends_with("full=1 cargo test --locked versions::\n"),
        "{calls}"
    );
}

#[test]
fn what_was_left_out_is_listed_once_at_the_end_whatever_failed() {
    let suite = Suite::new();
    for fails in ["0", "3"] {
        let (output, _) = suite.run(&[], fails);
        assert_eq!(output.status.code().unwrap().to_string(), fails);
        let said = String::from_utf8(output.stdout).unwrap();
        let end = "not tested: the a: no b\nnot tested: the b: no a\n";
        assert!(
            said.ends_with(end) && said.matches("the b").count() == 1,
            "{said}"
        );
    }
}
